"""Train a model from files and save it: what ``gbdist train`` does, callable from Python."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.jobs.cluster import workers_of
from gbdist.jobs.files import find_files
from gbdist.jobs.learning import (
    LearningJob,
    Prepared,
    check_learning,
    find_task,
    given_once,
    make_estimator,
    open_rows,
)
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.jobs.tables import open_table
from gbdist.jobs.targets import Task
from gbdist.whole_file import whole_file


@dataclass(frozen=True, slots=True)
class TrainJob(LearningJob):
    """What to train on, for what, where, and where the model goes.

    ``eval_data`` are files, folders or patterns as ``data``. ``group`` says which rows are ranked together; without one rows
    are not ranked.
    ``snapshot`` is where what is trained so far is kept and gone on from: a path from the current folder, or a URL.
    ``profile`` is a folder of this machine for a timeline of the run.
    """

    output: Path = Path("model.cbm")
    eval_data: tuple[str, ...] = ()
    snapshot: str | None = None
    profile: Path | None = None


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What was trained. ``best_score`` has the best value of every metric on every data set, as CatBoost's has.

    ``categorical`` are the columns that were taken as categories. ``profile`` is the folder of the timeline.
    """

    model: Path
    task: Task
    features: int
    categorical: tuple[str, ...]
    trees: int
    best_iteration: int | None
    best_score: dict[str, dict[str, float]]
    workers: int
    seconds: float
    profile: Path | None = None


def train(
    job: TrainJob, say: Callable[[str], None] = lambda _: None, client: Any = None, reporter: Any = None
) -> TrainResult:
    """Train and save the model. Everything that can be checked beforehand is checked before a worker starts.

    ``say`` is called with a line for each step; progress is shown as the parameter ``verbose`` asks for it, by the ``reporter``
    (``gbdist.estimators.listeners.Reporter``) if there is one. With a ``client`` its cluster is used, and is none of the job's.

    Raises
    ------
    ParameterError, DataError, OutputError, SnapshotError, ClusterError
        With the value, what was expected and what to do.
    """
    from gbdist.estimators.listeners import told_to

    prepared = prepare(job)
    prepared.tell(say)
    with workers_of(job, client, say) as (client, n_workers):
        task = find_task(job, prepared, client, say)
        estimator = make_estimator(task, prepared.params, client)
        started = perf_counter()
        beside: dict[str, Any] = {} if job.group is None else {"group_id": job.group}
        if job.profile is not None:
            beside["profile"] = job.profile
        evals = prepared.eval_set(job.label, job.group)
        with told_to(reporter):
            estimator.fit(prepared.table, job.label, sample_weight=job.weight, eval_set=evals, **beside)
        seconds = perf_counter() - started
    if job.profile is not None:
        say(_summary_in(job.profile))
    with whole_file(job.output) as unfinished:
        estimator.save_model(str(unfinished))
    return TrainResult(
        model=job.output,
        task=task,
        features=int(estimator.n_features_in_),
        categorical=prepared.kinds.categorical,
        trees=int(estimator.tree_count_),
        best_iteration=estimator.best_iteration_,
        best_score=estimator.best_score_,
        workers=n_workers,
        seconds=seconds,
        profile=job.profile,
    )


def _summary_in(folder: Path) -> str:
    """What the profile of a fit says; nothing where it could not be written, of which the fit has warned."""
    from gbdist.estimators.profile import SUMMARY

    path = folder / SUMMARY
    return path.read_text().rstrip() if path.exists() else ""


def prepare(job: TrainJob) -> Prepared:
    """Check parameters, files, columns and the output; nothing but names, types and counts is read."""
    require_writable_file(job.output)
    given, checked, hashed = check_given(job)
    require_not_read(job.output, [file.path for data in (job.data, job.eval_data) if data for file in find_files(data)])
    prepared = open_rows(job, given, checked, hashed=hashed)
    if not job.eval_data:
        return prepared
    # The eval set is scored as it is: row weights are about learning.
    columns = [name for name in prepared.table.columns if name != job.weight]
    needed = [*job.targets, *([] if job.group is None else [job.group])]
    kinds, cat_nan = prepared.kinds, given.get("cat_nan")
    return replace(prepared, eval_table=open_table(job.eval_data, needed, columns, kinds=kinds, cat_nan=cat_nan))


def check_given(job: TrainJob) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Check what needs no file: parameters as given, as the estimator takes them, and whether histograms are added up."""
    given = _with_snapshot(job)
    checked, hashed = check_learning(job, given)
    if job.profile is not None:
        from gbdist.estimators.profile import profile_of

        profile_of(job.profile, job.targets[0], histograms=hashed)
    return given, checked, hashed


def _with_snapshot(job: TrainJob) -> dict[str, Any]:
    """The parameters with the job's ``snapshot``; see ``given_once``."""
    given = given_once(
        job, [("snapshot", job.snapshot, name) for name in ("save_snapshot", "snapshot_file", "train_dir")]
    )
    if job.snapshot is None:
        return given
    # Whole, so that CatBoost's train_dir, which is not a user's of the command, has no part in it.
    place = job.snapshot if "://" in job.snapshot else os.path.abspath(job.snapshot)
    return {**given, "save_snapshot": True, "snapshot_file": place}
