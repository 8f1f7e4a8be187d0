"""Scores of a fitted estimator on some rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gbdist.estimators.sources import Given
from gbdist.selection.evaluating.predicted import metrics_of_predictions
from gbdist.selection.evaluating.result import Scores
from gbdist.selection.scoring import Scorer


def scores_of(
    scorers: Sequence[Scorer],
    model: Any,
    rows: Given,
    known: Mapping[str, float],
    failed: Callable[[str, Exception], float],
) -> dict[str, float]:
    """Scores by name: those that are ``known``, and what the estimator says of the rows.

    ``failed`` is asked for the score of that name in place of one that raises; it may raise the same again.
    """
    scores = dict(known)
    told = [scorer for scorer in scorers if scorer.name not in known and scorer.metric is not None]
    asked: list[tuple[Sequence[Scorer], Callable[..., Mapping[str, float]]]] = [(told, _of_predictions)] if told else []
    asked += [([scorer], _of_function) for scorer in scorers if scorer.name not in known and scorer.metric is None]
    for some, ask in asked:
        try:
            scores.update(ask(some, model, rows))
        except Exception as error:
            scores.update({scorer.name: failed(scorer.name, error) for scorer in some})
    return scores


def _of_predictions(scorers: Sequence[Scorer], model: Any, rows: Given) -> dict[str, float]:
    """Scores that are metrics, of rows that are predicted once for all of them."""
    values = metrics_of_predictions(model, rows, [str(scorer.metric) for scorer in scorers])
    return {scorer.name: scorer.of(values) for scorer in scorers}


def _of_function(scorers: Sequence[Scorer], model: Any, rows: Given) -> dict[str, float]:
    """The score that a function says, or the estimator itself."""
    (scorer,) = scorers
    weight = {} if rows.sample_weight is None else {"sample_weight": rows.sample_weight}
    if scorer.function is None:
        return {scorer.name: float(model.score(rows.X, rows.y, **weight))}
    return {scorer.name: float(scorer.function(model, rows.X, rows.y, **(weight if scorer.takes_weights else {})))}


def metric_scores(scorers: Sequence[Scorer], metrics: Mapping[str, float]) -> dict[str, float]:
    """Scores that follow from values of metrics; none of nothing."""
    return {scorer.name: scorer.of(metrics) for scorer in scorers if scorer.in_training and metrics}


def add_scores(lists: Mapping[str, list[float]], scores: Mapping[str, float]) -> None:
    """Append a fold's scores to those of each name, in place."""
    for name, values in lists.items():
        values.append(scores[name])


def as_arrays(lists: Mapping[str, list[float]]) -> Scores:
    """Scores of all folds."""
    return {name: np.array(values, np.float64) for name, values in lists.items()}
