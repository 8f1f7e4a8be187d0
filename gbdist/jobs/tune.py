"""Search for the best parameters on files: what ``gbdist tune`` does, callable from Python."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.counted import counted_trials
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.talk import without_talk
from gbdist.jobs.cluster import workers_of
from gbdist.jobs.files import find_files
from gbdist.jobs.folding import FoldedJob, with_loss
from gbdist.jobs.learning import Prepared, check_learning, find_task, given_once, make_estimator, open_rows
from gbdist.jobs.options import ignored_on_all_rows
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.jobs.result_tables import require_ending, write_table
from gbdist.jobs.settings import write_settings
from gbdist.jobs.targets import Task, loss_of
from gbdist.jobs.trials import Trials
from gbdist.passwords import without_password
from gbdist.selection.checks import integer
from gbdist.selection.searching.events import SearchStarted
from gbdist.selection.searching.lines import started_line
from gbdist.whole_file import whole_file

Told = Callable[[Trials, Mapping[str, Any] | None], None]
"""Is told how a search stands after each of its events, and the trial that has ended by it."""


@dataclass(frozen=True, slots=True)
class TuneJob(FoldedJob):
    """What to search, on what, how and where, and where the best model, trials, parameters and the page go.

    ``space`` has for each parameter what it may be, as ``DaskSearchCV`` takes it; the job's ``params`` are those of all trials.
    ``search``, ``trials``, ``jobs`` (trials side by side), ``trial_workers``, ``scoring``, ``pruner`` and ``timeout`` are its
    too; ``seed`` is that of the search and of the folds.
    ``storage`` is where the study is kept: a URL as Optuna takes it, or a file; None is a file beside ``output``. ``study`` is
    its name; without one it follows from data, space, folds, parameters, search, pruner and seed. A study that is there is gone
    on with.
    ``out`` is a file for the trials, ``params_out`` a job file for ``gbdist train`` with the best parameters.
    """

    space: Mapping[str, Any] = field(default_factory=dict)
    search: str = "random"
    trials: int | None = 50
    jobs: int | None = None
    trial_workers: str = "auto"
    scoring: str | None = None
    pruner: str | None = None
    timeout: float | None = None
    study: str | None = None
    storage: str | None = None
    output: Path = Path("best.cbm")
    out: Path | None = None
    params_out: Path | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class TuneResult:
    """What was found. ``trials`` counts them by state; of scores the greatest is the best; ``trees`` are those of the model."""

    task: Task
    study: str
    storage: str
    trials: dict[str, int]
    best_trial: int
    best_score: float
    best_params: dict[str, Any]
    model: Path
    trees: int
    workers: int
    seconds: float
    out: Path | None = None
    params_out: Path | None = None
    plot: Path | None = None


class SearchStopped(KeyboardInterrupt):
    """Ctrl-C during a search: the study has what has ended before, and goes on from there."""

    def __init__(self, study: str, storage: str, ended: int) -> None:
        super().__init__(study, storage, ended)

    def __str__(self) -> str:
        study, storage, ended = self.args
        many, has = counted_trials(ended), "it" if ended == 1 else "them"
        return f"stopped with Ctrl-C after {many}; study {study!r} in {storage} has {has}, and goes on from there"


def tune(
    job: TuneJob,
    say: Callable[[str], None] = lambda _: None,
    told: Told = lambda trials, ended: None,
    client: Any = None,
    storage: Any = None,
) -> TuneResult:
    """Search, train the best parameters on all rows, and write what the job asks for.

    What can be checked is checked before a worker starts. ``told`` is called in a thread of the search, never by two at once.
    With a ``client`` its cluster is used; ``storage`` takes the place of the job's (a storage of Optuna's).

    Raises
    ------
    ParameterError, DataError, ModelError, OutputError, ClusterError
        With the value, what was expected and what to do; ModelError where all trials have failed.
    SearchStopped
        Ctrl-C.
    """
    prepared = prepare(job)
    prepared.tell(say)
    kept = storage or _storage_there(job)
    with workers_of(job, client, say) as (client, n_workers):
        task = find_task(job, prepared, client, say)
        job.check_order(prepared.table, client)
        started = perf_counter()
        search = _searcher(job, task, prepared, kept or storage_of(job), client)
        _fit(search, job, prepared, told, say)
        seconds = perf_counter() - started
    _write(job, search)
    states = [str(state) for state in search.cv_results_["state"]]
    return TuneResult(
        task=task,
        study=search.study_.study_name,
        storage=place_of(job),
        trials={state: states.count(state) for state in dict.fromkeys(states)},
        best_trial=int(search.best_index_),
        best_score=float(search.best_score_),
        best_params=dict(search.best_params_),
        model=job.output,
        trees=int(search.best_estimator_.tree_count_),
        workers=n_workers,
        seconds=seconds,
        out=job.out,
        params_out=job.params_out,
        plot=job.plot,
    )


def prepare(job: TuneJob) -> Prepared:
    """Check the space, folds, outputs, parameters, files and columns; nothing but names and types is read."""
    paths = [path for path in (job.output, job.out, job.params_out, job.plot) if path is not None]
    for path in paths:
        require_writable_file(path)
    given, checked, hashed = check_given(job)
    read = [file.path for file in find_files(job.data)]
    for path in paths:
        require_not_read(path, read)
    return open_rows(job, given, checked, hashed=hashed)


def check_given(job: TuneJob) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Check what needs no file, as ``gbdist.jobs.train.check_given`` does, and the space beside the parameters."""
    if find_spec("optuna") is None:
        fix = 'Install it: pip install "gbdist[search]"'
        raise ParameterError("--search", job.search, "Optuna, whose samplers draw the trials, to be installed", fix)
    from gbdist.selection.searching.checks import check_space
    from gbdist.selection.searching.samplers import make_search
    from gbdist.selection.searching.spaces import read_space

    require_ending(job.out)
    job.check_folds()
    for name, value in (("--trials", job.trials), ("--jobs", job.jobs)):
        if value is not None:
            integer(name, value, 1)
    if not job.space:
        raise ParameterError("--space", job.space, "what each parameter may be", "See: gbdist tune --help")
    given = given_once(job)
    twice = [name for name in job.space if name in given]
    if twice:
        raise ParameterError(f"--param {twice[0]}", given[twice[0]], "what is not searched for", "Leave it out.")
    checked, hashed = check_learning(job, given)
    space = read_space(job.space)
    check_space(space, make_estimator("ranking" if job.ranks else "binary", without_talk(given), None))
    make_search(job.search, job.pruner, space, seed=0, iterations=1)
    return given, checked, hashed


