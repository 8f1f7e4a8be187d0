"""Strategy "pipeline": each rank of a group has some of a network's layers, and the pieces of a batch go from rank to rank.

Outputs of a stage are sent on as they are made, and derivatives come back the same way; see ``stages`` for the order. Parameters
stay where they are: what travels grows with the rows of a batch, not with the network.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.network.chain import Chain, Views
from gbdist.neural.network.network import Network
from gbdist.neural.training.strategies.passing import packed, unpacked
from gbdist.neural.training.strategies.sharing import Needs
from gbdist.neural.training.strategies.stages import cut_by_cost, cut_rows, turns_of

#: Rows that go through a stage at a time to predict.
_ROWS: Final = 1024
#: A table of a category is looked up, not multiplied.
_LOOKED_UP: Final = "categories_"


def costs_of(network: Network) -> list[float]:
    """What each block computes for a row, in multiplications: its matrix forward, back to its parameters and back to its input.

    Of the first block's input nobody wants derivatives.
    """
    sizes = [sum(slot.size for slot in slots if not slot.name.startswith(_LOOKED_UP)) for _, slots in network.blocks]
    return [float(size * (3 if place else 2)) for place, size in enumerate(sizes)]


class Pipeline:
    """One stage of a network; a ``PartLearner``. The summed loss of a batch is told by the last stage, 0.0 by the others.

    Parameters
    ----------
    network : Network
        The whole one, alike on all ranks of the group.
    group : Collective
        The ranks that share it, one a stage.
    micro_batches : int
        Pieces of a batch.
    """

    def __init__(self, network: Network, group: Collective, micro_batches: int) -> None:
        self._network, self._group, self._micro_batches = network, group, micro_batches
        self._numbers = network.numbers
        self._stage, self._stages = group.rank, group.size
        mine = cut_by_cost(costs_of(network), self._stages)[self._stage]
        self._chain = Chain(network.blocks[mine.start : mine.stop], first=self._stage == 0)
        #: Derivatives of one piece, before they are added to those of the others.
        self._of_piece = self._numbers.arrays.empty((self.n_parameters,), network.dtype)

    @property
    def n_parameters(self) -> int:
        """Of this stage."""
        return self._chain.n_parameters

    @property
    def penalized(self) -> NDArray[np.bool_]:
        """See ``Learner``."""
        return self._network.penalized[self._chain.where]

    @property
    def answers_for(self) -> NDArray[np.bool_]:
        """See ``PartLearner``: no other rank of the group has these."""
        return np.ones(self.n_parameters, bool)

    @property
    def needs(self) -> list[Needs]:
        """See ``PartLearner``: inputs go in first, and the last stage compares with the targets."""
        return [Needs(inputs=stage == 0, targets=stage == self._stages - 1) for stage in range(self._stages)]

    def part(self, whole: Array) -> Array:
        """See ``Learner``."""
        return whole[self._chain.where].copy()

    def whole(self, flat: Array) -> Array:
        """See ``Learner``."""
        return np.concatenate([np.frombuffer(item, flat.dtype) for item in self._group.all_gather(flat.tobytes())])

    def loss_and_gradient(self, flat: Array, batch: Batch, gradient: Array, noise: Noise | None) -> float:
        """See ``Learner``: all stages have as many rows, and of them what they need."""
        arrays = self._numbers.arrays
        pieces = [batch.some(rows) for rows in cut_rows(batch.n_rows, self._micro_batches)]
        views = self._chain.views(arrays.here(flat, self._network.dtype))
        total = arrays.to_fill(gradient, self._network.dtype)
        if not pieces:
            total[...] = 0
        loss = 0.0
        under_way: dict[int, tuple[Sequence[object], Array]] = {}
        with np.errstate(all="ignore"):  # what is not finite is a result, for the trainer to find
            for turn in turns_of(self._stage, self._stages, len(pieces)):
                piece = pieces[turn.piece]
                if turn.forward:
                    lost, kept, change = self._forward(views, piece, noise)
                    under_way[turn.piece] = kept, change
                    loss += lost
                else:
                    found = total if turn.piece == 0 else self._of_piece
                    self._backward(views, *under_way.pop(turn.piece), piece.n_rows, self._chain.views(found))
                    if turn.piece > 0:
                        total += found
        if total is not gradient:
            gradient[...] = arrays.numpy(total)
        return loss

    def outputs(self, flat: Array, batch: Batch) -> NDArray[np.floating]:
        """See ``Learner``; the same on all stages."""
        views = self._chain.views(self._numbers.arrays.here(flat, self._network.dtype))
        found = []
        with np.errstate(all="ignore"):
            for rows in cut_rows(batch.n_rows, -(-batch.n_rows // _ROWS)):
                out, _ = self._passed(views, batch.some(rows), None)
                if out is not None:
                    found.append(self._numbers.arrays.numpy(out).astype(self._network.dtype).tobytes())
        told = self._group.all_gather(b"".join(found))[-1]
        return np.frombuffer(told, self._network.dtype).reshape(batch.n_rows, self._network.spec.n_outputs)

    def _forward(self, views: Views, piece: Batch, noise: Noise | None) -> tuple[float, Sequence[object], Array]:
        """A piece's loss and its derivatives by the outputs, on the last stage, and what the blocks have kept."""
        out, kept = self._passed(views, piece, noise)
        if out is None:
            return 0.0, kept, None
        loss, change = self._network.loss_of(out, piece)
        return loss, kept, change

    def _passed(self, views: Views, piece: Batch, noise: Noise | None) -> tuple[Array | None, Sequence[object]]:
        """Take a piece from the stage before, and hand it to the next one; the last stage returns its outputs."""
        if self._stage == 0:
            x = self._network.given(piece)
        else:
            x = unpacked(self._group.receive(self._stage - 1), piece.n_rows, self._numbers)
        numbers = None if noise is None else self._numbers.arrays.here(piece.numbers, np.uint64)
        out, kept = self._chain.forward(views, x, numbers, noise)
        if self._stage == self._stages - 1:
            return out, kept
        self._group.send(self._stage + 1, packed(out, self._numbers))
        return None, kept

    def _backward(self, views: Views, kept: Sequence[object], change: Array, n_rows: int, gradients: Views) -> None:
        """Take a piece's derivatives from the next stage, and hand them to the one before."""
        if self._stage < self._stages - 1:
            change = unpacked(self._group.receive(self._stage + 1), n_rows, self._numbers)
        back = self._chain.backward(views, kept, change, gradients)
        if self._stage > 0:
            self._group.send(self._stage - 1, packed(back, self._numbers))
