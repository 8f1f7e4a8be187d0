"""One attempt of a gang, seen from the client: an epoch, from submitting its ranks to their results or to what ended it.

Letters and the ends of tasks become events; ``recovery.decide`` says what follows from them, and it is done here.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from distributed import Future

from gbdist_cluster import recovery
from gbdist_cluster.errors import ClusterError, GangCancelled, PeerLost, ShardsGone, WorkersGone
from gbdist_cluster.gang_parts import Broken, GangRun, Loss, Member
from gbdist_cluster.post import Inbox, tell
from gbdist_cluster.rank_errors import error_of_rank, error_of_task
from gbdist_cluster.ranks import RankOrder, run_rank
from gbdist_cluster.recovery import Action, Epoch
from gbdist_cluster.rpc import call_scheduler
from gbdist_cluster.watch import RANK_PREFIX

__all__ = ["Attempt"]

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""How long ranks may take to stop after one failed."""

_INLINE_BYTES = 64 * 1024
"""Shared objects above this go to a worker once and from there to the others, not through every task."""

_SCATTER_SECONDS = 60.0
_RESULT_SECONDS = 300.0
_HANDED_ON_SECONDS = 2.0
"""How long results may take to come after a worker left: one that retires hands them on."""
_START_MARGIN_SECONDS = 60.0


