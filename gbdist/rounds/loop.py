"""Rounds of native CatBoost: what every rank runs on its own rows, and all there is to one run.

A round: every rank lets CatBoost grow some trees on its rows (``training.py``); the models, which are small, are exchanged; the
merge makes one step of them, which every rank adds to its predictions (``merged.py``). Only models and sums travel. When ranks
train, and after how many rounds they meet, is the schedule's (``schedule.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.events import IterationDone, Listener, RunFinished, RunStarted, tell
from gbdist.boosting.population import survey_population, with_weights
from gbdist.boosting.rows import Rows
from gbdist.boosting.stopping import Detector
from gbdist.models.history import History, MetricTable, history_of, set_names
from gbdist.quantize.borders import FeatureBorders
from gbdist.rounds.merged import MergedModel, Parts
from gbdist.rounds.pools import make_pool, second_view
from gbdist.rounds.schedule import Schedule, make_schedule
from gbdist.rounds.sets import RoundSet
from gbdist.rounds.spec import RoundsSpec
from gbdist.rounds.training import Trainer


@dataclass(frozen=True)
class RoundsResult:
    """What a run ends with; the same on every rank.

    Parameters
    ----------
    parts : models as ``.cbm`` without start value, and the factor of each in the sum; cut after the best round where
        ``use_best_model`` asks for it
    bias : float64 [dimension]
        Start value.
    scores : metrics after each tree that a rank has grown, empty where none were computed: ranks meet after some of them
    best_iteration : number of the best round's last tree, counted as each rank grows them; −1 without an eval set
    best_value : deciding metric of that round, NaN without an eval set
    stopped : "iterations", "overfitting" or "callback"
    """

    parts: tuple[tuple[bytes, float], ...] = field(repr=False)
    bias: NDArray[np.float64]
    scores: tuple[MetricTable, ...]
    best_iteration: int
    best_value: float
    stopped: str

    @property
    def history(self) -> History:
        """Data set → metric → one value for each time it was evaluated."""
        return history_of(self.scores)


@dataclass(frozen=True)
class RankData:
    """One rank's rows: the training set and the eval sets, and how their columns are cut and called."""

    train: Rows
    evals: tuple[Rows, ...]
    borders: tuple[FeatureBorders, ...]
    names: tuple[str, ...]


def run_rounds(
    data: RankData,
    spec: RoundsSpec,
    collective: Collective,
    listeners: Sequence[Listener] = (),
    wanted: Callable[[], bool] = lambda: True,
) -> RoundsResult:
    """Train round by round until ``spec`` or a listener says stop.

    ``listeners`` are heard on this rank; a True answer to ``IterationDone`` ends the run on all ranks. ``wanted`` is asked
    between trees, and ends this rank's training when it says no.
    """
    with Crew(spec.threads) as crew:
        run = _Run(data, spec, collective, crew, wanted)
        tell(listeners, run.started())
        with run.schedule as schedule:
            while run.stopped is None:
                run.add_rounds(schedule)
                wants_stop = tell(listeners, run.grown())
                run.decide(wants_stop)
        tell(listeners, RunFinished(spec.trees_until(run.rounds_done), run.stopped))
        return run.result()


class _Run:
    """State of one run on one rank: the merged model, and what was told of it."""

    def __init__(
        self, data: RankData, spec: RoundsSpec, collective: Collective, crew: Crew, wanted: Callable[[], bool]
    ) -> None:
        self.spec, self.collective = spec, collective
        rows = (data.train, *data.evals)
        populations = [survey_population(one, collective) for one in rows]
        sets = [
            RoundSet(
                name,
                with_weights(one, population.weighted),
                make_pool(with_weights(one, population.weighted), data.borders, data.names),
                population,
                np.zeros((0, one.n_rows)) if one.baseline is None else one.baseline.copy(),
            )
            for name, one, population in zip(set_names(len(data.evals)), rows, populations, strict=True)
        ]
        trainer = Trainer(sets[0].pool, data.train, populations[0].n_rows, spec, collective.rank)
        if spec.schedule == "async" and spec.rounds > 1:
            # The trainer's pool has a baseline while the other thread predicts.
            sets[0].pool = second_view(sets[0].pool)
        self.schedule = make_schedule(trainer, sets, spec, collective, crew, wanted)
        self.model = MergedModel(sets, spec, collective, crew)
        self.detector = Detector(spec.stopping, spec.metrics[0].is_max_optimal)
        self.rounds_done = 0
        self.stopped: str | None = None
        self._parts: list[Parts] = []
        self._scores: list[MetricTable] = []
        self._metrics: MetricTable = {}
        self._overfitted = False

    def add_rounds(self, schedule: Schedule) -> None:
        """Grow trees here until the ranks meet, merge, score."""
        number = self.rounds_done
        self._parts += self.model.merge(schedule.grow(number))
        schedule.met(self.model)
        self.rounds_done += self.spec.rounds_to_meeting(number)
        last = self.rounds_done == self.spec.rounds
        due = any(each % self.spec.metric_period == 0 for each in range(number, self.rounds_done))
        self._metrics = self.model.score() if last or due else {}
        self._record(self.rounds_done - 1)

    def _record(self, number: int) -> None:
        unscored = self._last_tree(number) - len(self._scores)
        self._scores += [*({} for _ in range(unscored)), self._metrics]
        if len(self.model.sets) > 1 and self._metrics:
            value = self._metrics[self.model.sets[-1].name][self.spec.metrics[0].name]
            self._overfitted = self.detector.update(number, value)

    def decide(self, wants_stop: bool) -> None:
        """Whether this was the last round: one decision, the same on every rank."""
        if self.spec.listeners_may_stop:
            wants_stop = bool(self.collective.all_reduce(np.array([wants_stop], np.int64))[0])
        if wants_stop:
            self.stopped = "callback"
        elif self._overfitted:
            self.stopped = "overfitting"
        elif self.rounds_done == self.spec.rounds:
            self.stopped = "iterations"

    def started(self) -> RunStarted:
        """The first event."""
        train = self.model.sets[0]
        return RunStarted(self.spec.iterations, train.population.n_rows, train.rows.n_features, self.collective.size)

    def grown(self) -> IterationDone:
        """The event of the newest round, under the number of its last tree."""
        best = self._last_tree(self.detector.best_iteration)
        return IterationDone(self._last_tree(self.rounds_done - 1), self._metrics, best, self.detector.best_value)

    def _last_tree(self, number: int) -> int:
        return self.spec.trees_until(number + 1) - 1

    def result(self) -> RoundsResult:
        """The finished run."""
        kept = self._parts
        if self.spec.use_best_model and len(self.model.sets) > 1 and self.detector.best_tree_count > 0:
            kept = kept[: self.detector.best_tree_count]
        return RoundsResult(
            parts=tuple(part for of_round in kept for part in of_round),
            bias=self.model.bias,
            scores=tuple(self._scores),
            best_iteration=self._last_tree(self.detector.best_iteration),
            best_value=self.detector.best_value,
            stopped=self.stopped or "iterations",
        )
