"""Metrics of whole data sets, from sums that any number of ranks can add up."""

from gbdist.metrics.base import Metric, Scored
from gbdist.metrics.evaluate import evaluate, evaluate_many
from gbdist.metrics.make import METRICS_OF_LOSS, make_metrics
from gbdist.metrics.ranking import RANKING_METRICS, make_ranking_metric

__all__ = [
    "METRICS_OF_LOSS",
    "RANKING_METRICS",
    "Metric",
    "Scored",
    "evaluate",
    "evaluate_many",
    "make_metrics",
    "make_ranking_metric",
]
