"""Running a routine on all workers of a gang at once, all or none, and seeing to it that nothing of it stays behind.

The client reserves the members (``lease``), submits one task a rank (``ranks``), waits until all have started, gives
the word, then reads the run's inbox: messages for the listener, ranks that end, workers that leave. Whatever ends the
run, the other ranks are told to stop, their tasks are given back, and the error raised is the one that caused it.
"""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import dask.config
from dask.utils import parse_timedelta
from distributed import Client, Future

from gbdist_cluster.errors import ClusterError, GangCancelled, PeerLost
from gbdist_cluster.lease import lease
from gbdist_cluster.plugin import prepare
from gbdist_cluster.post import Inbox, tell
from gbdist_cluster.rank_errors import error_of_rank, error_of_task
from gbdist_cluster.ranks import RankContext, RankOrder, run_rank
from gbdist_cluster.rpc import call_scheduler
from gbdist_cluster.shards import wait_for_shards

__all__ = ["Member", "RankContext", "run_on_gang"]

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""How long ranks may take to stop after one failed; those that take longer count as not answering."""

_INLINE_BYTES = 64 * 1024
"""Shared objects above this go to a worker once and from there to the others, not through every task."""

_SCATTER_SECONDS = 60.0
_RESULT_SECONDS = 300.0
_START_MARGIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Member:
    """One worker of a gang and the futures of its shards (each of a task that returned ``keep(...)``)."""

    address: str
    shards: tuple[Future, ...] = ()


def run_on_gang(
    client: Client,
    routine: Callable[[RankContext], Any],
    *,
    members: Sequence[Member],
    shared: object = None,
    listener: Callable[[Any], bool | None] | None = None,
    wait_for_workers: float | None = None,
) -> list[Any]:
    """Run ``routine(context)`` once on every member, ranks in their order; return the results in that order.

    Parameters
    ----------
    routine : called with a ``RankContext``; it must be what cloudpickle takes
    members : at least one; each address once
    shared : given to every rank; travels to each worker once
    listener
        Called in this thread with each message of ``context.emit`` and ``context.ask``, in each rank's order. Its
        answer counts for ``ask`` alone: true asks the routine to stop. An error in it ends the run and is raised.
    wait_for_workers
        Seconds to wait for other gangs to leave the members, and again for the members' other tasks. None: what Dask's
        configuration has under ``gbdist.wait-for-workers``, an hour if it has nothing.

    Raises
    ------
    ClusterError
        If the workers do not get free in time, one leaves the cluster, or one stops answering.
    Exception
        What the routine raised in the rank that failed first, with a note that names rank and worker.
    """
    if not members:
        raise ValueError("a gang needs at least one member")
    if wait_for_workers is None:
        wait_for_workers = float(parse_timedelta(dask.config.get("gbdist.wait-for-workers", "1h")))
    prepare(client)
    wait_for_shards(client, [shard for member in members for shard in member.shards])
    run_id = uuid.uuid4().hex
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    addresses = [member.address for member in members]
    with (
        Inbox(run_id) as inbox,
        lease(client, addresses, wait_for_workers, logger.warning, lease_id=run_id, label=owner),
    ):
        overseer = _Overseer(client, tuple(members), run_id, inbox, listener)
        return overseer.run(routine, shared, wait_for_workers)


def _announcer(inbox: Inbox, rank: int) -> Callable[[Future], None]:
    """Return a callback that puts the end of a rank into the inbox."""
    return lambda _: inbox.put({"kind": "done", "rank": rank})


class _Overseer:
    """The client's view of one run."""

    def __init__(
        self,
        client: Client,
        members: tuple[Member, ...],
        run_id: str,
        inbox: Inbox,
        listener: Callable[[Any], bool | None] | None,
    ) -> None:
        self._client = client
        self._members = members
        self._run_id = run_id
        self._inbox = inbox
        self._listener = listener
        self._keys = [f"gbdist-rank-{run_id}-0-{rank}" for rank in range(len(members))]
        self._futures: list[Future] = []
        self._stopped = False
        self._started: set[int] = set()
        self._called_off: set[int] = set()
        self._done: set[int] = set()
        self._lost: list[int] = []
        self._errors: list[tuple[int, BaseException]] = []

    def run(self, routine: Callable[[RankContext], Any], shared: object, wait_for_workers: float) -> list[Any]:
        """Start the ranks, see them through, and clean up."""
        try:
            self._submit(routine, shared, wait_for_workers)
            self._wait_for_start(wait_for_workers)
            if len(self._members) > 1:
                self._tell({"kind": "go"})
            while not self._finished and not self._failed:
                self._read(1.0)
            if self._failed:
                self._stop("another rank failed")
                raise self._cause()
            return self._gather()
        except BaseException:
            self._stop("the run was given up by its client")
            raise
        finally:
            self._give_back(self._futures)
            self._futures.clear()
            self._errors.clear()

    def _submit(self, routine: Callable[[RankContext], Any], shared: object, wait_for_workers: float) -> None:
        addresses = tuple(member.address for member in self._members)
        parcel: bytes | Future = cloudpickle.dumps(shared, protocol=5)
        if len(parcel) > _INLINE_BYTES:
            parcel = self._scatter(parcel, addresses[0])
        for rank, member in enumerate(self._members):
            order = RankOrder(
                run_id=self._run_id,
                epoch=0,
                rank=rank,
                addresses=addresses,
                client_id=self._client.id,
                key=self._keys[rank],
                listens=self._listener is not None,
                start_seconds=wait_for_workers + _START_MARGIN_SECONDS,
            )
            future = self._client.submit(
                run_rank, order, routine, parcel, list(member.shards),
                key=order.key, workers=[member.address], allow_other_workers=False, retries=0, priority=100,
            )  # fmt: skip
            self._futures.append(future)
            # Not a method: a cycle from future to overseer would keep the shards after the run.
            future.add_done_callback(_announcer(self._inbox, rank))

    def _scatter(self, parcel: bytes, address: str) -> Future:
        try:
            scattered = self._client.sync(
                self._client._scatter, [parcel], workers=[address], hash=False, direct=False,
                callback_timeout=_SCATTER_SECONDS,
            )  # fmt: skip
        except TimeoutError:
            raise ClusterError(
                f"Worker {address} did not take what the ranks share within {_SCATTER_SECONDS:g} s",
                "See whether it is alive, and restart it.",
            ) from None
        return scattered[0]

    def _wait_for_start(self, timeout: float) -> None:
        """Wait until every rank has said that it runs; say for whom we wait."""
        begin = time.monotonic()
        next_word = begin + 3.0
        while len(self._started) < len(self._members) and not self._failed:
            now = time.monotonic()
            if now > begin + timeout:
                raise ClusterError(
                    f"The run could not start within {timeout:g} s: {self._whom()}",
                    "Wait for these tasks to end, free memory on the workers, or use other workers.",
                )
            if now > next_word:
                logger.warning("waiting for workers: %s", self._whom())
                next_word = now + 10.0
            self._read(min(next_word, begin + timeout) - now)

    def _whom(self) -> str:
        """Say what keeps the ranks that have not started."""
        waiting = [rank for rank in range(len(self._members)) if rank not in self._started]
        addresses = [self._members[rank].address for rank in waiting]
        seen = call_scheduler(self._client, "gbdist_look", workers=addresses)
        words = []
        for rank, address in zip(waiting, addresses, strict=True):
            facts = seen.get(address)
            if facts is None:
                words.append(f"rank {rank}'s worker {address} is not there any more")
                continue
            tasks = [key for key in facts["tasks"] if key != self._keys[rank]]
            state = "is paused, its memory is nearly full" if facts["status"] == "paused" else "has not begun"
            words.append(f"rank {rank}'s worker {address} " + (f"is busy with {', '.join(tasks)}" if tasks else state))
        return "; ".join(words)

    @property
    def _finished(self) -> bool:
        return len(self._done) == len(self._members)

    @property
    def _failed(self) -> bool:
        return bool(self._errors or self._lost)

    def _read(self, timeout: float, *, listen: bool = True) -> bool:
        """Take one letter from the inbox, waiting for it if there is none; return whether there was one."""
        letter = self._inbox.get(timeout)
        if letter is None:
            return False
        match letter["kind"]:
            case "started":
                self._started.add(letter["rank"])
            case "message" if listen and self._listener:
                self._listener(cloudpickle.loads(letter["body"]))
            case "ask" if listen and self._listener:
                answer = bool(self._listener(cloudpickle.loads(letter["body"])))
                self._tell({"kind": "answer", "number": letter["number"], "answer": answer}, only=letter["rank"])
            case "expired" if listen:
                raise ClusterError(
                    "The run lost its workers to another one, because this process was silent for too long",
                    "Start it again; code that holds the GIL for half a minute, or a suspended machine, is a likely cause.",
                )
            case "lost":
                self._lost += [rank for rank, member in enumerate(self._members) if member.address == letter["worker"]]
            case "failed":
                self._blame(letter["rank"], error_of_rank(letter))
            case "done":
                self._done.add(letter["rank"])
                # A task that we called off is no cause of anything.
                if letter["rank"] not in self._called_off and (error := error_of_task(self._futures[letter["rank"]])):
                    self._blame(letter["rank"], error)
        return True

    def _blame(self, rank: int, error: BaseException) -> None:
        error.add_note(f"In rank {rank} of {len(self._members)}, on worker {self._members[rank].address}.")
        self._errors.append((rank, error))

    def _tell(self, letter: dict[str, Any], *, only: int | None = None) -> None:
        ranks = range(len(self._members)) if only is None else [only]
        tell(self._client, {self._members[rank].address: {"key": self._keys[rank], **letter} for rank in ranks})

    def _stop(self, reason: str) -> None:
        """Tell the ranks to stop and wait for it a bounded time; does nothing the second time."""
        if self._finished or self._stopped or not self._futures:
            return
        self._stopped = True
        with suppress(ClusterError):
            self._tell({"kind": "cancel", "reason": reason})
        while self._read(0.0, listen=False):
            pass
        # Ranks that have not begun would begin when their worker gets free; those that run are in our hands.
        running = frozenset(self._started)
        self._called_off = set(range(len(self._futures))) - self._started - self._done
        self._give_back([self._futures[rank] for rank in self._called_off])
        end = time.monotonic() + GRACE_SECONDS
        while not running <= self._done | set(self._lost) and time.monotonic() < end:
            self._read(end - time.monotonic(), listen=False)

    def _give_back(self, futures: list[Future]) -> None:
        """Have Dask forget these tasks, whatever their state."""
        with suppress(Exception):  # a client that lost its scheduler has nothing to give back
            self._client.sync(self._client._cancel, futures, force=True, callback_timeout=GRACE_SECONDS)

    def _cause(self) -> BaseException:
        """Pick the error that made the others: an echo is raised only when nothing better is known."""
        for _, error in self._errors:
            if not isinstance(error, PeerLost | GangCancelled):
                return error
        silent = self._silent()
        if not self._lost:
            self._remove([self._members[rank].address for rank in silent])
        for ranks, what in ((self._lost, "left the cluster"), (silent, "stopped answering")):
            if ranks:
                named = ", ".join(f"{self._members[rank].address} (rank {rank})" for rank in ranks)
                return ClusterError(
                    f"Worker {named} {what} during the run",
                    "Look for the cause in its log (often memory); start the run again on the workers that are left.",
                )
        rank, echo = self._errors[0]
        error = ClusterError(
            f"Rank {rank} on worker {self._members[rank].address} lost the others: {echo.args[0]}",
            "Check the network between the workers and start the run again.",
        )
        error.__cause__ = echo
        return error

    def _silent(self) -> list[int]:
        """Return the ranks that did not end and of which a peer says that it lost them.

        A rank that merely computes for long does not end within the grace either, but it still beats.
        """
        echoes = " ".join(str(error) for _, error in self._errors)
        unended = sorted(self._started - self._done - set(self._lost))
        return [rank for rank in unended if f"rank {rank} at {self._members[rank].address} " in echoes]

    def _remove(self, addresses: list[str]) -> None:
        """Take workers that answer neither their peers nor us out of the cluster; Dask itself would wait for minutes."""
        if addresses:
            logger.warning("removing from the cluster, as they do not answer: %s", ", ".join(addresses))
            with suppress(ClusterError):
                call_scheduler(self._client, "gbdist_remove", workers=addresses)

    def _gather(self) -> list[Any]:
        """Fetch the results. They may still come although a worker left: one that retires hands them on."""
        inbox = self._inbox
        fetched = asyncio.run_coroutine_threadsafe(self._client._gather(self._futures), self._client.loop.asyncio_loop)
        fetched.add_done_callback(lambda _: inbox.put({"kind": "fetched"}))
        begin = time.monotonic()
        while not fetched.done():
            left = begin + (GRACE_SECONDS if self._lost else _RESULT_SECONDS) - time.monotonic()
            if left <= 0:
                fetched.cancel()
                break
            self._read(left, listen=False)
        if not fetched.cancelled():
            results: list[Any] = fetched.result()
            return results
        if self._lost:
            raise self._cause()
        raise ClusterError(
            f"The results of the run did not arrive within {_RESULT_SECONDS:g} s",
            "Check the network to the workers, and start the run again.",
        )
