"""Getting the result of a job that is done."""

from pathlib import Path
from typing import Any

from gbdist.jobs.outputs import parts_folder, require_replaceable, require_writable_file
from gbdist.jobs.submitted.kinds import kind_of
from gbdist.jobs.submitted.views import require_done, show
from gbdist.jobs.submitted.where import Where
from gbdist.whole_file import whole_file


def result(where: Where, job_id: str, output: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """Copy the model or the predictions of a job to ``output``, by default named after the job; where, and the job's record.

    Raises
    ------
    JobNotReady, JobFailed, JobCancelled, JobLost
        There is no result.
    OutputError
        It cannot be written there.
    """
    view = show(where, job_id)
    require_done(view)
    store, name = view.store, kind_of(view.spec.kind).result
    output = output or Path(view.job_id + Path(name).suffix)
    # A file system may list a file as what is in it.
    if parts := [part for part in store.names(name) if part.startswith("part-")]:
        require_replaceable(output)
        with parts_folder(output) as folder:
            for part in parts:
                store.copy(f"{name}/{part}", folder / part)
    else:
        require_writable_file(output)
        with whole_file(output) as unfinished:
            store.copy(name, unfinished)
    return output, store.read_json("result/record.json")
