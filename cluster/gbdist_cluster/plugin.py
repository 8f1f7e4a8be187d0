"""What gbdist adds to a scheduler and to its workers, and ``prepare``, which adds it once a cluster.

Both plugins are thin: they turn Dask's hooks and messages into calls of the rooms that know what to do.
"""

import asyncio
import time
import weakref
from collections.abc import Sequence
from typing import Any

from distributed import Client, SchedulerPlugin, WorkerPlugin

from gbdist_cluster import post, ranks, shards
from gbdist_cluster.collective import endpoint
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.job_desk import JobDesk
from gbdist_cluster.lease_table import Gone, Granted, Lease, LeaseTable, Standing, Waiting
from gbdist_cluster.monitor.station import Station
from gbdist_cluster.watch import Watch

__all__ = ["LEASE_DEADLINE", "GbdistSchedulerPlugin", "GbdistWorkerPlugin", "prepare"]

LEASE_DEADLINE = 30.0
"""Seconds of silence after which a holder is taken for dead; it beats every second."""

_LONGEST_POLL = 1.0
_TELL = "gbdist-tell"

_prepared: weakref.WeakKeyDictionary[Client, str] = weakref.WeakKeyDictionary()
"""Id of the scheduler that each client has prepared."""


class GbdistWorkerPlugin(WorkerPlugin):  # type: ignore[misc]
    """On each worker: the end of the collective's connections, the shard store, the letters to running ranks."""

    name = "gbdist"
    idempotent = True

    def setup(self, worker: Any) -> None:
        """Install everything; Dask calls this on present and future workers."""
        self._worker = worker
        self._store = shards.open_store(worker)
        endpoint.install(worker)
        worker.stream_handlers[_TELL] = ranks.deliver

    def teardown(self, worker: Any) -> None:
        """End what runs here; Dask calls this when the worker closes."""
        endpoint.uninstall(worker)
        shards.close_store(worker)

    def transition(self, key: object, start: str, finish: str, **kwargs: Any) -> None:
        """Let go of what belongs to a key that Dask forgets, and stop a rank whose task is cancelled."""
        if finish in ("released", "forgotten", "cancelled"):
            if finish != "cancelled":
                self._store.release(key)
            ranks.task_ended(key)


