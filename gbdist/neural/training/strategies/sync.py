"""Strategy "sync": each rank's gradient of a batch is added up over all ranks, and all of them make the same step.

So W ranks with b rows each do what one rank does with W × b rows, to the rounding of sums: the optimizer and the loss scale see
the same bits on every rank. One message a step, which carries the numbers about the batch too.
"""

import numpy as np
from numpy.typing import NDArray

from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.training.learner import Learner
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.state import Progress
from gbdist.neural.training.strategies.base import Exchange
from gbdist.neural.training.strategies.replica import NUMBERS, Replica


class Sync:
    """See the module, and ``Strategy``.

    Parameters
    ----------
    learner : Learner
        The network, or this rank's part of it: then the batches that ``step`` gets are those of the whole group.
    exchange : Exchange
        Between the ranks that hold the same part.
    told : bool [n_parameters] or None
        Of a part: whose penalty this rank tells, where others have them too; None: of all.
    """

    settled, beyond = True, 0

    def __init__(
        self, learner: Learner, params: TrainParams, exchange: Exchange, told: NDArray[np.bool_] | None = None
    ) -> None:
        self._replica, self._exchange = Replica(learner, params, told), exchange

    def begin(self, progress: Progress) -> None:
        """See ``Strategy``."""
        self._replica.begin(progress)

    def begin_epoch(self) -> None:
        """See ``Strategy``."""
        self._replica.begin_epoch()

    def step(self, batch: Batch, rate: float, noise: Noise | None, pause: bool) -> None:
        """See ``Strategy``."""
        message = self._replica.message(batch, noise, pause)
        self._replica.take(self._exchange.sum(message, NUMBERS), rate)

    @property
    def paused(self) -> bool:
        """See ``Strategy``."""
        return self._replica.paused

    def progress(self) -> Progress:
        """See ``Strategy``."""
        return self._replica.progress()

    def held(self) -> Progress | None:
        """See ``Strategy``."""
        return self._replica.held()

    def end_epoch(self) -> float:
        """See ``Strategy``."""
        return self._replica.mean_loss

    def outputs(self, batch: Batch) -> Array:
        """See ``Strategy``."""
        return self._replica.outputs(batch)
