"""One rank on its worker: what a routine gets, and the letters that reach it while it runs.

``gang`` submits ``run_rank`` as a Dask task to every member. The task says that it started and waits for the word that
all have, so that a rank never waits in a collective for a peer whose worker is busy with something else.
"""

import pickle
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from distributed import get_worker

from gbdist_cluster import legacy
from gbdist_cluster.collective.channel import Traffic
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.collective.endpoint import endpoint_of
from gbdist_cluster.errors import ClusterError, GangCancelled, PeerLost
from gbdist_cluster.parcels import LeftPlace
from gbdist_cluster.post import Outbox
from gbdist_cluster.profiling import seldom_profiled
from gbdist_cluster.shards import ShardHandle

__all__ = ["LeftOff", "RankContext", "RankOrder", "deliver", "run_rank", "task_ended"]

ASK_SECONDS = 3600.0
"""Longest time that a rank waits for the listener's answer: callbacks may do real work, but not for ever."""


@dataclass(frozen=True, slots=True)
class RankOrder:
    """What a rank is told at its start. ``key`` is its Dask task, ``addresses`` are all members in rank order."""

    run_id: str
    epoch: int
    rank: int
    addresses: tuple[str, ...]
    client_id: str
    key: str
    listens: bool
    start_seconds: float


class LeftOff:
    """What a routine returns that has left off before it was done, because ``wants_pause`` asked it to."""


class _Run:
    """A rank that is running in this process."""

    def __init__(self, order: RankOrder, worker: Any) -> None:
        self.order = order
        self._worker = worker
        self.address = str(worker.address)
        self.outbox = Outbox(worker, order.client_id, order.run_id, order.epoch)
        self.cancelled: str | None = None
        self.wants_pause = False
        self.answers: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self._questions = 0
        self._go = threading.Event()

    @property
    def clock_delay(self) -> float:
        """Seconds that the scheduler's clock is ahead of the worker's, as its last heartbeat found."""
        return float(self._worker.scheduler_delay)

    def allow(self) -> None:
        """All ranks have started."""
        self._go.set()

    def cancel(self, reason: str) -> None:
        """Make the rank stop at its next call of the collective or of ``check_cancelled``. Called in the event loop."""
        self.cancelled = reason
        self._go.set()
        self.answers.put((-1, True))
        endpoint_of(self._worker).cancel(self.order.run_id, reason)

    def check_cancelled(self) -> None:
        """Raise ``GangCancelled`` if the run was cancelled."""
        if self.cancelled is not None:
            raise GangCancelled(f"Rank {self.order.rank} was stopped: {self.cancelled}", "Look for the cause there.")

    def check_wanted(self) -> None:
        """Raise ``GangCancelled`` if Dask gave the task up before this run was there to be told."""
        task = self._worker.state.tasks.get(self.order.key)
        if task is None or task.state == "cancelled":
            self.cancelled = "its task was cancelled"
        self.check_cancelled()

    def wait_for_go(self) -> None:
        """Wait until all ranks have started."""
        if not self._go.wait(self.order.start_seconds):
            raise ClusterError(
                f"Rank {self.order.rank} was not told within {self.order.start_seconds:g} s that all ranks had started",
                "Check that the process that started the run is still there.",
            )
        self.check_cancelled()

    @contextmanager
    def joined(self) -> Iterator[Any]:
        """Connect to the other ranks; if the block fails they learn of it."""
        order = self.order
        if len(order.addresses) == 1:
            yield ChannelCollective(_NoPeers())
            return
        with CommCollective.join(
            self._worker, run_id=order.run_id, epoch=order.epoch, rank=order.rank, addresses=order.addresses
        ) as collective:
            self.check_cancelled()
            yield collective

    def emit(self, message: object) -> None:
        """Send a message to the listener."""
        if self.order.listens:
            self.outbox.send("message", rank=self.order.rank, body=pickle.dumps(message, protocol=5))

    def tell_scheduler(self, message: dict[str, Any]) -> None:
        """Send a message to the scheduler; it is dropped where the worker is cut off."""
        self._worker.loop.add_callback(self._worker.batched_send, message)

    def ask(self, message: object) -> bool:
        """Send a message to the listener and wait for its answer."""
        if not self.order.listens:
            return False
        self._questions += 1
        body = pickle.dumps(message, protocol=5)
        self.outbox.send("ask", rank=self.order.rank, number=self._questions, body=body)
        end = time.monotonic() + ASK_SECONDS
        while True:
            try:
                number, answer = self.answers.get(timeout=max(end - time.monotonic(), 0.001))
            except queue.Empty:
                raise ClusterError(
                    f"The listener did not answer rank {self.order.rank} within {ASK_SECONDS:g} s",
                    "Check that the process that started the run is still there, or make its callbacks faster.",
                ) from None
            self.check_cancelled()
            if number == self._questions:
                return answer


class _NoPeers:
    """The channel of a gang of one, which sends nothing."""

    rank = 0
    size = 1
    hosts = 1

    def __init__(self) -> None:
        self.traffic = Traffic()

    def send(self, to: int, tag: int, payload: Any) -> None:
        raise ClusterError(f"A gang of one has no rank {to}", "This is a defect of gbdist; please report it.")

    def receive(self, source: int, tag: int) -> Any:
        raise ClusterError(f"A gang of one has no rank {source}", "This is a defect of gbdist; please report it.")

    def receive_now(self, source: int, tag: int) -> Any:
        raise ClusterError(f"A gang of one has no rank {source}", "This is a defect of gbdist; please report it.")


