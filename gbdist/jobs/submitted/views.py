"""How jobs stand: what their folders say, and what their clusters know beyond that."""

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gbdist.errors import ClusterError, GbdistError
from gbdist.jobs.submitted.errors import JobCancelled, JobError, JobFailed, JobLost, JobNotReady
from gbdist.jobs.submitted.spec import JobSpec, is_valid_id
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import JobsFolder, JobStore
from gbdist.jobs.submitted.where import Where
from gbdist_cluster.job_table import ENDED

_GONE = "its cluster is gone, or does not know it any more"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands. Times are unix times; ``error`` is as in ``JobState``.

    ``run`` is the row of its newest run on the board (``gbdist_cluster.monitor.reporting.read_board``), where it was asked for.
    """

    job_id: str
    folder: str
    spec: JobSpec
    state: str
    attempt: int
    submitted: float
    started: float | None
    ended: float | None
    worker: str = ""
    scheduler: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    run: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless the job is resumed."""
        return self.state in ENDED

    @property
    def store(self) -> JobStore:
        """The job's folder."""
        return JobsFolder(self.folder).job(self.job_id)


def find_job(folder: JobsFolder, wanted: str) -> JobStore:
    """The job of an id, or of the only id that begins so. JobError if there is none, or there are several."""
    store = folder.job(wanted)
    if is_valid_id(wanted) and store.exists():
        return store
    ids = folder.ids()
    found = [job_id for job_id in ids if wanted and job_id.startswith(wanted)]
    if len(found) == 1:
        return folder.job(found[0])
    if found:
        problem = f"{wanted!r} may be {', '.join(found[:_SHOWN])}" + (", …" if len(found) > _SHOWN else "")
        raise JobError(problem, "Type more of the id.")
    near = difflib.get_close_matches(wanted, ids, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "See which there are with: gbdist job list"
    raise JobError(f"there is no job {wanted!r} in {folder.url}", hint)


def look(store: JobStore, client: Any | None) -> JobView:
    """How one job stands; ``client`` is of the cluster that the job was submitted to, None where that cluster is not reached."""
    from gbdist_cluster.job_calls import jobs_of

    submission, state = store.read_submission(), store.read_state()
    if state.state in ENDED:
        return _view(store, submission.spec, state)
    known = None
    if client is not None:
        try:
            known = next(iter(jobs_of(client, store.job_id)), None)
        except ClusterError:
            if client.status != "closed":  # it is slow, which is no reason to give a job up
                return _view(store, submission.spec, state)
        if known is not None and known.digest != submission.spec.digest(store.folder):
            known = None
    if known is None:
        # The driver writes the end down before it tells the scheduler, so the folder may know more by now.
        state = store.read_state()
        if state.state in ENDED:
            return _view(store, submission.spec, state)
        return _view(store, submission.spec, state.ends("lost", _error(_GONE)))
    return _view(store, submission.spec, _merged(store, state, known))


def _merged(store: JobStore, state: JobState, known: Any) -> JobState:
    """What the folder and the scheduler know together. An end that only the scheduler knows of is written down."""
    if known.state not in ENDED:
        word = "queued" if known.state == "claimed" else known.state
        return state.next(
            state=word, attempt=known.attempt, worker=known.worker, progress={**state.progress, **known.progress}
        )
    later = store.read_state()
    if later.state in ENDED:
        return later
    ended = later.ends(known.state, None if known.error is None else _error(known.error))
    with suppress(GbdistError):  # whoever looks may not write there
        store.write_state(ended)
    return ended


def _error(text: str) -> dict[str, Any]:
    return {"kinds": ["ClusterError", "GbdistError"], "text": text}


def _view(store: JobStore, spec: JobSpec, state: JobState) -> JobView:
    return JobView(
        job_id=store.job_id,
        folder=store.folder,
        spec=spec,
        state=state.state,
        attempt=state.attempt,
        submitted=state.submitted,
        started=state.started,
        ended=state.ended,
        worker=state.worker,
        scheduler=state.scheduler,
        progress=state.progress,
        error=state.error,
    )


def show(where: Where, job_id: str) -> JobView:
    """One job; its cluster is asked if it is reached."""
    store = find_job(where.folder, job_id)
    state = store.read_state()
    if state.state in ENDED:
        return look(store, None)
    with where.cluster_of(state.scheduler) as client:
        return look(store, client)


def list_jobs(where: Where) -> list[JobView]:
    """All jobs of the folder, the newest first; each cluster is asked once."""
    folder = where.folder
    stores = [folder.job(job_id) for job_id in folder.ids()]
    clusters: dict[str, list[JobStore]] = {}
    views = []
    for store in stores:
        state = store.read_state()
        if state.state in ENDED:
            views.append(look(store, None))
        else:
            clusters.setdefault(str(state.scheduler.get("id")), []).append(store)
    for of_one in clusters.values():
        try:
            with where.cluster_of(of_one[0].read_state().scheduler) as client:
                views += [look(store, client) for store in of_one]
        except ClusterError:  # it may be there, so the jobs are listed as they are written down
            views += [_view(store, store.read_submission().spec, store.read_state()) for store in of_one]
    return sorted(views, key=lambda view: (-view.submitted, view.job_id))


def require_done(view: JobView) -> None:
    """Raise how a job ended if it did not end well: JobFailed, JobCancelled, JobLost; JobNotReady before it has ended."""
    again = f"Go on from what it has saved with: gbdist job resume {view.job_id}"
    text = "" if view.error is None else f": {view.error['text']}"
    match view.state:
        case "done":
            return
        case "failed":
            raise JobFailed(f"job {view.job_id} failed{text}", f"See: gbdist job logs {view.job_id}. {again}")
        case "cancelled":
            raise JobCancelled(f"job {view.job_id} was cancelled", again)
        case "lost":
            raise JobLost(f"job {view.job_id} is lost{text}", again)
        case _:
            problem = f"job {view.job_id} has no result yet: it is {view.state}{_far(view.progress)}"
            raise JobNotReady(problem, f"Wait for it with: gbdist job watch {view.job_id}")


def _far(progress: Mapping[str, Any]) -> str:
    if "iterations" in progress:
        return f", {progress['trees']:,} of {progress['iterations']:,} {progress.get('counted', 'trees')}"
    return ""
