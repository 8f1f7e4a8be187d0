"""The threads of one rank, and the memory they work in: slices of rows or features, one kernel call each.

Kernels are single-threaded and release the GIL; this is the only place where a rank uses several threads.
"""

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from gbdist.boosting.scratch import Scratch

Item = TypeVar("Item")
Result = TypeVar("Result")

#: below this many rows a slice costs more to hand out than to do
_MIN_ROWS = 16_384


class Crew:
    """A fixed number of threads, and scratch memory, that live as long as one run."""

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self.scratch = Scratch()
        self._pool = ThreadPoolExecutor(self.threads, "gbdist") if self.threads > 1 else None

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Do ``work`` for every item, results in the items' order; the first error is raised."""
        if self._pool is None:
            return [work(item) for item in items]
        return list(self._pool.map(work, items))

    def row_slices(self, n_rows: int) -> list[slice]:
        """Cut rows into at most one slice a thread; never an empty list."""
        pieces = max(1, min(self.threads, n_rows // _MIN_ROWS))
        edges = [n_rows * i // pieces for i in range(pieces + 1)]
        return [slice(a, b) for a, b in itertools.pairwise(edges)]

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