@dataclass(frozen=True, slots=True)
class RankContext:
    """What a routine may use.

    ``shards`` are the stored objects of this rank in the order of its member's futures; ``shared`` is the same on all
    ranks; ``threads`` is how many threads the worker has, all of them the rank's to use.
    """

    rank: int
    size: int
    collective: Any
    shards: tuple[Any, ...]
    shared: Any
    threads: int
    _run: _Run

    @property
    def epoch(self) -> int:
        """How often the gang was put together again before this rank began."""
        return self._run.order.epoch

    @property
    def clock_offset(self) -> float:
        """Seconds from ``time.perf_counter()`` of this process to the scheduler's clock, which all ranks share."""
        return time.time() - time.perf_counter() + self._run.clock_delay

    @property
    def wants_pause(self) -> bool:
        """Whether the ranks are to leave off, together, where little is lost, and return ``LeftOff()``; see ``leave``."""
        return self._run.wants_pause

    @property
    def left(self) -> Any:
        """What this run's last rank on this worker has left; None if there was none."""
        return legacy.left(self._run.address, self._run.order.run_id)

    def leave(self, what: object) -> None:
        """Leave something to the run's next rank on this worker, should the gang be put together again; costs nothing."""
        legacy.leave(self._run.address, self._run.order.run_id, what)

    @property
    def place(self) -> LeftPlace:
        """Where this rank leaves things, for the client to fetch them (``parcels.Courier``)."""
        return LeftPlace(self._run.address, self._run.order.run_id)

    def emit(self, message: object) -> None:
        """Send a message to the client's listener; returns at once, order is kept. Without a listener it does nothing.

        Keep messages small: the scheduler remembers the latest ones of every client. What is large is left, and fetched.
        """
        self._run.emit(message)

    def ask(self, message: object) -> bool:
        """Send a message and wait for the listener's answer; False without a listener."""
        return self._run.ask(message)

    def tell_scheduler(self, message: dict[str, Any]) -> None:
        """Send a message to the scheduler over the worker's stream; its ``op`` names who takes it there. Returns at once."""
        self._run.tell_scheduler(message)

    def check_cancelled(self) -> None:
        """Raise ``GangCancelled`` if the client gave the run up; call it between steps that take long."""
        self._run.check_cancelled()


_runs: dict[object, _Run] = {}
"""The ranks that run in this process, by the key of their task."""


def run_rank(
    order: RankOrder, routine: Callable[[RankContext], Any], shared: bytes, handles: Sequence[ShardHandle]
) -> Any:
    """Be one rank: the body of its Dask task. Returns what the routine returns.

    An error goes to the client as a message, and the task then ends well: raised through Dask's frames, which hold the
    task's arguments, it would keep the shards in memory until the worker's garbage collector comes by.
    """
    worker = get_worker()
    run = _Run(order, worker)
    _runs[order.key] = run
    try:
        run.check_wanted()
        run.outbox.send("started", rank=order.rank)
        if len(order.addresses) > 1:
            run.wait_for_go()
        with run.joined() as collective, seldom_profiled(worker):
            context = RankContext(
                rank=order.rank,
                size=len(order.addresses),
                collective=collective,
                shards=tuple(handle.shard for handle in handles),
                shared=pickle.loads(shared),
                threads=worker.state.nthreads,
                _run=run,
            )
            result = routine(context)
        if not isinstance(result, LeftOff):
            return result
        run.outbox.send("left off", rank=order.rank)
        return None
    except BaseException as error:
        run.outbox.send("failed", rank=order.rank, **_described(error))
        return None
    finally:
        del _runs[order.key]


def _described(error: BaseException) -> dict[str, Any]:
    """Return an error as fields of a message: pickled, in words, its traceback as text, and whether it is another rank's echo."""
    echo = isinstance(error, PeerLost | GangCancelled)
    culprit = error.culprit if isinstance(error, PeerLost) else -1
    text = "".join(traceback.format_exception(error))
    words = f"{type(error).__name__}: {error}"
    error.__traceback__ = None  # it cannot travel, and its frames hold the shards
    try:
        body = cloudpickle.dumps(error)
    except Exception:  # whatever a class of the user's does
        body = b""
    return {"body": body, "words": words, "trace": text, "echo": echo, "culprit": culprit}


def deliver(key: str, kind: str, number: int = 0, answer: bool = False, reason: str = "") -> None:
    """Take a letter for a rank of this process; letters for ranks that are gone are dropped. Called in the event loop."""
    if kind == "forget":
        legacy.forget(key)
    run = _runs.get(key)
    if run is None:
        return
    match kind:
        case "go":
            run.allow()
        case "cancel":
            run.cancel(reason)
        case "pause":
            run.wants_pause = True
        case "answer":
            run.answers.put((number, answer))


def task_ended(key: object) -> None:
    """Dask has given up the task with this key: stop its rank if it still runs."""
    if run := _runs.get(key):
        run.cancel("its task was cancelled")