class Attempt:
    """The client's view of one epoch."""

    def __init__(self, run: GangRun, number: int, members: Sequence[Member]) -> None:
        self._run, self._client, self._inbox = run, run.client, run.inbox
        self._number, self._members = number, tuple(members)
        addresses = tuple(member.address for member in members)
        self._epoch = Epoch(addresses, regroups=run.pays is not None)
        self._keys = [f"{RANK_PREFIX}{run.run_id}-{number}-{rank}" for rank in range(len(addresses))]
        self._futures: list[Future] = []
        self._called_off: set[int] = set()
        self._newcomers: list[str] = []
        self._losses: list[Loss] = []
        self._errors: list[tuple[int, BaseException]] = []
        self._way_out: Action | None = None
        self._stopped_at = 0.0

    def run(self, shared: object) -> list[Any] | Broken:
        """Start the ranks and see them through; their results, or what the next attempt must know. Cleans up in any case."""
        try:
            self._submit(shared)
            self._wait_for_start()
            if len(self._members) > 1 and self._epoch.stage == "running":
                self._tell({"kind": "go"})
            while self._way_out is None:
                self._read(1.0)
                self._look_at_newcomers()
            if self._way_out == Action.FINISH:
                return self._gather()
            return self._end()
        except BaseException:
            self._give_up()
            raise
        finally:
            self._give_back(self._futures)
            self._futures.clear()
            self._errors.clear()

    def _submit(self, shared: object) -> None:
        addresses = self._epoch.members
        parcel: bytes | Future = cloudpickle.dumps(shared, protocol=5)
        if len(parcel) > _INLINE_BYTES:
            parcel = self._scatter(parcel, addresses[0])
        for rank, member in enumerate(self._members):
            order = RankOrder(
                run_id=self._run.run_id,
                epoch=self._number,
                rank=rank,
                addresses=addresses,
                client_id=self._client.id,
                key=self._keys[rank],
                listens=self._run.listener is not None,
                start_seconds=self._run.wait_for_workers + _START_MARGIN_SECONDS,
            )
            future = self._client.submit(
                run_rank, order, self._run.routine, parcel, list(member.shards),
                key=order.key, workers=[member.address], allow_other_workers=False, retries=0, priority=100,
            )  # fmt: skip
            self._futures.append(future)
            # Not a method: a cycle from future to attempt would keep the shards after the run.
            future.add_done_callback(_announcer(self._inbox, rank, self._number))

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
        except KeyError:  # what the scheduler says of a worker that it does not know any more
            raise WorkersGone(f"Worker {address} left before its rank could start", "Start the run again.") from None
        return scattered[0]

    def _wait_for_start(self) -> None:
        """Wait until every rank has said that it runs; say for whom we wait."""
        begin, timeout = time.monotonic(), self._run.wait_for_workers
        next_word = begin + 3.0
        while not self._epoch.all_started and self._epoch.stage == "running":
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
        waiting = sorted(set(range(len(self._members))) - self._epoch.started)
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

    # ---- what is heard

    def _read(self, timeout: float, *, listen: bool = True) -> bool:
        """Take one letter from the inbox, waiting for it if there is none; return whether there was one."""
        if self._epoch.stage == "stopping" and time.monotonic() > self._stopped_at + GRACE_SECONDS:
            self._hear(recovery.WaitedLong())
        letter = self._inbox.get(timeout)
        if letter is None:
            return False
        if letter.get("epoch", self._number) != self._number:
            return True  # of ranks that are over
        listener = self._run.listener if listen else None
        match letter["kind"]:
            case "message" if listener:
                listener(cloudpickle.loads(letter["body"]))
            case "ask" if listener:
                answer = bool(listener(cloudpickle.loads(letter["body"])))
                self._tell({"kind": "answer", "number": letter["number"], "answer": answer}, only=letter["rank"])
            case "expired" if listen:
                raise ClusterError(
                    "The run lost its workers to another one, because this process was silent for too long",
                    "Start it again; code that holds the GIL for half a minute, or a suspended machine, is a likely cause.",
                )
            case "joined":
                self._newcomers.append(letter["worker"])
            case "lost":
                self._losses.append(Loss.told_by(letter))
                self._hear(recovery.WorkerLost(letter["worker"]))
            case "leaving":
                self._hear(recovery.WorkerLeaving(letter["worker"]))
            case "started":
                self._hear(recovery.RankStarted(letter["rank"]))
            case "left off":
                self._hear(recovery.RankLeftOff(letter["rank"]))
            case "failed":
                self._blame(letter["rank"], error_of_rank(letter))
                self._hear(recovery.RankFailed(letter["rank"], letter["echo"], letter["culprit"]))
            case "done":
                self._task_done(letter["rank"])
        return True

    def _task_done(self, rank: int) -> None:
        # A task that we called off is no cause of anything.
        error = None if rank in self._called_off else error_of_task(self._futures[rank])
        if error is not None:
            self._blame(rank, error)
            # Its shards, or the task itself, may have gone with a worker.
            self._hear(recovery.RankFailed(rank, echo=isinstance(error, ShardsGone)))
        self._hear(recovery.RankEnded(rank))

    def _blame(self, rank: int, error: BaseException) -> None:
        error.add_note(f"In rank {rank} of {len(self._members)}, on worker {self._members[rank].address}.")
        self._errors.append((rank, error))

    def _hear(self, event: recovery.Event) -> None:
        """Let the rules decide, and do what they say."""
        self._epoch, actions = recovery.decide(self._epoch, event)
        for action in actions:
            match action:
                case Action.STOP:
                    self._stop("another rank failed, or a worker left")
                case Action.PAUSE:
                    self._tell({"kind": "pause"})
                case _:
                    self._way_out = action

    def _look_at_newcomers(self) -> None:
        """Ask whether it would pay to put the gang together anew, now and then and whenever workers have come."""
        pays = self._run.pays
        if pays is None or self._epoch.stage != "running":
            return
        if self._newcomers:  # who leaves again is told of to those alone who hold it
            there = call_scheduler(self._client, "gbdist_look", workers=self._newcomers)
            self._newcomers = [address for address in self._newcomers if address in there]
        if pays(self._newcomers):
            self._hear(recovery.RegroupingPays())

    # ---- what is done

    def _tell(self, letter: dict[str, Any], *, only: int | None = None) -> None:
        ranks = range(len(self._members)) if only is None else [only]
        tell(self._client, {self._members[rank].address: {"key": self._keys[rank], **letter} for rank in ranks})

    def _stop(self, reason: str) -> None:
        """Tell the ranks to stop, and call off those that have not begun: they would when their worker gets free."""
        self._stopped_at = time.monotonic()
        with suppress(ClusterError):
            self._tell({"kind": "cancel", "reason": reason})
        ranks = range(len(self._futures))
        self._called_off = set(ranks) - self._epoch.started - self._epoch.ended
        self._give_back([self._futures[rank] for rank in self._called_off])

    def _give_up(self) -> None:
        """Something in this process ended the run: stop its ranks, and wait for it a bounded time."""
        if self._epoch.stage == "over" or not self._futures:
            return
        if self._epoch.stage != "stopping":
            self._stop("the run was given up by its client")
        while self._read(0.0, listen=False):
            pass
        end = time.monotonic() + GRACE_SECONDS
        while self._epoch.running and time.monotonic() < end:
            self._read(end - time.monotonic(), listen=False)

    def _give_back(self, futures: list[Future]) -> None:
        """Have Dask forget these tasks, whatever their state."""
        if self._client.status != "running":  # they went with it
            return
        with suppress(Exception):  # a client that lost its scheduler has nothing to give back
            self._client.sync(self._client._cancel, futures, force=True, callback_timeout=GRACE_SECONDS)

    def _end(self) -> Broken:
        """Raise what ended the run, or return what ended this attempt alone."""
        if self._way_out == Action.FAIL:
            raise self._cause()
        return Broken(self._epoch, tuple(self._losses))

    def _cause(self) -> BaseException:
        """Pick the error that made the others: an echo is raised only when nothing better is known."""
        for _, error in self._errors:
            if not isinstance(error, PeerLost | GangCancelled | ShardsGone):
                return error
        rank_of = {address: rank for rank, address in enumerate(self._epoch.members)}
        for silent, what in ((False, "left the cluster"), (True, "stopped answering")):
            gone = [loss.address for loss in self._losses if loss.silent == silent and loss.address in rank_of]
            if gone:
                named = ", ".join(f"{address} (rank {rank_of[address]})" for address in gone)
                return ClusterError(
                    f"Worker {named} {what} during the run",
                    "Look for the cause in its log (often memory); start the run again on the workers that are left.",
                )
        if not self._errors:
            return ClusterError(
                "The results of the run are gone: somebody cancelled them, or restarted the workers", "Start it again."
            )
        rank, echo = self._errors[0]
        if isinstance(echo, ShardsGone):
            return echo
        error = ClusterError(
            f"Rank {rank} on worker {self._members[rank].address} lost the others: {echo.args[0]}",
            "Check the network between the workers and start the run again.",
        )
        error.__cause__ = echo
        return error

    def _gather(self) -> list[Any] | Broken:
        """Fetch the results. They may still come although a worker left: one that retires hands them on."""
        inbox, number = self._inbox, self._number
        fetched = asyncio.run_coroutine_threadsafe(self._client._gather(self._futures), self._client.loop.asyncio_loop)
        fetched.add_done_callback(lambda _: inbox.put({"kind": "fetched", "epoch": number}))
        end = time.monotonic() + _RESULT_SECONDS
        lost = False
        while not fetched.done():
            if not lost and any(loss.address in self._epoch.members for loss in self._losses):
                lost, end = True, time.monotonic() + _HANDED_ON_SECONDS
            left = end - time.monotonic()
            if left <= 0:
                fetched.cancel()
                break
            self._read(left, listen=False)
        if not fetched.cancelled():
            with suppress(asyncio.CancelledError, CancelledError):  # results that went with their worker
                results: list[Any] = fetched.result()
                return results
            lost = True
        if lost:
            self._way_out = Action.REGROUP if self._epoch.regroups else Action.FAIL
            return self._end()
        raise ClusterError(
            f"The results of the run did not arrive within {_RESULT_SECONDS:g} s",
            "Check the network to the workers, and start the run again.",
        )


def _announcer(inbox: Inbox, rank: int, epoch: int) -> Callable[[Future], None]:
    """Return a callback that puts the end of a rank into the inbox."""
    return lambda _: inbox.put({"kind": "done", "rank": rank, "epoch": epoch})
