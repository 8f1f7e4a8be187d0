"""Metrics that are CatBoost's alone: each rank lets CatBoost evaluate its rows, and the values are averaged by weight.

That is the value of all rows where a metric is a mean over rows, groups or pairs, as most are. Metrics that are not means are
refused here; those of ``metrics.make`` are global by themselves.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from catboost import CatBoost, CatBoostError, Pool
from catboost.core import is_groupwise_metric, is_maximizable_metric
from catboost.utils import eval_metric
from numpy.typing import NDArray

from gbdist.description import name_of, parse_description
from gbdist.errors import ModelError
from gbdist.metrics.base import Metric, Scored
from gbdist.metrics.limbs import LIMBS, exact_of, limbs_of
from gbdist.metrics.make import METRICS_OF_LOSS, make_metrics
from gbdist.metrics.sums import Rounds
from gbdist.quantize.exact import exact_sums, to_float
from gbdist.quantize.groups import group_starts

#: What a metric of groups is a mean over, where that is not groups.
_OVER = {
    "GroupQuantile": "rows",
    "PairAccuracy": "pairs",
    "PairLogit": "pairs",
    "QueryCrossEntropy": "rows",
    "QueryRMSE": "rows",
    "QuerySoftMax": "labels",
}
#: Square roots of means.
_ROOTS = frozenset({"QueryRMSE"})
#: Metrics that are means over rows, groups or pairs, or a root of one: what parts of the rows have adds up to what all have.
MEANS = frozenset(
    {
        "AverageGain",
        "CrossEntropy",
        "DCG",
        "ERR",
        "Expectile",
        "FairLoss",
        "FilteredDCG",
        "Focal",
        "HammingLoss",
        "HingeLoss",
        "Huber",
        "LogCosh",
        "LogLinQuantile",
        "Logloss",
        "Lq",
        "MAP",
        "MAPE",
        "MRR",
        "MSLE",
        "MultiClass",
        "MultiClassOneVsAll",
        "NDCG",
        "PFound",
        "Poisson",
        "PrecisionAt",
        "Quantile",
        "RMSEWithUncertainty",
        "RecallAt",
        "SMAPE",
        "Tweedie",
        "ZeroOneLoss",
        "QueryAUC",
        *_OVER,
    }
)
#: Ours are sums of powers of e, as exact as the largest exponent is known, which rounds of models do not look at.
_BY_EXPONENTS = ("RMSEWithUncertainty",)
#: Ours, whatever the regression loss.
_OF_NUMBERS = ("MAE", "R2", "RMSE")
_TWO = np.arange(2)


@dataclass(frozen=True, slots=True)
class NativeMetric:
    """CatBoost's own metric ``name``: the mean of the ranks' values, weighted by what each is a mean over.

    ``over`` is "rows" (their weights), "groups", "labels" (times weights) or "pairs": those of rows of a group with different
    labels, which CatBoost makes by itself only where it trains. ``root`` says that values are square roots of means.
    """

    name: str
    is_max_optimal: bool
    over: str = "rows"
    root: bool = False
    skip_train: bool = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        pairs = _pairs(scored) if self.over == "pairs" else None
        weight = self._weight(scored) if pairs is None else float(len(pairs))
        value = 0.0
        if weight > 0.0:
            raw = scored.predictions[0] if scored.predictions.shape[0] == 1 else scored.predictions.T
            how: dict[str, Any] = {"group_id": scored.group, "pairs": pairs, "thread_count": 1}
            if not self.name.startswith("FilteredDCG"):  # which takes no weights
                how["weight"] = scored.weight
            try:
                found = eval_metric(scored.label, raw, self.name, **how)
            except CatBoostError as error:
                raise ModelError(f"CatBoost cannot compute {self.name} ({error})", "Choose another metric.") from None
            value = float(found[0])
        mean = yield from _mean((value * value if self.root else value) * weight, weight)
        return math.sqrt(mean) if self.root else mean

    def _weight(self, scored: Scored) -> float:
        if self.over == "groups" and scored.group is not None:
            return float(len(group_starts(scored.group)))
        weight = np.ones_like(scored.label) if scored.weight is None else scored.weight
        if self.over == "labels":
            return float((weight.astype(np.float64) * scored.label).sum())
        return float(weight.sum(dtype=np.float64))


def _pairs(scored: Scored) -> NDArray[np.int64]:
    """All pairs of rows of a group in which the first has the larger label: int64 [n_pairs, 2]."""
    if scored.group is None:
        return np.empty((0, 2), np.int64)
    edges = np.append(group_starts(scored.group), len(scored.group))
    found = [np.empty((0, 2), np.int64)]
    for start, stop in pairwise(edges.tolist()):
        label = scored.label[start:stop]
        found.append(np.argwhere(label[:, None] > label[None, :]) + start)
    return np.concatenate(found)


def _mean(total: float, weight: float) -> Generator[NDArray[np.int64], NDArray[np.int64], float]:
    """Σ totals / Σ weights over the ranks, in exact sums, so that the order of ranks does not matter."""
    sums = yield np.concatenate([limbs_of(exact) for exact in exact_sums(np.array([total, weight]), _TWO, 2)])
    totals, weights = (to_float(exact_of(half)) for half in (sums[:LIMBS], sums[LIMBS:]))
    return totals / weights if weights > 0.0 else 0.0


def can_be_added_up(name: str) -> bool:
    """Whether a metric without its options is one of ``any_metrics`` beside every loss, or its own."""
    return name in MEANS or name in _OF_NUMBERS or name in METRICS_OF_LOSS


def any_metrics(description: str, n_classes: int, loss: str, parameter: str = "eval_metric") -> tuple[Metric, ...]:
    """Metrics that a description stands for: ours where there are any, else CatBoost's own; errors name ``parameter``.

    Raises
    ------
    ParameterError
        For a metric that is neither, because its value on all rows does not follow from those on parts.
    """
    given = parse_description(description, parameter)
    name = name_of(loss)
    if given.metric in METRICS_OF_LOSS.get(name, ()) and given.metric not in _BY_EXPONENTS:
        return make_metrics(description, n_classes, name, parameter=parameter)
    if given.metric in _OF_NUMBERS and n_classes == 1:
        return make_metrics(description, 1, "RMSE", parameter=parameter)
    if given.metric not in MEANS:
        fix = "Choose a metric that is a mean over rows or groups, or compute it from the predictions."
        raise given.refused(f"a metric that parts of the rows add up to, with loss_function={loss!r}", fix)
    over = _OVER.get(given.metric, "groups" if is_groupwise_metric(description) else "rows")
    is_max_optimal = bool(is_maximizable_metric(description))
    return (NativeMetric(description, is_max_optimal, over, given.metric in _ROOTS, bool(given.skip_train)),)


def metric_of_ranking(loss: str) -> str:
    """The metric that CatBoost reports for a ranking loss where none is asked for, told by CatBoost: it trains on four rows."""
    pool = Pool([[0.0], [1.0], [2.0], [3.0]], [0, 1, 1, 0], group_id=[0, 0, 1, 1])
    options = {"loss_function": loss, "iterations": 1, "depth": 1, "logging_level": "Silent"}
    model = CatBoost({**options, "allow_writing_files": False}).fit(pool, eval_set=pool)
    return str(next(iter(model.get_evals_result()["validation"])))
