"""Strategy "tensor": each rank of a group has some units of every wide layer; see ``ways``.

What all ranks have, embeddings and narrow layers, they compute alike from the same numbers.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Array, Batch, Block, Noise, Slot, Wanted
from gbdist.neural.network.layers import Dense, DenseShape
from gbdist.neural.network.network import Network
from gbdist.neural.network.numbers import Numbers
from gbdist.neural.training.strategies.passing import add_up, packed, unpacked
from gbdist.neural.training.strategies.sharing import Needs
from gbdist.neural.training.strategies.ways import Way, units_of, ways_of

ALL = slice(None)


class SummedBack:
    """What goes into a layer that is split by its units: derivatives by it are the sum of what the ranks' units say."""

    wanted: tuple[Wanted, ...] = ()

    def __init__(self, group: Collective, numbers: Numbers) -> None:
        self._group, self._numbers = group, numbers

    def initial(self, draw: np.random.RandomState) -> tuple[()]:
        """Nothing."""
        return ()

    def forward(self, parameters: Any, x: Array, numbers: Array, noise: Noise | None) -> tuple[Array, object]:
        """Pass on what all ranks have."""
        return x, None

    def backward(self, parameters: Any, kept: Any, change: Array, gradients: Any, *, first: bool) -> Array:
        """See ``Block``."""
        add_up(change, self._group, self._numbers)
        return self._numbers.rounded(change)


class Gathered:
    """Columns of all ranks, brought together; each rank gets back the derivatives by its own."""

    wanted: tuple[Wanted, ...] = ()

    def __init__(self, group: Collective, numbers: Numbers, columns: list[slice]) -> None:
        self._group, self._numbers, self._columns = group, numbers, columns

    def initial(self, draw: np.random.RandomState) -> tuple[()]:
        """Nothing."""
        return ()

    def forward(self, parameters: Any, x: Array, numbers: Array, noise: Noise | None) -> tuple[Array, object]:
        """See ``Block``; ``x`` is [n_rows, columns of this rank]."""
        parts = self._group.all_gather(packed(x, self._numbers))
        return self._joined([unpacked(part, x.shape[0], self._numbers) for part in parts]), None

    def backward(self, parameters: Any, kept: Any, change: Array, gradients: Any, *, first: bool) -> Array:
        """See ``Block``; sums in the order of the ranks."""
        parts = self._group.all_to_all([packed(change[:, columns], self._numbers) for columns in self._columns])
        total, *others = (unpacked(part, change.shape[0], self._numbers) for part in parts)
        for other in others:
            total += other
        return self._numbers.rounded(total)

    def _joined(self, parts: list[Array]) -> Array:
        return self._numbers.arrays.xp.concatenate(parts, axis=1)


class SummedDense(Dense):
    """A dense layer of which this rank has some inputs: its outputs are the sum over the ranks, before the bias."""

    def __init__(self, shape: DenseShape, numbers: Numbers, group: Collective) -> None:
        super().__init__(shape, numbers)
        self._group = group

    def multiply(self, x: Array, coef: Array, out: Array) -> None:
        """See ``Dense``."""
        super().multiply(x, coef, out)
        add_up(out, self._group, self._numbers)


@dataclass(frozen=True, slots=True)
class Cut:
    """What a rank has of one array of parameters: the rest of it is on the other ranks, unless all of it is on each."""

    slot: Slot
    where: tuple[slice, ...]

    @property
    def split(self) -> bool:
        """Whether other ranks have the rest."""
        return self.where != (ALL,) * len(self.where)

    def of(self, whole: Array) -> Array:
        """This part of the vector of all parameters, a view."""
        return self.slot.of(whole)[self.where]


def cuts_of(network: Network, rank: int, ranks: int) -> list[Cut]:
    """What a rank has of each array of parameters, in the order of the network's."""
    ways = ways_of(network.spec.hidden, ranks, residual=network.spec.residual)
    cuts = []
    for block, slots in network.blocks:
        if not isinstance(block, Dense):
            cuts += [Cut(slot, (ALL,) * len(slot.shape)) for slot in slots]
            continue
        units = inputs = ALL
        match ways[block.shape.layer]:
            case Way.UNITS | Way.GATHERED:
                units = units_of(block.shape.n_units, rank, ranks)
            case Way.INPUTS:
                inputs = units_of(block.shape.n_inputs, rank, ranks)
        cuts += [Cut(slots[0], (inputs, units)), Cut(slots[1], (units,))]
    return cuts


