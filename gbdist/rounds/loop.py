"""Rounds of native CatBoost: what every rank runs on its own rows, and all there is to one run.

A round: every rank lets CatBoost grow some trees on its rows, from the merged model's predictions; the models, which are small,
are exchanged; the merge makes one step of them, which every rank adds to its predictions. Only models and sums travel.
"""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.events import Event, Listener, MetricTable, RunFinished, RunStarted, TreeGrown
from gbdist.boosting.noise import noise_left
from gbdist.boosting.population import survey_population, with_weights
from gbdist.boosting.rows import Rows
from gbdist.boosting.scores import set_names
from gbdist.boosting.stopping import Detector
from gbdist.metrics.evaluate import evaluate_many
from gbdist.models.catboost_format import fixed_cbm_bytes, read_cbm
from gbdist.quantize.borders import FeatureBorders
from gbdist.rounds.merge import Merging, best_model, mean_step
from gbdist.rounds.native import grow_trees
from gbdist.rounds.pools import make_pool
from gbdist.rounds.refit import LeafRefit
from gbdist.rounds.sets import RoundSet, largest_of_all
from gbdist.rounds.spec import RoundsSpec

History = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class RoundsResult:
    """What a run ends with; the same on every rank.

    Parameters
    ----------
    parts : models as ``.cbm`` without start value, and the factor of each in the sum; cut after the best round where
        ``use_best_model`` asks for it
    bias : float64 [dimension]
        Start value.
    history : data set → metric → one value for each time it was evaluated
    best_iteration : number of the best round's last tree, counted as each rank grows them; −1 without an eval set
    best_value : deciding metric of that round, NaN without an eval set
    stopped : "iterations", "overfitting" or "callback"
    """

    parts: tuple[tuple[bytes, float], ...] = field(repr=False)
    bias: NDArray[np.float64]
    history: History
    best_iteration: int
    best_value: float
    stopped: str


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

    ``listeners`` are heard on this rank; a True answer to ``TreeGrown`` ends the run on all ranks. ``wanted`` is asked between
    trees, and ends this rank's training when it says no.
    """
    with Crew(spec.threads) as crew:
        run = _Run(data, spec, collective, crew, wanted)
        run.tell(listeners, run.started())
        while run.stopped is None:
            run.add_round()
            wants_stop = run.tell(listeners, run.grown())
            run.decide(wants_stop)
        run.tell(listeners, RunFinished(spec.trees_until(run.rounds_done), run.stopped))
        return run.result()


class _Run:
    """State of one run on one rank: predictions of all sets, models so far, and what the last round told."""

    def __init__(
        self, data: RankData, spec: RoundsSpec, collective: Collective, crew: Crew, wanted: Callable[[], bool]
    ) -> None:
        self.spec, self.collective, self._wanted = spec, collective, wanted
        rows = (data.train, *data.evals)
        populations = [survey_population(one, collective) for one in rows]
        self.sets = [
            RoundSet(
                name,
                with_weights(one, population.weighted),
                make_pool(with_weights(one, population.weighted), data.borders, data.names),
                population,
                np.zeros((0, one.n_rows)) if one.baseline is None else one.baseline.copy(),
            )
            for name, one, population in zip(set_names(len(data.evals)), rows, populations, strict=True)
        ]
        self.merging = Merging(_shares(self.sets[0].rows, collective), spec.metrics[0], collective, spec.threads)
        self._refit: LeafRefit | None = None
        if spec.refit is not None and spec.merge == "average" and collective.size > 1:
            self._refit = LeafRefit(spec.refit, self.sets[0], self.merging, crew)
        self.detector = Detector(spec.stopping, spec.metrics[0].is_max_optimal)
        self.rounds_done = 0
        self.stopped: str | None = None
        self.bias = np.zeros(self.sets[0].predictions.shape[0])
        self._own = self.sets[0].predictions
        self._parts: list[list[tuple[bytes, float]]] = []
        self._history: History = {one.name: {} for one in self.sets}
        self._metrics: MetricTable = {}
        self._overfitted = False

    def add_round(self) -> None:
        """Grow trees here, exchange models, merge, score."""
        number = self.rounds_done
        first = number == 0 and self.sets[0].rows.baseline is None
        model, start = grow_trees(
            self.sets[0].pool, None if first else self._own, self._options(number, first), self._wanted
        )
        every = [
            pickle.loads(item) for item in self.collective.all_gather(pickle.dumps((fixed_cbm_bytes(model), start)))
        ]
        models = [read_cbm(blob) for blob, _ in every]
        if first:
            self._begin([start for _, start in every], models)
        factors = self._merge(models)
        # Leaf values may have changed, so models are written out anew.
        self._parts.append(
            [(fixed_cbm_bytes(one), factor) for one, factor in zip(models, factors, strict=True) if factor]
        )
        self.rounds_done += 1
        last = self.rounds_done == self.spec.rounds
        self._metrics = self._score() if last or number % self.spec.metric_period == 0 else {}
        self._record(number)

    def _options(self, number: int, first: bool) -> dict[str, Any]:
        spec, rank = self.spec, self.collective.rank
        options = dict(spec.options) | dict(spec.devices[rank])
        options |= {
            "iterations": spec.trees_in(number),
            "random_seed": spec.seed_of(rank, number),
            "thread_count": spec.threads,
            "verbose": False,
            "allow_writing_files": False,
            # A rank may hold rows of one class, or of one value, alone.
            "allow_const_label": True,
        }
        # CatBoost's score noise fades out as a model grows, and each round is a new model to it.
        grown = spec.trees_until(number)
        faded = noise_left(self.sets[0].population.n_rows, grown, spec.learning_rate)
        options["random_strength"] = spec.random_strength * faded
        if not first:
            options["boost_from_average"] = False
        return options

    def _begin(self, starts: Sequence[NDArray[np.float64]], models: Sequence[catboost.CatBoost]) -> None:
        """Put all rows at the start value, which is known now, and with it the dimension."""
        shares = self.merging.shares
        self.bias = np.sum([share * start for share, start in zip(shares, starts, strict=True)], axis=0)
        for one in self.sets:
            one.predictions = np.repeat(self.bias[:, None], one.rows.n_rows, axis=1)
        self._own = np.repeat(starts[self.collective.rank][:, None], self.sets[0].rows.n_rows, axis=1)

    def _merge(self, models: Sequence[catboost.CatBoost]) -> list[float]:
        """Move all predictions on by a step made of the models; the factor of each model in it."""
        merging, own = self.merging, models[self.collective.rank]
        if self.spec.merge == "best":
            chosen = best_model(models, self.sets[-1], merging)
            for one in self.sets:
                one.predictions += one.update_of(models[chosen], merging.threads)
            self._own = self.sets[0].predictions
            return [float(rank == chosen) for rank in range(len(models))]
        self._own = self._own + self.sets[0].update_of(own, merging.threads)
        if self._refit is not None:
            self._refit.refit(models, self.sets)
            return [1.0] * len(models)
        for one in self.sets:
            one.predictions += mean_step(models, one, merging)
        return list(merging.shares)

    def _score(self) -> MetricTable:
        bounds = largest_of_all([one.predictions for one in self.sets], self.collective)
        on_learn = tuple(metric for metric in self.spec.metrics if not metric.skip_train)
        jobs = [
            (self.spec.metrics if place else on_learn, one.scored(one.predictions, bound))
            for place, (one, bound) in enumerate(zip(self.sets, bounds, strict=True))
        ]
        values, _ = evaluate_many(jobs, np.empty(0, np.int64), self.collective.all_reduce)
        return {one.name: table for one, table in zip(self.sets, values, strict=True)}

    def _record(self, number: int) -> None:
        for name, table in self._metrics.items():
            for metric, value in table.items():
                self._history[name].setdefault(metric, []).append(value)
        if len(self.sets) > 1 and self._metrics:
            value = self._metrics[self.sets[-1].name][self.spec.metrics[0].name]
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
        train = self.sets[0]
        return RunStarted(self.spec.iterations, train.population.n_rows, train.rows.n_features, self.collective.size)

    def grown(self) -> TreeGrown:
        """The event of the newest round, under the number of its last tree."""
        best = self._last_tree(self.detector.best_iteration)
        return TreeGrown(self._last_tree(self.rounds_done - 1), self._metrics, best, self.detector.best_value)

    def _last_tree(self, number: int) -> int:
        return self.spec.trees_until(number + 1) - 1

    @staticmethod
    def tell(listeners: Sequence[Listener], event: Event) -> bool:
        """Let every listener hear an event; whether one of them wants to stop."""
        return any(listener.hear(event) for listener in listeners)

    def result(self) -> RoundsResult:
        """The finished run."""
        kept = self._parts
        if self.spec.use_best_model and len(self.sets) > 1 and self.detector.best_tree_count > 0:
            kept = kept[: self.detector.best_tree_count]
        return RoundsResult(
            parts=tuple(part for of_round in kept for part in of_round),
            bias=self.bias,
            history=self._history,
            best_iteration=self._last_tree(self.detector.best_iteration),
            best_value=self.detector.best_value,
            stopped=self.stopped or "iterations",
        )


def _shares(rows: Rows, collective: Collective) -> tuple[float, ...]:
    """Share of each rank in the weight of all training rows."""
    mine = float(rows.n_rows) if rows.weight is None else float(rows.weight.sum(dtype=np.float64))
    every = [float(np.frombuffer(item)[0]) for item in collective.all_gather(np.array([mine]).tobytes())]
    total = sum(every)
    return tuple(value / total for value in every)
