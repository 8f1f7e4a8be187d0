"""The dense layer: a matrix, a bias, an activation, and perhaps dropout and a bridge from its input to its output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.draws import Purpose, key_of
from gbdist.neural.network.activations import BY_NAME
from gbdist.neural.network.arrays import Arrays
from gbdist.neural.network.blocks import UNITS_A_DRAW, Array, Noise, Wanted
from gbdist.neural.network.numbers import Numbers
from gbdist.neural.network.rooms import Room, Rooms

#: Draws of which ``Dense.dropped`` leave a unit out.
_DRAWS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class DenseShape:
    """What a dense layer is.

    Parameters
    ----------
    n_inputs, n_units : int
    activation : one of ACTIVATIONS
    bound : float
        Parameters begin as uniform draws within ± √(bound / (n_inputs + n_units)); Glorot and Bengio, 2010.
    dropout : float
        As ``NetworkSpec`` has it.
    residual : bool
        Whether the input is added to the output; the whole layer is as wide as it.
    layer : int
        Its number among the dense layers of the network; names its parameters, and the draws of its dropout.
    first_unit : int
        Number of its first unit, where it is a part of a layer; what dropout leaves out does not depend on the parts.
    """

    n_inputs: int
    n_units: int
    activation: str = "identity"
    bound: float = 6.0
    dropout: float = 0.0
    residual: bool = False
    layer: int = 0
    first_unit: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """What a pass leaves for its derivatives: input, matrix as computed with, the activation's output, the mask of dropout."""

    x: Array
    coef: Array
    y: Array
    spare: Array
    mask: Array | None
    room: Room


class Dense:
    """activation(x W + b), times the mask of dropout, plus x with ``residual``; a ``Block``.

    What ``forward`` returns lies in the block's memory until nobody holds what it kept; what ``backward`` returns, until the
    next call. ``x`` is of the numbers' computed type.
    """

    def __init__(self, shape: DenseShape, numbers: Numbers) -> None:
        self.shape = shape
        self._numbers = numbers
        self._arrays: Arrays = numbers.arrays
        self._activation = BY_NAME[shape.activation]
        #: Columns of the input that belong to the units.
        self._bridged = slice(shape.first_unit, shape.first_unit + shape.n_units)
        #: Of 65,536 draws, those that leave a unit out: half a draw is what the rate may be off by.
        self.dropped = min(round(shape.dropout * _DRAWS), _DRAWS - 1)
        self._rooms = Rooms(self._set_aside)
        self._changes = Rooms(self._set_aside_changes)
        self._change: Room | None = None

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Matrix and bias, by the layer's number."""
        shape = self.shape
        return (
            Wanted(f"coef_{shape.layer}", (shape.n_inputs, shape.n_units), penalized=True),
            Wanted(f"intercept_{shape.layer}", (shape.n_units,)),
        )

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """What scikit-learn draws for its layers, in its order."""
        shape = self.shape
        bound = np.sqrt(shape.bound / (shape.n_inputs + shape.n_units))
        return draw.uniform(-bound, bound, (shape.n_inputs, shape.n_units)), draw.uniform(-bound, bound, shape.n_units)

    def forward(
        self, parameters: Sequence[Array], x: Array, numbers: Array, noise: Noise | None
    ) -> tuple[Array, object]:
        """See ``Block``; ``x`` is [n_rows, n_inputs]."""
        lowered, rounded = self._numbers.lowered, self._numbers.rounded
        coef, bias = lowered(parameters[0]), lowered(parameters[1])
        room = self._rooms.take(x.shape[0])
        y, spare, *more = room.arrays
        self.multiply(x, coef, y)
        self._activation.apply(self._arrays, rounded(y), bias, spare)
        out, mask = rounded(y), None
        if noise is not None and self.dropped:
            mask = self._mask(more[1], numbers, noise)
            out = self._arrays.xp.multiply(y, mask, out=more[0])
        if self.shape.residual:
            out = self._arrays.xp.add(out, x[:, self._bridged], out=more[0])
        return rounded(out), _Kept(x, coef, y, spare, mask, room)

    def backward(
        self, parameters: Sequence[Array], kept: Any, change: Array, gradients: Sequence[Array], *, first: bool
    ) -> Array | None:
        """See ``Block``; ``change`` is [n_rows, n_units]."""
        xp, rounded = self._arrays.xp, self._numbers.rounded
        by_input, by_sum, ones = self._room_for_changes(change.shape[0]).arrays
        beside = change
        if kept.mask is not None:
            change = xp.multiply(change, kept.mask, out=by_sum)
        elif self.shape.residual:
            by_sum[...] = change
            change = by_sum
        self._activation.differentiate(self._arrays, kept.y, kept.spare, change)
        change = rounded(change)
        self._arrays.product(kept.x.T, change, gradients[0])
        self._arrays.product(ones, change, gradients[1])
        if first:
            return None
        self.multiply_back(change, kept.coef, by_input)
        if self.shape.residual:
            bridged = by_input[:, self._bridged]
            xp.add(bridged, beside, out=bridged)
        return rounded(by_input)

    def multiply(self, x: Array, coef: Array, out: Array) -> None:
        """Write x W to ``out``. A part of a layer may add up other parts here."""
        self._arrays.xp.matmul(x, coef, out=out)

    def multiply_back(self, change: Array, coef: Array, out: Array) -> None:
        """Write the derivatives by the input, from those by x W, to ``out``; as ``multiply``."""
        if self.shape.n_units == 1:  # several times as fast as a product of matrices
            self._arrays.xp.multiply(change, coef.T, out=out)
        else:
            self._arrays.xp.matmul(change, coef.T, out=out)

    def _mask(self, mask: Array, numbers: Array, noise: Noise) -> Array:
        """Fill ``mask`` ([n_rows, whole groups], OUT) and return the part that belongs to units."""
        key = key_of(noise.seed, Purpose.DROPOUT, noise.step, self.shape.layer)
        kept = mask.dtype.type(_DRAWS / (_DRAWS - self.dropped))
        group, unit = divmod(self.shape.first_unit, UNITS_A_DRAW)
        self._arrays.kernels.dropout_mask(key, numbers, np.uint64(group), np.uint64(self.dropped), kept, mask)
        return mask[:, unit : unit + self.shape.n_units]

    def _set_aside(self, n_rows: int) -> tuple[Array, ...]:
        """Output and something like it; what dropout and the bridge make of the output; the mask of dropout."""
        units, dtype = self.shape.n_units, self._numbers.computed
        widths = [units, units]
        if self.dropped or self.shape.residual:
            widths.append(units)
        if self.dropped:
            first = self.shape.first_unit % UNITS_A_DRAW
            widths.append(-(-(first + units) // UNITS_A_DRAW) * UNITS_A_DRAW)
        return tuple(self._arrays.empty((n_rows, width), dtype) for width in widths)

    def _room_for_changes(self, n_rows: int) -> Room:
        self._change = None  # gives its memory back
        self._change = self._changes.take(n_rows)
        return self._change

    def _set_aside_changes(self, n_rows: int) -> tuple[Array, ...]:
        """Derivatives by the input and by the sums, and ones."""
        dtype = self._numbers.computed
        widths = ((n_rows, self.shape.n_inputs), (n_rows, self.shape.n_units), (n_rows,))
        by_input, by_sum, ones = (self._arrays.empty(each, dtype) for each in widths)
        ones[...] = 1
        return by_input, by_sum, ones
