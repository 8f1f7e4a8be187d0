"""``down``: ends a cluster and everything of it, in good order if it can be, and within a bounded time in any case."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.certificates import security_for
from gbdist_cluster.launch.config import APART
from gbdist_cluster.launch.connection import Place, open_client
from gbdist_cluster.launch.control import call_keeper
from gbdist_cluster.launch.facts import chosen
from gbdist_cluster.launch.keeper import CLOSE_SECONDS
from gbdist_cluster.launch.records import ClusterRecord

__all__ = ["Stopped", "down", "end_processes", "mark_of"]

MARK = "GBDIST_CLUSTER_MARK"
"""A variable in the environment of a keeper and all its processes: tells them from others with their session's number."""

_END_SECONDS = 10.0
"""How long processes without a keeper may take to notice it, before they are killed."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a cluster ended. ``killed`` are processes that had to be killed."""

    name: str
    kind: str
    was_running: bool
    killed: int


def down(name: str | None, say: Callable[[str], None]) -> Stopped:
    """End a cluster: the one of a name, or the only one. Its processes are gone and its record is removed afterwards.

    Raises
    ------
    ClusterError
        If there is no such cluster, it is held by another machine, or what runs elsewhere cannot be reached to be ended.
    """
    record = chosen(name)
    if not record.here:
        raise ClusterError(
            f"The cluster {record.name!r} is held by process {record.pid} on {record.host}",
            f"Run this there: gbdist cluster down {record.name}; "
            f"if that machine is gone for good, remove {records.folder()}/{record.name}.json",
        )
    running = records.is_alive(record)
    if running:
        _ask_to_stop(record, say)
        _await_end(record)
    else:
        say(f"{record.name}: its keeper, process {record.pid}, was gone already")
    killed = end_processes(record)
    if any((one.name, one.pid) == (record.name, record.pid) for one in records.all_records()):
        _end_apart(record, say)  # its keeper did not come to it
    records.remove(record)
    return Stopped(record.name, record.kind, running, killed)


def mark_of(record: ClusterRecord) -> str:
    """What ``MARK`` says in the cluster's processes."""
    return f"{records.home()}:{record.name}"


def end_processes(record: ClusterRecord) -> int:
    """Wait for the end of the keeper and all that it started on this machine, and kill what is late; how many were killed."""
    end = time.monotonic() + _END_SECONDS
    while (left := _processes(record)) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    _kill(left)
    return len(left)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_END_SECONDS)


def _ask_to_stop(record: ClusterRecord, say: Callable[[str], None]) -> None:
    """Ask over the control port; a keeper that has none yet, or does not answer, gets SIGTERM, which means the same."""
    try:
        if record.control:
            call_keeper(record, "stop")
            return
    except ClusterError as problem:
        say(str(problem))
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(record.pid).terminate()


def _await_end(record: ClusterRecord) -> None:
    """Wait for the keeper's end; kill it where it takes longer than it gives its cluster."""
    end = time.monotonic() + CLOSE_SECONDS + _END_SECONDS
    while records.is_alive(record):
        if time.monotonic() > end:
            with contextlib.suppress(psutil.NoSuchProcess):
                _kill([psutil.Process(record.pid)])
            return
        time.sleep(_POLL_SECONDS)


def _processes(record: ClusterRecord) -> list[psutil.Process]:
    """The processes of the keeper's session that carry its mark. (A session's number is not given away while it has members.)"""
    found = []
    for process in psutil.process_iter():
        try:
            member = os.getsid(process.pid) == record.pid and process.status() != psutil.STATUS_ZOMBIE
            if member and process.environ().get(MARK) == mark_of(record):
                found.append(process)
        except (psutil.Error, OSError):  # it has ended meanwhile, or is somebody else's
            continue
    return found


def _end_apart(record: ClusterRecord, say: Callable[[str], None]) -> None:
    """End a scheduler and workers elsewhere that have lost their keeper."""
    if record.kind not in APART or not record.scheduler:
        return
    if record.kind == "kubernetes":
        raise ClusterError(
            f"The pods of the cluster {record.name!r} may go on, and its keeper is gone",
            f"Delete them: kubectl delete daskcluster {record.name}; then remove {records.folder()}/{record.name}.json",
        )
    security = security_for(record.certificates)
    try:
        client = open_client(Place(record.scheduler, security, record.name), _END_SECONDS)
    except ClusterError as problem:
        say(f"nothing answers at {record.scheduler} any more ({problem.args[0]})")
        return
    with client:
        try:
            client.sync(client._shutdown, callback_timeout=_END_SECONDS)
        except (TimeoutError, OSError) as problem:
            raise ClusterError(
                f"The scheduler at {record.scheduler} does not end within {_END_SECONDS:g} s ({problem or 'too late'})",
                f"End its process there, then run this again: gbdist cluster down {record.name}",
            ) from problem
    say(f"scheduler and workers at {record.scheduler} have been ended")
