"""What a cluster is doing: its record, and what its keeper says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.config import APART
from gbdist_cluster.launch.control import call_keeper
from gbdist_cluster.launch.records import ClusterRecord

__all__ = ["ClusterFacts", "WorkerStatus", "chosen", "facts_of", "status"]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker. ``memory`` and ``used`` are bytes; ``memory`` is 0 where there is no limit."""

    name: str
    address: str
    threads: int
    memory: int
    used: int


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One cluster.

    ``state`` is "starting", "running", "incomplete" (fewer workers than are wanted), "silent" (the keeper does not answer),
    "elsewhere" (its keeper is on another machine), or "gone" (the keeper has ended without ``gbdist cluster down``).
    """

    name: str
    kind: str
    state: str
    workers: int
    wanted: int
    threads: int
    memory: int
    scheduler: str
    dashboard: str
    tls: bool
    host: str
    pid: int
    log: str
    each: tuple[WorkerStatus, ...]


def status(name: str | None, say: Callable[[str], None]) -> list[ClusterFacts]:
    """The cluster of a name, or all. Those whose keeper is gone are told, and forgotten where nothing of them is left."""
    found = [records.find(name)] if name else records.all_records()
    facts = [facts_of(record) for record in found]
    for record, fact in zip(found, facts, strict=True):
        if fact.state != "gone":
            continue
        if record.kind in APART and record.scheduler:
            say(
                f"{record.name}: its keeper is gone, and its workers may go on. End them: gbdist cluster down {record.name}"
            )
        else:
            records.remove(record)
            say(f"{record.name}: its keeper, process {record.pid}, is gone; forgotten. Why: {record.log}")
    return facts


def facts_of(record: ClusterRecord) -> ClusterFacts:
    """What there is to know of a cluster; waits ten seconds at most."""
    answer: dict[str, Any] = {}
    state = "running"
    if not records.is_alive(record):
        state = "gone"
    elif not record.here:
        state = "elsewhere"
    elif not record.scheduler:
        state = "starting"
    else:
        try:
            answer = call_keeper(record, "describe")
        except ClusterError:
            state = "silent"
    found = (WorkerStatus(**worker) for worker in answer.get("workers", ()))
    each = tuple(sorted(found, key=lambda worker: (len(worker.name), worker.name)))  # 2 before 10
    wanted = int(answer.get("wanted", record.workers))
    if state == "running" and len(each) < wanted:
        state = "incomplete"
    return ClusterFacts(
        name=record.name,
        kind=record.kind,
        state=state,
        workers=len(each),
        wanted=wanted,
        threads=sum(worker.threads for worker in each),
        memory=sum(worker.memory for worker in each),
        scheduler=record.scheduler,
        dashboard=record.dashboard,
        tls=bool(record.certificates),
        host=record.host,
        pid=record.pid,
        log=record.log,
        each=each,
    )


def chosen(name: str | None) -> ClusterRecord:
    """The record of a name; without one that of the only cluster that there is, whatever its state."""
    if name is not None:
        return records.find(name)
    known = records.all_records()
    if len(known) == 1:
        return known[0]
    if not known:
        raise ClusterError("There is no cluster", "Start one with: gbdist cluster up")
    raise ClusterError(f"There are several clusters: {', '.join(one.name for one in known)}", "Name the one you mean.")
