"""The jobs folder, on this machine or on anything that fsspec knows. A job is a folder of it:

ID/job.json                what the job does, and who submitted it; written once
ID/state.json              how it stands
ID/log/0001-000001.jsonl   what was said, in parts: an attempt, and a number. Object stores cannot append
ID/snapshot/…              what is trained so far
ID/result/…                the model or the predictions, and record.json
"""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbdist.jobs.outputs import OutputError
from gbdist.jobs.submitted.errors import JobError
from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState, state_of
from gbdist.snapshots.files import Folder, folder_of, reason

#: Version of ``job.json``. A reader refuses what is newer; when a field changes its meaning, add one and read both.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Submission:
    """``job.json``: what the job does, when it was submitted, and with which gbdist."""

    spec: JobSpec
    submitted: float
    version: str


class JobsFolder:
    """All jobs of a folder."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") if "://" in url else os.path.abspath(url)

    def job(self, job_id: str) -> "JobStore":
        """One job, there or not."""
        return JobStore(self.url, job_id)

    def ids(self) -> list[str]:
        """Ids of all jobs, sorted."""
        return sorted(name for name in _names(f"{self.url}/x") if not name.startswith(".") and self.job(name).exists())

    def require_writable(self) -> None:
        """Raise an ``OutputError`` unless jobs can be written to the folder; it is made if it is not there."""
        name = f".{uuid.uuid4().hex}"
        try:
            folder = folder_of(f"{self.url}/{name}")[0]
            folder.make()
            folder.write(name, b"")
            folder.delete(name)
        except Exception as error:  # of whatever file system
            raise OutputError(self.url, reason(error), "Choose another jobs folder with --jobs-dir.") from error


class JobStore:
    """The folder of one job. What cannot be read is a ``JobError``, what cannot be written an ``OutputError``."""

    def __init__(self, folder: str, job_id: str) -> None:
        self.folder, self.job_id = folder, job_id

    @property
    def local(self) -> Path | None:
        """The folder as a path, where it is one of this machine."""
        return None if "://" in self.folder else Path(self.folder) / self.job_id

    def url(self, name: str) -> str:
        """Where a file of the job is."""
        return f"{self.folder}/{self.job_id}/{name}"

    def exists(self) -> bool:
        """Whether there is such a job."""
        return "job.json" in _names(self.url("job.json"))

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder of the job, sorted."""
        return sorted(_names(self.url(f"{folder}/x")))

    def read(self, name: str) -> bytes:
        """A file of the job."""
        folder, name = self._place(name)
        try:
            return folder.read(name)
        except Exception as error:
            raise JobError(f"{folder.path(name)} cannot be read: {reason(error)}", "Check the jobs folder.") from error

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of the job to this machine."""
        try:
            if self.local is None:
                target.write_bytes(self.read(name))
            else:
                shutil.copyfile(self.local / name, target)
        except OSError as error:
            problem = f"{self.url(name)} cannot be copied to {target}: {reason(error)}"
            raise JobError(problem, "Check the jobs folder, and the room where it is to go.") from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the job whole."""
        folder, name = self._place(name)
        try:
            folder.make()
            folder.write(name, data)
        except Exception as error:
            fix = "Choose a jobs folder with --jobs-dir that all workers can write to."
            raise OutputError(folder.path(name), reason(error), fix) from error

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the job."""
        try:
            found: dict[str, Any] = json.loads(self.read(name))
        except ValueError as error:
            raise JobError(f"{self.url(name)} is not JSON: {error}", "Check the jobs folder.") from error
        return found

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file of the job whole."""
        data = json.dumps(content, indent=1, default=str).encode() + b"\n"
        if self.local is None:
            self.write(name, data)
            return
        # Of its own name, as a driver and somebody who looks may write at the same time.
        unfinished = f"{name}.{uuid.uuid4().hex[:8]}"
        self.write(unfinished, data)
        os.replace(self.local / unfinished, self.local / name)

    # ---- job.json and state.json

    def read_submission(self) -> Submission:
        """What was submitted."""
        written = self.read_json("job.json")
        if written.get("format", 0) > FORMAT:
            problem = f"{self.url('job.json')} is of a newer gbdist ({written.get('version')})"
            raise JobError(problem, "Use that version.")
        try:
            spec = JobSpec(written["kind"], written["options"])
            return Submission(spec, float(written["submitted"]), str(written["version"]))
        except (KeyError, TypeError, ValueError) as error:
            raise JobError(f"{self.url('job.json')} cannot be understood", "Submit the job again.") from error

    def write_submission(self, made: Submission) -> None:
        """Write down what is submitted."""
        spec = {"kind": made.spec.kind, "options": dict(made.spec.options)}
        head = {"format": FORMAT, "id": self.job_id, "submitted": made.submitted, "version": made.version}
        self.write_json("job.json", {**head, **spec})

    def read_state(self) -> JobState:
        """How the job stands, as it was written last."""
        if "state.json" not in _names(self.url("state.json")):  # whoever submits it has come so far, or no further
            return JobState("queued", submitted=self.read_submission().submitted)
        try:
            return state_of(self.read_json("state.json"))
        except TypeError as error:
            raise JobError(f"{self.url('state.json')} cannot be understood", "Submit the job again.") from error

    def write_state(self, state: JobState) -> None:
        """Write down how the job stands, unless a later attempt has written already."""
        if "state.json" not in _names(self.url("state.json")) or self.read_state().order <= state.order:
            self.write_json("state.json", state.as_json())

    def _place(self, name: str) -> tuple[Folder, str]:
        return folder_of(self.url(name))


def _names(path: str) -> list[str]:
    """Names in the folder of a path; none if there is no such folder."""
    try:
        return folder_of(path)[0].names()
    except NotADirectoryError:
        return []
    except Exception as error:
        raise JobError(f"{path.rpartition('/')[0]} cannot be read: {reason(error)}", "Check --jobs-dir.") from error
