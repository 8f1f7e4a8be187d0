"""Strategy "async": ranks do not wait for a batch's step before they begin the next batch, as long as they are not too far ahead.

Rank 0 is the server: it adds the ranks' gradients of each batch up, in the order of the ranks, and sends the sum to all. Each
rank holds a replica of the parameters and the optimizer, and makes the step of each sum; so every replica is a backup of the
server's, and when that is lost the run goes on from the furthest one. Nobody waits for a sum before it is ``staleness`` batches
ahead of it (bounded staleness: Ho et al., "More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server",
2013); and nobody makes a step sooner than that either, so that the numbers do not depend on who was quicker.

A gradient is taken where the parameters are expected to be when its step is made, by the moments of the optimizer (linear weight
prediction: Kosson et al., "Pipelined Backpropagation at Scale", 2021). What was measured: docs/decisions/0043.
"""

from collections import deque

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Array, Batch, Noise
from gbdist.neural.network.numbers import held_dtype
from gbdist.neural.training.learner import Learner
from gbdist.neural.training.packing import Item, make_packing
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.state import Progress, Vector
from gbdist.neural.training.strategies.replica import NUMBERS, Replica

_SERVER = 0


class Sums:
    """The sums of the ranks' messages, batch after batch, as one rank gives and gets them; two ranks at least."""

    def __init__(self, collective: Collective, params: TrainParams) -> None:
        self._collective = collective
        self._packing = make_packing(params.strategy, np.dtype(held_dtype(params.precision)), NUMBERS)
        self._own: deque[Vector] = deque()
        self._awaited = 0
        self._sum: Vector | None = None
        self._next = 1
        #: Those that are known here and have not been asked for.
        self.known: deque[Vector] = deque()

    def give(self, message: Vector) -> None:
        """This rank's message (IN) of the next batch."""
        item = self._packing.gradient(message)
        self._awaited += 1
        if self._collective.rank == _SERVER:
            self._own.append(self._packing.read(item))
        else:
            self._collective.send(_SERVER, item)

    def look(self) -> None:
        """Take what has come, without waiting; the server sends on what is complete."""
        while self._went_on(wait=False):
            pass

    def next(self) -> Vector:
        """The next sum, the same bits on every rank; waits for it. Each rank must have given its message, or be about to."""
        while not self.known:
            self._went_on(wait=True)
        return self.known.popleft()

    def _went_on(self, *, wait: bool) -> bool:
        """Take one item; False where none has come, or none will."""
        if self._awaited == 0:  # what comes next from the others is no affair of these sums
            return False
        if self._collective.rank == _SERVER:
            return self._added(wait=wait)
        item = self._taken(_SERVER, wait=wait)
        if item is None:
            return False
        self._know(item)
        return True

    def _know(self, told: Item) -> None:
        """Keep a sum that is complete."""
        self.known.append(self._packing.read(told))
        self._awaited -= 1

    def _added(self, *, wait: bool) -> bool:
        """Add the next rank's message to the sum in hand, which begins with the server's own."""
        item = self._taken(self._next, wait=wait)
        if item is None:
            return False
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite says so itself
            self._sum = (self._own[0] if self._sum is None else self._sum) + self._packing.read(item)
        self._next += 1
        if self._next == self._collective.size:
            told = self._packing.total(self._sum)
            for rank in range(1, self._collective.size):
                self._collective.send(rank, told)
            self._know(told)
            self._own.popleft()
            self._sum, self._next = None, 1
        return True

    def _taken(self, source: int, *, wait: bool) -> Item | None:
        return self._collective.receive(source) if wait else self._collective.receive_now(source)


class Asynchronous:
    """See the module, and ``Strategy``. All ranks are alike after each epoch, and where the run pauses.

    Parameters
    ----------
    learner : Learner
        The network.
    collective : Collective
        Two ranks at least.
    """

    def __init__(self, learner: Learner, params: TrainParams, collective: Collective) -> None:
        self._replica, self._sums = Replica(learner, params), Sums(collective, params)
        self._staleness = params.strategy.staleness
        # Learning rates of the batches that this rank has given its gradient of and not made the step of.
        self._under_way: deque[float] = deque()
        self.settled, self.beyond = True, 0
        # Whether the replica has made the steps of all sums that it was given.
        self._sound = True

    def begin(self, progress: Progress) -> None:
        """See ``Strategy``."""
        self._replica.begin(progress)
        self.settled, self.beyond = True, 0

    def begin_epoch(self) -> None:
        """See ``Strategy``."""
        self._replica.begin_epoch()

    def step(self, batch: Batch, rate: float, noise: Noise | None, pause: bool) -> None:
        """See ``Strategy``. All ranks learn of a wanted pause before the same batch, and settle after it."""
        self.settled = False
        self._sums.look()
        self._catch_up(self._staleness)
        self._sums.give(self._replica.message(batch, noise, pause, self._under_way))
        self._under_way.append(rate)
        self._sums.look()
        if self.paused:
            self._settle()

    def _catch_up(self, ahead: int) -> None:
        """Make steps until no more than so many batches are under way."""
        while len(self._under_way) > ahead:
            self._take(self._sums.next())

    def _take(self, total: Vector) -> None:
        self._sound = False
        self._replica.take(total, self._under_way.popleft())
        self.beyond += 1
        self._sound = True

    def _settle(self) -> None:
        """Make the steps of all batches that were begun."""
        self._catch_up(0)
        self.settled, self.beyond = True, 0

    @property
    def paused(self) -> bool:
        """See ``Strategy``."""
        return self._replica.paused

    def progress(self) -> Progress:
        """See ``Strategy``."""
        return self._replica.progress()

    def held(self) -> Progress | None:
        """See ``Strategy``. Makes the steps of all sums that are known here: it is asked when no more will come."""
        while self._sound and self._sums.known:
            self._take(self._sums.known.popleft())
        return self._replica.held()

    def end_epoch(self) -> float:
        """See ``Strategy``."""
        if not self.settled:
            self._settle()
        return self._replica.mean_loss

    def outputs(self, batch: Batch) -> Array:
        """See ``Strategy``."""
        return self._replica.outputs(batch)