def blocks_of_part(network: Network, group: Collective) -> list[Block]:
    """The blocks of a rank's part of a network, messages included."""
    rank, ranks, numbers = group.rank, group.size, network.numbers
    ways = ways_of(network.spec.hidden, ranks, residual=network.spec.residual)
    blocks: list[Block] = []
    for block, _ in network.blocks:
        if not isinstance(block, Dense) or ways[block.shape.layer] is Way.WHOLE:
            blocks.append(block)
            continue
        shape, way = block.shape, ways[block.shape.layer]
        if way is Way.INPUTS:
            inputs = units_of(shape.n_inputs, rank, ranks)
            blocks.append(SummedDense(replace(shape, n_inputs=inputs.stop - inputs.start), numbers, group))
            continue
        if way is Way.GATHERED:
            blocks.append(Gathered(group, numbers, [units_of(shape.n_inputs, each, ranks) for each in range(ranks)]))
        elif blocks:  # of the network's input nobody wants derivatives
            blocks.append(SummedBack(group, numbers))
        units = units_of(shape.n_units, rank, ranks)
        blocks.append(Dense(replace(shape, n_units=units.stop - units.start, first_unit=units.start), numbers))
    return blocks


class Tensor:
    """A rank's units of a network's wide layers, and all of the others; a ``PartLearner``.

    The summed loss of a batch is told by the first rank, 0.0 by the others.

    Parameters
    ----------
    network : Network
        The whole one, alike on all ranks of the group.
    group : Collective
        The ranks that share it.
    """

    def __init__(self, network: Network, group: Collective) -> None:
        self._whole, self._group = network, group
        arrays = network.numbers.arrays
        self._part = Network(network.spec, network.precision, arrays, blocks_of_part(network, group))
        self._cuts = [cuts_of(network, rank, group.size) for rank in range(group.size)]

    @property
    def n_parameters(self) -> int:
        """Of this part."""
        return self._part.n_parameters

    @property
    def penalized(self) -> NDArray[np.bool_]:
        """See ``Learner``."""
        return self._part.penalized

    @property
    def answers_for(self) -> NDArray[np.bool_]:
        """See ``PartLearner``: what all ranks have counts on the first one."""
        answers = np.empty(self.n_parameters, bool)
        for cut, slot in zip(self._cuts[self._group.rank], self._part.slots, strict=True):
            answers[slot.start : slot.stop] = cut.split or self._group.rank == 0
        return answers

    @property
    def needs(self) -> list[Needs]:
        """See ``PartLearner``: everything."""
        return [Needs(inputs=True, targets=True)] * self._group.size

    def part(self, whole: Array) -> Array:
        """See ``Learner``."""
        return np.concatenate([cut.of(whole).ravel() for cut in self._cuts[self._group.rank]])

    def whole(self, flat: Array) -> Array:
        """See ``Learner``; what all ranks have is the first one's."""
        found = np.empty(self._whole.n_parameters, flat.dtype)
        parts = [np.frombuffer(item, flat.dtype) for item in self._group.all_gather(flat.tobytes())]
        for rank in range(self._group.size - 1, -1, -1):
            start = 0
            for cut in self._cuts[rank]:
                place = cut.of(found)
                place[...] = parts[rank][start : start + place.size].reshape(place.shape)
                start += place.size
        return found

    def loss_and_gradient(self, flat: Array, batch: Batch, gradient: Array, noise: Noise | None) -> float:
        """See ``Learner``: all ranks have the same rows."""
        loss = self._part.loss_and_gradient(flat, batch, gradient, noise)
        return loss if self._group.rank == 0 else 0.0

    def outputs(self, flat: Array, batch: Batch) -> Array:
        """See ``Learner``; the same on all ranks."""
        return self._part.outputs(flat, batch)
