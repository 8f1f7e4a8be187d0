"""How the state of a network's run outlives its ranks: each leaves it to its successor, and the client fetches it now and then.

A state is as large as a few networks, so ranks say that there is one, and the client sends for it (``gbdist_cluster.parcels``).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from distributed import Client

from gbdist.neural.training.state import TrainState, decode_state, encode_state, reached_of
from gbdist_cluster.gang import RankContext
from gbdist_cluster.parcels import Courier, LeftPlace

#: Seconds between two words of a rank at least, and what part of the time fetching may take.
PERIOD = 0.25
_SHARE = 0.1

Clock = Callable[[], float]
Reached = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StateLeft:
    """A rank has left a state that goes so far: epochs, and batches of the next one."""

    place: LeftPlace
    reached: Reached


class Leaver:
    """Takes the states of a run on one rank, ``train``'s ``keep``: each takes the place of the one before.

    All ranks have the same after an epoch, so rank 0 alone tells of it; within an epoch, where an error or a pause ends the
    run, each does.
    """

    def __init__(self, context: RankContext, clock: Clock = time.monotonic) -> None:
        self._context, self._clock = context, clock
        self._told = clock() - PERIOD

    def __call__(self, state: TrainState) -> None:
        """Leave a state to the next rank on this worker, and let the client know."""
        self._context.leave(state)
        now = self._clock()
        due = self._context.rank == 0 and now - self._told >= PERIOD
        if due or state.batch > 0:
            self._told = now
            self._context.emit(StateLeft(self._context.place, state.reached))


class StateKeeper:
    """The newest state of a run that the client has; all calls come in one thread.

    Parameters
    ----------
    start : what the run goes on from
    heard : called with each state that is newer, encoded, and its epochs; a snapshot is written by it
    """

    def __init__(
        self,
        client: Client,
        start: TrainState | None = None,
        heard: Callable[[bytes, int], None] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.record = None if start is None else encode_state(start)
        self.reached: Reached = (0, 0) if start is None else start.reached
        self._heard, self._courier, self._clock = heard, Courier(client), clock
        #: Where there is a newer one, and how far that goes.
        self.told_of = self.reached
        self._place: LeftPlace | None = None
        self._asked, self._next = 0.0, 0.0

    def take(self, message: StateLeft) -> None:
        """A rank has left a state."""
        if message.reached > self.told_of or self._place is None:
            self.told_of, self._place = message.reached, message.place
        self.look()

    def look(self) -> None:
        """Take what has arrived, and send for what is newer, if it is time."""
        record = self._courier.take()
        now = self._clock()
        if record is not None:
            self._next = now + max(PERIOD, (now - self._asked) / _SHARE)
            self._keep(record)
        if self._courier.busy or self._place is None or now < self._next or self.told_of <= self.reached:
            return
        self._asked = now
        self._courier.send_for(self._place, encode_state)

    def _keep(self, record: bytes) -> None:
        reached = reached_of(record)
        if reached > self.reached:
            self.record, self.reached = record, reached
            if self._heard is not None:
                self._heard(record, reached[0])

    def lost(self) -> None:
        """Workers have left: what is under way may never come."""
        self._courier.close()
        self._place = None

    def close(self) -> None:
        """Nothing more is wanted."""
        self._courier.close()

    @property
    def state(self) -> TrainState | None:
        """The newest one, decoded."""
        return None if self.record is None else decode_state(self.record)
