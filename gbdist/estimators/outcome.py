"""From what was trained to what a fit leaves: a plain CatBoost model with its record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from warnings import warn

from gbdist.boosting.lockstep import LockstepResult
from gbdist.boosting.result import BoostResult
from gbdist.categories.combinations import MOST_COMBINATIONS
from gbdist.estimators.request import Request
from gbdist.estimators.setup import Setup
from gbdist.metrics.base import Metric
from gbdist.models.catboost_format import to_catboost
from gbdist.models.embeddings import note_dimensions
from gbdist.models.ensemble import Ensemble
from gbdist.models.history import History, MetricTable, TrainingRecord
from gbdist.models.merge import sum_of_parts, sum_with_initial
from gbdist.quantize.borders import FeatureBorders
from gbdist.rounds.loop import RoundsResult


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a fit leaves.

    Parameters
    ----------
    model : CatBoostClassifier or CatBoostRegressor
        With the trees of ``init_model`` in front, if there was one.
    ensemble : Ensemble or None
        The new trees alone, if they were grown here rather than by CatBoost.
    record : metrics after each tree, and which was best
    stopped : "iterations", "overfitting" or "callback"
    class_names : tuple or None
    labels : tuple or None
        Column labels of the frame that X is, None for arrays and pools.
    rows : rows of the data sets, the training set first
    """

    model: Any
    ensemble: Ensemble | None
    record: TrainingRecord
    stopped: str
    class_names: tuple[Any, ...] | None
    labels: tuple[Any, ...] | None
    rows: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FoldsResult:
    """What folds leave: means and deviations of all metrics after each iteration, the metrics, and a model of each fold.

    ``ensembles`` and ``records`` are what ``models`` makes plain CatBoost models of; a record has the metrics of its fold after
    each iteration, those of the held-out rows among them. ``stopped`` is "iterations", "overfitting" or "callback",
    ``best_iteration`` that of the mean of the deciding metric over the held-out rows.
    """

    scores: tuple[MetricTable, ...]
    deviations: tuple[MetricTable, ...]
    metrics: tuple[Metric, ...]
    ensembles: tuple[Ensemble, ...]
    records: tuple[TrainingRecord, ...]
    stopped: str
    best_iteration: int

    def models(self) -> list[Any]:
        """A CatBoostClassifier or CatBoostRegressor of each fold."""
        return [to_catboost(one, record) for one, record in zip(self.ensembles, self.records, strict=True)]


def finish(request: Request, setup: Setup, result: BoostResult, borders: tuple[FeatureBorders, ...]) -> TrainResult:
    """What a fit on histograms leaves."""
    if request.profile is not None:
        request.profile.mark("the model")
    if result.left_out:
        _warn_of_combinations(result.left_out)
    names, options = request.feature_names, setup.resolved.options
    ensemble = Ensemble(result.trees, borders, result.bias, names, setup.classes, options, result.categories)
    record = _record(setup, result)
    return _train_result(request, setup, to_catboost(ensemble, record), ensemble, record, result.stopped)


def finish_folds(
    request: Request, setup: Setup, result: LockstepResult, borders: Sequence[tuple[FeatureBorders, ...]]
) -> FoldsResult:
    """What folds on histograms leave; ``borders`` of each fold."""
    left_out = sum(fold.left_out for fold in result.folds)
    if left_out:
        _warn_of_combinations(left_out)
    names, options = request.feature_names, setup.resolved.options
    return FoldsResult(
        scores=result.scores,
        deviations=result.deviations,
        metrics=setup.resolved.metrics,
        ensembles=tuple(
            Ensemble(fold.trees, each, fold.bias, names, setup.classes, options, fold.categories)
            for fold, each in zip(result.folds, borders, strict=True)
        ),
        # How many rows a fold has is not known here.
        records=tuple(replace(_record(setup, fold), rows=None) for fold in result.folds),
        stopped=result.stopped,
        best_iteration=result.best_iteration,
    )


def _warn_of_combinations(left_out: int) -> None:
    warn(
        f"{left_out} combinations of categorical columns did not compete: at most {MOST_COMBINATIONS} do at a level of a tree. "
        "Lower max_ctr_complexity, or name fewer columns in cat_features.",
        stacklevel=5,
    )


def finish_rounds(request: Request, setup: Setup, result: RoundsResult) -> TrainResult:
    """What a fit by rounds of models leaves."""
    names, record = request.feature_names, _record(setup, result)
    model = sum_of_parts(result.parts, result.bias, names, setup.classes, setup.resolved.options, record)
    note_dimensions(model, {names.index(each.name): each.dimension for each in setup.unbinned if each.dimension})
    return _train_result(request, setup, model, None, record, result.stopped)


def _record(setup: Setup, result: BoostResult | RoundsResult) -> TrainingRecord:
    scores = best_scores(result.history, setup.resolved.metrics)
    return TrainingRecord(result.scores, result.best_iteration, scores, setup.rows[0])


def _train_result(
    request: Request, setup: Setup, model: Any, ensemble: Ensemble | None, record: TrainingRecord, stopped: str
) -> TrainResult:
    if request.initial is not None:
        model = sum_with_initial(request.initial.model(), model)
    return TrainResult(
        model=model,
        ensemble=ensemble,
        record=record,
        stopped=stopped,
        class_names=setup.classes,
        labels=None if request.pool is not None else request.sources[0].parts.labels,
        rows=setup.rows,
    )


def best_scores(history: History, metrics: Sequence[Metric]) -> dict[str, dict[str, float]]:
    """Best value of every metric on every data set, whichever direction is better."""
    best = {metric.name: max if metric.is_max_optimal else min for metric in metrics}
    return {
        data_set: {name: best[name](values) for name, values in of_set.items() if values}
        for data_set, of_set in history.items()
    }
