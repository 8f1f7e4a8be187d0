"""The driver of a job, on a worker: runs it by its kind, and writes down how it stands, what it says and how it ended."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gbdist.errors import ClusterError, GbdistError
from gbdist.jobs.files import find_files
from gbdist.jobs.submitted.kinds import kind_of
from gbdist.jobs.submitted.recorder import Recorder, Voice
from gbdist.jobs.submitted.state import JobState, error_of
from gbdist.jobs.submitted.store import JobsFolder, JobStore, Submission
from gbdist_cluster.checkup import PACKAGES
from gbdist_cluster.job_driver import Outcome, Session
from gbdist_cluster.job_table import ENDED, FRUITLESS
from gbdist_cluster.monitor.reporting import labelled


@dataclass(frozen=True, eq=False)
class _Place:
    """See ``kind.Workplace``."""

    session: Session
    recorder: Recorder

    @property
    def client(self) -> Any:
        return self.session.client

    @property
    def store(self) -> JobStore:
        return self.recorder.store

    @property
    def reporter(self) -> Voice:
        return Voice(self.recorder)

    def say(self, text: str) -> None:
        self.recorder.say(text)

    def search(self, stands: Mapping[str, Any], ended: Mapping[str, Any] | None) -> None:
        self.recorder.search(stands, ended)

    def count(self, what: str, done: int, left: int) -> None:
        self.recorder.count(what, done, left)


def run_job(session: Session, folder: str) -> Outcome:
    """Run the job of a session, whose jobs folder this is."""
    if session.over:
        return Outcome("lost")
    store = JobsFolder(folder).job(session.job_id)
    try:
        submission, before = store.read_submission(), store.read_state()
        if session.word != "go":
            return _not_begun(session, store, before)
        state = before.next(attempt=session.attempt, state="running", worker=session.worker, ended=None, error=None)
        state = state.next(started=before.started or time.time())
        recorder = Recorder(store, state, session)
    except GbdistError as error:
        fix = "Choose a jobs folder with --jobs-dir that all workers see and can write to."
        return Outcome("failed", f"worker {session.worker} cannot use the jobs folder: {error} {fix}")
    return _ended(session, recorder, *_run(session, recorder, submission))


def _not_begun(session: Session, store: JobStore, before: JobState) -> Outcome:
    """Write down that there is nothing to be run."""
    state, told = "cancelled", None
    if session.word == "given up":
        fix = f"Look for the cause in the logs of the {FRUITLESS} workers, often memory, then: gbdist job resume {session.job_id}"
        state, told = "failed", error_of(ClusterError(f"the job was given up: {session.error}", fix))
    if before.state not in ENDED:
        store.write_state(replace(before, attempt=session.attempt).ends(state, told))
    return Outcome(state, None if told is None else told["text"])


def _run(session: Session, recorder: Recorder, submission: Submission) -> tuple[str, BaseException | None]:
    """Run the job; the state that it ends in, and the error if there was one."""
    again = f"; attempt {session.attempt}" if session.attempt > 1 else ""
    recorder.say(f"driver on worker {session.worker}{again}", "attempt")
    spec, began = submission.spec, time.time()
    try:
        # Looked at first: who changes files while they are trained on finds out by the digest.
        files = fingerprint(kind_of(spec.kind).reads(spec.options).names)
        with labelled(session.job_id):
            found = kind_of(spec.kind).run(spec.options, _Place(session, recorder))
        made: dict[str, Any] = {"kind": spec.kind, "options": dict(spec.options), "files": files}
        made["versions"] = versions()
        made |= {"submitted": submission.submitted, "started": began, "finished": time.time()}
        made["attempts"] = session.attempt
        recorder.store.write_json("result/record.json", {**made, **found})
    except BaseException as error:  # of the user's data, of the cluster, or of the closing of the client
        return ("cancelled", None) if session.cancelled else ("failed", error)
    return "done", None


def _ended(session: Session, recorder: Recorder, state: str, error: BaseException | None) -> Outcome:
    """Write down how the job ended, unless another attempt speaks for it."""
    if error is not None:
        recorder.failed(error)
    told = None if error is None else error_of(error)
    try:
        recorder.close(state, told, speaks=not session.over)
    except GbdistError as unwritable:
        return Outcome("failed", f"{told['text']} Besides: {unwritable}" if told else str(unwritable))
    return Outcome(state, told["text"] if told else None)


def fingerprint(names: list[str]) -> list[dict[str, Any]]:
    """Path, size and time of change of all files behind names, as far as this machine sees them."""
    paths = []
    for name in names:
        paths += [name] if name.endswith(".cbm") else [file.path for file in find_files([name])]
    return [_facts(path) for path in paths if os.path.exists(path)]


def _facts(path: str) -> dict[str, Any]:
    found = os.stat(path)
    return {"path": path, "bytes": found.st_size, "modified": found.st_mtime}


def versions() -> Mapping[str, str]:
    """Versions of Python and of what a model depends on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}
