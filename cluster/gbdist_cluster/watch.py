"""The scheduler's eye on workers that are at work for us: who joins, who is being retired, and who has gone silent.

Dask takes a worker out after five minutes of silence. A rank's kernels release the GIL, so its worker still beats; one that does
not for ``SILENCE_SECONDS`` is stopped, or cut off, and is taken out here. If it has a nanny, the process is killed, and the nanny
starts another one: a worker that went on after a pause would hold memory that the cluster does not know of.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from distributed.core import Status, rpc
from distributed.scheduler import heartbeat_interval
from tornado.ioloop import PeriodicCallback

from gbdist_cluster import post
from gbdist_cluster.lease_table import Lease

__all__ = ["PATIENCE_SECONDS", "RANK_PREFIX", "SILENCE_SECONDS", "Watch"]

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 15.0
"""After how long without a heartbeat a worker is taken out on which a rank runs."""

PATIENCE_SECONDS = 60.0
"""… one that prepares data, or makes lost rows again, where code of the user's may hold the GIL."""

RANK_PREFIX = "gbdist-rank-"
"""How keys of ranks' tasks begin."""

_TICK_SECONDS = 0.5
_BEATS = 5
_KILL_SECONDS = 2.0
_CALL_SECONDS = 10.0


class Watch:
    """Looks at the workers of all held leases twice a second, and tells the holders."""

    def __init__(self, scheduler: Any, held: Callable[[], Iterable[Lease]]) -> None:
        self._scheduler, self._held = scheduler, held
        self._attended: dict[str, str] = {}
        self._silent: dict[str, tuple[float, float]] = {}
        """Of each watched worker: its last sign of life, and for how long there was none since, in steps of this clock."""
        self._full: set[str] = set()
        """Workers whose nannies kill them because their memory is full."""
        self._removed: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._last_tick = time.monotonic()
        self._kills: set[asyncio.Task[None]] = set()
        self._timer = PeriodicCallback(self.tick, _TICK_SECONDS * 1000)

    def start(self) -> None:
        """Begin; called in the scheduler's event loop."""
        self._timer.start()

    def stop(self) -> None:
        """End."""
        self._timer.stop()

    def attend(self, what: str, client: str, begins: bool) -> None:
        """A client begins some work without a lease, or ends it: as long as there is any, all workers are watched."""
        if begins:
            self._attended[what] = client
        else:
            self._attended.pop(what, None)

    def remove_client(self, client: str) -> None:
        """A client has left, and nobody waits for its work."""
        self._attended = {what: whose for what, whose in self._attended.items() if whose != client}

    def joined(self, address: str) -> None:
        """A worker has come: whoever runs may want it."""
        for lease in self._held():
            self.tell(lease, "joined", worker=address)

    def is_full(self, address: str) -> None:
        """A worker is being killed, as its memory is full."""
        self._full.add(address)

    def left(self, address: str, leases: Iterable[Lease]) -> None:
        """A worker has left: tell its holders, and what is known of the reason."""
        for lease in leases:
            self.tell(lease, "lost", worker=address, silent=address in self._removed, full=address in self._full)
        self._removed.discard(address)
        self._full.discard(address)

    def tell(self, lease: Lease, kind: str, **fields: Any) -> None:
        """Send a letter to the run that holds a lease."""
        self._scheduler.log_event(post.topic(lease.client), [{"run": lease.lease_id, "kind": kind, **fields}])

    async def tick(self) -> None:
        """Look once."""
        now = time.monotonic()
        # Counted in this loop's own steps: a scheduler that stood still blames no worker for it.
        elapsed, self._last_tick = min(now - self._last_tick, 2 * _TICK_SECONDS), now
        leases = list(self._held())
        leased = {address for lease in leases for address in lease.workers}
        watched = leased | set(self._scheduler.workers if self._attended else ())
        self._silent = {address: known for address, known in self._silent.items() if address in watched}
        self._told = {(run, address) for run, address in self._told if address in watched}
        beats = _BEATS * heartbeat_interval(len(self._scheduler.workers))
        silences = {address: self._seconds_silent(address, elapsed) for address in watched}
        silent = [address for address in watched if silences[address] > max(self._deadline(address), beats)]
        for lease in leases:
            self._tell_of_leaving(lease)
        for address in silent:
            logger.warning("removing from the cluster, as it was silent for %.0f s: %s", silences[address], address)
        await self.remove(silent)

    def _deadline(self, address: str) -> float:
        """How long a worker may be silent: less while a rank runs there."""
        state = self._scheduler.workers.get(address)
        ranks = state is not None and any(str(task.key).startswith(RANK_PREFIX) for task in state.processing)
        return SILENCE_SECONDS if ranks else PATIENCE_SECONDS

    def _seconds_silent(self, address: str, elapsed: float) -> float:
        state = self._scheduler.workers.get(address)
        if state is None:
            return 0.0
        last, silent = self._silent.get(address, (state.last_seen, 0.0))
        silent = silent + elapsed if state.last_seen == last else 0.0
        self._silent[address] = (state.last_seen, silent)
        return silent

    def _tell_of_leaving(self, lease: Lease) -> None:
        for address in lease.workers:
            state = self._scheduler.workers.get(address)
            if state is None or state.status != Status.closing_gracefully or (lease.lease_id, address) in self._told:
                continue
            self._told.add((lease.lease_id, address))
            self.tell(lease, "leaving", worker=address)

    async def remove(self, workers: Sequence[str]) -> None:
        """Take workers out of the cluster that do not answer any more, so that their tasks run elsewhere."""
        for address in workers:
            state = self._scheduler.workers.get(address)
            if state is None:
                continue
            nanny = state.nanny
            self._removed.add(address)
            # Without a nanny the worker is told to close; it will hear of it when it goes on.
            await self._scheduler.remove_worker(address, stimulus_id=f"gbdist-silent-{time.time()}", close=not nanny)
            if nanny:
                task = asyncio.get_running_loop().create_task(self._kill(nanny))
                self._kills.add(task)  # the loop itself holds tasks weakly
                task.add_done_callback(self._kills.discard)

    async def _kill(self, nanny: str) -> None:
        """Have a nanny kill its worker; it starts another one then."""
        with suppress(Exception):  # a nanny that does not answer is cut off like its worker
            async with (
                asyncio.timeout(_CALL_SECONDS),
                rpc(nanny, connection_args=self._scheduler.connection_args) as caller,
            ):
                await caller.kill(reason="gbdist-silent", timeout=_KILL_SECONDS)
