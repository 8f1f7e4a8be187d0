"""Which rows are ranked together: groups of neighbouring rows, told by an id a row."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.quantize.vectors import label_vector
from gbdist.spaced import evenly_spaced

#: Of a partition's group starts so many are told, evenly spaced: enough to cut it evenly, and records stay small.
MOST_STARTS = 64
_KINDS = ("integer", "string")
_FIX = "Sort the rows by group_id, so that the rows of a group are neighbours."


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What one partition says of its groups.

    Parameters
    ----------
    kind : "integer" or "string", "empty" without rows
    n_rows : int
    first, last : as ``group_ids`` of the first and the last row
    starts : rows where a group starts, at most ``MOST_STARTS``, ascending; row 0 first
    """

    kind: str
    n_rows: int
    first: int
    last: int
    starts: tuple[int, ...]


def group_ids(group: object, where: str) -> tuple[str, NDArray[np.uint64]]:
    """Kind of the ids, and uint64 [n_rows]: integers as they are, strings by a hash of 64 bits."""
    vector = label_vector(group, where)
    if vector.kind == "empty" and vector.n_rows == 0:
        return "empty", np.empty(0, np.uint64)
    if vector.n_missing:
        found = f"{vector.n_missing} missing value(s)"
        raise DataError(where, found, "a group for each row", "Drop or repair those rows.")
    if vector.kind not in _KINDS:
        fix = "Convert group_id to one of these."
        raise DataError(where, f"{vector.kind} values", "integers or strings", fix)
    if vector.kind == "integer":
        return "integer", vector.values.view(np.uint64)
    codes, found = pd.factorize(vector.values)
    return "string", np.array([_hash(one) for one in found], dtype=np.uint64)[codes]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def group_starts(ids: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Rows whose group is another one than that of the row before, int64, ascending; row 0 is one."""
    return np.flatnonzero(np.concatenate([[ids.shape[0] > 0], ids[1:] != ids[:-1]])[: ids.shape[0]])


def survey_groups(group: object, number: int) -> GroupFacts:
    """Facts of one partition; ``DataError`` that names a group which comes back after another one."""
    where = f"group_id of partition {number}"
    kind, ids = group_ids(group, where)
    if not ids.shape[0]:
        return GroupFacts("empty", 0, 0, 0, ())
    starts = group_starts(ids)
    again = first_repeated(ids[starts])
    if again is not None:
        row = int(starts[again])
        found = f"group {_id_of(group, where, row)!r} once more in row {row}, after another one"
        raise DataError(where, found, "the rows of a group next to each other", _FIX)
    chosen = starts[evenly_spaced(len(starts), MOST_STARTS)]
    return GroupFacts(kind, len(ids), int(ids[0]), int(ids[-1]), tuple(chosen.tolist()))


def first_repeated(ids: NDArray[np.uint64]) -> int | None:
    """Position of the first id that was there before, None if all are different."""
    repeated = np.flatnonzero(pd.Series(ids).duplicated().to_numpy())
    return int(repeated[0]) if repeated.size else None


def _id_of(group: object, where: str, row: int) -> Any:
    return label_vector(group, where).values[row : row + 1].tolist()[0]


def merge_groups(parts: Sequence[tuple[int, GroupFacts | None]]) -> tuple[tuple[int, ...], ...] | None:
    """Rows of each partition (given with its number) where a new owner may begin: where a group starts; None without groups."""
    known = [(number, facts) for number, facts in parts if facts is not None]
    if not known:
        return None
    filled = [(number, facts) for number, facts in known if facts.n_rows]
    for number, facts in filled[1:]:
        first_number, first = filled[0]
        if facts.kind != first.kind:
            raise DataError(
                f"group_id of partition {number}",
                f"{facts.kind} values",
                f"{first.kind} as in partition {first_number}",
                "Give group_id the same type in every partition.",
            )
    cuts: list[tuple[int, ...]] = []
    before: int | None = None
    for _, facts in known:
        starts = facts.starts
        cuts.append(starts[1:] if starts and facts.first == before else starts)
        before = facts.last if facts.n_rows else before
    return tuple(cuts)
