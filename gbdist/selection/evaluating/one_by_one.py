"""Folds one after another: each is a fit of its own on the rows that it trains on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.fusion.members import fresh
from gbdist.estimators.parameters.table import STOPS, names_in
from gbdist.estimators.sources import Given
from gbdist.models.history import HELD_OUT, LEARN, MetricTable
from gbdist.selection.evaluating.failures import Failures
from gbdist.selection.evaluating.functions import add_scores, as_arrays, metric_scores, scores_of
from gbdist.selection.evaluating.lockstep import of_train
from gbdist.selection.evaluating.result import FoldScores, Wanted
from gbdist.selection.evaluating.rows import FoldRows
from gbdist.selection.scoring import Scorer


@dataclass(frozen=True, eq=False)
class OneByOne:
    """What is fitted: the rows of each fold, and the scorers."""

    rows: FoldRows
    scorers: Sequence[Scorer]
    client: Any

    def run(self, estimator: Any, wanted: Wanted) -> FoldScores:
        """Fit and score fold after fold; ``watch`` is told the number of folds so far, and the mean of their scores.

        A fold that fails has the ``error_score``, with a warning as scikit-learn's. ModelError with the first failure where all
        fits fail.
        """
        failures = Failures(wanted.error_score)
        test: dict[str, list[float]] = {scorer.name: [] for scorer in self.scorers}
        train: dict[str, list[float]] = {scorer.name: [] for scorer in self.scorers}
        fitted, seconds, stopped = [], [], "iterations"
        for fold in range(len(self.rows.pairs)):
            started = perf_counter()
            model, tables = failures.fit(
                fresh(estimator, self.client), partial(self._fit, estimator, fold, wanted.train_scores)
            )
            between = perf_counter()
            add_scores(test, self._scores(model, self.rows.test(fold), tables, HELD_OUT, failures))
            seconds.append((between - started, perf_counter() - between))
            if wanted.train_scores:
                add_scores(train, self._scores(model, self.rows.train(fold), tables, LEARN, failures))
            fitted.append(model)
            if wanted.watch is not None and not wanted.watch(fold + 1, float(np.mean(test[self.scorers[0].name]))):
                stopped = "callback"
                break
        failures.tell(len(fitted))
        return FoldScores(
            test=as_arrays(test),
            train=as_arrays(train) if wanted.train_scores else None,
            fit_time=np.array([fit for fit, _ in seconds]),
            score_time=np.array([scoring for _, scoring in seconds]),
            models=fitted if wanted.return_models else None,
            iterations=round(float(np.mean([_iterations(model) for model in fitted]))),
            stopped=stopped,
        )

    def _scores(
        self, model: Any, rows: Given, tables: MetricTable | None, data_set: str, failures: Failures
    ) -> dict[str, float]:
        """Scores of a model that has metrics on data sets, or of one whose fit has failed."""
        if tables is None:
            return {scorer.name: failures.score for scorer in self.scorers}
        known = metric_scores(self.scorers, tables.get(data_set, {}))
        return scores_of(self.scorers, model, rows, known, failures.score_failed)

    def _fit(self, estimator: Any, fold: int, train_scores: bool, twin: Any) -> MetricTable:
        """Fit ``twin``, a copy of the estimator; of trees the metrics of the model that is kept, on the rows of the fold."""
        train = self.rows.train(fold)
        more = {"sample_weight": train.sample_weight, "group_id": train.group_id}
        given = {name: value for name, value in more.items() if value is not None}
        metrics = [scorer.metric for scorer in self.scorers if scorer.metric is not None and scorer.in_training]
        if not (isinstance(estimator, DaskCatBoost) and metrics):
            twin.fit(train.X, train.y, **given)
            return {}
        twin.set_params(**_with_metrics(estimator, metrics, train_scores=train_scores))
        twin.fit(train.X, train.y, eval_set=_eval_set(self.rows.test(fold), ranker=estimator._is_ranker), **given)
        tables = {
            data_set: {name: values[min(twin.tree_count_, len(values)) - 1] for name, values in of_set.items()}
            for data_set, of_set in twin.evals_result_.items()
        }
        parameters = estimator.get_params(deep=False)
        for name in _with_metrics(estimator, metrics, train_scores=train_scores):
            twin.set_params(**{name: parameters[name]})
        return tables


def _with_metrics(estimator: DaskCatBoost, metrics: Sequence[str], *, train_scores: bool) -> dict[str, Any]:
    """Parameters, under the names they were given by, with which trees are scored as folds in lock-step are."""
    given = estimator.given_parameters()
    known = next(iter(names_in(given, "custom_metric")), "custom_metric")
    own = given.get(known, [])
    every = list(dict.fromkeys([*([own] if isinstance(own, str) else own), *metrics]))
    changed: dict[str, Any] = {known: [of_train(one) for one in every] if train_scores else every}
    if not stops_early(estimator):
        changed["use_best_model"] = False
    return changed


def stops_early(estimator: Any) -> bool:
    """Whether trees look at an eval set to know when to stop."""
    if not isinstance(estimator, DaskCatBoost):
        return False
    return bool(names_in(estimator.given_parameters(), *STOPS))


def _eval_set(test: Given, *, ranker: bool) -> Any:
    if ranker:
        every = {"X": test.X, "y": test.y, "group_id": test.group_id, "sample_weight": test.sample_weight}
        return {name: value for name, value in every.items() if value is not None}
    return (test.X, test.y) if test.sample_weight is None else (test.X, test.y, test.sample_weight)


def _iterations(model: Any) -> int:
    """Trees or epochs of a fitted estimator; 0 where it does not tell."""
    found = getattr(model, "tree_count_", None) or getattr(model, "n_iter_", 0)
    return int(found) if isinstance(found, int | np.integer) else 0
