"""What a job learns from: rows of files, their columns, the task and the parameters; checked before a worker starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import ALIASES
from gbdist.jobs.columns import ColumnKinds, categorical_by_type, in_words, kinds_named
from gbdist.jobs.files import find_files, read_schema
from gbdist.jobs.pieces import require_columns
from gbdist.jobs.tables import open_table
from gbdist.jobs.targets import Task, choose_task, decided_by, is_loss, require_known_task, require_targets


@dataclass(frozen=True, slots=True)
class LearningJob:
    """What to learn from, for what, and where.

    ``data`` are files, folders or patterns; ``target`` is the column of the labels, or several of them for a
    loss of several; ``ignore`` are columns that are no features. ``group`` is the column of groups.
    ``cat`` are the categorical columns, as ``cat_features`` in ``params``; without either they are those of categories and of
    texts by their types. ``cat_nan`` stands for missing values in them.
    ``params`` are CatBoost's parameters under its names.
    ``scheduler`` is the address of a Dask cluster, with ``tls`` as the folder of its certificates where it needs them, or the
    name of one that ``gbdist cluster up`` has started; without one ``workers`` workers of ``threads`` threads start here.
    """

    data: tuple[str, ...]
    target: str | tuple[str, ...]
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

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of the labels."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def label(self) -> str | list[str]:
        """The same, as ``fit`` takes it."""
        return self.targets[0] if len(self.targets) == 1 else list(self.targets)

    @property
    def ranks(self) -> bool:
        """Whether rows are ranked within their groups."""
        return self.group is not None

    def beside(self) -> dict[str, str]:
        """Columns of rows that are no features, beside the target, and what each is in words."""
        named = {"the weight": self.weight, "the group": self.group}
        return {column: words for words, column in named.items() if column is not None}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that has been checked: lazy tables, the parameters of its estimator, and the columns that are no numbers.

    ``by_type`` says whether categorical columns were found by their types.
    """

    table: Any
    params: dict[str, Any]
    kinds: ColumnKinds
    by_type: bool
    eval_table: Any | None = None

    def eval_set(self, target: str | list[str], group: str | None) -> Any:
        """What ``fit`` takes as ``eval_set``."""
        if self.eval_table is None:
            return None
        return (self.eval_table, target) if group is None else {"X": self.eval_table, "y": target, "group_id": group}

    def tell(self, say: Callable[[str], None]) -> None:
        """Say which columns are categorical, if any are."""
        if self.kinds.categorical:
            say(in_words(self.kinds.categorical, by_type=self.by_type))


def given_once(job: LearningJob, more: Sequence[tuple[str, Any, str]] = ()) -> dict[str, Any]:
    """The parameters with the job's ``cat_nan``; ParameterError for something that is given twice.

    ``more`` are further options that parameters could say too: name, value and parameter of each.
    """
    for name, value, parameter in (("cat", job.cat, "cat_features"), ("cat_nan", job.cat_nan, "cat_nan"), *more):
        if value not in (None, ()) and job.params.get(parameter) is not None:
            expected = f"it in one place, and the parameter {parameter}={job.params[parameter]!r} is given too"
            raise ParameterError(name, list(value) if name == "cat" else value, expected, "Leave out one of the two.")
    return job.params if job.cat_nan is None else {**job.params, "cat_nan": job.cat_nan}


def check_learning(job: LearningJob, given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Check what needs no file: parameters as the estimator takes them, and whether histograms are added up."""
    from gbdist.estimators.parameters.check import check_parameters

    require_known_task(job.task)
    # Classification knows every parameter that regression knows; what is not for the task is refused by ``fit``.
    params = {name: value for name, value in given.items() if not is_loss(name)}
    if job.ranks:
        aggregation, checked = check_parameters(given, classifier=False, ranker=True)
    else:
        aggregation, checked = check_parameters(params, classifier=True)
    if not job.data:
        raise ParameterError("DATA", job.data, "at least one file, folder or pattern", "Say what to train on.")
    require_targets(job.targets, given)
    used = dict.fromkeys(job.targets, "the target") | job.beside()
    for name in job.ignore:
        if name in used:
            raise ParameterError("--ignore", name, f"a column without a use, and it is {used[name]}", "Leave it out.")
    return checked, aggregation is None


def open_rows(job: LearningJob, given: dict[str, Any], checked: Mapping[str, Any], *, hashed: bool) -> Prepared:
    """The job's rows as a lazy table, of a job that ``check_learning`` has checked; nothing but names and types is read."""
    kinds, by_type = _column_kinds(job, checked, hashed=hashed)
    if kinds.categorical:
        given = {**given, "cat_features": list(kinds.categorical)}
    required = [*job.targets, *job.beside()]
    table = open_table(job.data, required, ignore=job.ignore, kinds=kinds, cat_nan=given.get("cat_nan"))
    return Prepared(table, given, kinds, by_type)


def _column_kinds(job: LearningJob, checked: Mapping[str, Any], *, hashed: bool) -> tuple[ColumnKinds, bool]:
    """The features that are no numbers, and whether categorical ones were found by their types: for histograms (``hashed``)."""
    from gbdist.quantize.unbinned import KINDS

    first = find_files(job.data)[0]
    schema = read_schema(first)
    others = dict.fromkeys(job.ignore, "a column to ignore") | dict.fromkeys(job.targets, "the target")
    others |= job.beside()
    features = [name for name in schema.names if name not in others]
    named = {parameter: checked[parameter] for parameter in KINDS.values() if parameter in checked}
    named |= {"cat": job.cat} if job.cat else {}
    asked = [name for given in named.values() for name in given if isinstance(name, str)]
    require_columns(first.path, schema.names, [*others, *asked])
    if hashed and not named.keys() & {"cat", "cat_features"}:
        return ColumnKinds(categorical_by_type(schema, features)), True
    return kinds_named(named, features, others), False


def named(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters under CatBoost's first name of each."""
    return {ALIASES.get(name, name): value for name, value in params.items()}


def find_task(job: LearningJob, prepared: Prepared, client: Any, say: Callable[[str], None]) -> Task:
    """The task of a job, which is said; see ``choose_task`` for how, and for errors."""
    target = job.targets[0]
    task = choose_task(job.task, prepared.params, prepared.table, target, client, grouped=job.ranks)
    say(f"task: {task}{decided_by(job.task, prepared.params, target, grouped=job.ranks)}")
    return task


def make_estimator(task: Task, params: dict[str, Any], client: Any) -> Any:
    """The estimator for a task, not fitted."""
    from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor

    if task == "ranking":
        return DaskCatBoostRanker(**params, client=client)
    if task == "regression":
        return DaskCatBoostRegressor(**params, client=client)
    if task == "multiclass" and not any(map(is_loss, params)):
        params = {**params, "loss_function": "MultiClass"}
    return DaskCatBoostClassifier(**params, client=client)
