"""Cross-validate on files: what ``gbdist cv`` does, callable from Python."""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.boosting.events import Event, IterationDone, Listener, RunFinished
from gbdist.errors import ParameterError
from gbdist.estimators.base import progress_asked
from gbdist.estimators.listeners import Reporter, close, told_to
from gbdist.estimators.parameters.talk import without_talk
from gbdist.jobs.cluster import workers_of
from gbdist.jobs.files import find_files
from gbdist.jobs.folding import FoldedJob, with_loss
from gbdist.jobs.learning import Prepared, check_learning, find_task, given_once, named, open_rows
from gbdist.jobs.outputs import OutputError, require_not_read, require_writable_file
from gbdist.jobs.result_tables import require_ending, write_table
from gbdist.jobs.targets import Task, loss_of
from gbdist.whole_file import whole_file

_MODELS = "fold-*.cbm"


@dataclass(frozen=True, slots=True)
class CvJob(FoldedJob):
    """What to cross-validate on, for what and where, and where curves, models and the page go.

    ``inverted`` trains on one fold and scores on the others. ``out`` is a file for the curves of all metrics, whose ending
    says its format (``result_tables.ENDINGS``); ``models`` is a folder for a model of each fold; ``plot`` is an HTML page.
    """

    inverted: bool = False
    out: Path | None = None
    models: Path | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class CvResult:
    """What came out. ``scores`` has a row for each metric, as of ``best_iteration``: means over folds, and deviations.

    ``best_iteration`` is the best one of the mean of the eval metric over the held-out rows; ``stopped`` is "iterations" or
    "overfitting". ``learning_rate`` is that of all folds, which follows from the data where the job does not give it.
    """

    task: Task
    folds: int
    features: int
    categorical: tuple[str, ...]
    trees: int
    best_iteration: int
    stopped: str
    learning_rate: float
    scores: tuple[dict[str, Any], ...]
    workers: int
    seconds: float
    out: Path | None = None
    models: Path | None = None
    plot: Path | None = None


def cross_validate(
    job: CvJob, say: Callable[[str], None] = lambda _: None, client: Any = None, reporter: Any = None
) -> CvResult:
    """Train a model for each fold, and write curves, models and page; what can be checked is checked before a worker starts.

    The arguments are those of ``gbdist.jobs.train.train``, and so are errors.
    """
    prepared = prepare(job)
    prepared.tell(say)
    with workers_of(job, client, say) as (client, n_workers):
        task = find_task(job, prepared, client, say)
        job.check_order(prepared.table, client)
        params = with_loss(task, prepared.params)
        with told_to(reporter):
            heard = Heard(progress_asked(named(params)))
        started = perf_counter()
        with closing(heard), told_to(heard):
            curves, models = _trained(job, prepared.table, params, client)
        seconds = perf_counter() - started
    _write(job, curves, models)
    best = heard.best if heard.best >= 0 else int(curves["iterations"].iloc[-1])
    features = len(models[0].feature_names_)
    return CvResult(
        task=task,
        folds=job.folds,
        features=features,
        categorical=prepared.kinds.categorical,
        trees=int(models[0].tree_count_),
        best_iteration=best,
        stopped=heard.stopped,
        learning_rate=float(models[0].learning_rate_),
        scores=scores_at(curves, best),
        workers=n_workers,
        seconds=seconds,
        out=job.out,
        models=job.models,
        plot=job.plot,
    )


def prepare(job: CvJob) -> Prepared:
    """Check folds, outputs, parameters, files and columns; nothing but names and types is read."""
    for path in filter(None, (job.out, job.plot)):
        require_writable_file(path)
    if job.models is not None:
        _require_models_folder(job.models)
    given, checked, hashed = check_given(job)
    read = [file.path for file in find_files(job.data)]
    for path in filter(None, (job.out, job.models, job.plot)):
        require_not_read(path, read)
    return open_rows(job, given, checked, hashed=hashed)


