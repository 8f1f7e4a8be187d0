"""Histograms of one level: count the smaller children, add up over the ranks, take the others from the parents.

A *table* is int64 [n_features, dimensions, leaves, width], where width is the number of bins padded to a power of two
(twice that for wide cells). Three ways to get a level's table, all with the same sums:

* small tables are summed whole on every rank (``all_reduce``), those of several blocks at once, and all ranks score all features;
* larger ones are dealt by features (``reduce_scatter``): a rank gets, and scores, its share;
* where parents and children would not fit the budget, features go in blocks and every leaf is counted, without parents.

Between GPUs dealt features go in ``overlap`` spans, so that a card counts the next one while the ranks add up the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.counting import Counted, RowPicker
from gbdist.boosting.crew import Crew, part
from gbdist.boosting.features import Block
from gbdist.boosting.sampling import Cells
from gbdist.errors import ParameterError

#: tables up to this many bytes are summed whole on every rank: one round instead of two
ALL_REDUCE_BYTES = 256 * 1024
#: tables of a level (counted, parents, children) stay below this many bytes a rank
TABLE_BUDGET = 1 << 29
#: the table of one feature, which cannot be cut further, stays below this many bytes
LARGEST_FEATURE_TABLE = 1 << 32


@dataclass(frozen=True)
class LevelTable:
    """Summed histograms of the features ``first … first + n − 1`` of a block for all leaves of a level.

    ``complete`` says that every rank holds the same features, so nothing is left to agree on; ``crew`` works where the cells are.
    """

    first: int
    cells: NDArray[np.int64]
    complete: bool
    crew: Crew = field(repr=False)


def check_table_size(n_bins: NDArray[np.int64], dimensions: int, depth: int) -> None:
    """Refuse a depth at which the last level's table of one feature would not fit; the same on every rank."""
    most_bins = int(n_bins.max(initial=2))
    size = 8 * dimensions << (most_bins - 1).bit_length() + depth - 1
    if size > LARGEST_FEATURE_TABLE:
        expected = f"at most {LARGEST_FEATURE_TABLE >> 30} GiB for a level's sums of one feature, here {size >> 30} GiB"
        fix = f"They grow with 2**depth, with {most_bins} bins and with {dimensions} raw value(s) a row: lower one of them."
        raise ParameterError("depth", depth, expected, fix)


