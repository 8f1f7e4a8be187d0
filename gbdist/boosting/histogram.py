"""Histograms of one level: count the smaller children, add up over the ranks, take the others from the parents.

A *table* is int64 [n_features, dimensions, leaves, width], where width is the number of bins padded to a power of two
(twice that for wide cells). Three ways to get a level's table, all with the same sums:

* small tables are summed whole on every rank (``all_reduce``), and all ranks score all features;
* larger ones are dealt by features (``reduce_scatter``): a rank gets, and scores, its share;
* where parents and children would not fit the budget, features go in blocks and every leaf is counted, without parents.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.rows import Rows
from gbdist.boosting.sampling import Cells
from gbdist.errors import ParameterError
from gbdist.kernels import cpu_histogram as kernels

#: tables up to this many bytes are summed whole on every rank: one round instead of two
ALL_REDUCE_BYTES = 256 * 1024
#: tables of a level (counted, parents, children) stay below this many bytes a rank
TABLE_BUDGET = 1 << 29
#: the table of one feature, which cannot be cut further, stays below this many bytes
LARGEST_FEATURE_TABLE = 1 << 32

_ALL = np.empty(0, np.uint8)


@dataclass(frozen=True)
class LevelTable:
    """Summed histograms of the features ``first … first + n − 1`` for all leaves of a level.

    ``complete`` says that every rank holds the same features, so nothing is left to agree on.
    """

    first: int
    cells: NDArray[np.int64]
    complete: bool


def check_table_size(n_bins: NDArray[np.int64], dimensions: int, depth: int) -> None:
    """Refuse a depth at which the last level's table of one feature would not fit; the same on every rank."""
    most_bins = int(n_bins.max(initial=2))
    size = 8 * dimensions << (most_bins - 1).bit_length() + depth - 1
    if size > LARGEST_FEATURE_TABLE:
        expected = f"at most {LARGEST_FEATURE_TABLE >> 30} GiB for a level's sums of one feature, here {size >> 30} GiB"
        fix = f"They grow with 2**depth, with {most_bins} bins and with {dimensions} raw value(s) a row: lower one of them."
        raise ParameterError("depth", depth, expected, fix)


