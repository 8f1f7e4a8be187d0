"""What one quantize task leaves on a worker: some rows of a rank, in the rank's one matrix.

Placement knows how many rows a rank will own, so the first task of a rank makes the whole matrix and every task fills its
columns: a rank that owns many pieces never holds them twice. A task that runs elsewhere (its worker died) fills a matrix
there; whoever puts the rank together then copies. Hashes of categorical columns lie there too. Other columns that are not
binned have no size beforehand: they stay with the shard.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.quantize.unbinned import HASHED, joined

Bins = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ArenaSpec:
    """Shape of a rank's matrix. ``key`` is unique to the data set and the rank; ``dimension`` is 0 without a baseline.

    ``n_labels`` is how many labels a row has.

    ``hashed`` are the positions, among all columns, of those that are kept as hashes, ascending.
    """

    key: str
    n_rows: int
    n_features: int
    wide: bool
    weighted: bool
    dimension: int
    grouped: bool = False
    hashed: tuple[int, ...] = ()
    n_labels: int = 1


def shape_of_labels(n_labels: int, n_rows: int) -> tuple[int, ...]:
    """[n_rows], or [n_labels, n_rows] where a row has several labels."""
    return (n_rows,) if n_labels == 1 else (n_labels, n_rows)


class Arena:
    """All rows of one rank.

    bins [n_features, n_rows], label float32 [n_rows] or [n_labels, n_rows] if a row has several, weight float32 [n_rows],
    baseline float64 [dimension, n_rows], group uint64 [n_rows], hashes uint32 [n_hashed, n_rows].
    """

    __slots__ = ("__weakref__", "baseline", "bins", "group", "hashes", "label", "weight")

    def __init__(self, spec: ArenaSpec) -> None:
        # Not zeroed: the system gives pages out as tasks write to them.
        shape = (spec.n_features, spec.n_rows)
        self.bins: Bins = np.empty(shape, dtype=np.uint16) if spec.wide else np.empty(shape, dtype=np.uint8)
        self.label = np.zeros(shape_of_labels(spec.n_labels, spec.n_rows), dtype=np.float32)
        self.weight = np.ones(spec.n_rows, dtype=np.float32) if spec.weighted else None
        self.baseline = np.zeros((spec.dimension, spec.n_rows), dtype=np.float64) if spec.dimension else None
        self.group = np.zeros(spec.n_rows, dtype=np.uint64) if spec.grouped else None
        self.hashes = np.empty((len(spec.hashed), spec.n_rows), dtype=np.uint32)


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
    def bins(self) -> Bins:
        """uint8 or uint16 [n_features, n_rows], a view."""
        return self.arena.bins[:, self._columns]

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
    def hashes(self) -> NDArray[np.uint32]:
        """uint32 [n_hashed, n_rows], a view."""
        return self.arena.hashes[:, self._columns]

    @property
    def nbytes(self) -> int:
        """Bytes of these rows."""
        beside = sum(column.nbytes for column in self.unbinned)
        return beside + sum(int(part.nbytes) for part in self._parts if part is not None)

    @property
    def _parts(self) -> tuple[Any, ...]:
        return self.bins, self.label, self.weight, self.baseline, self.group, self.hashes

    @property
    def _columns(self) -> slice:
        return slice(self.start, self.start + self.n_rows)

    def __reduce__(self) -> tuple[Any, ...]:
        copies = [None if part is None else part.copy() for part in self._parts]
        return shard_of, (*copies, self.unbinned, self.first_row)


class Shards(tuple[Shard, ...]):
    """What one task leaves: the shards of neighbouring pieces of a rank, several where partitions are small."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all their rows."""
        return sum(shard.nbytes for shard in self)


def shard_of(
    bins: Bins,
    label: NDArray[np.float32],
    weight: NDArray[np.float32] | None,
    baseline: NDArray[np.float64] | None,
    group: NDArray[np.uint64] | None,
    hashes: NDArray[np.uint32],
    unbinned: tuple[UnbinnedColumn, ...],
    first_row: int,
) -> Shard:
    """Make a shard that has its arena for itself, out of its arrays."""
    arena = Arena.__new__(Arena)
    arena.bins, arena.label, arena.weight, arena.baseline, arena.group = bins, label, weight, baseline, group
    arena.hashes = hashes
    return Shard(arena, 0, int(bins.shape[1]), first_row, unbinned)


def assemble(
    shards: Sequence[Shard],
    n_features: int,
    *,
    weighted: bool,
    dimension: int,
    wide: bool,
    hashed: tuple[int, ...] = (),
    n_labels: int = 1,
) -> Rows:
    """Put the shards of a rank together as Rows, in the order of their rows; no copy if they fill one arena.

    What is beside the shards describes the data set as ``ArenaSpec`` does, so that a rank without rows agrees with the others.
    """
    shards = sorted(shards, key=lambda shard: shard.first_row)
    n_rows = sum(shard.n_rows for shard in shards)
    if shards and _fill_one_arena(shards, n_rows):
        arena = shards[0].arena
    elif len(shards) == 1:
        arena = shard_of(*shards[0].__reduce__()[1]).arena
    else:
        grouped = bool(shards) and shards[0].group is not None
        arena = _copied(shards, ArenaSpec("", n_rows, n_features, wide, weighted, dimension, grouped, hashed, n_labels))
    columns = [UnbinnedColumn(at, HASHED, hashes) for at, hashes in zip(hashed, arena.hashes, strict=True)]
    columns += joined([shard.unbinned for shard in shards])
    unbinned = tuple(sorted(columns, key=lambda column: column.position))
    return Rows(arena.bins, arena.label, arena.weight, arena.baseline, _segments(shards), unbinned, arena.group)


def _fill_one_arena(shards: Sequence[Shard], n_rows: int) -> bool:
    ends = 0
    for shard in shards:
        if shard.arena is not shards[0].arena or shard.start != ends:
            return False
        ends += shard.n_rows
    return ends == n_rows == int(shards[0].arena.bins.shape[1])


def _copied(shards: Sequence[Shard], spec: ArenaSpec) -> Arena:
    arena = Arena(spec)
    start = 0
    for shard in shards:
        into = Shard(arena, start, shard.n_rows, shard.first_row)
        into.bins[...] = shard.bins
        into.label[...] = shard.label
        into.hashes[...] = shard.hashes
        beside = ((into.weight, shard.weight), (into.baseline, shard.baseline), (into.group, shard.group))
        for target, source in beside:
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
