"""A whole network in one memory: blocks behind one another on parameters that lie in one vector, and a loss."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.neural.network.arrays import NUMPY, Arrays
from gbdist.neural.network.blocks import Array, Batch, Block, Noise, Slot, laid_out
from gbdist.neural.network.chain import Chain, Views
from gbdist.neural.network.inputs import Given, Inputs
from gbdist.neural.network.layers import Dense, DenseShape
from gbdist.neural.network.losses import loss_of
from gbdist.neural.network.numbers import Numbers, numbers_of
from gbdist.neural.network.spec import NetworkSpec

#: Rows that go through the network at a time to predict: so that the blocks' memory stays in the processor's caches.
_ROWS: Final = 1024


def blocks_of(spec: NetworkSpec, numbers: Numbers) -> tuple[Block, ...]:
    """The blocks of a network, from the input on: ``Inputs`` where anything is embedded, then a ``Dense`` a layer."""
    first: list[Block] = []
    width = spec.n_numeric
    if spec.embeds:
        inputs = Inputs(spec, numbers)
        first, width = [inputs], inputs.width
    bound = 2.0 if spec.activation == "logistic" else 6.0  # scikit-learn's, for all of its layers
    layers: list[Block] = []
    for layer, (before, units) in enumerate(pairwise((width, *spec.hidden, spec.n_outputs))):
        shape = DenseShape(before, units, bound=bound, layer=layer)
        if layer < len(spec.hidden):
            bridged = spec.residual and layer > 0 and before == units
            shape = DenseShape(before, units, spec.activation, bound, spec.dropout, bridged, layer)
        layers.append(Dense(shape, numbers))
    return (*first, *layers)


class Network:
    """A network as ``spec`` says; implements ``Learner``.

    Vectors of parameters are ``dtype`` [n_parameters]: float64 with precision "float64", else float32. What it takes and gives
    is in NumPy's memory; with a card's ``arrays`` it is brought there and back. One thread at a time.

    Parameters
    ----------
    spec : NetworkSpec
    precision : one of ``training.params.PRECISIONS``
        With "fp16" and "bf16" see ``numbers``; the loss's scale is applied by way of the rows' weights.
    arrays : Arrays
        ``NUMPY``, or ``card_arrays(number)``.
    blocks : sequence of Block or None
        What takes the place of its own blocks, where it is shared with others.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        precision: str = "float32",
        arrays: Arrays = NUMPY,
        blocks: Sequence[Block] | None = None,
    ) -> None:
        self.spec, self.precision = spec, precision
        self.numbers = numbers_of(precision, arrays)
        self._arrays = arrays
        blocks = blocks_of(spec, self.numbers) if blocks is None else blocks
        self.slots = laid_out(wanted for block in blocks for wanted in block.wanted)
        remaining = iter(self.slots)
        #: Blocks from the input on, each with its arrays of parameters.
        self.blocks: tuple[tuple[Block, tuple[Slot, ...]], ...] = tuple(
            (block, tuple(next(remaining) for _ in block.wanted)) for block in blocks
        )
        self._chain = Chain(self.blocks)
        self._loss = loss_of(spec.loss, spec.label_smoothing, arrays)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of vectors of parameters, gradients and outputs."""
        return self.numbers.held

    @property
    def n_parameters(self) -> int:
        """Length of a vector of parameters."""
        return self.slots[-1].stop

    @property
    def penalized(self) -> NDArray[np.bool_]:
        """Which parameters the penalty on large weights counts: matrices, neither biases nor tables nor frequencies."""
        penalized = np.zeros(self.n_parameters, bool)
        for slot in self.slots:
            penalized[slot.start : slot.stop] = slot.penalized
        return penalized

    def initial(self, seed: int) -> NDArray[np.float64]:
        """Parameters to begin with; those of ``RandomState(seed)`` and scikit-learn where the network is a plain one."""
        draw = np.random.RandomState(seed)
        return np.concatenate([values.ravel() for block, _ in self.blocks for values in block.initial(draw)])

    def coefs(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """Matrices of the dense layers, [n_inputs, n_units] each, copies."""
        return [slots[0].of(flat).copy() for block, slots in self.blocks if isinstance(block, Dense)]

    def intercepts(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """Biases of the dense layers, [n_units] each, copies."""
        return [slots[1].of(flat).copy() for block, slots in self.blocks if isinstance(block, Dense)]

    def loss_and_gradient(self, flat: Array, batch: Batch, gradient: Array, noise: Noise | None) -> float:
        """See ``Learner``."""
        if batch.n_rows == 0:
            gradient[...] = 0
            return 0.0
        with np.errstate(all="ignore"):  # what is not finite is a result, for the trainer to find
            parameters = self._arrays.here(flat, self.dtype)
            changes = self._arrays.to_fill(gradient, self.dtype)
            views = self._chain.views(parameters)
            z, kept = self._forward(views, batch, noise)
            loss, change = self.loss_of(z, batch)
            self._chain.backward(views, kept, change, self._chain.views(changes))
            if changes is not gradient:
                gradient[...] = self._arrays.numpy(changes)
        return loss

    def outputs(self, flat: Array, batch: Batch) -> NDArray[Any]:
        """See ``Learner``: ``dtype`` [n_rows, n_outputs], the caller's own."""
        out = np.empty((batch.n_rows, self.spec.n_outputs), self.dtype)
        with np.errstate(all="ignore"):
            views = self._chain.views(self._arrays.here(flat, self.dtype))
            for begin in range(0, batch.n_rows, _ROWS):
                rows = slice(begin, begin + _ROWS)
                out[rows] = self._arrays.numpy(self._forward(views, batch.some(rows), None)[0])
        return out

    def whole(self, flat: Array) -> Array:
        """See ``Learner``: all of them are here."""
        return flat

    def part(self, whole: Array) -> Array:
        """See ``Learner``."""
        return whole.copy()

    def given(self, batch: Batch) -> Any:
        """What the first block takes of a batch."""
        if not isinstance(self.blocks[0][0], Inputs):
            return self.numbers.lowered(batch.numeric)
        here = self._arrays.here
        return Given(here(batch.numeric, self.dtype), here(batch.codes, np.int32))

    def _forward(self, views: Views, batch: Batch, noise: Noise | None) -> tuple[Array, Sequence[object]]:
        numbers = self._arrays.here(batch.numbers, np.uint64) if noise is not None else None
        return self._chain.forward(views, self.given(batch), numbers, noise)

    def loss_of(self, z: Array, batch: Batch) -> tuple[float, Array]:
        """Sum over rows of weight × loss of raw outputs, and its derivatives by them as the last block takes them."""
        here = self._arrays.here
        target = here(batch.target, np.int32 if self.spec.loss == "log_loss" else self.dtype)
        weight = None if batch.weight is None else here(batch.weight, self.dtype)
        z = here(z, self.dtype)
        change = self._arrays.empty(z.shape, self.dtype)
        loss = self._loss.sum(z, target, weight, change)
        return loss, self.numbers.lowered(change)
