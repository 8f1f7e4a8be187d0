"""Counts a rank's rows into the tables of a level, on its CPU: pick the rows, gather their cells, add them feature by feature."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.bins import TOGETHER, blocks_of
from gbdist.boosting.rows import Rows
from gbdist.kernels import cpu_histogram as kernels
from gbdist.kernels.cpu_rows import take_rows

if TYPE_CHECKING:
    from gbdist.boosting.crew import Crew
    from gbdist.boosting.sampling import Cells

_ALL = np.empty(0, np.uint8)
_Cells = NDArray[np.int64]
_Rows = tuple[NDArray[np.uint32], NDArray[np.uint16]]
_Picked = list[_Rows]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Leaves that are counted together: slot s is leaf ``leaves[s]``, int64 [n_counted], of ``n_leaves`` numbers.

    Rows move between two steps, not within one.
    """

    step: int
    n_leaves: int
    leaves: NDArray[np.int64]

    @property
    def key(self) -> tuple[int, bytes]:
        """By which it is known in its tree."""
        return self.step, self.leaves.tobytes()

    def slots(self) -> NDArray[np.int32]:
        """Slot of each leaf, int32 [n_leaves]: −1 where it is not counted."""
        slot_of_leaf = np.full(self.n_leaves, -1, np.int32)
        slot_of_leaf[self.leaves] = np.arange(self.leaves.shape[0], dtype=np.int32)
        return slot_of_leaf


class RowPicker:
    """Lists the rows to count, once for all blocks of features that ask for the same leaves of one step; for one tree."""

    def __init__(self, cells: "Cells", crew: "Crew") -> None:
        self.cells, self.crew = cells, crew
        self._latest: tuple[int, bytes] = (-1, b"")
        self._picked: _Picked = []
        self._gathered: tuple[int, list[_Cells]] = (-1, [])

    @cached_property
    def most_are_drawn(self) -> bool:
        """Whether counting all rows is quicker than picking the drawn ones; cells of the others are 0."""
        drawn = self.cells.drawn
        return drawn is None or 2 * np.count_nonzero(drawn.view(np.bool_)) > drawn.shape[0]

    def pick(self, leaf_of_row: NDArray[np.uint16], counted: Counted) -> _Picked:
        """Rows of the counted leaves and their slots, one list a slice of rows, each ascending; valid until the next call."""
        if counted.key == self._latest:
            return self._picked
        drawn, slot_of_leaf, scratch = self.cells.drawn, counted.slots(), self.crew.scratch

        def pick(piece: slice) -> _Rows:
            # One place more than rows: the kernel writes before it knows whether it keeps.
            shape = (piece.stop - piece.start + 1,)
            rows = scratch.array(f"rows from {piece.start}", shape, np.uint32)
            slots = scratch.array(f"slots from {piece.start}", shape, np.uint16)
            some = _ALL if drawn is None else drawn[piece]
            count = kernels.pick_rows(leaf_of_row[piece], slot_of_leaf, some, piece.start, rows, slots)
            return rows[:count], slots[:count]

        self._picked = self.crew.each(pick, self.crew.row_slices(leaf_of_row.shape[0]))
        self._latest, self._gathered = counted.key, (-1, [])
        return self._picked

    def gather(self, dimension: int) -> list[_Cells]:
        """Cells of the latest rows that were picked, in one dimension; valid until the next call."""
        if self._gathered[0] != dimension:
            cells, wide = self.cells.values[dimension], self.cells.scales.wide
            gathered = []
            for number, (rows, _) in enumerate(self._picked):
                shape = kernels.cells_shape(rows.shape[0], wide)
                gathered.append(self.crew.scratch.array(f"cells of slice {number}", shape, np.int64))
                take_rows(cells, rows, gathered[-1])
            self._gathered = (dimension, gathered)
        return self._gathered[1]


class RowCounter:
    """Makes this rank's part of the tables of one block of features, for one tree."""

    def __init__(self, rows: Rows, bits: int, picker: RowPicker) -> None:
        self._rows, self._bits, self._picker, self._crew = rows, bits, picker, picker.crew
        self._cells = picker.cells
        self._dimensions = self._cells.values.shape[0]
        self._wide = self._cells.scales.wide
        self._width = (1 << bits) * (2 if self._wide else 1)

    def begin(
        self, leaf_of_row: NDArray[np.uint16], counted: Counted, features: tuple[int, int], place: str
    ) -> Callable[[], NDArray[np.int64]]:
        """Begin to count the rows of some leaves for a range of features.

        The table is valid until the ``place`` is used again, by a later table of this step or of the one after the next.
        What comes back waits for the table, int64 [n_features, dimensions, n_counted, width]; on a CPU it is there at once.
        """
        start, stop = features
        shape = (stop - start, self._dimensions, counted.leaves.shape[0] * self._width)
        histogram = self._crew.scratch.array(f"histogram {counted.step % 2} at {place}", shape, np.int64)
        histogram.fill(0)
        root = counted.n_leaves == 1 and not self._wide and self._picker.most_are_drawn
        picked = [] if root else self._picker.pick(leaf_of_row, counted)
        if root or any(rows.shape[0] for rows, _ in picked):  # else nobody need look at the bins
            for first, bins in blocks_of(self._rows.bins, features, self._crew):
                part = histogram[first - start : first - start + bins.shape[0]]
                if root:
                    self._count_root(bins, part)
                else:
                    self._count_picked(bins, picked, part)
        table = histogram.reshape(*shape[:2], counted.leaves.shape[0], self._width)
        return lambda: table

    def _count_root(self, bins: kernels.Bins, histogram: NDArray[np.int64]) -> None:
        values, n_features = self._cells.values, bins.shape[0]
        step = self._together(n_features)

        def work(group: tuple[int, int]) -> None:
            first, k = group
            last = min(first + step, n_features)
            if last - first == TOGETHER:
                kernels.add_all_rows(bins, first, values[k], k, histogram)
                return
            for f in range(first, last):
                kernels.add_all_rows_single(bins, f, values[k], k, histogram)

        self._crew.each(work, [(f, k) for k in range(self._dimensions) for f in range(0, n_features, step)])

    def _count_picked(self, bins: kernels.Bins, picked: _Picked, histogram: NDArray[np.int64]) -> None:
        n_features = bins.shape[0]
        step = self._together(n_features)
        for k in range(self._dimensions):
            gathered = self._picker.gather(k)

            def work(first: int, k: int = k, gathered: list[_Cells] = gathered) -> None:
                last = min(first + step, n_features)
                for rows_and_slots, cells in zip(picked, gathered, strict=True):
                    if last - first == TOGETHER and not self._wide:
                        kernels.add_picked_rows(bins, first, rows_and_slots, cells, (k, self._bits), histogram)
                        continue
                    add = kernels.add_picked_rows_wide if self._wide else kernels.add_picked_rows_single
                    for f in range(first, last):
                        add(bins, f, rows_and_slots, cells, (k, self._bits), histogram)

            self._crew.each(work, range(0, n_features, step))

    def _together(self, n_features: int) -> int:
        """Features that a thread goes over at once: single ones where a block has too few for all threads."""
        return TOGETHER if n_features >= TOGETHER * self._crew.threads else 1
