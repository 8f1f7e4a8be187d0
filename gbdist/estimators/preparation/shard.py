"""What one quantize task leaves on a worker: some rows of a rank, in the rank's one matrix.

Placement knows how many rows a rank will own, so the first task of a rank makes the whole matrix and every task fills its
part of it: a rank that owns many pieces never holds them twice. A task that runs elsewhere (its worker died) fills a matrix
there; whoever puts the rank together then copies. Hashes of categorical columns lie there too. Other columns that are not
binned have no size beforehand: they stay with the shard.

Cells are bins, which lie feature after feature, or numbers for a network, which lie row after row: that is how each is read.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.estimators.preparation.on_disk import LocalMatrix
from gbdist.quantize.cells import NUMBERS, Cells
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.unbinned import HASH_BYTES, HASHED, joined


@dataclass(frozen=True, slots=True)
class RowShape:
    """What a row of a data set has in shards.

    Parameters
    ----------
    n_features : int
        Cells.
    dtype : of the cells
    weighted : bool
    dimension : int
        Of the baseline, 0 without one.
    hashed : tuple of int
        Positions, among all columns, of those that are kept as hashes, ascending.
    n_labels : int
    folded : bool
        Whether there is a number that folds go by.
    """

    n_features: int
    dtype: np.dtype[Any]
    weighted: bool = False
    dimension: int = 0
    hashed: tuple[int, ...] = ()
    n_labels: int = 1
    folded: bool = False

    @classmethod
    def of(cls, survey: DataSurvey, dimension: int, dtype: np.dtype[Any]) -> "RowShape":
        """That of a data set."""
        weighted, n_labels = survey.weight is not None, max(1, len(survey.targets))
        return cls(len(survey.names), dtype, weighted, dimension, survey.hashed, n_labels, survey.folded)

    @property
    def nbytes(self) -> int:
        """Bytes of a row."""
        cells, hashes = self.n_features * self.dtype.itemsize, HASH_BYTES * len(self.hashed)
        return cells + hashes + 4 * self.n_labels + 4 * (self.weighted + self.folded) + 8 * self.dimension


@dataclass(frozen=True, slots=True)
class ArenaSpec:
    """A rank's matrix. ``key`` is unique to the data set and the rank; ``on_disk`` says where cells lie, bins then."""

    key: str
    n_rows: int
    row: RowShape
    grouped: bool = False
    on_disk: bool = False


def shape_of_labels(n_labels: int, n_rows: int) -> tuple[int, ...]:
    """[n_rows], or [n_labels, n_rows] where a row has several labels."""
    return (n_rows,) if n_labels == 1 else (n_labels, n_rows)


class Arena:
    """All rows of one rank, in memory but for bins, which may be in a file (``file_matrix.py``).

    cells [n_features, n_rows], in C order if they are bins and in Fortran order if they are numbers, label float32 [n_rows], or
    [n_labels, n_rows] if a row has several, weight float32 [n_rows], baseline float64 [dimension, n_rows], group uint64 [n_rows],
    hashes uint32 [n_hashed, n_rows], fold uint32 [n_rows].
    """

    __slots__ = ("__weakref__", "baseline", "cells", "fold", "group", "hashes", "label", "weight")

    def __init__(self, spec: ArenaSpec) -> None:
        # Not zeroed: the system gives pages out as tasks write to them.
        row, shape = spec.row, (spec.row.n_features, spec.n_rows)
        cells: Any = LocalMatrix.here(shape, row.dtype) if spec.on_disk else _empty_cells(shape, row.dtype)
        self.cells: Cells = cells
        self.label = np.zeros(shape_of_labels(row.n_labels, spec.n_rows), dtype=np.float32)
        self.weight = np.ones(spec.n_rows, dtype=np.float32) if row.weighted else None
        self.baseline = np.zeros((row.dimension, spec.n_rows), dtype=np.float64) if row.dimension else None
        self.group = np.zeros(spec.n_rows, dtype=np.uint64) if spec.grouped else None
        self.hashes = np.empty((len(row.hashed), spec.n_rows), dtype=np.uint32)
        self.fold = np.zeros(spec.n_rows, dtype=np.uint32) if row.folded else None