class HistogramSource:
    """Makes the tables of one tree, level by level."""

    def __init__(self, rows: Rows, cells: Cells, n_bins: NDArray[np.int64], collective: Collective, crew: Crew) -> None:
        self._rows, self._cells, self._collective, self._crew = rows, cells, collective, crew
        self._dimensions = cells.values.shape[0]
        self._bits = max(1, int(n_bins.max(initial=2) - 1).bit_length())
        self._wide = cells.scales.wide
        self._width = (1 << self._bits) * (2 if self._wide else 1)
        self._parents: LevelTable | None = None

    def tables(
        self, leaf_of_row: NDArray[np.uint16], level: int, counted_right: NDArray[np.uint8]
    ) -> Iterator[LevelTable]:
        """Yield the level's table, or its blocks; every rank yields as many.

        Parameters
        ----------
        leaf_of_row : uint16 [n], IN
        level : 0 for the root
        counted_right : uint8 [2**(level−1)], IN
            Which child of each parent is the smaller one (1: the right one).
        """
        n_features = self._rows.n_features
        level_bytes = 8 * n_features * self._dimensions * self._width << level
        if level > 0 and (self._parents is None or 2 * level_bytes > TABLE_BUDGET):
            self._parents = None
            yield from self._blocks(leaf_of_row, level)
            return
        if 2 * level_bytes > TABLE_BUDGET:
            yield from self._blocks(leaf_of_row, level)
            return
        counted_leaves = np.zeros(1, np.int64)
        if level > 0:
            half = 1 << (level - 1)
            counted_leaves = np.arange(half) + np.where(counted_right, half, 0)
        table = self._count(leaf_of_row, level, counted_leaves, (0, n_features))
        summed = self._add_up(table, 0)
        if level > 0:
            summed = self._children(self._parents_for(summed), summed, counted_right, level)
        self._parents = summed
        yield summed

    def _parents_for(self, counted: LevelTable) -> NDArray[np.int64]:
        """Parents of the counted features: a share of them at the level where tables begin to be dealt."""
        parents = self._parents
        if parents is None:
            raise RuntimeError("a level was counted by children without its parents")
        start = counted.first - parents.first
        return parents.cells[start : start + counted.cells.shape[0]]

    def _children(
        self, parents: NDArray[np.int64], counted: LevelTable, counted_right: NDArray[np.uint8], level: int
    ) -> LevelTable:
        n_features, dimensions, n_parents, width = parents.shape
        shape = (n_features, dimensions, 2 * n_parents, width)
        # Levels take turns, because the parents are still read while their children are written.
        children = self._crew.scratch.array(f"children {level % 2}", shape, np.int64)

        def work(f: int) -> None:
            piece = slice(f, f + 1)
            kernels.split_parents(parents[piece], counted.cells[piece], counted_right, children[piece])

        if self._crew.threads == 1:
            kernels.split_parents(parents, counted.cells, counted_right, children)
        else:
            self._crew.each(work, range(n_features))
        return LevelTable(counted.first, children, counted.complete)

    def _blocks(self, leaf_of_row: NDArray[np.uint16], level: int) -> Iterator[LevelTable]:
        n_features = self._rows.n_features
        feature_bytes = 8 * self._dimensions * self._width << level
        size = max(1, min(n_features, TABLE_BUDGET // (2 * feature_bytes)))
        leaves = np.arange(1 << level, dtype=np.int64)
        for first in range(0, n_features, size):
            block = (first, min(n_features, first + size))
            yield self._add_up(self._count(leaf_of_row, level, leaves, block), first)

    def _add_up(self, table: NDArray[np.int64], first: int) -> LevelTable:
        """Sum a table over the ranks, whole or by shares."""
        collective = self._collective
        if collective.size == 1:
            return LevelTable(first, table, complete=True)
        if table.nbytes <= ALL_REDUCE_BYTES:
            return LevelTable(first, collective.all_reduce(table, halves=not self._wide), complete=True)
        n_features = table.shape[0]
        edges = [n_features * r // collective.size for r in range(collective.size + 1)]
        per_feature = table.size // n_features
        share = collective.reduce_scatter(table.ravel(), [e * per_feature for e in edges], halves=not self._wide)
        start, stop = edges[collective.rank], edges[collective.rank + 1]
        return LevelTable(first + start, share.reshape(stop - start, *table.shape[1:]), complete=False)

    def _count(
        self, leaf_of_row: NDArray[np.uint16], level: int, counted: NDArray[np.int64], features: tuple[int, int]
    ) -> NDArray[np.int64]:
        """Count this rank's rows of the leaves ``counted`` (slot s is leaf counted[s]) for a range of features."""
        start, stop = features
        shape = (stop - start, self._dimensions, counted.shape[0] * self._width)
        histogram = self._crew.scratch.array(f"histogram {level % 2}", shape, np.int64)
        histogram.fill(0)
        bins = self._rows.bins[start:stop]
        if level == 0 and not self._wide and self._most_are_drawn():
            self._count_root(bins, histogram)
        else:
            slot_of_leaf = np.full(1 << level, -1, np.int32)
            slot_of_leaf[counted] = np.arange(counted.shape[0], dtype=np.int32)
            self._count_picked(bins, self._pick(leaf_of_row, slot_of_leaf), histogram)
        return histogram.reshape(*shape[:2], counted.shape[0], self._width)

    def _most_are_drawn(self) -> bool:
        """Whether counting all rows is quicker than picking the drawn ones; cells of the others are 0."""
        drawn = self._cells.drawn
        return drawn is None or 2 * np.count_nonzero(drawn.view(np.bool_)) > drawn.shape[0]

    def _pick(
        self, leaf_of_row: NDArray[np.uint16], slot_of_leaf: NDArray[np.int32]
    ) -> list[tuple[NDArray[np.uint32], NDArray[np.uint16]]]:
        """List the rows to count, one list a slice of rows, each ascending."""
        drawn = self._cells.drawn

        def pick(piece: slice) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
            # One place more than rows: the kernel writes before it knows whether it keeps.
            shape, scratch = (piece.stop - piece.start + 1,), self._crew.scratch
            rows = scratch.array(f"rows from {piece.start}", shape, np.uint32)
            slots = scratch.array(f"slots from {piece.start}", shape, np.uint16)
            some = _ALL if drawn is None else drawn[piece]
            count = kernels.pick_rows(leaf_of_row[piece], slot_of_leaf, some, piece.start, rows, slots)
            return rows[:count], slots[:count]

        return self._crew.each(pick, self._crew.row_slices(self._rows.n_rows))

    def _count_root(self, bins: kernels.Bins, histogram: NDArray[np.int64]) -> None:
        values = self._cells.values
        n_features = bins.shape[0]

        def work(group: tuple[int, int]) -> None:
            first, k = group
            if first + 4 <= n_features:
                kernels.add_all_rows(bins, first, values[k], k, histogram)
                return
            for f in range(first, n_features):
                kernels.add_all_rows_single(bins, f, values[k], k, histogram)

        self._crew.each(work, [(f, k) for k in range(self._dimensions) for f in range(0, n_features, 4)])

    def _count_picked(
        self,
        bins: kernels.Bins,
        picked: list[tuple[NDArray[np.uint32], NDArray[np.uint16]]],
        histogram: NDArray[np.int64],
    ) -> None:
        n_features = bins.shape[0]
        for k in range(self._dimensions):
            gathered = [self._gather(k, rows, f"cells of slice {i}") for i, (rows, _) in enumerate(picked)]

            def work(first: int, k: int = k, gathered: list[NDArray[np.int64]] = gathered) -> None:
                last = min(first + 4, n_features)
                for rows_and_slots, cells in zip(picked, gathered, strict=True):
                    if last - first == 4 and not self._wide:
                        kernels.add_picked_rows(bins, first, rows_and_slots, cells, (k, self._bits), histogram)
                        continue
                    add = kernels.add_picked_rows_wide if self._wide else kernels.add_picked_rows_single
                    for f in range(first, last):
                        add(bins, f, rows_and_slots, cells, (k, self._bits), histogram)

            self._crew.each(work, range(0, n_features, 4))

    def _gather(self, dimension: int, rows: NDArray[np.uint32], name: str) -> NDArray[np.int64]:
        out = self._crew.scratch.array(name, kernels.cells_shape(rows.shape[0], self._wide), np.int64)
        kernels.gather_cells(self._cells.values[dimension], rows, out)
        return out