def check_given(job: CvJob) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Check what needs no file, as ``gbdist.jobs.train.check_given`` does."""
    require_ending(job.out)
    job.check_folds()
    if job.seed is not None and (job.follows_time or job.shuffle is False):
        raise ParameterError("--seed", job.seed, "folds that are drawn, and these are not", "Leave it out.")
    if job.inverted and job.follows_time:
        raise ParameterError("--inverted", True, "folds that may train on what comes later", "Leave it out.")
    given = given_once(job)
    return given, *check_learning(job, given)


def _trained(job: CvJob, table: Any, params: dict[str, Any], client: Any) -> tuple[Any, list[Any]]:
    """The curves and the models. ``cv`` is to tell all that goes on, whoever shows it: what is shown, the parameters say."""
    from gbdist.selection import cv

    rows, groups = job.rows_and_groups(table)
    asked = _folds(job, str(loss_of(params)), groups)
    aloud = without_talk(params) | {"verbose": 1}
    data = (rows, job.label, job.weight)
    found: tuple[Any, list[Any]] = cv(data, aloud, return_models=True, plot_file=job.plot, client=client, **asked)
    return found


def _folds(job: CvJob, loss: str, groups: Any) -> dict[str, Any]:
    """The folds as ``cv`` takes them."""
    how: dict[str, Any] = {"inverted": job.inverted}
    if job.follows_time or (job.group is not None and not job.ranks):
        return how | {"folds": job.splitter(loss), "groups": groups}
    how |= {"fold_count": job.folds, "shuffle": job.shuffle is not False, "partition_random_seed": job.seed or 0}
    return how | ({"group_id": groups} if job.ranks else {"stratified": job.keeps_shares(loss)})


class Heard:
    """Remembers how a run went, and passes its events on to whoever shows them (``gbdist.estimators.listeners.Reporter``)."""

    def __init__(self, shown: Listener | None) -> None:
        self._shown = shown
        self.best, self.stopped = -1, ""

    def hear(self, event: Event) -> bool:
        """Take an event; never stops the run."""
        match event:
            case IterationDone():
                self.best = event.best
            case RunFinished():
                self.stopped = event.stopped
        if self._shown is not None:
            self._shown.hear(event)
        return False

    def say(self, line: str) -> None:
        """Pass a line on."""
        if isinstance(self._shown, Reporter):
            self._shown.say(line)

    def close(self) -> None:
        """Let whoever shows the run tidy up."""
        close(self._shown)


def scores_at(curves: Any, iteration: int) -> tuple[dict[str, Any], ...]:
    """The row of each metric of the curves that ``cv`` returns, a DataFrame, at an iteration; None where there is no value."""
    row = curves[curves["iterations"] <= iteration].iloc[-1]
    names = list(dict.fromkeys(name.split("-", 1)[1].rsplit("-", 1)[0] for name in curves.columns if "-" in name))
    words = {"test": "test-{}-mean", "test_std": "test-{}-std", "train": "train-{}-mean", "train_std": "train-{}-std"}
    return tuple(
        {"metric": name, **{word: _number(row.get(column.format(name))) for word, column in words.items()}}
        for name in names
    )


def _number(value: Any) -> float | None:
    """A finite number, None for what JSON has no number for: a deviation of a single fold, a metric that is not computed."""
    return None if value is None or not math.isfinite(value) else float(value)


# ---- what is written


def _write(job: CvJob, curves: Any, models: list[Any]) -> None:
    if job.out is not None:
        write_table(curves, job.out)
    if job.models is not None:
        job.models.mkdir(exist_ok=True)
        for left in job.models.glob(_MODELS):  # of a run with more folds
            left.unlink()
        for number, model in enumerate(models):
            with whole_file(job.models / f"fold-{number}.cbm") as unfinished:
                model.save_model(str(unfinished))


def _require_models_folder(folder: Path) -> None:
    """Raise an ``OutputError`` unless models can be put into a folder, which holds nothing but models of folds."""
    fix = "Name a folder that does not exist yet."
    if folder.exists() and not folder.is_dir():
        raise OutputError(str(folder), "it is a file", fix)
    if folder.is_dir() and any(not entry.match(_MODELS) for entry in folder.iterdir()):
        raise OutputError(str(folder), "it is a folder with other files in it", fix)
    require_writable_file(folder / "fold-0.cbm" if folder.is_dir() else folder)
