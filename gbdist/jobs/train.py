"""Train a model from files and save it: what ``gbdist train`` does, callable from Python."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.errors import ParameterError
from gbdist.jobs.cluster import workers_for
from gbdist.jobs.files import find_files
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.jobs.tables import open_table
from gbdist.jobs.targets import Task, choose_task, require_known_task


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What to train on, for what, where, and where the model goes.

    ``data`` and ``eval_data`` are files, folders or patterns; ``ignore`` are columns that are no features.
    ``params`` are CatBoost's parameters under its names.
    ``scheduler`` is the address of a Dask cluster; without one ``workers`` workers of ``threads`` threads start here.
    """

    data: tuple[str, ...]
    target: str
    output: Path = Path("model.cbm")
    eval_data: tuple[str, ...] = ()
    weight: str | None = None
    ignore: tuple[str, ...] = ()
    task: str = "auto"
    params: dict[str, Any] = field(default_factory=dict)
    workers: int | None = None
    threads: int | None = None
    scheduler: str | None = None


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What was trained. ``best_score`` has the best value of every metric on every data set, as CatBoost's has."""

    model: Path
    task: Task
    features: int
    trees: int
    best_iteration: int | None
    best_score: dict[str, dict[str, float]]
    workers: int
    seconds: float


def train(job: TrainJob, say: Callable[[str], None] = lambda _: None) -> TrainResult:
    """Train and save the model. Everything that can be checked beforehand is checked before a worker starts.

    ``say`` is called with a line for each step; progress is shown as the parameter ``verbose`` asks for it.

    Raises
    ------
    ParameterError, DataError, OutputError, ClusterError
        With the value, what was expected and what to do.
    """
    prepared = prepare(job)
    with workers_for(job.scheduler, job.workers, job.threads) as client:
        n_workers = len(client.scheduler_info(n_workers=-1)["workers"])
        say(f"workers: {n_workers}; dashboard: {client.dashboard_link}")
        task = choose_task(job.task, job.params, prepared.table, job.target, client)
        say(
            f"task: {task}"
            + (f" (from the values of {job.target!r}; --task says otherwise)" if job.task == "auto" else "")
        )
        estimator = make_estimator(task, job.params, client)
        started = perf_counter()
        estimator.fit(prepared.table, job.target, sample_weight=job.weight, eval_set=prepared.eval_set(job.target))
        seconds = perf_counter() - started
    unfinished = job.output.with_name(f".{job.output.name}.unfinished")
    estimator.save_model(str(unfinished))
    os.replace(unfinished, job.output)
    return TrainResult(
        model=job.output,
        task=task,
        features=int(estimator.n_features_in_),
        trees=int(estimator.tree_count_),
        best_iteration=estimator.best_iteration_,
        best_score=estimator.best_score_,
        workers=n_workers,
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """Lazy tables of a job that has been checked."""

    table: Any
    eval_table: Any | None

    def eval_set(self, target: str) -> tuple[Any, str] | None:
        """What ``fit`` takes as ``eval_set``."""
        return None if self.eval_table is None else (self.eval_table, target)


def prepare(job: TrainJob) -> Prepared:
    """Check parameters, files, columns and the output; nothing but names, types and counts is read."""
    from gbdist.estimators.parameters.check import check_parameters

    require_writable_file(job.output)
    require_known_task(job.task)
    # Classification knows every parameter that regression knows; what is not for the task is refused by ``fit``.
    params = {name: value for name, value in job.params.items() if not _is_loss(name)}
    unbinned = _named_columns(check_parameters(params, classifier=True)[1])
    if not job.data:
        raise ParameterError("DATA", job.data, "at least one file, folder or pattern", "Say what to train on.")
    weights = [] if job.weight is None else [job.weight]
    if job.target in job.ignore or job.weight in job.ignore:
        raise ParameterError("ignore", job.ignore, "neither the target nor the weight in it", "Leave it out.")
    require_not_read(job.output, [file.path for data in (job.data, job.eval_data) if data for file in find_files(data)])
    table = open_table(job.data, required=[job.target, *weights], ignore=job.ignore, unbinned=unbinned)
    eval_table = None
    if job.eval_data:
        # The eval set is scored as it is: row weights are about learning.
        columns = [name for name in table.columns if name != job.weight]
        eval_table = open_table(job.eval_data, required=[job.target], columns=columns, unbinned=unbinned)
    return Prepared(table, eval_table)


def _named_columns(checked: dict[str, Any]) -> list[str]:
    """Names of the categorical, text and embedding columns."""
    from gbdist.quantize.unbinned import KINDS

    return [name for parameter in KINDS.values() for name in checked.get(parameter, ()) if isinstance(name, str)]


def _is_loss(name: str) -> bool:
    from gbdist.estimators.parameters.table import ALIASES

    return ALIASES.get(name, name) == "loss_function"


def make_estimator(task: Task, params: dict[str, Any], client: Any) -> Any:
    """The estimator for a task, not fitted."""
    from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor

    if task == "regression":
        return DaskCatBoostRegressor(**params, client=client)
    if task == "multiclass" and not any(_is_loss(name) for name in params):
        params = {**params, "loss_function": "MultiClass"}
    return DaskCatBoostClassifier(**params, client=client)
