"""Ranks as threads of one process: for tests, and for checks with more ranks than there are workers."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from gbdist_cluster.collective.channel import Payload, Traffic, check_tag, peer_lost
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.errors import ClusterError, GangCancelled, PeerLost

__all__ = ["Fault", "ThreadChannel", "run_threads"]

Result = TypeVar("Result")

Fault = Callable[[int, int, int], bool]
"""``fault(rank, to, number)`` before rank's number-th message (from 1): False drops it, an exception fails the rank."""

_WAKE = None  # in place of a message: look at the failure


class _ThreadGang:
    """What the threads share: one queue a pair of ranks, and the first failure."""

    def __init__(self, size: int, deadline: float, fault: Fault | None) -> None:
        self.size, self.deadline, self.fault = size, deadline, fault
        self.failure: PeerLost | None = None
        self.failed_rank = -1
        self._queues: list[list[queue.SimpleQueue[tuple[int, Payload] | None]]] = [
            [queue.SimpleQueue() for _ in range(size)] for _ in range(size)
        ]
        self._lock = threading.Lock()

    def inbox(self, source: int, to: int) -> "queue.SimpleQueue[tuple[int, Payload] | None]":
        return self._queues[source][to]

    def fail(self, rank: int, error: BaseException) -> None:
        """End every rank; the first failure is the one that counts."""
        with self._lock:
            if self.failure is not None:
                return
            self.failed_rank = rank
            self.failure = peer_lost(rank, "a thread", f"failed: {type(error).__name__}: {error}")
        for row in self._queues:
            for inbox in row:
                inbox.put(_WAKE)

    def leave(self, rank: int) -> None:
        """Rank has returned: whoever waits for more of it waits in vain, after what it has sent."""
        for to in range(self.size):
            self.inbox(rank, to).put(_WAKE)


class ThreadChannel:
    """The channel of one rank of ``run_threads``."""

    hosts = 1

    def __init__(self, gang: _ThreadGang, rank: int) -> None:
        self.rank, self.size, self.traffic = rank, gang.size, Traffic()
        self._gang = gang

    def send(self, to: int, tag: int, payload: Payload) -> None:
        """Put bytes into the queue of rank ``to``."""
        self._check()
        self.traffic.messages += 1
        self.traffic.bytes_sent += len(payload)
        if self._gang.fault is None or self._gang.fault(self.rank, to, self.traffic.messages):
            self._gang.inbox(self.rank, to).put((tag, payload))

    def receive(self, source: int, tag: int) -> Payload:
        """Take the next message of ``source``; ``PeerLost`` if none comes within the deadline."""
        self._check()
        began = time.perf_counter()
        try:
            arrived = self._gang.inbox(source, self.rank).get(timeout=self._gang.deadline)
        except queue.Empty:
            raise peer_lost(source, "a thread", f"sent nothing for {self._gang.deadline:g} s") from None
        finally:
            self.traffic.waited(began, time.perf_counter())
        return self._opened(source, tag, arrived)

    def receive_now(self, source: int, tag: int) -> Payload | None:
        """Take the next message of ``source`` if it has come."""
        self._check()
        try:
            arrived = self._gang.inbox(source, self.rank).get_nowait()
        except queue.Empty:
            return None
        return self._opened(source, tag, arrived)

    def _opened(self, source: int, tag: int, arrived: tuple[int, Payload] | None) -> Payload:
        """The bytes of what was in an inbox; ``PeerLost`` if that says that there is nobody any more."""
        self._check()
        if arrived is None:
            raise peer_lost(source, "a thread", f"has returned while rank {self.rank} waits for it")
        check_tag(self.rank, source, tag, arrived[0])
        return arrived[1]

    def _check(self) -> None:
        if self._gang.failure is not None and self._gang.failed_rank != self.rank:
            raise self._gang.failure.with_traceback(None)


def run_threads(
    n_ranks: int,
    function: Callable[[ChannelCollective], Result],
    *,
    deadline: float = 300.0,
    fault: Fault | None = None,
) -> list[Result]:
    """Run ``function(collective)`` on ``n_ranks`` threads and return what each rank returned, in rank order.

    A rank that raises ends the others with ``PeerLost``; the error that this function raises is the cause, never
    that echo. ``deadline`` bounds each wait for one message, the peer's own work included.
    """
    if n_ranks < 1:
        raise ClusterError(f"n_ranks={n_ranks} cannot be used", "Ask for one rank or more")
    gang = _ThreadGang(n_ranks, deadline, fault)
    results: list[Result | None] = [None] * n_ranks
    errors: list[BaseException] = []

    def work(rank: int) -> None:
        try:
            results[rank] = function(ChannelCollective(ThreadChannel(gang, rank)))
        except BaseException as error:  # handed to the caller, below
            errors.append(error)
            gang.fail(rank, error)
        else:
            gang.leave(rank)

    threads = [threading.Thread(target=work, args=(rank,), name=f"gbdist-rank-{rank}") for rank in range(n_ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise cause_of(errors)
    return results  # type: ignore[return-value]  # every rank has returned


def cause_of(errors: Sequence[BaseException]) -> BaseException:
    """The error to show of all that the ranks raised: the first that is no echo of another rank's."""
    causes = [error for error in errors if not isinstance(error, PeerLost | GangCancelled)]
    return (causes or list(errors))[0]
