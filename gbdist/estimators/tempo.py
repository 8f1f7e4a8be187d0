"""How fast each rank works: measured by the rank without what it waits for, told to the client, remembered there by worker."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gbdist.boosting.events import Event, IterationDone, Listener, tell

#: Seconds between two messages of a rank at least.
PERIOD = 2.0
#: The quickest of so many messages counts: disturbances make a worker slower, and are not its speed until they last.
_MESSAGES = 5
#: Trees in them at least.
_TREES = 10
#: Ranks with fewer rows may look slower than they are, because of what a tree costs whatever its rows.
_TRUSTED_ROWS = 8192


@dataclass(frozen=True, slots=True)
class TreesWorked:
    """How many trees a rank has grown since it last said so, and for how many seconds it worked for them."""

    rank: int
    trees: int
    seconds: float


class _Traffic(Protocol):
    """What a collective counts."""

    @property
    def seconds_waited(self) -> float:
        """For other ranks, so far."""
        ...


class WorkClock:
    """A listener around a rank's other ones, whose time is nobody's work: tells the client how long the rank works for trees.

    Work is what is left of the time from tree to tree without waiting for other ranks. The first tree is not counted: what
    began before it, compiled kernels and replayed trees, is no part of the next ones.
    """

    def __init__(
        self, rank: int, traffic: _Traffic, emit: Callable[[object], Any], listeners: Sequence[Listener]
    ) -> None:
        self._rank, self._traffic, self._emit, self._listeners = rank, traffic, emit, listeners
        self._began: float | None = None
        self._waited = self._told = self._seconds = 0.0
        self._trees = 0

    def hear(self, event: Event) -> bool:
        """Pass an event on; whether one of the listeners wants to stop."""
        grown = isinstance(event, IterationDone)
        if grown:
            self._count(time.perf_counter())
        stops = tell(self._listeners, event)
        if grown:
            self._began, self._waited = time.perf_counter(), self._traffic.seconds_waited
        return stops

    def _count(self, now: float) -> None:
        if self._began is None:
            self._told = now
            return
        self._trees += 1
        self._seconds += now - self._began - (self._traffic.seconds_waited - self._waited)
        if now - self._told >= PERIOD:
            self._emit(TreesWorked(self._rank, self._trees, self._seconds))
            self._told, self._trees, self._seconds = now, 0, 0.0


@dataclass(eq=False)
class _Heard:
    """What a rank of the present epoch has told: seconds a row in its latest messages, and how many trees it grew."""

    rows: int
    seconds_a_row: deque[float] = field(default_factory=lambda: deque(maxlen=_MESSAGES))
    trees: int = 0

    @property
    def enough(self) -> bool:
        return len(self.seconds_a_row) == _MESSAGES and self.trees >= _TREES

    @property
    def speed(self) -> float:
        return 1.0 / min(self.seconds_a_row)


class Tempo:
    """Speeds of a run's workers, in rows a second, on the client."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self._heard: dict[str, _Heard] = {}
        self._members: list[str] = []

    def begin(self, rows: Mapping[str, int], workers: Sequence[str]) -> None:
        """An epoch begins, with so many rows of each rank's worker. Speeds of the ``workers`` that are there are remembered."""
        self._known = {address: speed for address, speed in self.speeds.items() if address in workers}
        self._members = list(rows)
        self._heard = {address: _Heard(count) for address, count in rows.items()}

    def take(self, told: TreesWorked) -> None:
        """Take a message of this epoch."""
        heard = self._heard[self._members[told.rank]]
        if told.seconds > 0.0:
            heard.seconds_a_row.append(told.seconds / (told.trees * heard.rows))
            heard.trees += told.trees

    @property
    def speeds(self) -> dict[str, float]:
        """What is known of the workers, by their addresses. Of those with few rows: at least as fast as they look now."""
        found = dict(self._known)
        for address, heard in self._heard.items():
            if heard.enough and heard.rows >= _TRUSTED_ROWS:
                found[address] = heard.speed
            elif heard.enough and address in found:
                found[address] = max(found[address], heard.speed)
        return found

    @property
    def heard_enough(self) -> bool:
        """Whether all ranks of this epoch have told enough."""
        return all(heard.enough for heard in self._heard.values())
