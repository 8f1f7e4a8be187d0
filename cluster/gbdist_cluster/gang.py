"""Running a routine on all workers of a gang at once, all or none, and seeing to it that nothing of it stays behind.

The client reserves the members (``lease``), submits one task a rank (``ranks``), waits until all have started, gives
the word, then reads the run's inbox (``attempt``). Whatever ends the run, the other ranks are told to stop, their tasks are
given back, and the error raised is the one that caused it. A gang whose caller knows how (``Regrouping``) is put together again
after a loss, or with other workers, under a higher epoch (``recovery``).
"""

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import dask.config
from dask.utils import parse_timedelta
from distributed import Client

from gbdist_cluster.attempt import Attempt
from gbdist_cluster.errors import ClusterError, ShardsGone, WorkersGone, WorkersMissing
from gbdist_cluster.gang_parts import Broken, GangRun, Loss, Member
from gbdist_cluster.lease import LeaseHolder, lease
from gbdist_cluster.plugin import prepare
from gbdist_cluster.post import Inbox
from gbdist_cluster.ranks import LeftOff, RankContext
from gbdist_cluster.recovery import worst_suspect
from gbdist_cluster.rpc import call_scheduler
from gbdist_cluster.shards import wait_for_shards
from gbdist_cluster.versions import usable_workers

__all__ = ["LeftOff", "Loss", "Member", "RankContext", "Regrouping", "patience", "patient", "run_on_gang"]

logger = logging.getLogger(__name__)

_patience: ContextVar[float | None] = ContextVar("gbdist_patience", default=None)

_PAUSE_SECONDS = 1.0
"""How often a gang that needs more workers looks whether there are."""


class Regrouping(Protocol):
    """How the caller of a gang puts it together again; all calls come in the caller's thread."""

    def lost(self, losses: Sequence[Loss]) -> None:
        """Take note of workers that left; raise what is not to be recovered from."""
        ...

    def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
        """Return members among ``workers`` with their shards, and what the ranks are told.

        What cannot be recovered is raised; WorkersMissing where more workers would do.
        """
        ...

    def pays(self, newcomers: Sequence[str]) -> bool:
        """Whether the run would end so much sooner with workers that came, or with other shares, that ranks should leave off."""
        ...


