"""What can be done to a cluster that runs: its size and its logs."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.config import LATE
from gbdist_cluster.launch.connection import locate, open_client
from gbdist_cluster.launch.control import call_keeper
from gbdist_cluster.launch.facts import ClusterFacts, chosen, facts_of
from gbdist_cluster.launch.records import ClusterRecord

__all__ = ["logs", "scale"]

_CALL_SECONDS = 15.0
_POLL_SECONDS = 0.1


def scale(
    workers: int, name: str | None, say: Callable[[str], None], *, wait: bool = True, seconds: float = 60.0
) -> ClusterFacts:
    """Have so many workers from now on. A run keeps its rows where workers go: Dask retires them.

    With ``wait`` it returns when they are there, ``seconds`` at most; not for a queue, whose workers come when they can.

    Raises
    ------
    ClusterError
        If the cluster does not run or cannot have so many, or if they have not come in time.
    """
    record = _running(name)
    call_keeper(record, "scale", _CALL_SECONDS, workers=workers)
    facts = facts_of(record)
    told = facts.workers
    end = time.monotonic() + seconds
    while wait and record.kind not in LATE and facts.workers != workers:
        if time.monotonic() > end:
            raise ClusterError(
                f"The cluster {record.name!r} has {facts.workers} workers after {seconds:g} s, and is to have {workers}",
                f"See why: gbdist cluster logs {record.name}; or wait on: gbdist cluster status {record.name}.",
            )
        time.sleep(_POLL_SECONDS)
        facts = facts_of(record)
        if facts.workers != told:
            say(f"workers: {facts.workers} of {workers}")
            told = facts.workers
    return facts


def logs(name: str | None, worker: str | None, lines: int) -> list[str]:
    """The last lines of the keeper's log, which has a local scheduler's and workers' too; or those of one worker.

    ``worker`` is its name or its address.

    Raises
    ------
    ClusterError
        If there is no such cluster, log or worker.
    """
    if worker is not None:
        return _logs_of_worker(_running(name), worker, lines)
    record = chosen(name)
    try:
        with Path(record.log).open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except OSError as problem:
        raise ClusterError(
            f"The log {record.log} of the cluster {record.name!r} cannot be read ({problem.strerror})",
            f"Look on the machine of its keeper: {record.host}.",
        ) from problem


def _running(name: str | None) -> ClusterRecord:
    record = chosen(name)
    if not records.is_alive(record) or not record.scheduler:
        state = "is being started" if records.is_alive(record) else "does not run any more"
        raise ClusterError(f"The cluster {record.name!r} {state}", f"See: gbdist cluster status {record.name}")
    if not record.here:
        raise ClusterError(f"The cluster {record.name!r} is held on {record.host}", "Run this there.")
    return record


def _logs_of_worker(record: ClusterRecord, worker: str, lines: int) -> list[str]:
    each = facts_of(record).each
    addresses = [one.address for one in each if worker in (one.name, one.address)]
    if not addresses:
        names = ", ".join(one.name for one in each) or "none"
        raise ClusterError(f"The cluster {record.name!r} has no worker {worker!r}", f"Its workers: {names}.")
    with open_client(locate(record.name), _CALL_SECONDS) as client:
        ask = client.scheduler.worker_logs
        try:
            found = client.sync(ask, n=lines, workers=addresses, nanny=False, callback_timeout=_CALL_SECONDS)
        except (TimeoutError, OSError) as problem:
            raise ClusterError(
                f"The worker {worker!r} of the cluster {record.name!r} does not answer ({problem or 'too late'})",
                f"Look what its keeper says: gbdist cluster logs {record.name}",
            ) from problem
    return [str(text) for _level, text in reversed(found[addresses[0]])]
