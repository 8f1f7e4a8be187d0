"""Which jobs a cluster knows, and who may do what with them: the rules, without clocks or messages.

A job has an id. Whoever claims the id first submits the job; the same job submitted again is there already, and another one of
that id is refused. The driver of a job is a task, of which Dask makes another *attempt* when its worker dies. What older attempts
say counts for nothing, so at most one driver speaks for a job.

Jobs run one after the other, in the order of their claims: a gang takes all workers anyway, and rows of jobs that wait would fill
their memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["ENDED", "FRUITLESS", "Job", "JobTable"]

ENDED = ("done", "failed", "cancelled", "lost")
"""States that a job stays in until it is resumed."""

FRUITLESS = 3
"""Attempts in a row that may end without anything that the next one goes on from."""

SILENCE_SECONDS = 5.0
"""How long a driver without a task may be silent: what it says at its end may come after its task's end."""

LEAVING_SECONDS = 60.0
"""How long a driver may take to end that has heard of its job's cancelling: who waits for the job waits no longer."""

_KEPT = 1000
_DRIVEN = ("running", "resuming")
"""States in which a driver speaks for the job: one that waits, or was submitted again since, does not."""

Standing = Literal["yours", "there", "other"]
Word = Literal["go", "wait", "cancel", "over", "given up"]


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of a job. ``spec`` says what it does, and is not read here.

    ``state``: "claimed" (its client is about to submit its task), "queued", "running", "resuming" (the driver's worker left, and
    another attempt begins), or one of ``ENDED``. ``attempt`` counts drivers, those before a resumption too; ``fruitless`` the
    last of them, which began with no more saved than the one before. ``turn`` counts submissions, ``place`` is that in
    the queue. ``asked`` is when a driver that waits asked last whether it may go. ``progress`` is what the driver told last,
    ``error`` why the job ended.
    """

    job_id: str
    digest: str
    spec: str
    client: str = ""
    state: str = "claimed"
    worker: str = ""
    turn: int = 0
    place: int = 0
    asked: float = float("-inf")
    attempt: int = 0
    fruitless: int = 0
    saved: int = 0
    cancel: bool = False
    beat: float = 0.0
    progress: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class JobTable:
    """All jobs of a cluster. ``now`` is seconds on any clock that does not run backwards."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._places = 0

    def claim(self, wanted: Job, *, again: bool = False, anew: bool = False) -> tuple[Standing, Job]:
        """Ask for an id: it is "yours" to submit, the job is "there" already, or the id is that of an "other" job.

        ``again`` takes up a job that ended without a result; ``anew`` takes the id of any job that ended, of which nothing is
        left. ``wanted.attempt`` says how many drivers the job had elsewhere.
        """
        known = self._jobs.get(wanted.job_id)
        if known is not None and not (anew and known.state in ENDED):
            if known.digest != wanted.digest:
                return "other", known
            if not (again and known.state in ENDED and known.state != "done"):
                return "there", known
        attempt = max(wanted.attempt, known.attempt if known else 0)
        turn = known.turn + 1 if known else attempt
        self._places += 1
        self._keep(replace(wanted, attempt=attempt, turn=turn, place=self._places, state="claimed"))
        return "yours", self._jobs[wanted.job_id]

    def placed(self, job_id: str, client: str) -> None:
        """The task of a claimed job is there."""
        job = self._jobs.get(job_id)
        if job is not None and job.state == "claimed" and job.client == client:
            self._jobs[job_id] = replace(job, state="queued")

    def withdraw(self, job_id: str, client: str) -> None:
        """Whoever claimed a job does not submit it after all."""
        job = self._jobs.get(job_id)
        if job is not None and job.state == "claimed" and job.client == client:
            del self._jobs[job_id]

    def begin(self, wanted: Job, now: float) -> tuple[Word, Job]:
        """A driver begins, on ``wanted.worker``: it is to "go", to "wait" and ask again, or the job was cancelled or given up, or
        is "over".

        A job that is not known is taken from the driver: its client may have left before its task came.
        """
        job = self._jobs.get(wanted.job_id, replace(wanted, state="queued"))
        if job.digest != wanted.digest or job.state in ("done", "failed"):
            return "over", job
        if job.cancel or job.state == "cancelled":
            self._keep(replace(job, state="cancelled"))
            return "cancel", self._jobs[job.job_id]
        if (ahead := self._ahead(job, now)) is not None:
            job = replace(job, state="queued", worker=wanted.worker, asked=now, progress={"behind": ahead.job_id})
            self._keep(job)
            return "wait", job
        job = replace(
            job,
            attempt=job.attempt + 1,
            fruitless=job.fruitless + 1,
            worker=wanted.worker,
            beat=now,
            state="running",
            progress={},
        )
        if job.fruitless > FRUITLESS:
            error = f"the workers of its driver were lost {FRUITLESS} times in a row before more of it was saved"
            self._keep(replace(job, state="failed", error=error))
            return "given up", self._jobs[job.job_id]
        self._keep(job)
        return "go", job

    def beat(self, job_id: str, attempt: int, now: float, progress: Mapping[str, Any], saved: int = 0) -> Word:
        """A driver is alive; ``saved`` is how much of the job its attempt went on from. What it is to do."""
        job = self._jobs.get(job_id)
        if job is None or job.attempt != attempt or job.state not in _DRIVEN:
            return "over"
        more = saved > job.saved
        self._jobs[job_id] = replace(
            job,
            state="running",
            beat=now,
            progress=dict(progress),
            saved=max(saved, job.saved),
            fruitless=1 if more else job.fruitless,
        )
        return "cancel" if job.cancel else "go"

    def end(self, job_id: str, attempt: int, state: str, error: str | None) -> None:
        """A driver says how its job ended."""
        job = self._jobs.get(job_id)
        if job is not None and job.attempt == attempt and job.state in _DRIVEN:
            self._keep(replace(job, state=state, error=error))

    def cancel(self, job_id: str) -> Job | None:
        """A job is not wanted any more: one that runs is told so by its next beat, one that waits is cancelled at once."""
        job = self._jobs.get(job_id)
        if job is None or job.state in ENDED:
            return job
        self._keep(replace(job, cancel=True, state="running" if job.state == "running" else "cancelled"))
        return self._jobs[job_id]

    def get(self, job_id: str) -> Job | None:
        """One job."""
        return self._jobs.get(job_id)

    def remove_client(self, client: str, has_task: Callable[[Job], bool]) -> None:
        """A client left: what it claimed and did not submit is free again."""
        for job in list(self._jobs.values()):
            if job.client != client or job.state != "claimed":
                continue
            if has_task(job):
                self.placed(job.job_id, client)
            else:
                del self._jobs[job.job_id]

    def remove_worker(self, address: str) -> None:
        """A worker left, and the drivers on it with it."""
        for job in self._jobs.values():
            if job.state == "running" and job.worker == address:
                self._jobs[job.job_id] = replace(job, state="resuming")

    def look(self, has_task: Callable[[Job], bool], now: float) -> list[Job]:
        """All jobs; those that should have a task and have none are lost, and a cancelled one whose driver is stuck is over."""
        for job in list(self._jobs.values()):
            # It beats no more since it has heard, and its client is closed: nothing but itself is held up.
            if job.cancel and job.state == "running" and now - job.beat > LEAVING_SECONDS:
                self._keep(replace(job, state="cancelled"))
                continue
            if job.state not in ("queued", "running", "resuming") or has_task(job):
                continue
            if job.state != "running" or now - job.beat > SILENCE_SECONDS:
                self.lose(job.job_id)
        return list(self._jobs.values())

    def lose(self, job_id: str) -> None:
        """A job's task is gone, and nobody of the job's ended it."""
        error = "its driver's task is gone from the cluster: somebody cancelled it, or restarted the workers"
        self._keep(replace(self._jobs[job_id], state="lost", error=error))

    def _ahead(self, job: Job, now: float) -> Job | None:
        """The job that another one waits for: one that runs, or the first of those before it whose drivers wait too."""
        others = [other for other in self._jobs.values() if other.job_id != job.job_id]
        for other in others:
            if other.state in _DRIVEN:
                return other
        waiting = [other for other in others if other.state == "queued" and now - other.asked <= SILENCE_SECONDS]
        return next((other for other in sorted(waiting, key=lambda one: one.place) if other.place < job.place), None)

    def _keep(self, job: Job) -> None:
        """Remember a job; of those that ended the oldest are forgotten."""
        self._jobs.pop(job.job_id, None)
        self._jobs[job.job_id] = job
        ended = [known.job_id for known in self._jobs.values() if known.state in ENDED]
        for job_id in ended[:-_KEPT]:
            del self._jobs[job_id]