def run_on_gang(
    client: Client,
    routine: Callable[[RankContext], Any],
    *,
    members: Sequence[Member],
    shared: object = None,
    listener: Callable[[Any], bool | None] | None = None,
    wait_for_workers: float | None = None,
    regrouping: Regrouping | None = None,
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
        Seconds to wait for other gangs to leave the members, and again for the members' other tasks. None: see ``patience``.
    regrouping
        How the gang is put together again when workers leave or come. The routine then goes on from what its ranks have left
        (``RankContext.left``), or returns ``LeftOff()`` when it is asked to pause. None: a loss ends the run. A gang without
        any worker waits for one for ``gbdist.wait-for-replacement``, two minutes if Dask's configuration has nothing there.

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
        wait_for_workers = patience()
    prepare(client)
    if regrouping is None:
        wait_for_shards(client, [shard for member in members for shard in member.shards])
    run_id, addresses = uuid.uuid4().hex, [member.address for member in members]
    with ExitStack() as stack:
        inbox = stack.enter_context(Inbox(run_id))
        pays = None if regrouping is None else regrouping.pays
        run = GangRun(client, run_id, inbox, routine, listener, wait_for_workers, pays)
        try:
            held = stack.enter_context(_leased(run, addresses))
        except WorkersGone:
            if regrouping is None:
                raise
            held = stack.enter_context(_leased(run, []))
            addresses = []
        if regrouping is not None:
            return _Overseer(run, held, regrouping).see_through(members if addresses else [], shared)
        ended = Attempt(run, 0, members).run(shared)
        if isinstance(ended, Broken):
            raise RuntimeError("an attempt asked for another one where there is none")
        return ended


def _leased(run: GangRun, workers: list[str]) -> AbstractContextManager[LeaseHolder]:
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    return lease(run.client, workers, run.wait_for_workers, logger.warning, lease_id=run.run_id, label=owner)


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Gangs that begin in this block, in this thread, wait so long for their members unless they are told."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def patience() -> float:
    """Seconds that a gang waits for its members: those of ``patient``, else what Dask's configuration has under
    ``gbdist.wait-for-workers``, else an hour."""
    seconds = _patience.get()
    return _seconds("wait-for-workers", "1h") if seconds is None else seconds


def _seconds(name: str, default: str) -> float:
    return float(parse_timedelta(dask.config.get(f"gbdist.{name}", default)))


class _Overseer:
    """Puts a gang together again until a run is through."""

    def __init__(self, run: GangRun, held: LeaseHolder, regrouping: Regrouping) -> None:
        self._run, self._client, self._held, self._regrouping = run, run.client, held, regrouping
        self._wait = _seconds("wait-for-replacement", "2m")
        # Attempts in a row that ended because ranks did not hear each other, though all workers are there.
        self._unheard = 0

    def see_through(self, members: Sequence[Member], shared: object) -> list[Any]:
        """Make one attempt after the other; the results of the last one. Without members the first gang is put together anew."""
        number = 0
        try:
            wait_for_shards(self._client, [shard for member in members for shard in member.shards])
        except ShardsGone:
            members = []
        if not members:
            members, shared = self._regrouped([])
        while True:
            try:
                ended = Attempt(self._run, number, members).run(shared)
            except WorkersGone:  # before anything ran
                ended = None
            if isinstance(ended, list):
                return ended
            number += 1
            if ended is not None:
                self._drop_suspect(ended)
            members, shared = self._regrouped([] if ended is None else list(ended.losses))

    def _drop_suspect(self, ended: Broken) -> None:
        """Two workers may reach the scheduler and not each other: the second time, one of them is taken out."""
        suspect = worst_suspect(ended.epoch)
        if suspect is None or ended.losses:
            self._unheard = 0
            return
        self._unheard += 1
        if self._unheard > 1:
            self._unheard, address = 0, ended.epoch.members[suspect]
            logger.warning("removing from the cluster, as the other workers do not hear it: %s", address)
            call_scheduler(self._client, "gbdist_remove", workers=[address])

    def _regrouped(self, losses: list[Loss]) -> tuple[list[Member], object]:
        """The next gang, of the workers that there are now; begins anew when workers leave meanwhile, or more are needed."""
        end = time.monotonic() + self._wait
        while True:
            self._forget_letters(losses)
            self._regrouping.lost(losses)
            losses.clear()
            workers = [worker.address for worker in usable_workers(self._client, self._wait)]
            try:
                mine = self._reserve(workers)
                members, shared = self._regrouping.gang(mine)
                self._held.shrink([member.address for member in members])
                wait_for_shards(self._client, [shard for member in members for shard in member.shards])
                return members, shared
            except WorkersGone:
                continue
            except WorkersMissing as problem:
                if time.monotonic() > end:
                    raise
                logger.warning("waiting for workers: %s", problem.args[0])
                self._note(self._run.inbox.get(_PAUSE_SECONDS), losses)
            except (ClusterError, OSError, TimeoutError):
                self._forget_letters(losses)
                if not losses:
                    raise

    def _reserve(self, workers: list[str]) -> list[str]:
        """Those of the workers that can be had at once; where there is none, all, once others let go of them."""
        if self._held.extend(workers):
            return workers
        mine = [address for address in workers if self._held.extend([address])]
        if not mine:
            self._held.exchange(workers)
            return workers
        return mine

    def _forget_letters(self, losses: list[Loss]) -> None:
        """Read what came since the last attempt: it is over, and the workers are looked at anew; but note who left."""
        while letter := self._run.inbox.get(0.0):
            self._note(letter, losses)

    @staticmethod
    def _note(letter: dict[str, Any] | None, losses: list[Loss]) -> None:
        if letter is not None and letter["kind"] == "lost":
            losses.append(Loss.told_by(letter))
