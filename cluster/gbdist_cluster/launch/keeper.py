"""The process that holds a cluster: ``python -m gbdist_cluster.launch.keeper``, started by ``start.up``, ended by ``down``.

It has no terminal and belongs to no shell. It reads its configuration from stdin, starts Dask's cluster object, writes the
record, and tells whoever started it what happens, a JSON object a line, through a pipe:

    {"event": "started", "scheduler": …}   the scheduler answers, and gbdist's plugins are on it
    {"event": "workers", "count": n}       so many have come
    {"event": "ready"}                     all that were asked for
    {"event": "missing", "count": n}       too few within the time; those of a queue are waited for all the same
    {"event": "failed", "problem": …, "fix": …}   the last word

From then on it answers on its control port (``control.py``), until it is told to stop, gets SIGTERM, or its scheduler ends.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from distributed import Status

from gbdist_cluster.errors import ClusterError, GbdistError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.certificates import security_for
from gbdist_cluster.launch.config import APART, ClusterConfig
from gbdist_cluster.launch.kinds import Launcher, launcher_of
from gbdist_cluster.launch.records import ClusterRecord

__all__ = ["Keeper"]

CLOSE_SECONDS = 20.0
"""How long a cluster may take to end in good order."""

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 2.0
_MISSES = 30
"""After so many looks without an answer, two minutes, a scheduler elsewhere is taken for ended; one that is busy answers late."""

_log = logging.getLogger("gbdist.keeper")

Report = Callable[[Mapping[str, Any]], None]


class Keeper:
    """One cluster from its start to its end."""

    def __init__(self, launcher: Launcher, record: ClusterRecord, report: Report) -> None:
        self.launcher = launcher
        self.config = launcher.config
        self.record = record
        self.wanted = launcher.workers
        self.ending = asyncio.Event()
        self._report = report
        self._cluster: Any = None

    async def run(self) -> int:
        """Start, serve, stop; the exit code."""
        from gbdist_cluster.launch.control import Control

        control = Control(self)
        try:
            if await self._unless_ending(self._start(control)):
                await self._unless_ending(self._gather_workers())
                await self._until_told()
        except Exception as problem:
            _log.exception("the cluster %r could not be started", self.config.name)
            self._report({"event": "failed", **_reason(problem, self.config, self.record.log)})
            return 1
        finally:
            closed = await self._close()
            await control.close()
            if closed or self.config.kind not in APART:  # else `down` has to know where the rest of it is
                records.remove(self.record)
        return 0

    async def identity(self, seconds: float = _LOOK_SECONDS) -> dict[str, Any]:
        """What the scheduler says of itself and its workers."""
        asking = self._cluster.scheduler_comm.identity(n_workers=-1)
        found: dict[str, Any] = await asyncio.wait_for(asking, seconds)
        return found

    async def scale(self, workers: int) -> None:
        """Have so many workers; they come and go in their own time."""
        self.launcher.check_size(workers)
        before, self.wanted = self.wanted, workers
        try:
            done = self._cluster.scale(workers)
            if done is not None:
                await done
        except Exception:
            self.wanted = before
            raise

    async def _start(self, control: Any) -> None:
        self._cluster = self.launcher.create()
        await asyncio.wait_for(_awaited(self._cluster), self.config.timeout)
        address = self._cluster.scheduler_address
        security = security_for(self.config.tls)
        await asyncio.to_thread(_install_plugins, address, security, self.config.timeout)
        await control.listen(security)
        identity = await self.identity(self.config.timeout)
        self.record = replace(
            self.record,
            workers=self.wanted,
            scheduler=address,
            dashboard=_dashboard(self._cluster, identity, self.config),
            control=control.address,
            token=control.token,
        )
        records.save(self.record)
        self._report({"event": "started", "scheduler": address})

    async def _gather_workers(self) -> None:
        """Tell how many workers have come, until all have, or the time for it is over."""
        end = asyncio.get_running_loop().time() + self.config.timeout
        count = told = 0
        while True:
            with contextlib.suppress(OSError, TimeoutError):  # it is busy, with workers that come; the next time, then
                count = int((await self.identity())["n_workers"])
            if count != told:
                self._report({"event": "workers", "count": count})
                told = count
            if count >= self.wanted:
                self._report({"event": "ready"})
                return
            if asyncio.get_running_loop().time() > end:
                self._report({"event": "missing", "count": count})
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _until_told(self) -> None:
        """Wait for the word to stop, or for the end of the scheduler."""
        misses = 0
        while misses < _MISSES:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), _LOOK_SECONDS)
                return
            if getattr(getattr(self._cluster, "scheduler", None), "status", None) in (Status.closing, Status.closed):
                break
            try:
                await self.identity()
                misses = 0
            except (OSError, TimeoutError) as problem:
                misses += 1
                _log.warning("the scheduler does not answer (%s)", problem)
        self._cluster.shutdown_scheduler = False  # or Dask would wait half a minute for it, to tell it to end
        _log.error("the scheduler of %r has ended; so does its cluster", self.config.name)

    async def _unless_ending(self, work: Any) -> bool:
        """Do something, unless the word to stop comes first; whether it was done."""
        task, told = asyncio.ensure_future(work), asyncio.ensure_future(self.ending.wait())
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return False

    async def _close(self) -> bool:
        """End the cluster; whether it has ended in good order."""
        if self._cluster is None:
            return True
        try:
            await asyncio.wait_for(self._cluster.close(), CLOSE_SECONDS)
        except Exception:  # it is over all the same; `down` looks for what is left
            _log.exception("the cluster %r did not end in good order", self.config.name)
            return False
        return True


async def _awaited(cluster: Any) -> None:
    await cluster


def _install_plugins(address: str, security: Any, seconds: float) -> None:
    """Put gbdist's plugins on the scheduler, so that its page is there before the first run."""
    from gbdist_cluster.clients import new_client
    from gbdist_cluster.plugin import prepare

    with new_client(address, security=security, timeout=seconds, set_as_default=False) as client:
        prepare(client)


