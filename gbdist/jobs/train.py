"""Train a model from files and save it: what ``gbdist train`` does, callable from Python."""

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.errors import ParameterError
from gbdist.jobs.cluster import workers_for
from gbdist.jobs.columns import ColumnKinds, categorical_by_type, in_words, kinds_named
from gbdist.jobs.files import find_files, read_schema
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.jobs.pieces import require_columns
from gbdist.jobs.tables import open_table
from gbdist.jobs.targets import Task, choose_task, decided_by, require_known_task, require_targets
from gbdist.whole_file import whole_file


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What to train on, for what, where, and where the model goes.

    ``data`` and ``eval_data`` are files, folders or patterns; ``target`` is the column of the labels, or several of them for a
    loss of several; ``ignore`` are columns that are no features. ``group`` is the column that says which rows are ranked
    together; without one rows are not ranked.
    ``cat`` are the categorical columns, as ``cat_features`` in ``params``; without either they are those of categories and of
    texts by their types. ``cat_nan`` stands for missing values in them.
    ``params`` are CatBoost's parameters under its names.
    ``snapshot`` is where what is trained so far is kept and gone on from: a path from the current folder, or a URL.
    ``scheduler`` is the address of a Dask cluster, with ``tls`` as the folder of its certificates where it needs them, or the
    name of one that ``gbdist cluster up`` has started; without one ``workers`` workers of ``threads`` threads start here.
    ``profile`` is a folder of this machine for a timeline of the run.
    """

    data: tuple[str, ...]
    target: str | tuple[str, ...]
    output: Path = Path("model.cbm")
    eval_data: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    ignore: tuple[str, ...] = ()
    cat: tuple[str, ...] = ()
    cat_nan: str | None = None
    task: str = "auto"
    params: dict[str, Any] = field(default_factory=dict)
    workers: int | None = None
    threads: int | None = None
    scheduler: str | None = None
    tls: str | None = None
    snapshot: str | None = None
    profile: Path | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of the labels."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def label(self) -> str | list[str]:
        """The same, as ``fit`` takes it."""
        return self.targets[0] if len(self.targets) == 1 else list(self.targets)


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
    cluster = workers_for(job.scheduler, job.workers, job.threads, job.tls) if client is None else nullcontext(client)
    with cluster as client:
        n_workers = len(client.scheduler_info(n_workers=-1)["workers"])
        say(f"workers: {n_workers}; dashboard: {client.dashboard_link}")
        grouped = job.group is not None
        task = choose_task(job.task, prepared.params, prepared.table, job.targets[0], client, grouped=grouped)
        say(f"task: {task}{decided_by(job.task, prepared.params, job.targets[0], grouped=grouped)}")
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that has been checked: lazy tables, the parameters of its estimator, and the columns that are no numbers.

    ``by_type`` says whether categorical columns were found by their types.
    """

    table: Any
    eval_table: Any | None
    params: dict[str, Any]
    kinds: ColumnKinds
    by_type: bool

    def eval_set(self, target: str | list[str], group: str | None) -> Any:
        """What ``fit`` takes as ``eval_set``."""
        if self.eval_table is None:
            return None
        return (self.eval_table, target) if group is None else {"X": self.eval_table, "y": target, "group_id": group}

    def tell(self, say: Callable[[str], None]) -> None:
        """Say which columns are categorical, if any are."""
        if self.kinds.categorical:
            say(in_words(self.kinds.categorical, by_type=self.by_type))


def prepare(job: TrainJob) -> Prepared:
    """Check parameters, files, columns and the output; nothing but names, types and counts is read."""
    require_writable_file(job.output)
    given, checked, hashed = check_given(job)
    require_not_read(job.output, [file.path for data in (job.data, job.eval_data) if data for file in find_files(data)])
    kinds, by_type = _column_kinds(job, checked, hashed=hashed)
    if kinds.categorical:
        given = {**given, "cat_features": list(kinds.categorical)}
    required = [name for name in (*job.targets, job.weight, job.group) if name is not None]
    cat_nan = given.get("cat_nan")
    table = open_table(job.data, required, ignore=job.ignore, kinds=kinds, cat_nan=cat_nan)
    eval_table = None
    if job.eval_data:
        # The eval set is scored as it is: row weights are about learning.
        columns = [name for name in table.columns if name != job.weight]
        needed = [*job.targets, *([] if job.group is None else [job.group])]
        eval_table = open_table(job.eval_data, needed, columns, kinds=kinds, cat_nan=cat_nan)
    return Prepared(table, eval_table, given, kinds, by_type)


