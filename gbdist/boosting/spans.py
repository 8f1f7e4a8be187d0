"""Where a rank's time goes: sums by stage, always cheap, and single spans where somebody asks for a timeline.

Every moment belongs to one stage, the innermost that was entered: so sums add up to the whole time. A call of the collective is
waiting, as long as nothing had arrived, and network otherwise: packing, sending, unpacking and adding.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.watch import Stage

Clock = Callable[[], float]

OTHER: Final = "other"
WAITING, NETWORK = "waiting", "network"
#: What holds other stages; the rest of its time is nobody's.
CONTAINERS: Final = frozenset({"tree", "level", "epoch"})
#: Of these, what a run consists of.
ITERATIONS: Final = frozenset({"tree", "epoch"})
#: One span: its name's place among the names, when it began and ended in nanoseconds of the rank's clock, its number or −1,
#: bytes that were sent. Exact, so that what lies in a span still does when it is drawn.
SPAN: Final = np.dtype([("name", "u1"), ("start", "i8"), ("end", "i8"), ("number", "i4"), ("bytes", "u4")])

#: A rank tells of its spans after its first iteration, then when there are so many, or so many seconds later, between two.
_CHUNK_SPANS = 4096
_CHUNK_SECONDS = 2.0
_MOST_BYTES = 0xFFFFFFFF


class Traffic(Protocol):
    """What a collective counts; ``waits`` are the times of single waits, from and to, where somebody has asked for them."""

    bytes_sent: int
    seconds_waited: float
    waits: list[tuple[float, float]] | None


@dataclass(frozen=True, slots=True)
class SpansTaken:
    """Spans of a rank since it last told of them, and its sums so far.

    ``offset`` leads from the rank's clock to the one that all ranks share, in seconds; ``spans`` are the bytes of ``SPAN``
    records. ``cut`` says that there were too many, and that whole iterations alone are told of.
    """

    rank: int
    names: tuple[str, ...]
    offset: float
    spans: bytes
    cut: bool
    seconds: dict[str, float]
    bytes_sent: int

    def records(self) -> NDArray[Any]:
        """The spans, in the order of their ends."""
        return np.frombuffer(self.spans, SPAN)


class SpanSums:
    """A watch that adds up. One thread uses it, that of the rank."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = {OTHER: 0.0}
        self._outer: list[tuple[str, str, int, float]] = []
        self._sum, self._mark = OTHER, clock()
        self._next = OTHER, -1
        self.bytes_sent = 0

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each stage so far, a copy; a stage that is going on counts up to its last change."""
        return dict(self._seconds)

    def stage(self, name: str, number: int = -1) -> Stage:
        """See ``Watch``."""
        self._next = name, number
        return self

    def __enter__(self) -> None:
        name, number = self._next
        now = self._clock()
        self._turn(now)
        self._outer.append((self._sum, name, number, now))
        self._sum = OTHER if name in CONTAINERS else name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        now = self._clock()
        self._turn(now)
        self._sum, name, number, began = self._outer.pop()
        self._ended(name, number, began, now, 0)

    def _turn(self, now: float) -> None:
        """Count the time since the last change."""
        self._seconds[self._sum] = self._seconds.get(self._sum, 0.0) + now - self._mark
        self._mark = now

    def call(self, operation: str, traffic: Traffic) -> Stage:
        """A call of the collective."""
        return _Call(self, operation, traffic)

    def take_call(self, operation: str, began: float, traffic: Traffic, before: tuple[int, float]) -> None:
        """A call that began then is over; ``before`` was what its traffic had counted."""
        now = self._clock()
        sent, waited = traffic.bytes_sent - before[0], traffic.seconds_waited - before[1]
        seconds = self._seconds
        seconds[WAITING] = seconds.get(WAITING, 0.0) + waited
        seconds[NETWORK] = seconds.get(NETWORK, 0.0) + now - began - waited
        self.bytes_sent += sent
        self._mark = now
        self._ended(operation, -1, began, now, sent)

    def begin_call(self) -> float:
        """The time, up to which the stage around a call is counted."""
        now = self._clock()
        self._turn(now)
        return now

    def _ended(self, name: str, number: int, began: float, ended: float, sent: int) -> None:
        """A stage or a call is over: nothing is kept of it."""


class _Call:
    """One call of a collective."""

    __slots__ = ("_before", "_began", "_operation", "_sums", "_traffic")

    def __init__(self, sums: SpanSums, operation: str, traffic: Traffic) -> None:
        self._sums, self._operation, self._traffic = sums, operation, traffic

    def __enter__(self) -> None:
        self._before = self._traffic.bytes_sent, self._traffic.seconds_waited
        self._began = self._sums.begin_call()

    def __exit__(self, *_: object) -> None:
        self._sums.take_call(self._operation, self._began, self._traffic, self._before)


class SpanLog(SpanSums):
    """Sums, and single spans that are told of between two trees or epochs.

    Parameters
    ----------
    rank : of whom
    tell : takes a ``SpansTaken`` now and then
    offset : seconds from this process's clock to the one that all ranks share
    most : spans in all; of iterations that come later it keeps one each
    """

    def __init__(
        self,
        rank: int,
        tell: Callable[[SpansTaken], object],
        offset: float,
        most: int,
        clock: Clock = time.perf_counter,
    ) -> None:
        super().__init__(clock)
        self._rank, self._tell, self._offset, self._left = rank, tell, offset, most
        self._names: dict[str, int] = {}
        self._kept: list[tuple[int, int, int, int, int]] = []
        self._told = clock() - _CHUNK_SECONDS
        self._traffic: Traffic | None = None

    def call(self, operation: str, traffic: Traffic) -> Stage:
        """See ``SpanSums``; single waits are kept too."""
        if self._traffic is None:
            self._traffic, traffic.waits = traffic, []
        return super().call(operation, traffic)

    def flush(self) -> None:
        """Tell of what is kept."""
        now = self._clock()
        if not self._outer:
            self._turn(now)
        spans, cut = np.array(self._kept, SPAN).tobytes(), self._left <= 0
        self._tell(SpansTaken(self._rank, tuple(self._names), self._offset, spans, cut, self.seconds, self.bytes_sent))
        self._kept.clear()
        self._told = now

    def _ended(self, name: str, number: int, began: float, ended: float, sent: int) -> None:
        if self._traffic is not None and self._traffic.waits:
            for start, stop in self._traffic.waits:
                self._keep(WAITING, -1, start, stop, 0)
            self._traffic.waits.clear()
        self._keep(name, number, began, ended, sent)
        full = len(self._kept) >= _CHUNK_SPANS or ended - self._told >= _CHUNK_SECONDS
        if full and name in ITERATIONS:
            self.flush()

    def _keep(self, name: str, number: int, began: float, ended: float, sent: int) -> None:
        if self._left <= 0 and name not in ITERATIONS:
            return
        self._left -= 1
        place = self._names.setdefault(name, len(self._names))
        self._kept.append((place, round(began * 1e9), round(ended * 1e9), number, min(sent, _MOST_BYTES)))


class WatchedCollective:
    """A collective each of whose calls is counted; see ``Collective``."""

    def __init__(self, collective: Any, sums: SpanSums) -> None:
        self._collective, self._sums, self.traffic = collective, sums, collective.traffic
        self.rank: int = collective.rank
        self.size: int = collective.size

    def all_reduce(self, array: NDArray[np.int64], *, halves: bool = False) -> NDArray[np.int64]:
        """See ``Collective``."""
        with self._sums.call("all_reduce", self.traffic):
            total: NDArray[np.int64] = self._collective.all_reduce(array, halves=halves)
            return total

    def reduce_scatter(
        self, array: NDArray[np.int64], offsets: Sequence[int], *, halves: bool = False
    ) -> NDArray[np.int64]:
        """See ``Collective``."""
        with self._sums.call("reduce_scatter", self.traffic):
            share: NDArray[np.int64] = self._collective.reduce_scatter(array, offsets, halves=halves)
            return share

    def sum_floats(self, array: NDArray[Any]) -> NDArray[Any]:
        """See ``Collective``."""
        with self._sums.call("sum_floats", self.traffic):
            total: NDArray[Any] = self._collective.sum_floats(array)
            return total

    def all_gather(self, item: bytes) -> list[bytes]:
        """See ``Collective``."""
        with self._sums.call("all_gather", self.traffic):
            every: list[bytes] = self._collective.all_gather(item)
            return every

    def all_to_all(self, items: Sequence[bytes]) -> list[bytes]:
        """See ``Collective``."""
        with self._sums.call("all_to_all", self.traffic):
            mine: list[bytes] = self._collective.all_to_all(items)
            return mine

    def send(self, to: int, item: bytes) -> None:
        """See ``Collective``."""
        with self._sums.call("send", self.traffic):
            self._collective.send(to, item)

    def receive(self, source: int) -> bytes | bytearray | memoryview:
        """See ``Collective``."""
        with self._sums.call("receive", self.traffic):
            item: bytes | bytearray | memoryview = self._collective.receive(source)
            return item

    def receive_now(self, source: int) -> bytes | bytearray | memoryview | None:
        """See ``Collective``; not counted: it never waits, and is called for nothing most of the time."""
        item: bytes | bytearray | memoryview | None = self._collective.receive_now(source)
        return item

    def subset(self, ranks: Sequence[int]) -> "WatchedCollective":
        """See ``Collective``."""
        return WatchedCollective(self._collective.subset(ranks), self._sums)
