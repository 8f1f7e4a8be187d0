"""What a cluster's machines say of themselves: versions, memory, disk, threads, clocks, and the connections between workers.

Every question ends after a bounded time; who does not answer, or cannot, is told with the reason in place of an answer.
"""

import asyncio
import importlib.metadata
import os
import platform
import shutil
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import Client
from distributed.system import MEMORY_LIMIT

from gbdist_cluster.gang import Member, RankContext, run_on_gang

__all__ = [
    "PACKAGES",
    "LinkFacts",
    "MachineFacts",
    "clock_skews",
    "facts_here",
    "facts_of_all",
    "facts_of_worker",
    "links_between",
    "on_workers",
]

PACKAGES = ("gbdist", "catboost", "numba", "numpy", "pandas", "pyarrow", "dask", "distributed", "scikit-learn")
"""Whose versions are compared."""

_ANSWER_SECONDS = 30.0
_BUSY_SECONDS = 5.0
_ROUNDS = 20
_CARGO_BYTES = 8 << 20
_CARGOES = 3


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """One process and its machine. ``versions`` are None for what is not installed; bytes, 0 where they are not known.

    ``limit`` is what Dask lets a worker use, ``used`` what it uses; ``threads`` are those of the worker, 0 for others.
    """

    host: str
    python: str
    versions: Mapping[str, str | None]
    cores: int
    threads: int
    memory: int
    limit: int
    used: int
    folder: str
    disk_free: int


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """Two workers: seconds of a small exchange, and bytes a second each way of a large one, both at once."""

    first: str
    second: str
    round_seconds: float
    bytes_per_second: float


def facts_here(folder: str | None = None) -> MachineFacts:
    """Facts of this process, with the disk that ``folder`` is on."""
    folder = os.path.abspath(folder or os.curdir)
    return MachineFacts(
        host=socket.gethostname(),
        python=platform.python_version(),
        versions={name: _version(name) for name in PACKAGES},
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        threads=0,
        memory=int(MEMORY_LIMIT),  # of the machine, or of the container if that has less
        limit=0,
        used=0,
        folder=folder,
        disk_free=shutil.disk_usage(folder).free,
    )


def facts_of_worker(dask_worker: Any) -> MachineFacts:
    """Facts of a worker, which Dask fills in."""
    return replace(
        facts_here(dask_worker.local_directory),
        threads=dask_worker.state.nthreads,
        limit=dask_worker.memory_manager.memory_limit or 0,
        used=dask_worker.monitor.get_process_memory(),
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def on_workers(
    client: Client, look: Callable[..., Any], workers: Sequence[str], seconds: float = _ANSWER_SECONDS
) -> dict[str, Any]:
    """What each worker answers to a function: its result, or the exception; TimeoutError for who is too slow."""

    async def of_one(address: str) -> Any:
        try:
            asking = client._run(look, workers=[address], on_error="return")
            return (await asyncio.wait_for(asking, seconds))[address]
        except Exception as problem:  # whatever it raises is its answer
            return problem

    async def of_all() -> list[Any]:
        return await asyncio.gather(*map(of_one, workers))  # each for itself: one that hangs keeps no answer back

    return dict(zip(workers, client.sync(of_all), strict=True))


def facts_of_all(client: Client) -> tuple[Any, dict[str, Any]]:
    """Facts of the scheduler, and of each worker by address; an exception in place of those that are not to be had."""
    try:
        scheduler = client.sync(client._run_on_scheduler, facts_here, callback_timeout=_ANSWER_SECONDS)
    except Exception as problem:  # whatever that machine raises, for example that there is no such module
        scheduler = problem
    workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
    return scheduler, on_workers(client, facts_of_worker, workers)


def clock_skews(client: Client, workers: Sequence[str]) -> dict[str, float]:
    """Seconds by which each worker's clock is ahead of this machine's, the time of the question taken off."""
    asked = time.time()
    answers = on_workers(client, time.time, workers)
    heard = time.time()
    skews = {}
    for address, there in answers.items():
        if isinstance(there, float):
            skews[address] = there - min(max(there, asked), heard)
    return skews


def links_between(client: Client, workers: Sequence[str]) -> list[LinkFacts]:
    """Measure each worker with the next one, over connections as a run makes them; ClusterError where workers are busy."""
    members = [Member(address) for address in workers]
    results = run_on_gang(client, _measure, members=members, wait_for_workers=_BUSY_SECONDS)
    return [LinkFacts(workers[a], workers[b], *results[a][a, b]) for a, b in _pairs(len(workers))]


def _pairs(size: int) -> list[tuple[int, int]]:
    """A chain of ranks."""
    return [(rank, rank + 1) for rank in range(size - 1)]


def _measure(context: RankContext) -> dict[tuple[int, int], tuple[float, float]]:
    """One rank: what it found with its neighbours; pairs take turns, so that none disturbs another."""
    found = {}
    for pair in _pairs(context.size):
        if context.rank in pair:
            found[pair] = _of_pair(context.collective.subset(list(pair)))
        context.collective.all_gather(b"")
        context.check_cancelled()
    return found


def _of_pair(collective: Any) -> tuple[float, float]:
    rounds = [_timed(lambda: collective.all_gather(b"12345678")) for _ in range(_ROUNDS)]
    cargo = bytes(_CARGO_BYTES)
    loads = [_timed(lambda: collective.all_gather(cargo)) for _ in range(_CARGOES)]
    return statistics.median(rounds), _CARGO_BYTES / min(loads)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