def _empty_cells(shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.empty(shape, dtype, "F" if dtype == NUMBERS else "C")


_arenas: "WeakValueDictionary[str, Arena]" = WeakValueDictionary()
_lock = threading.Lock()


def arena_of(spec: ArenaSpec) -> Arena:
    """The rank's arena in this process, made by whoever asks first; it lives as long as a shard in it does."""
    with _lock:
        arena = _arenas.get(spec.key)
        if arena is None:
            arena = _arenas[spec.key] = Arena(spec)
        return arena


class Shard:
    """Rows ``start … start+n_rows−1`` of an arena; they are the rows ``first_row …`` of the data set.

    ``unbinned`` are their columns that are neither binned nor hashed. Pickling carries a copy of these rows alone.
    """

    __slots__ = ("arena", "first_row", "n_rows", "start", "unbinned")

    def __init__(
        self, arena: Arena, start: int, n_rows: int, first_row: int, unbinned: tuple[UnbinnedColumn, ...] = ()
    ) -> None:
        self.arena, self.start, self.n_rows, self.first_row = arena, start, n_rows, first_row
        self.unbinned = unbinned

    @property
    def cells(self) -> Cells:
        """uint8, uint16 or float32 [n_features, n_rows], a view."""
        cells: Cells = self.arena.cells[:, self._columns]
        return cells

    @property
    def label(self) -> NDArray[np.float32]:
        """float32 [n_rows] or [n_labels, n_rows], a view."""
        return self.arena.label[..., self._columns]

    @property
    def weight(self) -> NDArray[np.float32] | None:
        """float32 [n_rows], a view, or None."""
        return None if self.arena.weight is None else self.arena.weight[self._columns]

    @property
    def baseline(self) -> NDArray[np.float64] | None:
        """float64 [dimension, n_rows], a view, or None."""
        return None if self.arena.baseline is None else self.arena.baseline[:, self._columns]

    @property
    def group(self) -> NDArray[np.uint64] | None:
        """uint64 [n_rows], a view, or None."""
        return None if self.arena.group is None else self.arena.group[self._columns]

    @property
    def fold(self) -> NDArray[np.uint32] | None:
        """uint32 [n_rows], a view, or None."""
        return None if self.arena.fold is None else self.arena.fold[self._columns]

    @property
    def hashes(self) -> NDArray[np.uint32]:
        """uint32 [n_hashed, n_rows], a view."""
        return self.arena.hashes[:, self._columns]

    @property
    def on_disk(self) -> bool:
        """Whether the bins lie in a file."""
        return isinstance(self.arena.cells, LocalMatrix)

    @property
    def nbytes(self) -> int:
        """Bytes of these rows, wherever they lie."""
        beside = sum(column.nbytes for column in self.unbinned)
        return beside + sum(int(part.nbytes) for part in self._parts if part is not None)

    @property
    def _parts(self) -> tuple[Any, ...]:
        return self.cells, self.label, self.weight, self.baseline, self.group, self.hashes, self.fold

    @property
    def _columns(self) -> slice:
        return slice(self.start, self.start + self.n_rows)

    def copied(self, first: int, last: int) -> "Shard":
        """Rows ``first … last−1`` of these, in an arena of their own."""
        rows = slice(first, last)
        unbinned = tuple(replace(column, values=column.values[rows]) for column in self.unbinned)
        return Shard(self.arena, self.start + first, last - first, self.first_row + first, unbinned).alone()

    def alone(self) -> "Shard":
        """The same rows in an arena of their own."""
        make, parts = self.__reduce__()
        alone: Shard = make(*parts)
        return alone

    def __reduce__(self) -> tuple[Any, ...]:
        cells, *others = self._parts
        # Cells keep the order in which they lie.
        copies = [
            cells if self.on_disk else cells.copy("K"),
            *(None if part is None else part.copy() for part in others),
        ]
        return shard_of, (*copies, self.unbinned, self.first_row)


class Shards(tuple[Shard, ...]):
    """What one task leaves: the shards of neighbouring pieces of a rank, several where partitions are small."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all their rows."""
        return sum(shard.nbytes for shard in self)


def shard_of(
    cells: Cells,
    label: NDArray[np.float32],
    weight: NDArray[np.float32] | None,
    baseline: NDArray[np.float64] | None,
    group: NDArray[np.uint64] | None,
    hashes: NDArray[np.uint32],
    fold: NDArray[np.uint32] | None,
    unbinned: tuple[UnbinnedColumn, ...],
    first_row: int,
) -> Shard:
    """Make a shard that has its arena for itself, out of its arrays."""
    arena = Arena.__new__(Arena)
    arena.cells, arena.label, arena.weight, arena.baseline, arena.group = cells, label, weight, baseline, group
    arena.hashes, arena.fold = hashes, fold
    return Shard(arena, 0, int(cells.shape[1]), first_row, unbinned)


def assemble(shards: Sequence[Shard], row: RowShape) -> Rows:
    """Put the shards of a rank together as Rows, in the order of their rows; no copy if they fill one arena.

    ``row`` describes the data set, so that a rank without rows agrees with the others.
    """
    arena, segments = joined_shards(shards, row)
    columns = [UnbinnedColumn(at, HASHED, hashes) for at, hashes in zip(row.hashed, arena.hashes, strict=True)]
    columns += joined([shard.unbinned for shard in _in_order(shards)])
    unbinned = tuple(sorted(columns, key=lambda column: column.position))
    bins: Any = arena.cells
    return Rows(bins, arena.label, arena.weight, arena.baseline, segments, unbinned, arena.group, fold=arena.fold)


def joined_shards(shards: Sequence[Shard], row: RowShape) -> tuple[Arena, tuple[Segment, ...]]:
    """The shards of a rank as one arena, in the order of their rows: their own, without a copy, if they fill one; and which
    rows of the data set they are."""
    ordered = _in_order(shards)
    n_rows = sum(shard.n_rows for shard in ordered)
    if ordered and _fill_one_arena(ordered, n_rows):
        return ordered[0].arena, _segments(ordered)
    grouped, on_disk = bool(ordered) and ordered[0].group is not None, any(shard.on_disk for shard in ordered)
    return _copied(ordered, ArenaSpec("", n_rows, row, grouped, on_disk)), _segments(ordered)


def _in_order(shards: Sequence[Shard]) -> list[Shard]:
    return sorted(shards, key=lambda shard: shard.first_row)


def _fill_one_arena(shards: Sequence[Shard], n_rows: int) -> bool:
    ends = 0
    for shard in shards:
        if shard.arena is not shards[0].arena or shard.start != ends:
            return False
        ends += shard.n_rows
    return ends == n_rows == int(shards[0].arena.cells.shape[1])


def _copied(shards: Sequence[Shard], spec: ArenaSpec) -> Arena:
    arena = Arena(spec)
    start = 0
    for shard in shards:
        into = Shard(arena, start, shard.n_rows, shard.first_row)
        into.cells[...] = shard.cells
        into.label[...] = shard.label
        into.hashes[...] = shard.hashes
        beside = ("weight", "baseline", "group", "fold")
        for target, source in ((getattr(into, name), getattr(shard, name)) for name in beside):
            if target is not None and source is not None:
                target[...] = source
        start += shard.n_rows
    return arena


def _segments(shards: Sequence[Shard]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    start = 0
    for shard in shards:
        last = segments[-1] if segments else None
        if last is not None and last.first_row + last.stop - last.start == shard.first_row:
            segments[-1] = Segment(last.start, start + shard.n_rows, last.first_row)
        else:
            segments.append(Segment(start, start + shard.n_rows, shard.first_row))
        start += shard.n_rows
    return tuple(segments)
