"""The first block of a network that embeds what it is given: numbers and categories become one matrix."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.neural.network.blocks import Array, Noise, Wanted
from gbdist.neural.network.numbers import Numbers
from gbdist.neural.network.numeric import Periodic, Piecewise, Unembedded
from gbdist.neural.network.rooms import Rooms
from gbdist.neural.network.spec import NetworkSpec


class Given(NamedTuple):
    """What the first block takes: numbers [n_rows, n_numeric] of the held type, codes int32 [n_rows, n_categorical]."""

    numeric: Array
    codes: Array


class NumericPart(Protocol):
    """What numbers become; writes into, and is told changes of, the first columns of the block's matrix."""

    @property
    def width(self) -> int:
        """How many columns."""
        ...

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """As a ``Block``'s."""
        ...

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """As a ``Block``'s."""
        ...

    def set_aside(self, n_rows: int) -> tuple[Array, ...]:
        """Arrays that a pass needs beside the matrix, each [n_rows, …]."""
        ...

    def forward(self, parameters: Sequence[Array], x: Array, room: Sequence[Array], out: Array) -> None:
        """Write the first ``width`` columns of ``out``; ``room`` (OUT) is what ``set_aside`` made."""
        ...

    def backward(
        self,
        parameters: Sequence[Array],
        x: Array,
        made: tuple[Array, Sequence[Array]],
        change: Array,
        gradients: Sequence[Array],
    ) -> None:
        """Overwrite ``gradients`` (OUT), from derivatives by the first columns of ``change``, which is free to be used.

        ``made`` is what ``forward`` has left in its matrix, and in its room.
        """
        ...


def numeric_part(spec: NetworkSpec, numbers: Numbers) -> NumericPart:
    """What the spec makes of numbers."""
    if spec.numeric_embedding == "periodic":
        return Periodic(spec.n_numeric, spec.frequencies, spec.embedding_size, spec.frequency_scale, numbers)
    if spec.numeric_embedding == "piecewise":
        return Piecewise(spec.edges, spec.embedding_size, numbers)
    return Unembedded(spec.n_numeric)


class Inputs:
    """Numbers and categories of each row as one vector; a ``Block`` that takes ``Given`` and stands first.

    It computes in the held type. A category becomes its row of a table of its column.
    """

    def __init__(self, spec: NetworkSpec, numbers: Numbers) -> None:
        self._numbers, self._arrays = numbers, numbers.arrays
        self._numeric = numeric_part(spec, numbers)
        self._tables = tuple(zip(spec.categories, spec.category_sizes, strict=True))
        #: Columns of what it makes.
        self.width = self._numeric.width + sum(spec.category_sizes)
        self._rooms = Rooms(self._set_aside)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Those of the numbers, then a table a column."""
        tables = (Wanted(f"categories_{column}", shape) for column, shape in enumerate(self._tables))
        return (*self._numeric.wanted, *tables)

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """Tables begin within ± 1 / √size, as in Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data", 2021."""
        tables = (draw.uniform(-(shape[1] ** -0.5), shape[1] ** -0.5, shape) for shape in self._tables)
        return (*self._numeric.initial(draw), *tables)

    def forward(self, parameters: Sequence[Array], x: Any, numbers: Array, noise: Noise | None) -> tuple[Array, object]:
        """See ``Block``; ``x`` is ``Given``."""
        room = self._rooms.take(x.numeric.shape[0])
        out, *more = room.arrays
        n_first = len(self._numeric.wanted)
        self._numeric.forward(parameters[:n_first], x.numeric, more, out)
        first = self._numeric.width
        for column, table in enumerate(parameters[n_first:]):
            last = first + table.shape[1]
            out[:, first:last] = self._arrays.xp.take(table, x.codes[:, column], axis=0)
            first = last
        return self._numbers.lowered(out), (x, room)

    def backward(
        self, parameters: Sequence[Array], kept: Any, change: Array, gradients: Sequence[Array], *, first: bool
    ) -> None:
        """See ``Block``."""
        given, room = kept
        change = self._arrays.here(change, self._numbers.held)
        n_first = len(self._numeric.wanted)
        begin = self._numeric.width
        for column, table in enumerate(gradients[n_first:]):
            table[...] = 0
            self._arrays.kernels.add_rows(given.codes, column, change, begin, table)
            begin += table.shape[1]
        out, *more = room.arrays
        self._numeric.backward(parameters[:n_first], given.numeric, (out, more), change, gradients[:n_first])

    def _set_aside(self, n_rows: int) -> tuple[Array, ...]:
        out = self._arrays.empty((n_rows, self.width), self._numbers.held)
        return (out, *self._numeric.set_aside(n_rows))
