"""What a network is made of: blocks behind one another, whose parameters lie in one vector.

One vector, so that the gradients of a step are one message, an optimizer is one pass, and a checkpoint one array.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

#: Arrays of the blocks' memory: NumPy's, or CuPy's on a card.
Array = Any


@dataclass(frozen=True, slots=True)
class Slot:
    """One array of parameters: where it lies in the vector of all, and whether the penalty on large weights counts it."""

    name: str
    shape: tuple[int, ...]
    start: int
    penalized: bool

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def stop(self) -> int:
        """Where the next one begins."""
        return self.start + self.size

    def of(self, flat: Array) -> Array:
        """The array itself, a view of the vector of all parameters."""
        return flat[self.start : self.stop].reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An array of parameters that a block asks for: name (unique in its network), shape, and whether large values cost."""

    name: str
    shape: tuple[int, ...]
    penalized: bool = False


def laid_out(wanted: Iterable[Wanted]) -> tuple[Slot, ...]:
    """Arrays one behind the other, in the order in which they were asked for."""
    slots, start = [], 0
    for each in wanted:
        slots.append(Slot(each.name, each.shape, start, each.penalized))
        start += slots[-1].size
    return tuple(slots)


#: Units of a row whose dropout is one draw.
UNITS_A_DRAW: Final = 4


@dataclass(frozen=True, slots=True)
class Noise:
    """Where dropout gets its draws from: a hash of seed, step, layer, global row number and unit, never a generator with state.

    So what is dropped from a row does not depend on which rank has it, nor on which rows are beside it.
    """

    seed: int
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows as a network takes them; arrays of the network's memory.

    Parameters
    ----------
    numeric : float [n_rows, n_numeric], C order
    codes : int32 [n_rows, n_categorical]
    target : float [n_rows, n_outputs], or int32 [n_rows] with ``log_loss``, or None
        What the loss compares with: numbers, or numbers of classes. None to predict.
    weight : float [n_rows] or None
    numbers : uint64 [n_rows]
        Global row numbers.
    """

    numeric: Array
    codes: Array
    target: Array
    weight: Array
    numbers: Array

    @classmethod
    def to_predict(cls, numeric: Array, codes: Array) -> "Batch":
        """Rows of which outputs are wanted alone, numbered from 0 on."""
        return cls(numeric, codes, None, None, np.arange(numeric.shape[0], dtype=np.uint64))

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self.numeric.shape[0])

    def some(self, rows: slice | NDArray[Any]) -> "Batch":
        """Some of its rows: views of neighbouring ones, which are a slice, copies of others."""
        target, weight = (None if each is None else each[rows] for each in (self.target, self.weight))
        return Batch(self.numeric[rows], self.codes[rows], target, weight, self.numbers[rows])


class Block(Protocol):
    """A part of a network: takes what the block before it gave, and in training gives back how the loss changes with that.

    ``parameters`` and ``gradients`` are the block's arrays in the order of ``wanted``, views of the vectors of all.
    """

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """The arrays of parameters that it needs."""
        ...

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """Their values at the start."""
        ...

    def forward(
        self, parameters: Sequence[Array], x: Array, numbers: Array, noise: Noise | None
    ) -> tuple[Array, object]:
        """What it makes of ``x`` (IN), and what ``backward`` needs of it. ``numbers`` are global row numbers, uint64 [n_rows].

        ``noise`` is None to predict: then nothing is dropped.
        """
        ...

    def backward(
        self, parameters: Sequence[Array], kept: Any, change: Array, gradients: Sequence[Array], *, first: bool
    ) -> Array | None:
        """From the derivative of the summed loss by the block's output, ``change`` (IN, and free to be used), those by its
        parameters (``gradients``, OUT: overwritten) and by its input, which nobody needs of the ``first`` block: None then."""
        ...
