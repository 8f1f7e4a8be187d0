"""What a run must be to go on from the steps of another: the same parameters, columns, borders and data.

What does not change a model is no part of it: threads, cards, workers, partitions, progress. ``iterations`` is a part that may
differ, because no tree depends on how many follow.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from itertools import zip_longest
from typing import Any, Final

import numpy as np

from gbdist.errors import SnapshotError
from gbdist.snapshots.digest import DataDigest, SetDigest
from gbdist.snapshots.format import DamagedSnapshot

#: So many differences are told, and values up to so many characters shown.
_TOLD, _SHOWN = 5, 60
_MISSING: Final = object()
#: What rows have beside columns, and what errors say where it differs.
_BESIDE: Final = {
    "label": "the labels are other ones",
    "weight": "the weights are other ones",
    "baseline": "the baseline is another one",
    "group": "the groups are other ones",
    "pairs": "the pairs are other ones",
}
_ANEW: Final = "Give another snapshot_file to begin anew."
_FIX: Final = "Train with the same parameters and data to go on from it, or give another snapshot_file to begin anew."


@dataclass(frozen=True)
class Identity:
    """What a run is.

    Parameters
    ----------
    iterations : int
    parameters : dict
        Name → value, of what JSON has: everything that changes a model.
    features : tuple of str
        Names of the columns.
    sets : tuple of (str, int)
        What errors call each data set ("" for the training set), and its number of rows.
    borders : tuple of str
        A digest of the borders of each binned column; empty where they are not known yet.
    binned : tuple of int
        Positions of those columns.
    data : DataDigest
        One of each data set; empty where they are not known yet.
    """

    iterations: int
    parameters: dict[str, Any]
    features: tuple[str, ...]
    sets: tuple[tuple[str, int], ...]
    borders: tuple[str, ...] = ()
    binned: tuple[int, ...] = ()
    data: DataDigest = ()

    def with_data(self, data: DataDigest) -> "Identity":
        """The same, of which the data are known."""
        return replace(self, data=data)

    def as_json(self) -> dict[str, Any]:
        """As JSON has it; digests of data are hexadecimal, because readers of JSON take numbers for float64."""
        hexed = [{name: _hexed(value) for name, value in asdict(each).items()} for each in self.data]
        parts = ("iterations", "parameters", "features", "sets", "borders", "binned")
        return {name: getattr(self, name) for name in parts} | {"data": hexed}


def identity_of(written: dict[str, Any], path: str) -> Identity:
    """The identity that ``as_json`` wrote. Raises DamagedSnapshot for anything else."""
    try:
        data = tuple(_read_digest(each) for each in written["data"])
        parameters = written["parameters"]
        made = Identity(
            iterations=int(written["iterations"]),
            parameters={str(name): value for name, value in parameters.items()},
            features=tuple(map(str, written["features"])),
            sets=tuple((str(name), int(rows)) for name, rows in written["sets"]),
            borders=tuple(map(str, written["borders"])),
            binned=tuple(map(int, written["binned"])),
            data=data,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DamagedSnapshot(path, "an identity that cannot be read", "a whole snapshot", _ANEW) from None
    if len(made.data) != len(made.sets) or len(made.borders) != len(made.binned):
        raise DamagedSnapshot(path, "an identity that does not fit together", "a whole snapshot", _ANEW)
    return made


def require_same(saved: Identity, here: Identity, path: str) -> None:
    """SnapshotError that names what differs; what is not known of one of the two yet is not compared."""
    found = list(_differences(saved, here))
    if found:
        more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        what = f"a snapshot of another run ({'; '.join(found[:_TOLD])}{more})"
        raise SnapshotError(path, what, "one of this run", _FIX)


def usable_steps(saved: int, n_steps: int, wanted: int, metric_period: int) -> int:
    """How many of the first steps of a run of ``saved`` iterations are those of one of ``wanted`` iterations, else the same.

    All metrics are computed after the last tree, whatever the period. A tree that was the last and is not now, or the other way
    round, therefore is grown again where that makes its metrics other ones.
    """
    usable = min(n_steps, wanted)
    at = usable - 1
    last_in_one = (at == saved - 1) != (at == wanted - 1)
    return usable - 1 if usable and last_in_one and at % metric_period else usable


def plain(value: Any) -> Any:
    """A value of a parameter as JSON has it."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def digest_of(data: bytes) -> str:
    """What an identity says of bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def _hexed(value: Any) -> Any:
    return [f"{each:016x}" for each in value] if isinstance(value, tuple | list) else f"{value:016x}"


def _read_digest(written: dict[str, Any]) -> SetDigest:
    columns = tuple(int(each, 16) for each in written["columns"])
    return SetDigest(columns, *(int(written[name], 16) for name in _BESIDE))


# ---- differences in words


def _differences(saved: Identity, here: Identity) -> Iterator[str]:
    yield from _of_parameters(saved.parameters, here.parameters)
    if saved.features != here.features:
        yield from _of_names(saved.features, here.features)
        return
    if len(saved.sets) != len(here.sets):
        yield f"{len(saved.sets) - 1} eval sets in the snapshot, {len(here.sets) - 1} here"
        return
    of_rows = [
        f"{_of_set(name)}{was:,} rows in the snapshot, {now:,} here"
        for (_, was), (name, now) in zip(saved.sets, here.sets, strict=True)
        if was != now
    ]
    yield from of_rows
    if of_rows:
        return
    if saved.binned and here.binned:
        yield from _of_borders(saved, here)
    if saved.data and here.data:
        for (name, _), was, now in zip(here.sets, saved.data, here.data, strict=True):
            yield from _of_data(_of_set(name), was, now, here.features)


def _of_parameters(saved: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*here, *saved]):
        was, now = saved.get(name, _MISSING), here.get(name, _MISSING)
        if was != now:
            words = [_shown(was), _shown(now)]
            yield (
                f"{name}: {words[0]} in the snapshot, {words[1]} here" if None not in words else f"{name}: other values"
            )


def _shown(value: Any) -> str | None:
    if value is _MISSING:
        return "nothing"
    # CatBoost keeps most numbers in float32, and users write 0.2 for what is 0.20000000298023224 there.
    text = str(np.float32(value)) if isinstance(value, float) and np.float32(value) == value else repr(value)
    return text if len(text) <= _SHOWN else None


def _of_names(saved: Sequence[str], here: Sequence[str]) -> Iterator[str]:
    if len(saved) != len(here):
        yield f"{len(saved)} columns in the snapshot, {len(here)} here"
    at, was, now = next(
        (at, was, now) for at, (was, now) in enumerate(zip_longest(saved, here)) if was != now
    )  # there is one: the sequences differ
    if was is not None and now is not None:
        yield f"column {at}: {was!r} in the snapshot, {now!r} here"


def _of_borders(saved: Identity, here: Identity) -> Iterator[str]:
    if saved.binned != here.binned:
        yield "other columns are categorical"
        return
    for position, was, now in zip(here.binned, saved.borders, here.borders, strict=True):
        if was != now:
            yield f"column {here.features[position]!r} has other borders"


def _of_data(of_set: str, saved: SetDigest, here: SetDigest, features: Sequence[str]) -> Iterator[str]:
    for at, (was, now) in enumerate(zip_longest(saved.columns, here.columns)):
        if was != now:
            name = features[at] if at < len(features) else str(at)
            yield f"{of_set}column {name!r} has other values"
    for part, words in _BESIDE.items():
        if getattr(saved, part) != getattr(here, part):
            yield f"{of_set}{words}"


def _of_set(name: str) -> str:
    return f"{name}, " if name else ""
