"""Whether every group is whole: its rows neighbours, and on one rank. Looked at once, before the first round."""

import pickle

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows
from gbdist.errors import DataError
from gbdist.quantize.groups import first_repeated, group_starts

#: Ids by what they hash to: id, and global number of the row where the group starts.
_RECORD = np.dtype([("id", np.uint64), ("row", np.int64)])


def require_whole_groups(rows: Rows, where: str, collective: Collective, *, numbered: bool) -> None:
    """The same DataError on every rank if a group comes back after another one.

    ``where`` is what errors call the ids; ``numbered`` says that they are integers, which can be told: of strings there are
    hashes alone.
    """
    mine = _records(rows)
    # Ids with the same remainder meet on one rank, so that each is looked for in a share of them only.
    share = mine["id"] % np.uint64(collective.size)
    met = collective.all_to_all([mine[share == rank].tobytes() for rank in range(collective.size)])
    found = pickle.dumps(_repeated(np.concatenate([np.frombuffer(item, _RECORD) for item in met])))
    told = [pickle.loads(item) for item in collective.all_gather(found)]
    faults = [fault for fault in told if fault is not None]
    if not faults:
        return
    row, before, group = min(faults)
    raise DataError(
        where,
        f"{f'group {group}' if numbered else 'the group'} of row {before} once more in row {row}, after another one",
        "the rows of a group next to each other",
        "Sort the rows by group_id, so that the rows of a group are neighbours.",
    )


def _records(rows: Rows) -> NDArray[np.void]:
    """Starts of this rank's groups."""
    if rows.group is None:
        return np.empty(0, _RECORD)
    records = []
    for segment in rows.segments:
        ids = rows.group[segment.start : segment.stop]
        starts = group_starts(ids)
        of_segment = np.empty(len(starts), _RECORD)
        of_segment["id"], of_segment["row"] = ids[starts], starts + segment.first_row
        records.append(of_segment)
    return np.concatenate(records) if records else np.empty(0, _RECORD)


def _repeated(records: NDArray[np.void]) -> tuple[int, int, int] | None:
    """Rows where a group starts again and where it started, and its id, for the first such one; None if there is none."""
    records = np.sort(records, order="row")
    again = first_repeated(records["id"])
    if again is None:
        return None
    first = int(np.flatnonzero(records["id"] == records["id"][again])[0])
    return int(records["row"][again]), int(records["row"][first]), int(records["id"][again].view(np.int64))
