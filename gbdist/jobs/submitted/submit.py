"""Submitting jobs, taking them up again, and calling them off."""

import importlib.metadata
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gbdist.errors import ClusterError
from gbdist.jobs.submitted.errors import JobError
from gbdist.jobs.submitted.kinds import kind_of, make_spec
from gbdist.jobs.submitted.spec import JobSpec, differences, new_id, require_valid_id
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import JobStore, Submission
from gbdist.jobs.submitted.views import JobView, find_job, look, show
from gbdist.jobs.submitted.where import Where, is_here
from gbdist_cluster.job_table import ENDED

#: How long a job that is called off may take to end, before the caller is told that it is still at it.
CANCEL_SECONDS = 15.0
#: How long scheduler and folder may differ about a job: whoever submits or ends it tells one after the other.
WRITE_SECONDS = 15.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that is there now, and whether it was there before."""

    view: JobView
    was_there: bool


def submit(spec: JobSpec, where: Where, job_id: str | None = None) -> Submitted:
    """Submit a job (``make_spec`` makes one); the same job under the same id again is one job.

    Raises
    ------
    JobError
        The id is that of another job; the error says what differs.
    OutputError, ClusterError, DataError
        The jobs folder cannot be written to; the cluster cannot be used; files are missing, where they can be looked for.
    """
    folder = where.folder
    if job_id is not None:
        require_valid_id(job_id)
    folder.require_writable()
    where = where.located()
    with where.cluster() as client:
        store = folder.job(job_id or new_id(spec.kind, folder.ids()))
        if store.exists():
            there = _there(spec, store, where)
            if there is not None:
                return Submitted(there, True)
        elif is_here(client.scheduler.address):
            kind_of(spec.kind).reads(spec.options).require_data()
        begun = JobState("queued", submitted=time.time(), scheduler=_scheduler(client, where))
        made = Submission(spec, begun.submitted, importlib.metadata.version("gbdist"))
        mine = _submit(client, store, made, begun, again=False)
        return Submitted(look(store, client), not mine)


def resume(where: Where, job_id: str) -> JobView:
    """Take up a job again that failed, was cancelled or lost; it goes on from what it has saved.

    Raises
    ------
    JobError
        The job runs, or is done.
    """
    view = show(where, job_id)
    if not view.is_over or view.state == "done":
        problem = f"job {view.job_id} is {view.state}"
        fix = f"Get its result with: gbdist job result {view.job_id}"
        raise JobError(problem, fix if view.is_over else f"Watch it with: gbdist job watch {view.job_id}")
    store, where = view.store, where.located()
    with where.cluster() as client:
        submission, before = store.read_submission(), store.read_state()
        state = before.next(state="queued", error=None, ended=None, scheduler=_scheduler(client, where))
        if not _submit(client, store, submission, state, again=True):
            problem = f"somebody else resumed job {view.job_id} at the same time"
            raise JobError(problem, f"Watch it with: gbdist job watch {view.job_id}")
        return look(store, client)


def cancel(where: Where, job_id: str) -> JobView:
    """Call a job off, and wait for its end; one that is over stays as it is."""
    from gbdist_cluster.job_calls import cancel_job

    store = find_job(where.folder, job_id)
    with where.cluster_of(store.read_state().scheduler) as client:
        view = look(store, client)
        if view.is_over or client is None:
            return view
        cancel_job(client, view.job_id)
        end = time.monotonic() + CANCEL_SECONDS
        while not (view := look(store, client)).is_over and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return view


def spec_like(where: Where, job_id: str) -> JobSpec:
    """What another job does."""
    return find_job(where.folder, job_id).read_submission().spec


def _there(spec: JobSpec, store: JobStore, where: Where) -> JobView | None:
    """The job that has the id already; None where its client went before it was submitted. JobError for another one."""
    there = store.read_submission().spec
    _require_same(spec, there.as_text(store.folder), store)
    state = store.read_state()
    with where.cluster_of(state.scheduler) as client:
        view = look(store, client)
    return None if view.state == "lost" and state.state == "queued" and not state.attempt else view


def _require_same(spec: JobSpec, there: str, store: JobStore) -> None:
    found = differences(spec.as_text(store.folder), there)
    if found:
        problem = f"there is another job {store.job_id}: {'; '.join(found)}"
        raise JobError(problem, "Give the job another --id, or leave --id out.")


def _submit(client: Any, store: JobStore, made: Submission, state: JobState, *, again: bool) -> bool:
    """Claim the id, write the job down and submit its driver; False if somebody else has done it."""
    from gbdist.jobs.submitted.driver import run_job
    from gbdist_cluster.job_calls import submit_driver, withdraw_job
    from gbdist_cluster.job_table import Job

    spec = made.spec
    wanted = Job(store.job_id, spec.digest(store.folder), spec.as_text(store.folder), attempt=state.attempt)
    claim = _claimed(client, store, wanted, again=again)
    if claim.standing == "other":
        _require_same(spec, claim.job.spec, store)
    if claim.standing != "yours":
        return False
    try:
        if not again:
            store.write_submission(made)
        store.write_state(state)
        submit_driver(client, claim.job, run_job, store.folder)
    except BaseException:
        with suppress(ClusterError):  # then the id is free again when this client is gone
            withdraw_job(client, store.job_id)
        raise
    return True


def _claimed(client: Any, store: JobStore, wanted: Any, *, again: bool) -> Any:
    """What comes of claiming an id, once scheduler and folder agree: one of the two hears of a beginning or an end first.

    Raises
    ------
    JobError
        Whoever has the id does not write the job down.
    """
    from gbdist_cluster.job_calls import claim_job

    end, anew = time.monotonic() + WRITE_SECONDS, False
    while True:
        claim = claim_job(client, wanted, again=again, anew=anew)
        if claim.standing == "yours":
            return claim
        missing = not store.exists()  # not written yet, or deleted
        ending = again and claim.job.state in ("running", "resuming") and claim.job.attempt == wanted.attempt
        if not missing and not ending:
            return claim
        if time.monotonic() > end:
            problem = f"somebody else has job {store.job_id}, and has not written it down for {WRITE_SECONDS:g} s"
            raise JobError(problem, "Submit it again, or under another --id.")
        anew = missing and claim.job.state in ENDED
        time.sleep(_POLL_SECONDS)


def _scheduler(client: Any, where: Where) -> dict[str, str]:
    from gbdist_cluster.job_calls import scheduler_of

    named = where.scheduler is not None and ":" not in where.scheduler
    return {**scheduler_of(client), **({"name": str(where.scheduler)} if named else {})}


__all__ = ["Submitted", "cancel", "make_spec", "resume", "spec_like", "submit"]
