"""What a client asks of the scheduler about jobs, and how it submits one so that it outlives the client."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import Client

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.job_desk import key_of
from gbdist_cluster.job_driver import JobOrder, drive
from gbdist_cluster.job_table import Job
from gbdist_cluster.plugin import prepare
from gbdist_cluster.rpc import call_scheduler
from gbdist_cluster.versions import check_workers

__all__ = ["Claim", "cancel_job", "claim_job", "jobs_of", "scheduler_of", "submit_driver", "withdraw_job"]

_PLACE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PRIORITY = 50
"""Above ordinary tasks, below ranks: a driver takes a thread for a moment only."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of asking for an id: "yours", "there" (the job is there already) or "other"; ``job`` is the one of that id."""

    standing: str
    job: Job


def claim_job(client: Client, wanted: Job, *, again: bool = False, anew: bool = False) -> Claim:
    """Ask for a job's id; see ``JobTable.claim``. ClusterError if workers or scheduler cannot be used."""
    check_workers(client)
    prepare(client)
    fields = {"digest": wanted.digest, "spec": wanted.spec, "client": client.id, "attempt": wanted.attempt}
    how: dict[str, Any] = {"action": "claim", "job_id": wanted.job_id, "again": again, "anew": anew}
    answer = call_scheduler(client, "gbdist_job", job=fields, **how)
    return Claim(answer["standing"], Job(**answer["job"]))


def submit_driver(client: Client, job: Job, body: Callable[[Any, Any], Any], argument: object) -> None:
    """Submit the driver of a claimed job; when this returns the client may leave.

    ``body(session, argument)`` is what the driver runs, see ``job_driver``; both must be what pickle takes.

    Raises
    ------
    ClusterError
        The scheduler does not answer, or does not take the task in time.
    """
    order = JobOrder(job.job_id, job.digest, job.spec, body, argument)
    future = client.submit(drive, order, key=key_of(job), pure=False, retries=0, priority=_PRIORITY)
    end = time.monotonic() + _PLACE_SECONDS
    # Dask takes graphs in while it answers other calls.
    while not call_scheduler(client, "gbdist_job", action="place", job_id=job.job_id, client=client.id)["placed"]:
        if time.monotonic() > end:
            raise ClusterError(
                f"The scheduler at {client.scheduler.address} did not take the job within {_PLACE_SECONDS:g} s",
                "See in its log what it is busy with, and submit the job again.",
            )
        time.sleep(_POLL_SECONDS)
    future.release()


def withdraw_job(client: Client, job_id: str) -> None:
    """Give back an id that was claimed and is not used."""
    call_scheduler(client, "gbdist_job", action="withdraw", job_id=job_id, client=client.id)


def cancel_job(client: Client, job_id: str) -> Job | None:
    """Say that a job is not wanted any more; the job as it is then, None where the cluster does not know it."""
    prepare(client)
    found = call_scheduler(client, "gbdist_job", action="cancel", job_id=job_id)["job"]
    return None if found is None else Job(**found)


def jobs_of(client: Client, job_id: str = "") -> list[Job]:
    """The jobs that the cluster knows, or the one of an id."""
    prepare(client)
    return [Job(**found) for found in call_scheduler(client, "gbdist_job", action="look", job_id=job_id)["jobs"]]


def scheduler_of(client: Client) -> dict[str, str]:
    """Address and id of a client's scheduler: another one may come to have the same address."""
    identity = call_scheduler(client, "identity", n_workers=0)
    return {"address": str(client.scheduler.address), "id": str(identity["id"])}
