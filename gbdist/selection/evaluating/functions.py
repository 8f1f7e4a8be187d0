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
    scores: dict[str, float] = {}
    for scorer in scorers:
        try:
            scores[scorer.name] = known[scorer.name] if scorer.name in known else _asked(scorer, model, rows)
        except Exception as error:
            scores[scorer.name] = failed(scorer.name, error)
    return scores


def _asked(scorer: Scorer, model: Any, rows: Given) -> float:
    if scorer.metric is not None:
        return scorer.of(metrics_of_predictions(model, rows, scorer.metric))
    weight = {} if rows.sample_weight is None else {"sample_weight": rows.sample_weight}
    if scorer.function is not None:
        return float(scorer.function(model, rows.X, rows.y, **(weight if scorer.takes_weights else {})))
    return float(model.score(rows.X, rows.y, **weight))


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
