"""Folds in lock-step: several runs side by side on the same ranks, one tree of each in turn, which are stopped together.

Each is the run that ``boost`` is on the fold's rows alone, bit for bit (decision 0046). What folds share is the decision when to
stop: it follows the mean of the deciding metric over the folds, as in CatBoost's ``cv`` (cross_validation.cpp).
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.control import FREE, Control
from gbdist.boosting.crew import Crew
from gbdist.boosting.events import IterationDone, Listener, RunFinished, RunStarted, tell
from gbdist.boosting.fold_rows import Fold, number_folds, take_rows
from gbdist.boosting.params import BoostParams
from gbdist.boosting.progress import Step
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows, Segment
from gbdist.boosting.run import Run, asks_to_stop
from gbdist.boosting.stopping import Detector
from gbdist.errors import ParameterError
from gbdist.models.history import HELD_OUT, MetricTable


@dataclass(frozen=True)
class LockstepResult:
    """What folds in lock-step end with; the same on every rank but for predictions.

    Parameters
    ----------
    folds : tuple of BoostResult
        That of each fold, with all its trees. ``eval_predictions[0]`` are those of the rank's rows that the fold held out, in
        their order; ``best_iteration`` is the fold's own.
    scores, deviations : metrics after each iteration, empty where none were computed
        Means over all folds, and deviations of a sample, divided by one less than the number of folds: NaN for a single one.
    best_iteration : int
        Of the mean of the deciding metric over the held-out rows of all folds.
    best_value : float
    stopped : "iterations", "overfitting" or "callback"
    """

    folds: tuple[BoostResult, ...] = field(repr=False)
    scores: tuple[MetricTable, ...]
    deviations: tuple[MetricTable, ...]
    best_iteration: int
    best_value: float
    stopped: str


def boost_folds(
    rows: Rows,
    folds: Sequence[Fold],
    n_bins: NDArray[np.int64],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener] = (),
    steps: Sequence[tuple[Step, ...]] = (),
    control: Control = FREE,
) -> LockstepResult | None:
    """Train a model for each fold, until ``params`` or a listener says stop; None if a rank's control wanted a pause before.

    Parameters
    ----------
    rows : this rank's rows, which all folds choose from
    folds : what each fold trains on and holds out, of this rank's rows; as many on all ranks
    n_bins : int64 [n_features]
    params : of all folds
        ``stopping`` looks at the mean over the folds; trees behind the best iteration are kept, whatever ``use_best_model`` is.
    listeners : heard on this rank, with the means over the folds as metrics
        An iteration's ``step`` is a tuple of the steps of all folds.
    steps : of all iterations so far, as listeners heard of them, on any ranks; see ``boost``
    control : asked on this rank

    Raises DataError for folds that ``number_folds`` refuses, ParameterError for a GPU.
    """
    params = _shared(params)
    with ExitStack() as crews:
        host = crews.enter_context(Crew(params.threads, control))
        numbers = number_folds(rows, folds, collective)
        runs = []
        for fold, segments in zip(folds, numbers.segments, strict=True):
            crew = crews.enter_context(Crew(params.threads, control))
            with crew.stage("start"):
                train, held_out = _sets(rows, fold, segments, host)
                runs.append(Run(train, [held_out], n_bins, params, collective, crew, control))
        together = _Together(runs, params, collective)
        started = replace(runs[0].started(len(steps)), rows=numbers.n_rows)
        return _add_iterations(together, started, listeners, steps, host)


def boost_apart(
    sets: Sequence[Rows],
    n_bins: Sequence[NDArray[np.int64]],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener] = (),
    steps: Sequence[tuple[Step, ...]] = (),
    control: Control = FREE,
) -> LockstepResult | None:
    """The same for folds that have bins of their own: ``sets`` are what this rank has of the rows that the first fold trains on,
    of those that it holds out, and so on; ``n_bins`` those of each fold.
    """
    params = _shared(params)
    with ExitStack() as crews:
        host, runs = crews.enter_context(Crew(params.threads, control)), []
        for train, held_out, bins in zip(sets[::2], sets[1::2], n_bins, strict=True):
            crew = crews.enter_context(Crew(params.threads, control))
            with crew.stage("start"):
                runs.append(Run(train, [held_out], bins, params, collective, crew, control))
        together = _Together(runs, params, collective)
        return _add_iterations(together, runs[0].started(len(steps)), listeners, steps, host)


def _shared(params: BoostParams) -> BoostParams:
    """What runs side by side are told; ParameterError for a GPU."""
    if params.card is not None:
        fix = "Models of both are the same, bit for bit."
        raise ParameterError("task_type", "GPU", "'CPU' for folds that train side by side", fix)
    return replace(params, use_best_model=False)


def _sets(
    rows: Rows, fold: Fold, segments: tuple[tuple[Segment, ...], tuple[Segment, ...]], crew: Crew
) -> tuple[Rows, Rows]:
    train, held_out = (take_rows(rows, mask, each, crew) for mask, each in zip(fold.masks, segments, strict=True))
    return train, held_out


def _add_iterations(
    together: "_Together",
    started: RunStarted,
    listeners: Sequence[Listener],
    steps: Sequence[tuple[Step, ...]],
    crew: Crew,
) -> LockstepResult | None:
    """The loop itself; see ``loop``."""
    with crew.stage("callbacks"):
        tell(listeners, started)
    with crew.stage("replay"):
        together.resume(steps)
    together.prepare()
    while together.goes_on:
        together.add_trees()
        with crew.stage("callbacks"):
            wants_stop = tell(listeners, together.grown())
        together.decide(wants_stop)
    if together.stopped is None:
        return None
    with crew.stage("callbacks"):
        tell(listeners, RunFinished(len(together.means), together.stopped))
    return together.result(together.stopped)


class _Together:
    """Runs side by side, the means of their metrics, and when they stop."""

    def __init__(self, runs: Sequence[Run], params: BoostParams, collective: Collective) -> None:
        self._runs, self._params, self._collective = runs, params, collective
        self._decides = params.metrics[params.eval_metric]
        self._detector = Detector(params.stopping, self._decides.is_max_optimal)
        self._overfitted = False
        self.means: list[MetricTable] = []
        self._deviations: list[MetricTable] = []
        self.stopped: str | None = None

    def resume(self, steps: Sequence[tuple[Step, ...]]) -> None:
        """Replay all trees so far."""
        self.stopped = self._stops()
        for each in steps:
            if self.stopped is None:
                for run, step in zip(self._runs, each, strict=True):
                    run.replay(step)
                self._record()
                self.stopped = self._stops()

    def prepare(self) -> None:
        """Learn what the next trees need, if any are to follow."""
        for run in self._runs:
            run.stopped = self.stopped
            if self.stopped is None:
                run.prepare()

    @property
    def goes_on(self) -> bool:
        """Whether another iteration follows."""
        return all(run.goes_on for run in self._runs)

    def add_trees(self) -> None:
        """A tree of each run; then metrics over all of them."""
        for run in self._runs:
            run.add_tree()
        self._record()

    def decide(self, wants_stop: bool) -> None:
        """Agree whether to go on, for all runs; see ``Run.decide``."""
        asked = asks_to_stop(self._params, self._collective, wants_stop)
        self.stopped = "callback" if asked else self._stops()
        for run in self._runs:
            run.follow(self.stopped)

    def grown(self) -> IterationDone:
        """The event of the newest iteration."""
        best = self._detector
        step = tuple(run.step for run in self._runs)
        return IterationDone(len(self.means) - 1, self.means[-1], best.best_iteration, best.best_value, step)

    def result(self, stopped: str) -> LockstepResult:
        """All that the finished runs leave."""
        return LockstepResult(
            folds=tuple(run.result() for run in self._runs),
            scores=tuple(self.means),
            deviations=tuple(self._deviations),
            best_iteration=self._detector.best_iteration,
            best_value=self._detector.best_value,
            stopped=stopped,
        )

    def _record(self) -> None:
        """Take the metrics of all runs after their newest trees."""
        mean, deviation = over_folds([run.state.scores[-1] for run in self._runs])
        self.means.append(mean)
        self._deviations.append(deviation)
        if HELD_OUT in mean:
            self._overfitted = self._detector.update(len(self.means) - 1, mean[HELD_OUT][self._decides.name])

    def _stops(self) -> str | None:
        if self._overfitted:
            return "overfitting"
        return "iterations" if len(self.means) >= self._params.iterations else None


def over_folds(tables: Sequence[MetricTable]) -> tuple[MetricTable, MetricTable]:
    """Mean and deviation of each metric over the folds, added up in their order, as CatBoost does."""
    means: MetricTable = {}
    deviations: MetricTable = {}
    for data_set, metrics in tables[0].items():
        found = {name: _mean_of([table[data_set][name] for table in tables]) for name in metrics}
        means[data_set] = {name: mean for name, (mean, _) in found.items()}
        deviations[data_set] = {name: deviation for name, (_, deviation) in found.items()}
    return means, deviations


def _mean_of(values: Sequence[float]) -> tuple[float, float]:
    # Not sum(), which keeps the bits that a plain addition loses.
    total, squares = 0.0, 0.0
    for value in values:
        total += value
    mean = total / len(values)
    for value in values:
        squares += (value - mean) * (value - mean)
    return mean, math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else math.nan
