"""Networks that several ranks share: what "pipeline" and "tensor" have in common.

Ranks are in groups (``groups``), each of which trains one network on the rows of all of its ranks. Among the ranks that hold the
same part in other groups it is "sync": gradients of the part are added up, and all make the same step.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.training.learner import Learner
from gbdist.neural.training.state import Progress, Vector
from gbdist.neural.training.strategies.base import Exchange
from gbdist.neural.training.strategies.sharing import Needs, RowSharing
from gbdist.neural.training.strategies.sync import Sync


class PartLearner(Learner, Protocol):
    """A rank's part of a network."""

    @property
    def needs(self) -> list[Needs]:
        """What each rank of the group needs of the rows of a batch."""
        ...

    @property
    def answers_for(self) -> NDArray[np.bool_]:
        """Which parameters count here where something is added up over the group, bool [n_parameters]: each on one rank alone."""
        ...


class AgreedSums:
    """An ``Exchange`` whose sums are finite on all ranks of a group, or on none: so that all leave out the same steps."""

    def __init__(self, exchange: Exchange, group: Collective) -> None:
        self._exchange, self._group = exchange, group

    def sum(self, message: Vector, exact: int) -> Vector:
        """See ``Exchange``; the first number is NaN where another part is not finite."""
        total = self._exchange.sum(message, exact)
        finite = bool(np.isfinite(total[: total.size - exact]).all())
        told = self._group.all_gather(bytes([finite]))
        if finite and b"\0" in told:
            total = total.copy()
            total[0] = np.nan
        return total


class Spread:
    """See the module, and ``Strategy``.

    All ranks hold the same once they have put their parts together: after each epoch, and where the run pauses.

    Parameters
    ----------
    sync : Sync
        Of the ranks that hold the same part.
    learner : PartLearner
        The part; that of ``sync``.
    group : Collective
        The ranks that share one network.
    """

    beyond = 0

    def __init__(self, sync: Sync, learner: PartLearner, group: Collective) -> None:
        self._sync, self._group = sync, group
        self._sharing = RowSharing(group, learner.needs)
        self._held: Progress | None = None
        self.settled, self.paused = False, False

    def begin(self, progress: Progress) -> None:
        """See ``Strategy``."""
        self._held, self.settled, self.paused = progress, True, False
        # Losses are told by parts, which are added up when the parts are put together.
        self._sync.begin(progress if self._group.rank == 0 else replace(progress, loss_sum=0.0))

    def begin_epoch(self) -> None:
        """See ``Strategy``."""
        self._sync.begin_epoch()

    def step(self, batch: Batch, rate: float, noise: Noise | None, pause: bool) -> None:
        """See ``Strategy``."""
        self.settled = False
        shared = self._sharing.shared(batch, pause)
        self._sync.step(shared.batch, rate, noise, shared.flagged)
        if self._sync.paused:
            self._put_together()

    def progress(self) -> Progress:
        """See ``Strategy``."""
        if self._held is None or not self.settled:
            raise RuntimeError("the parts of the network have not been put together since the last step")
        return self._held

    def held(self) -> Progress | None:
        """See ``Strategy``."""
        return self._held

    def end_epoch(self) -> float:
        """See ``Strategy``."""
        if not self.settled:
            self._put_together()
        return self.progress().mean_loss

    def outputs(self, batch: Batch) -> Array:
        """See ``Strategy``."""
        shared = self._sharing.shared(replace(batch, target=None, weight=None))
        first = sum(shared.counts[: self._group.rank])
        return self._sync.outputs(shared.batch)[first : first + batch.n_rows]

    def _put_together(self) -> None:
        """Make the whole of the parts, and go on from it: so what several ranks have stays the same to the bit."""
        whole, paused = self._sync.progress(), self._sync.paused
        loss_sum = self._group.sum_floats(np.array([whole.loss_sum]))
        self.begin(replace(whole, loss_sum=float(loss_sum[0])))
        self.paused = paused
