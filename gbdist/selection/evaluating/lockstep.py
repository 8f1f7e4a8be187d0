"""All folds of trees in lock-step: scores are metrics that are computed while they are grown (decision 0046)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from gbdist.description import parse_description
from gbdist.estimators.base import DaskCatBoost, progress_asked
from gbdist.estimators.listeners import Asks, IterationInfo, close
from gbdist.estimators.outcome import FoldsResult
from gbdist.estimators.parameters.check import check_parameters, checked_bins_on_disk
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.models.history import HELD_OUT, LEARN
from gbdist.selection.evaluating.result import AskedAfter, FoldScores, Wanted, Watch
from gbdist.selection.scoring import Scorer

#: A metric period that no run reaches: the last iteration is always scored.
_LAST_ALONE = 2**31 - 1


def lockstep_parameters(estimator: Any) -> dict[str, object] | None:
    """The checked parameters of trees whose folds can be grown in lock-step; None for any other estimator.

    Raises ParameterError for a parameter that ``fit`` refuses.
    """
    if not isinstance(estimator, DaskCatBoost):
        return None
    given = estimator.given_parameters()
    aggregation, parameters = check_parameters(given, classifier=estimator._is_classifier, ranker=estimator._is_ranker)
    return None if aggregation is not None or parameters.get("task_type") == "GPU" else parameters


@dataclass(frozen=True, eq=False)
class Lockstep:
    """What is trained: data and folds as ``train_folds`` takes them, and the scorers, at least one of which has a metric."""

    given: Given
    folds: Any
    scorers: Sequence[Scorer]
    client: Any
    strict_borders: bool

    def run(self, estimator: DaskCatBoost, parameters: Mapping[str, object], wanted: Wanted) -> FoldScores:
        """Grow all folds; scores are those of the last iteration, or with early stopping of the best one by the mean."""
        from gbdist.estimators.training_folds import train_folds  # loads Numba's kernels

        listener = progress_asked(dict(parameters))
        callbacks = None
        if wanted.watch is not None and self.scorers[0].in_training:
            callbacks = [_Watcher(self.scorers[0], wanted.watch, wanted.asked_after)]
        started = perf_counter()
        try:
            result = train_folds(
                self.given,
                self.folds,
                parameters=self._asked(
                    parameters,
                    wanted.train_scores,
                    # Metrics of the best iteration are needed, whichever that will be.
                    each_iteration=callbacks is not None or _stops_early(parameters),
                    last_alone=listener is None and not wanted.return_models,
                ),
                classifier=estimator._is_classifier,
                ranker=estimator._is_ranker,
                listener=listener,
                callbacks=callbacks,
                client=estimator.client if self.client is None else self.client,
                cat_nan=estimator.cat_nan,
                on_disk=checked_bins_on_disk(estimator.bins_on_disk),
                strict_borders=self.strict_borders,
            )
        finally:
            close(listener)
        seconds = (perf_counter() - started) / len(result.records)
        n_trees = _kept(result, parameters)
        return FoldScores(
            test=self._scores(result, HELD_OUT, n_trees),
            train=self._scores(result, LEARN, n_trees) if wanted.train_scores else None,
            fit_time=np.full(len(result.records), seconds),
            score_time=np.zeros(len(result.records)),
            models=_models(estimator, self.given, result, n_trees) if wanted.return_models else None,
            iterations=n_trees,
            stopped=result.stopped,
        )

    def _asked(
        self, parameters: Mapping[str, object], train_scores: bool, *, each_iteration: bool, last_alone: bool
    ) -> dict[str, object]:
        """The parameters with the scorers' metrics beside the user's own, computed no more often than they are needed."""
        own = [str(one) for one in _tuple(parameters.get("custom_metric"))]
        loss = parameters.get("loss_function")
        metrics = [str(one.metric) for one in self.scorers if one.in_training and one.metric != loss]
        asked = {**parameters, "task_type": "CPU", "use_best_model": False}
        if each_iteration:
            asked["metric_period"] = 1
        elif last_alone:
            asked.setdefault("metric_period", _LAST_ALONE)
        decides = parameters.get("eval_metric")
        if train_scores:
            own = [of_train(one) for one in own]
            if isinstance(decides, str):
                asked["eval_metric"] = of_train(decides)
        metrics = [of_train(one, skip=not train_scores) for one in metrics]
        return {**asked, "custom_metric": tuple(dict.fromkeys([*own, *metrics]))}

    def _scores(self, result: FoldsResult, data_set: str, n_trees: int) -> dict[str, Any]:
        """Scores of each fold by name, float64 [n_folds] each."""
        tables = [record.scores[n_trees - 1][data_set] for record in result.records]
        metrics = [scorer for scorer in self.scorers if scorer.in_training]
        return {scorer.name: np.array([scorer.of(table) for table in tables]) for scorer in metrics}


class _Watcher:
    """Calls ``watch`` with the mean of the first scorer after each iteration."""

    def __init__(self, scorer: Scorer, watch: Watch, asked_after: AskedAfter | None) -> None:
        self._scorer, self._watch = scorer, watch
        self.asked_after: Asks = True if asked_after is None else asked_after

    def after_iteration(self, info: IterationInfo) -> bool:
        """See ``Callback``."""
        values = {name: told[-1] for name, told in info.metrics[HELD_OUT].items()}
        return bool(self._watch(info.iteration, self._scorer.of(values)))


def _tuple(given: object) -> tuple[object, ...]:
    return given if isinstance(given, tuple) else () if given is None else (given,)


def of_train(metric: str, *, skip: bool = False) -> str:
    """A metric that is computed of training rows too, which CatBoost leaves out for some; ``skip``: that is not."""
    if parse_description(metric).skip_train is not None:
        return metric
    return f"{metric}{';' if ':' in metric else ':'}hints=skip_train~{str(skip).lower()}"


def _stops_early(parameters: Mapping[str, object]) -> bool:
    return "od_wait" in parameters or "od_pval" in parameters or parameters.get("od_type") not in (None, "None")


def _kept(result: FoldsResult, parameters: Mapping[str, object]) -> int:
    """Trees that scores are of: up to the best iteration of the mean where early stopping and ``use_best_model`` ask for it."""
    if _stops_early(parameters) and parameters.get("use_best_model", True) and result.best_iteration >= 0:
        return result.best_iteration + 1
    return len(result.scores)


def _models(estimator: DaskCatBoost, given: Given, result: FoldsResult, n_trees: int) -> list[Any]:
    """A fitted estimator of each fold, of so many trees."""
    labels = None if isinstance(given.X, DaskPool) else given.collect().labels
    fitted = []
    for model, ensemble, record in zip(result.models(), result.ensembles, result.records, strict=True):
        if n_trees < model.tree_count_:
            model.shrink(n_trees)
        fitted.append(clone(estimator)._take_model(model, labels, ensemble.class_names, record))
    return fitted
