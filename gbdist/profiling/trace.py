"""A timeline in Chrome's trace event format, as chrome://tracing and https://ui.perfetto.dev read it.

"Trace Event Format" (Google, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU): an object with
``traceEvents``; "X" is a span with ``ts`` and ``dur`` in microseconds, "M" names processes and threads, "C" is a counter, "i" an
instant. Spans of one thread lie in each other or apart.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from gbdist.boosting.spans import CONTAINERS, ITERATIONS, NETWORK, OTHER
from gbdist.profiling.timeline import RankTrack, Task, Timeline

Event = dict[str, Any]

_CALLS = frozenset({"all_reduce", "reduce_scatter", "sum_floats", "all_gather", "all_to_all", "send", "receive"})
_RANK_THREAD = 1
_CLIENT_THREAD = 1


def write_trace(path: Path, timeline: Timeline) -> None:
    """Write a timeline, an event a line. Raises OSError."""
    with path.open("w") as file:
        _write(file, timeline)


def _write(file: TextIO, timeline: Timeline) -> None:
    about = {"run": timeline.title, "gangs": timeline.epochs, timeline.counted: timeline.iterations}
    file.write(f'{{"displayTimeUnit": "ms", "otherData": {json.dumps(about)}, "traceEvents": [\n')
    separator = ""
    for event in events_of(timeline):
        file.write(separator + json.dumps(event))
        separator = ",\n"
    file.write("\n]}\n")


def events_of(timeline: Timeline) -> Iterator[Event]:
    """All events: a process a rank, numbered as ranks are, those of later gangs behind; then other workers and the client."""
    origin = timeline.start
    pid_of_worker: dict[str, int] = {}
    for pid, track in enumerate(timeline.tracks):
        pid_of_worker.setdefault(track.worker, pid)
        name = f"rank {track.rank}" + (f" of gang {track.epoch}" if timeline.epochs > 1 else "")
        yield from _named(pid, f"{name}, {track.worker}, {track.rows:,} rows", pid + 1)
        yield _thread(pid, _RANK_THREAD, "rank")
        yield from _of_rank(pid, track, origin)
    tasks = timeline.tasks or ()
    for worker in sorted({task.worker for task in tasks} - pid_of_worker.keys()):
        pid = pid_of_worker[worker] = len(timeline.tracks) + len(pid_of_worker)
        yield from _named(pid, f"worker {worker}", pid + 1)
    yield from _of_tasks(tasks, pid_of_worker, origin)
    client = len(timeline.tracks) + len(pid_of_worker) + 1
    yield from _named(client, "client", 0)
    yield _thread(client, _CLIENT_THREAD, "fit")
    for phase in timeline.phases:
        yield _span(phase.name, "phase", client, _CLIENT_THREAD, (phase.start - origin, phase.end - origin))
    for note in timeline.notes:
        where = {"pid": client, "tid": _CLIENT_THREAD, "ts": (note.time - origin) / 1000}
        yield {"name": note.text, "cat": "event", "ph": "i", "s": "g", **where}


def _named(pid: int, name: str, place: int) -> Iterator[Event]:
    yield {"name": "process_name", "ph": "M", "pid": pid, "tid": 0, "args": {"name": name}}
    yield {"name": "process_sort_index", "ph": "M", "pid": pid, "tid": 0, "args": {"sort_index": place}}


def _thread(pid: int, tid: int, name: str) -> Event:
    return {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}


def _span(name: str, kind: str, pid: int, tid: int, when: tuple[int, int], **args: Any) -> Event:
    start, end = when
    event = {
        "name": name,
        "cat": kind,
        "ph": "X",
        "pid": pid,
        "tid": tid,
        "ts": start / 1000,
        "dur": (end - start) / 1000,
    }
    return {**event, "args": args} if args else event


def _of_rank(pid: int, track: RankTrack, origin: int) -> Iterator[Event]:
    sent = 0
    for place, start, end, number, n_bytes in track.records().tolist():
        name = track.names[place]
        sent += n_bytes
        when = start - origin, end - origin
        args = {"bytes": n_bytes} if n_bytes else {}
        label = f"{name} {number}" if number >= 0 else name
        yield _span(label, _category(name), pid, _RANK_THREAD, when, **args)
        if name in ITERATIONS:
            where = {"pid": pid, "tid": _RANK_THREAD, "ts": when[1] / 1000}
            yield {"name": f"bytes sent for each {name}", "ph": "C", **where, "args": {"bytes": sent}}
            sent = 0


def _category(name: str) -> str:
    """What a span counts for in the sums."""
    if name in CONTAINERS:
        return OTHER
    return NETWORK if name in _CALLS else name


def _of_tasks(tasks: tuple[Task, ...] | Any, pid_of_worker: dict[str, int], origin: int) -> Iterator[Event]:
    """Tasks under their workers; what overlaps on one thread, as transfers do, gets a line of its own."""
    lines: dict[tuple[int, int, str], list[int]] = {}
    tids: dict[tuple[int, int, str, int], int] = {}
    for task in sorted(tasks, key=lambda one: one.start):
        pid = pid_of_worker[task.worker]
        kind = "task" if task.action == "compute" else "transfer"
        ends = lines.setdefault((pid, task.thread, kind), [])
        line = next((number for number, end in enumerate(ends) if end <= task.start), len(ends))
        ends[line : line + 1] = [task.end]
        key = pid, task.thread, kind, line
        if key not in tids:
            tids[key] = _RANK_THREAD + 1 + sum(one[0] == pid for one in tids)
            yield _thread(pid, tids[key], f"{kind}s")
        yield _span(task.name, kind, pid, tids[key], (task.start - origin, task.end - origin), action=task.action)
