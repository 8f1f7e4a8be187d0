"""Memory that is used again once nobody refers to it.

Dask starts its workers with a malloc that gives every large block back to the system at once, so that each new array
is paid for page by page: 0.4 ms a megabyte, more than it takes to pack it. A run sends arrays of the same few sizes
thousands of times.
"""

import sys
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffers"]

Kind = TypeVar("Kind", bound=np.generic)

_SMALL_WORDS = 4_096  # below, malloc keeps its memory itself
_KEPT = 6
_LARGEST_WORDS = 1 << 22  # 32 MiB: above, keeping costs more memory than it saves time


def _references(blocks: list[NDArray[np.uint64]], number: int) -> int:
    return sys.getrefcount(blocks[number])


_UNUSED = _references([np.empty(1, dtype=np.uint64)], 0)
"""What ``_references`` says of a block that only the list holds."""


class Buffers:
    """Gives out arrays and takes them back by itself: a block whose views are all gone is free. For one thread."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.uint64]] = []

    def words(self, count: int) -> NDArray[np.uint64]:
        """An array of 64-bit words that nobody else holds, its content undefined."""
        if count < _SMALL_WORDS or count > _LARGEST_WORDS:
            return np.empty(count, dtype=np.uint64)
        for number in range(len(self._blocks)):  # by number: a loop variable would be a reference
            # A much larger block is left for what needs it.
            fits = count <= self._blocks[number].size <= 4 * count
            if fits and _references(self._blocks, number) == _UNUSED:
                return self._blocks[number][:count]
        block = np.empty(count, dtype=np.uint64)
        self._blocks = [block, *self._blocks[: _KEPT - 1]]  # the oldest goes
        return block[:count]

    def numbers(self, count: int, dtype: type[Kind] | np.dtype[Kind]) -> NDArray[Kind]:
        """As ``words``, of numbers of another type, which is no longer than a word."""
        return self.words(-(-count * np.dtype(dtype).itemsize // 8)).view(dtype)[:count]

    def copy_of(self, numbers: NDArray[Kind]) -> NDArray[Kind]:
        """A copy of an array of one dimension."""
        copy = self.numbers(numbers.size, numbers.dtype)
        np.copyto(copy, numbers)
        return copy
