"""Counts a rank's rows into the tables of a level, on its card: one block of rows after the other, all features in one launch."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from gbdist.boosting.counting import Counted
from gbdist.boosting.crew import part
from gbdist.boosting.rows import Rows
from gbdist.kernels import cuda_histogram as kernels
from gbdist.kernels.cuda_compile import SHARED_BYTES
from gbdist.kernels.cuda_rows import take_rows

if TYPE_CHECKING:
    from gbdist.boosting.cuda_crew import CardCrew
    from gbdist.boosting.sampling import Cells

_ALL = np.empty(0, np.uint8)


class CardPicker:
    """Lists the rows to count in each block of rows, once for all features whose rows are cut alike; for one tree."""

    def __init__(self, cells: "Cells", crew: "CardCrew") -> None:
        self.cells, self.crew = cells, crew
        self._latest: tuple[tuple[int, bytes], tuple[int, ...]] = ((-1, b""), ())
        self._picked: list[tuple[Any, Any]] = []
        self._dimensions = [cells.values[k] for k in range(cells.values.shape[0])]

    def values(self, dimension: int, block: Any) -> Any:
        """The tree's cells of a block of rows in one dimension."""
        return part(self._dimensions[dimension], slice(block.start, block.stop))

    def pick(self, leaf_of_row: Any, counted: Counted, blocks: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Rows to count, one list a block, by their numbers in the block; valid until the next call."""
        key = (counted.key, tuple(block.start for block in blocks))
        if key == self._latest:
            return self._picked
        slot_of_leaf, scratch, self._picked = counted.slots(), self.crew.scratch, []
        drawn = self.cells.drawn
        for block in blocks:
            rows = scratch.array(f"rows from {block.start}", (block.stop - block.start,), np.uint32)
            slots = scratch.array(f"slots from {block.start}", (block.stop - block.start,), np.uint16)
            some = _ALL if drawn is None else drawn[block.start : block.stop]
            leaves = part(leaf_of_row, slice(block.start, block.stop))
            count = kernels.pick_rows(leaves, slot_of_leaf, some, 0, rows, slots)
            self._picked.append((rows[:count], slots[:count]))
        self._latest = key
        return self._picked


class CardCounter:
    """As ``counting.RowCounter``."""

    def __init__(self, rows: Rows, bits: int, picker: CardPicker) -> None:
        self._bins: Any = rows.bins
        self._cells, self._bits, self._crew, self._picker = picker.cells, bits, picker.crew, picker
        self._dimensions = self._cells.values.shape[0]
        self._wide = self._cells.scales.wide
        self._width = (1 << bits) * (2 if self._wide else 1)

    def begin(self, leaf_of_row: Any, counted: Counted, features: tuple[int, int], place: str) -> Callable[[], Any]:
        """Begin to count; see ``RowCounter.begin``. The table stays on the card for one rank, else it comes to the host."""
        start, stop = features
        crew, n_features, n_counted, turn = self._crew, stop - start, counted.leaves.shape[0], counted.step % 2
        shape = (n_features, self._dimensions, n_counted * self._width)
        histogram = crew.scratch.array(f"histogram {turn} at {place}", shape, np.int64)
        kernels.clear_table(histogram)
        root = counted.n_leaves == 1
        whole = root and not self._wide and self._cells.drawn is None and 8 * self._width <= SHARED_BYTES
        picked = [] if whole else self._picker.pick(leaf_of_row, counted, self._bins.blocks)
        for number, (block, bins) in enumerate(self._bins.stream(features)):
            for k in range(self._dimensions):
                if whole:
                    kernels.add_all_rows(bins, (0, n_features), self._picker.values(k, block), k, histogram)
                else:
                    self._add(bins, picked[number], block, k, histogram)
        table = histogram.reshape((n_features, self._dimensions, n_counted, self._width))
        return self._bring(table, f"table {turn} at {place}") if crew.shares_tables else lambda: table

    def _bring(self, table: Any, name: str) -> Callable[[], NDArray[np.int64]]:
        """Copy a table to the host as soon as it is counted; the card goes on meanwhile."""
        crew = self._crew
        there = crew.pinned(name, table.shape, np.int64)
        counted, arrived = cuda.event(), cuda.event()
        counted.record(crew.work)
        counted.wait(crew.copies)
        table.copy_to_host(there, stream=crew.copies)
        arrived.record(crew.copies)

        def wait() -> NDArray[np.int64]:
            arrived.synchronize()
            return there

        return wait

    def _add(self, bins: Any, picked: tuple[Any, Any], block: Any, dimension: int, histogram: Any) -> None:
        rows, _ = picked
        shape = (rows.shape[0], 2) if self._wide else (rows.shape[0],)
        cells = self._crew.scratch.array("picked cells", shape, np.int64)
        take_rows(self._picker.values(dimension, block), rows, cells)
        add = kernels.add_picked_rows_wide if self._wide else kernels.add_picked_rows
        add(bins, (0, bins.shape[0]), picked, cells, (dimension, self._bits), histogram)
