"""Who does a rank's work, and in which memory: threads of its CPU here, a card in ``cuda_crew``.

CPU kernels are single-threaded and release the GIL; this is the only place where a rank uses several threads, each for a slice of
rows or features. The trainer asks a crew for its kernels, its memory, and how to cut rows, and does not know which one it has.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gbdist.boosting.control import FREE, Control
from gbdist.boosting.counting import RowCounter, RowPicker
from gbdist.boosting.rows import Rows
from gbdist.boosting.scratch import Scratch
from gbdist.kernels import cpu

Item = TypeVar("Item")
Result = TypeVar("Result")

#: below this many rows a slice costs more to hand out than to do
_MIN_ROWS = 16_384
#: more rows than this a kernel may take a second for, and whoever ends the run has to wait for it
_MOST_ROWS = 1 << 23


def part(array: Any, piece: slice) -> Any:
    """``array[piece]``: the array itself where that is all of it. To cut one on a card takes as long as a small kernel."""
    return array if piece.start == 0 and piece.stop == array.shape[0] else array[piece]


class Crew:
    """A fixed number of threads, and scratch memory, that live as long as one run.

    ``control`` is asked before every piece of work whether the run is still wanted; ``stage`` tells its watch what is done.
    """

    #: Kernels for arrays where this crew keeps them.
    kernels: ModuleType = cpu
    #: What lists the rows of a tree that are counted, and what counts them into tables.
    picker: type[Any] = RowPicker
    counter: type[Any] = RowCounter

    def __init__(self, threads: int, control: Control = FREE) -> None:
        self.threads, self._check = max(1, threads), control.check
        self.stage = control.watch.stage
        self.scratch: Any = Scratch()
        self._pool = ThreadPoolExecutor(self.threads, "gbdist") if self.threads > 1 else None

    @property
    def host(self) -> "Crew":
        """The crew for what lies in the host's memory."""
        return self

    def with_room(self, n_bytes: int) -> "Crew":
        """Set so many bytes aside for work beside the rows: who does it is this crew, or the host's where there is no room."""
        return self

    def load_rows(self, rows: Rows, *, trained: bool) -> Rows:
        """A rank's rows where the kernels can read them; ``trained``: trees are grown on them, not only scored."""
        return rows

    def load(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of the host's where the kernels can read and write it; one that is there already is the answer itself."""
        return array

    def load_bins(self, bins: NDArray[np.uint8]) -> Any:
        """Bins [n_features, n] of a block of features where they can be counted."""
        return bins

    def fetch(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of the kernels in the host's memory; one that is there already is the answer itself."""
        return array

    def take(self, cells: NDArray[np.int64], features: NDArray[np.int64]) -> NDArray[np.int64]:
        """A copy in the host's memory of some features' cells in the first dimension, int64 [n, n_leaves, width]."""
        return np.asarray(cells[features, 0])

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array with whatever values it has."""
        return np.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array of zeros."""
        return np.zeros(shape, dtype)

    def slots(self, size: int) -> tuple[Any, Any]:
        """Memory in which ``number_categories`` looks up keys."""
        return np.empty(size, np.uint64), np.empty(size, np.uint32)

    def clear(self, array: NDArray[Any]) -> None:
        """Set all values of an array, OUT, to 0."""
        array.fill(0)

    def copied(self, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of a contiguous array in memory of its own."""
        return array.copy()

    def joined(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Arrays that are alike but for their first dimension, one after the other."""
        return np.concatenate(arrays)

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Do ``work`` for every item, results in the items' order; the first error is raised."""

        def work_if_wanted(item: Item) -> Result:
            self._check()
            return work(item)

        if self._pool is None:
            return [work_if_wanted(item) for item in items]
        return list(self._pool.map(work_if_wanted, items))

    def each_in_turn(
        self, work: Callable[[slice, Item], object], items: Iterable[Item], slices: Sequence[slice]
    ) -> None:
        """Do ``work`` for every slice and item: in each slice, items one after the other."""
        listed = list(items)

        def work_through(piece: slice) -> None:
            for item in listed:
                self._check()
                work(piece, item)

        self.each(work_through, slices)

    def row_slices(self, n_rows: int) -> list[slice]:
        """Cut rows into as many slices for each thread, one unless there are very many rows; never an empty list."""
        pieces = max(1, min(self.threads, n_rows // _MIN_ROWS))
        pieces *= max(1, -(-n_rows // (pieces * _MOST_ROWS)))
        edges = [n_rows * i // pieces for i in range(pieces + 1)]
        return [slice(a, b) for a, b in itertools.pairwise(edges)]

    def feature_slices(self, n_features: int) -> list[slice]:
        """Cut features into at most one slice a thread."""
        edges = [n_features * i // self.threads for i in range(self.threads + 1)]
        return [slice(a, b) for a, b in itertools.pairwise(edges) if a < b]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
