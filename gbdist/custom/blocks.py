"""Rows in blocks of the whole data set: what a user's method is called with (decision 0023).

What NumPy makes of a row may depend on the length of an array and on the row's place in it: matrix products and sums over an axis
do. So a method is always given arrays of ``BLOCK`` rows, and a row has the place that its number in the whole data set says,
whoever owns it; places of rows that lie elsewhere hold copies of a neighbour.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Segment

#: Rows of a call: a multiple of every vector's length.
BLOCK = 4096
#: Arrays begin at a multiple of so many bytes, so that loops that step to it first do so alike.
_ALIGNED = 64


@dataclass(frozen=True, slots=True)
class Block:
    """Some of a rank's rows, ``start … stop−1``, and their places in their block, ``place …``.

    ``first_row`` is the number of row ``start`` in the whole data set.
    """

    start: int
    stop: int
    place: int
    first_row: int

    @property
    def rows(self) -> slice:
        """The rows among the rank's own."""
        return slice(self.start, self.stop)

    @property
    def places(self) -> slice:
        """Where they stand in the block."""
        return slice(self.place, self.place + self.stop - self.start)

    def part(self, low: int, high: int) -> "Block":
        """Its rows ``low … high−1``, counted from its first one, at their places."""
        return Block(self.start + low, self.start + high, self.place + low, self.first_row + low)

    def filled(self, values: NDArray[Any]) -> NDArray[Any]:
        """A new array [..., BLOCK] with the rows of ``values`` [..., n] at their places, copies of neighbours at the others."""
        out = _aligned((*values.shape[:-1], BLOCK), values.dtype)
        places = self.places
        out[..., places] = values[..., self.rows]
        out[..., : places.start] = values[..., self.start : self.start + 1]
        out[..., places.stop :] = values[..., self.stop - 1 : self.stop]
        return out


def blocks_of(segments: Sequence[Segment], n_rows: int) -> Iterator[Block]:
    """A rank's rows block by block; without segments they are numbered from 0."""
    for segment in segments or (Segment(0, n_rows, 0),):
        start, row = segment.start, segment.first_row
        while start < segment.stop:
            place = row % BLOCK
            stop = min(segment.stop, start + BLOCK - place)
            yield Block(start, stop, place, row)
            start, row = stop, row + stop - start


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(n_bytes + _ALIGNED, np.uint8)
    skip = -memory.ctypes.data % _ALIGNED
    return memory[skip : skip + n_bytes].view(dtype).reshape(shape)