class HistogramSource:
    """Makes the tables of one block of features for one tree, level by level.

    ``overlap`` and ``budget`` (bytes of a level's tables, None: ``TABLE_BUDGET``) are the same on all ranks.
    """

    def __init__(
        self,
        block: Block,
        picker: RowPicker,
        collective: Collective,
        overlap: int = 1,
        budget: int | None = None,
    ) -> None:
        self._n_features, self._name = block.rows.n_features, block.name
        self._collective, self._crew, self._wide = collective, picker.crew, picker.cells.scales.wide
        self._overlap = overlap if collective.size > 1 else 1
        self._budget = TABLE_BUDGET if budget is None else budget
        self._counter = counter_of(block, picker)
        self._leaf_bytes = bytes_of_leaf(block, picker.cells)
        self._parents: list[LevelTable] = []

    def small_table(
        self, leaf_of_row: NDArray[np.uint16], level: int, counted_right: NDArray[np.uint8]
    ) -> NDArray[np.int64] | None:
        """This rank's table of the level, if it is so small that it is to be summed whole on every rank; else ask for ``tables``.

        ``summed_table`` takes the sum. Parameters as of ``tables``.
        """
        counted = self._counted(level, counted_right)
        if self._collective.size == 1 or counted is None or not self._n_features:
            return None
        if self._n_features * self._leaf_bytes * counted.shape[0] > ALL_REDUCE_BYTES:
            return None
        leaves = Counted(level, 1 << level, counted)
        with self._crew.stage("histograms"):
            count = self._counter.begin(leaf_of_row, leaves, (0, self._n_features), f"{self._name} 0")
            return np.asarray(count())

    def summed_table(self, table: NDArray[np.int64], level: int, counted_right: NDArray[np.uint8]) -> LevelTable:
        """The level's table, from the sum of all ranks' small ones."""
        parents, self._parents = self._parents, []
        summed = LevelTable(0, table, True, self._crew.host)
        if parents:
            summed = self._children(parents, summed, counted_right, level)
        self._parents.append(summed)
        return summed

    def tables(
        self, leaf_of_row: NDArray[np.uint16], level: int, counted_right: NDArray[np.uint8]
    ) -> Iterator[LevelTable]:
        """Yield the level's tables; every rank yields as many. The first level may be any, the next ones follow it.

        Parameters
        ----------
        leaf_of_row : uint16 [n], IN
        level : 0 for the root
        counted_right : uint8 [2**(level−1)], IN
            Which child of each parent is the smaller one (1: the right one).
        """
        if not self._n_features:
            return
        counted = self._counted(level, counted_right)
        parents, self._parents = self._parents, []
        if counted is None:
            size = max(1, min(self._n_features, self._budget // (2 * self._leaf_bytes << level)))
            every_leaf = Counted(level, 1 << level, np.arange(1 << level))
            for span in spans_of(self._n_features, -(-self._n_features // size)):
                with self._crew.stage("histograms"):
                    table = self._counter.begin(leaf_of_row, every_leaf, span, f"{self._name} 0")()
                yield self._add_up(table, span[0], ALL_REDUCE_BYTES)
            return
        spans, leaves = spans_of(self._n_features, self._overlap), Counted(level, 1 << level, counted)
        with self._crew.stage("histograms"):
            counts = [
                self._counter.begin(leaf_of_row, leaves, span, f"{self._name} {i}") for i, span in enumerate(spans)
            ]
        for span, count in zip(spans, counts, strict=True):
            with self._crew.stage("histograms"):
                table = count()
            summed = self._add_up(table, span[0], 0)
            if parents:
                summed = self._children(parents, summed, counted_right, level)
            self._parents.append(summed)
            yield summed

    def _counted(self, level: int, counted_right: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """Leaves to count: the smaller children, or all without their parents; None where parents would not fit the budget."""
        if 2 * (self._n_features * self._leaf_bytes << level) > self._budget:
            return None
        if not self._parents:
            return np.arange(1 << level)
        half = 1 << (level - 1)
        return np.arange(half) + np.where(counted_right, half, 0)

    def _children(
        self, parents: list[LevelTable], counted: LevelTable, counted_right: NDArray[np.uint8], level: int
    ) -> LevelTable:
        of_parents = _cells_of(parents, counted)
        n_features, dimensions, n_parents, width = of_parents.shape
        crew, shape = counted.crew, (n_features, dimensions, 2 * n_parents, width)
        # Levels take turns, because the parents are still read while their children are written.
        children = crew.scratch.array(f"children {level % 2} of {self._name} from {counted.first}", shape, np.int64)

        def work(piece: slice) -> None:
            cells = (part(of_parents, piece), part(counted.cells, piece))
            crew.kernels.split_parents(*cells, counted_right, part(children, piece))

        with self._crew.stage("histograms"):
            crew.each(work, crew.feature_slices(n_features))
        return LevelTable(counted.first, children, counted.complete, crew)

    def _add_up(self, table: NDArray[np.int64], first: int, whole: int) -> LevelTable:
        return add_up(table, first, whole, self._collective, self._crew, wide=self._wide)


def bits_of(block: Block) -> int:
    """log2 of the cells of each feature of a block in a table: of its largest number of bins, padded to a power of two."""
    return (int(block.n_bins.max(initial=2)) - 1).bit_length()


def counter_of(block: Block, picker: RowPicker) -> Any:
    """What counts the rows of a block of features for one tree."""
    return picker.crew.counter(block.rows, bits_of(block), picker)


def bytes_of_leaf(block: Block, cells: Cells) -> int:
    """Bytes that one leaf takes in the table of one feature of a block."""
    dimensions: int = cells.values.shape[0]
    return 8 * dimensions * (1 << bits_of(block)) * (2 if cells.scales.wide else 1)


def spans_of(n_features: int, count: int) -> list[tuple[int, int]]:
    """Cut features into at most ``count`` ranges of nearly one size."""
    count = min(count, n_features)
    return list(pairwise(n_features * i // count for i in range(count + 1)))


def add_up(
    table: NDArray[np.int64], first: int, whole: int, collective: Collective, crew: Crew, *, wide: bool
) -> LevelTable:
    """Sum a table over the ranks: up to ``whole`` bytes everywhere, a larger one by shares of its features.

    ``table`` is int64 [n_features, dimensions, n_leaves, width]; ``first`` is its first feature, ``wide`` tells of its cells.
    """
    if collective.size == 1:
        return LevelTable(first, table, True, crew)
    if table.nbytes <= whole:
        return LevelTable(first, collective.all_reduce(table, halves=not wide), True, crew.host)
    n_features = table.shape[0]
    edges = [n_features * r // collective.size for r in range(collective.size + 1)]
    per_feature = table.size // n_features
    share = collective.reduce_scatter(table.ravel(), [e * per_feature for e in edges], halves=not wide)
    start, stop = edges[collective.rank], edges[collective.rank + 1]
    return LevelTable(first + start, share.reshape(stop - start, *table.shape[1:]), False, crew.host)


def _cells_of(parents: list[LevelTable], counted: LevelTable) -> NDArray[np.int64]:
    """Parents of the counted features: part of a table where tables begin to be dealt, else the table of the same span."""
    n_features = counted.cells.shape[0]
    for parent in parents:
        start = counted.first - parent.first
        if start >= 0 and start + n_features <= parent.cells.shape[0]:
            cells: NDArray[np.int64] = part(parent.cells, slice(start, start + n_features))
            return cells
    raise RuntimeError("a level was counted by children without its parents")
