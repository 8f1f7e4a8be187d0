"""The scheduler's side of jobs: answers clients and drivers by the rules of ``job_table``, and looks after the drivers' tasks."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from gbdist_cluster.job_table import ENDED, Job, JobTable

__all__ = ["FORGOTTEN", "JobDesk", "key_of"]

FORGOTTEN = "fire-and-forget"
"""Dask's name for the client of tasks that are wanted whoever left."""


_UNFINISHED = ("released", "waiting", "no-worker", "queued", "processing")


def key_of(job: Job) -> str:
    """The key of a job's driver: another one each time the job is submitted, because Dask may not have forgotten the last."""
    return f"gbdist-job-{job.job_id}" + (f":{job.turn}" if job.turn else "")


class JobDesk:
    """The jobs of one scheduler; ``called_off`` hears the id of each job that is cancelled."""

    def __init__(self, scheduler: Any, called_off: Callable[[str], None]) -> None:
        self._scheduler, self._called_off = scheduler, called_off
        self._table = JobTable()

    def answer(self, action: str, job_id: str = "", **fields: Any) -> dict[str, Any]:
        """Answer one call, of ``job_calls`` or of a driver."""
        now = time.monotonic()
        match action:
            case "claim":
                standing, job = self._table.claim(
                    Job(job_id, **fields["job"]), again=fields["again"], anew=fields["anew"]
                )
                return {"standing": standing, "job": described(job)}
            case "place":
                return {"placed": self._place(job_id, fields["client"])}
            case "withdraw":
                self._table.withdraw(job_id, fields["client"])
            case "begin":
                self._table.look(self._has_task, now)  # a job that is lost keeps nobody waiting
                word, job = self._table.begin(Job(job_id, **fields["job"]), now)
                return {"word": word, "job": described(job)}
            case "beat":
                return {"word": self._beat(job_id, now, **fields)}
            case "end":
                self._table.end(job_id, fields["attempt"], fields["state"], fields["error"])
            case "cancel":
                return {"job": self._cancel(job_id)}
            case "look":
                jobs = self._table.look(self._has_task, now)
                return {"jobs": [described(job) for job in jobs if job_id in ("", job.job_id)]}
        return {}

    def remove_client(self, client: str) -> None:
        """A client left."""
        self._table.remove_client(client, self._has_task)

    def remove_worker(self, address: str) -> None:
        """A worker left."""
        self._table.remove_worker(address)

    def _has_task(self, job: Job) -> bool:
        return key_of(job) in self._scheduler.tasks

    def _place(self, job_id: str, client: str) -> bool:
        """Keep a driver's task whatever becomes of its client, once it is there."""
        job = self._table.get(job_id)
        task = None if job is None else self._scheduler.tasks.get(key_of(job))
        if task is None:
            return False
        if task.state in _UNFINISHED:  # or nobody would ever let go of it
            self._scheduler.client_desires_keys([task.key], FORGOTTEN)
        self._table.placed(job_id, client)
        return True

    def _beat(self, job_id: str, now: float, attempt: int, progress: dict[str, Any], saved: int) -> str:
        word = self._table.beat(job_id, attempt, now, progress, saved)
        job = self._table.get(job_id)
        task = None if job is None else self._scheduler.tasks.get(key_of(job))
        if word != "go" or job is None:
            return word
        if task is None:
            self._table.lose(job_id)
            return "over"
        if job.saved and job.fruitless == 1:
            # The attempt went on from something, so it is not what kills workers: Dask gives tasks up after a few of them.
            task.suspicious = 0
        return word

    def _cancel(self, job_id: str) -> dict[str, Any] | None:
        job = self._table.cancel(job_id)
        self._called_off(job_id)
        if job is not None and job.state in ENDED and self._has_task(job):
            self._scheduler.client_releases_keys([key_of(job)], FORGOTTEN)
        return None if job is None else described(job)


def described(job: Job) -> dict[str, Any]:
    """A job as a message."""
    return dataclasses.asdict(job)
