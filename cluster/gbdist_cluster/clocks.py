"""The clocks of a cluster's machines, compared with the scheduler's, and when its workers did their tasks."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client

from gbdist_cluster.watch import RANK_PREFIX

__all__ = ["TaskTime", "follow_tasks", "scheduler_offset", "tasks_since"]

_ASKED = 5
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TaskTime:
    """When a worker's thread did a task, or sent or fetched for it; on the scheduler's clock."""

    name: str
    action: str
    worker: str
    thread: int
    start: float
    stop: float


def scheduler_offset(client: Client) -> float:
    """Seconds that the scheduler's clock is ahead of this machine's; of several answers the quickest counts.

    Raises OSError or TimeoutError where the scheduler does not answer.
    """
    found: list[tuple[float, float]] = []
    for _ in range(_ASKED):
        began, asked = time.perf_counter(), time.time()
        there = client.sync(client._run_on_scheduler, time.time, callback_timeout=_ANSWER_SECONDS)
        trip = time.perf_counter() - began
        found.append((trip, there - (asked + trip / 2)))
    return min(found)[1]


def follow_tasks(client: Client) -> None:
    """Have the scheduler remember when tasks are done; again is harmless."""
    _stream(client, 0.0, 0.0)


def tasks_since(client: Client, start: float) -> list[TaskTime]:
    """What workers did since then, on the scheduler's clock, but for the ranks of gangs."""
    times = []
    for record in _stream(client, start, None):
        if str(record["key"]).startswith(RANK_PREFIX):
            continue
        name = str(record.get("name") or record["key"])
        for span in record["startstops"]:
            if span["start"] >= start:
                place = str(record["worker"]), int(record["thread"] or 0)
                times.append(TaskTime(name, str(span["action"]), *place, span["start"], span["stop"]))
    return times


def _stream(client: Client, start: float, stop: float | None) -> Sequence[dict[str, Any]]:
    ask = client.scheduler.get_task_stream
    answer: Sequence[dict[str, Any]] = client.sync(ask, start=start, stop=stop, callback_timeout=_ANSWER_SECONDS)
    return answer