class GbdistSchedulerPlugin(SchedulerPlugin):  # type: ignore[misc]
    """On the scheduler: leases, jobs, the way from a client to the ranks of its run, and the board of runs."""

    name = "gbdist"
    idempotent = True

    def __init__(self) -> None:
        self._table = LeaseTable()

    async def start(self, scheduler: Any) -> None:
        """Install the handlers."""
        self._scheduler = scheduler
        self._changed = asyncio.Event()
        self._watch = Watch(scheduler, self._table.held)
        self._watch.start()
        self.station = Station(scheduler)
        self.station.start()
        scheduler.handlers["gbdist_lease"] = self.lease
        scheduler.handlers["gbdist_tell"] = self.tell
        scheduler.handlers["gbdist_look"] = self.look
        scheduler.handlers["gbdist_remove"] = self._watch.remove
        scheduler.handlers["gbdist_attend"] = self._watch.attend
        self._jobs = JobDesk(scheduler, self.station.cancel)
        scheduler.handlers["gbdist_job"] = self._jobs.answer

    async def close(self) -> None:
        """The scheduler ends."""
        self._watch.stop()
        self.station.stop()

    async def lease(
        self,
        action: str,
        lease_id: str,
        client: str = "",
        workers: Sequence[str] = (),
        label: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer one call of ``gbdist_cluster.lease``; waits at most a second for a change."""
        now = time.monotonic()
        self._table.beat(lease_id, now)  # whoever calls is alive
        match action:
            case "request" | "exchange":
                # Only now: a silent holder may keep what nobody asks for.
                for ended in self._table.expire(now, LEASE_DEADLINE):
                    self._watch.tell(ended, "expired")
                    self._end([ended.lease_id])
                if missing := sorted(set(workers) - set(self._scheduler.workers)):
                    self._table.release(lease_id)
                    return {"standing": "gone", "reason": f"worker {missing[0]} left the cluster"}
                wanted = Lease(lease_id, client, frozenset(workers), label)
                standing = (
                    self._table.exchange(wanted, now) if action == "exchange" else self._table.request(wanted, now)
                )
                if action == "exchange":
                    self._wake()
                if isinstance(standing, Waiting) and wait > 0:
                    await self._wait(min(wait, _LONGEST_POLL))
                    standing = self._table.standing(lease_id)
                return _answer(standing)
            case "extend":
                present = set(workers) <= set(self._scheduler.workers)
                return {"extended": present and self._table.extend(lease_id, workers)}
            case "shrink":
                self._table.shrink(lease_id, workers)
                self._wake()
            case "release":
                self._table.release(lease_id)
                self._end([lease_id])
        return _answer(self._table.standing(lease_id))

    def tell(self, letters: dict[str, dict[str, Any]]) -> None:
        """Pass a message to each worker, by address, over the streams that Dask has open; never waits."""
        for address, letter in letters.items():
            if address in self._scheduler.workers:
                self._scheduler.worker_send(address, {"op": _TELL, **letter})

    def look(self, workers: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Say what workers are doing: their status and the keys of their unfinished tasks."""
        known = {address: self._scheduler.workers.get(address) for address in workers}
        return {
            address: {"status": state.status.name, "tasks": [str(task.key) for task in state.processing][:5]}
            for address, state in known.items()
            if state is not None
        }

    def log_event(self, topic: Any, msg: Any) -> None:
        """Hear what a nanny says when it kills its worker (distributed's worker_memory.py)."""
        if topic == "worker-restart-memory":
            self._watch.is_full(str(msg["worker"]))

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Tell all runs that a worker has come."""
        self._watch.joined(worker)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """End the leases and runs of a client that left, and let go of job ids that it did not use."""
        self._jobs.remove_client(client)
        self._watch.remove_client(client)
        self.station.remove_client(client)
        if ended := self._table.remove_client(client):
            self._end([lease.lease_id for lease in ended])

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Tell the holders of leases on a worker that it left."""
        self._jobs.remove_worker(worker)
        self._watch.left(worker, self._table.remove_worker(worker))
        self._wake()

    def _end(self, runs: Sequence[str]) -> None:
        """Let others have the workers of runs that are over, and the workers forget what their ranks have left there."""
        for run_id in runs:
            self.tell({address: {"key": run_id, "kind": "forget"} for address in self._scheduler.workers})
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


def _answer(standing: Standing) -> dict[str, Any]:
    match standing:
        case Granted():
            return {"standing": "granted"}
        case Waiting(behind):
            return {"standing": "waiting", "behind": [[lease.label, sorted(lease.workers)] for lease in behind]}
        case Gone(reason):
            return {"standing": "gone", "reason": reason}


def prepare(client: Client, timeout: float = 30.0) -> None:
    """Install the plugins on a cluster, once; new workers get theirs from Dask. Call after ``check_workers``.

    The second call with a client costs nothing, the first with another client of the same cluster three round trips.

    Raises
    ------
    ClusterError
        If scheduler or workers refuse, or do not answer within ``timeout`` seconds.
    """
    scheduler_id = str(client._scheduler_identity.get("id") or client.scheduler.address)
    if _prepared.get(client) == scheduler_id:
        return
    try:
        for plugin in (GbdistSchedulerPlugin(), GbdistWorkerPlugin()):
            client.sync(_register, client, plugin, callback_timeout=timeout)
    except (TimeoutError, OSError) as problem:
        raise ClusterError(
            f"The cluster at {client.scheduler.address} did not take gbdist's plugins within {timeout:g} s",
            "See with client.scheduler_info() which workers are alive, and restart the others.",
        ) from problem
    except Exception as problem:  # whatever its machines raise, for example that there is no such module
        raise ClusterError(
            f"The cluster at {client.scheduler.address} refused gbdist's plugins: {problem!r}",
            "Install the same gbdist on the scheduler and all workers, and restart them.",
        ) from problem
    post.subscribe(client)
    _prepared[client] = scheduler_id


async def _register(client: Client, plugin: SchedulerPlugin | WorkerPlugin) -> None:
    answers = await client.register_plugin(plugin)
    if isinstance(plugin, WorkerPlugin) and not answers:
        # Another client was first, and its word to the workers may still be on its way, or may have failed.
        await client._run(_until_installed, on_error="ignore")


async def _until_installed(dask_worker: Any) -> None:
    """Run by each worker; the caller bounds the wait."""
    while _TELL not in dask_worker.stream_handlers:
        await asyncio.sleep(0.01)