def check_given(job: TrainJob) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Check what needs no file: parameters as given, as the estimator takes them, and whether histograms are added up."""
    from gbdist.estimators.parameters.check import check_parameters

    require_known_task(job.task)
    given = _given_once(job)
    # Classification knows every parameter that regression knows; what is not for the task is refused by ``fit``.
    params = {name: value for name, value in given.items() if not _is_loss(name)}
    if job.group is None:
        aggregation, checked = check_parameters(params, classifier=True)
    else:
        aggregation, checked = check_parameters(given, classifier=False, ranker=True)
    if job.profile is not None:
        from gbdist.estimators.profile import profile_of

        profile_of(job.profile, job.targets[0], histograms=aggregation is None)
    if not job.data:
        raise ParameterError("DATA", job.data, "at least one file, folder or pattern", "Say what to train on.")
    require_targets(job.targets, given)
    if {*job.targets, job.weight, job.group} & set(job.ignore):
        raise ParameterError(
            "ignore", job.ignore, "neither the target nor the weight nor the group in it", "Leave it out."
        )
    return given, checked, aggregation is None


def _given_once(job: TrainJob) -> dict[str, Any]:
    """The parameters with the job's ``cat_nan`` and ``snapshot``; ParameterError for something that is given twice."""
    twice = [("cat", job.cat, "cat_features"), ("cat_nan", job.cat_nan, "cat_nan")]
    twice += [("snapshot", job.snapshot, name) for name in ("save_snapshot", "snapshot_file", "train_dir")]
    for name, value, parameter in twice:
        if value not in (None, ()) and job.params.get(parameter) is not None:
            expected = f"it in one place, and the parameter {parameter}={job.params[parameter]!r} is given too"
            raise ParameterError(name, list(value) if name == "cat" else value, expected, "Leave out one of the two.")
    given = job.params if job.cat_nan is None else {**job.params, "cat_nan": job.cat_nan}
    if job.snapshot is None:
        return given
    # Whole, so that CatBoost's train_dir, which is not a user's of the command, has no part in it.
    place = job.snapshot if "://" in job.snapshot else os.path.abspath(job.snapshot)
    return {**given, "save_snapshot": True, "snapshot_file": place}


def _column_kinds(job: TrainJob, checked: Mapping[str, Any], *, hashed: bool) -> tuple[ColumnKinds, bool]:
    """The features that are no numbers, and whether categorical ones were found by their types: for histograms (``hashed``)."""
    from gbdist.quantize.unbinned import KINDS

    first = find_files(job.data)[0]
    schema = read_schema(first)
    others = dict.fromkeys(job.ignore, "a column to ignore") | dict.fromkeys(job.targets, "the target")
    others |= {} if job.weight is None else {job.weight: "the weight"}
    others |= {} if job.group is None else {job.group: "the group"}
    features = [name for name in schema.names if name not in others]
    named = {parameter: checked[parameter] for parameter in KINDS.values() if parameter in checked}
    named |= {"cat": job.cat} if job.cat else {}
    asked = [name for given in named.values() for name in given if isinstance(name, str)]
    require_columns(first.path, schema.names, [*others, *asked])
    if hashed and not named.keys() & {"cat", "cat_features"}:
        return ColumnKinds(categorical_by_type(schema, features)), True
    return kinds_named(named, features, others), False


def _is_loss(name: str) -> bool:
    from gbdist.estimators.parameters.table import ALIASES

    return ALIASES.get(name, name) == "loss_function"


def make_estimator(task: Task, params: dict[str, Any], client: Any) -> Any:
    """The estimator for a task, not fitted."""
    from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor

    if task == "ranking":
        return DaskCatBoostRanker(**params, client=client)
    if task == "regression":
        return DaskCatBoostRegressor(**params, client=client)
    if task == "multiclass" and not any(_is_loss(name) for name in params):
        params = {**params, "loss_function": "MultiClass"}
    return DaskCatBoostClassifier(**params, client=client)