def place_of(job: TuneJob) -> str:
    """Where the study is kept, as it may be told: the job's storage, without a password, or a file beside the model."""
    return without_password(job.storage) if job.storage else str(job.output.with_suffix(".study"))


def storage_of(job: TuneJob) -> Any:
    """The job's storage, one of Optuna's: at a URL, or in a file. ParameterError for what cannot be used."""
    from gbdist.selection.searching.opening import storage_from

    if job.storage and "://" in job.storage:
        return storage_from(job.storage)
    return storage_in(Path(place_of(job)))


def _storage_there(job: TuneJob) -> Any:
    """The job's storage, which is checked before a worker starts; None for a file that is not there yet."""
    is_url = job.storage is not None and "://" in job.storage
    return storage_of(job) if is_url or Path(place_of(job)).exists() else None


def storage_in(path: Path) -> Any:
    """Optuna's storage in a file, which is made if it is not there; ParameterError for a file of something else."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    require_writable_file(path)
    # Optuna forgives a last line that was not written to its end, be it the only one.
    begins = b""
    if path.exists():
        with path.open("rb") as file:
            begins = file.read(1)
    try:
        if begins not in (b"", b"{"):
            raise ValueError("it begins with something else")
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as problem:
        expected = "a file that a study is kept in, or none yet"
        fix = "Name another file; a database is a URL, as sqlite:///study.db."
        raise ParameterError("--storage", str(path), expected, fix) from problem


def _searcher(job: TuneJob, task: Task, prepared: Prepared, storage: Any, client: Any) -> Any:
    from gbdist.selection import DaskSearchCV

    params = without_talk(with_loss(task, prepared.params))
    return DaskSearchCV(
        make_estimator(task, params, client),
        dict(job.space),
        search=job.search,
        n_trials=job.trials,
        scoring=job.scoring,
        cv=job.splitter(str(loss_of(params))),
        random_state=job.seed,
        n_jobs=job.jobs,
        trial_workers=job.trial_workers,
        study_name=job.study,
        storage=storage,
        pruner=job.pruner,
        timeout=job.timeout,
        verbose=False,
        client=client,
    )


def _fit(search: Any, job: TuneJob, prepared: Prepared, told: Told, say: Callable[[str], None]) -> None:
    trials = Trials()

    def listen(event: Any) -> None:
        if isinstance(event, SearchStarted) and event.nothing_left:
            say(started_line(event))
        row = trials.take(event)
        told(trials, None if row is None else asdict(row))

    rows, groups = job.rows_and_groups(prepared.table)
    try:
        search.fit(rows, job.label, sample_weight=job.weight, groups=groups, listener=listen)
    except KeyboardInterrupt:
        if not hasattr(search, "study_"):
            raise
        raise SearchStopped(search.study_.study_name, place_of(job), trials.ended) from None
    finally:
        if trials.stop():
            told(trials, None)


# ---- what is written


def _write(job: TuneJob, search: Any) -> None:
    with whole_file(job.output) as unfinished:
        search.best_estimator_.save_model(str(unfinished))
    if job.out is not None:
        write_table(table_of(search.cv_results_), job.out)
    if job.params_out is not None:
        params = {
            name: value
            for name, value in without_talk(search.best_estimator_.get_params()).items()
            if value is not None and name != "client"
        }
        write_settings(job.params_out, {**_of_training(job), "params": params})
    if job.plot is not None:
        search.plot(job.plot)


def _of_training(job: TuneJob) -> dict[str, Any]:
    """What a job file for ``gbdist train`` says of rows and columns; categorical columns are among the parameters."""
    ignore = ignored_on_all_rows(job.ignore, job.group, job.time, ranks=job.ranks)
    listed = {"data": job.data, "target": job.targets, "ignore": ignore}
    texts = {"weight": job.weight, "group": job.group if job.ranks else None}
    return {name: list(value) for name, value in listed.items() if value} | {
        name: value for name, value in texts.items() if value is not None
    }


def table_of(results: Mapping[str, Any]) -> Any:
    """``cv_results_`` as a DataFrame with a row for each trial and its number in front; None for what a trial does not have."""
    import numpy as np
    import pandas as pd

    columns = {
        name: [None if value is np.ma.masked else value for value in values]
        for name, values in results.items()
        if name != "params"
    }
    return pd.DataFrame({"trial": range(len(results["params"])), **columns})