def _dashboard(cluster: Any, identity: Mapping[str, Any], config: ClusterConfig) -> str:
    """Address of the dashboard, on the machine of the scheduler; empty if there is none."""
    if config.kind == "kubernetes":
        return str(cluster.dashboard_link)
    port = identity.get("services", {}).get("dashboard")
    if port is None:
        return ""
    host = config.dashboard_address.rpartition(":")[0]
    if host in ("", "0.0.0.0", "[::]", "::"):
        host = cluster.scheduler_address.partition("://")[2].rpartition(":")[0]
    return f"http://{host}:{port}/status"


def _reason(problem: BaseException, config: ClusterConfig, log: str) -> dict[str, str]:
    """What went wrong and what to do, for ``up``."""
    if isinstance(problem, ClusterError):
        return {"problem": str(problem.args[0]), "fix": str(problem.args[1])}
    if isinstance(problem, GbdistError):
        return {"problem": str(problem).rstrip("."), "fix": "Correct it, and start the cluster again."}
    if isinstance(problem, TimeoutError) and not str(problem):
        what = f"it did not start within {config.timeout:g} s"
    else:
        what = f"{type(problem).__name__}: {problem}".strip(": ")
    fix = f"See {log} for more; where it needs longer: --timeout SECONDS."
    return {"problem": f"The cluster {config.name!r} of kind {config.kind} could not be started: {what}", "fix": fix}


def _reporter(descriptor: int) -> Report:
    """Writes lines to the pipe; whoever started the keeper may be gone, which is no matter."""

    def report(event: Mapping[str, Any]) -> None:
        _log.info("%s", dict(event))
        with contextlib.suppress(OSError):
            os.write(descriptor, (json.dumps(dict(event)) + "\n").encode())

    return report


def configuration(fields: Mapping[str, Any]) -> ClusterConfig:
    """The configuration as it was before it became JSON."""
    made: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return ClusterConfig(**made)


async def _keep(order: Mapping[str, Any]) -> int:
    config = configuration(order["config"])
    record = records.owned(records.find(config.name))
    records.save(record)  # from now on it is this process that the cluster lives and dies with
    keeper = Keeper(launcher_of(config), record, _reporter(order["pipe"]))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, keeper.ending.set)
    return await keeper.run()


def main() -> int:
    """Read the order from stdin and carry it out."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    order = json.load(sys.stdin)
    return asyncio.run(_keep(order))


if __name__ == "__main__":
    sys.exit(main())
