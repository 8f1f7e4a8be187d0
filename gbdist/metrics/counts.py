"""Metrics of the called classes: all of them follow from the right, the true and the called weight of each class."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import cpu_metrics
from gbdist.kernels.elementary import log_array
from gbdist.metrics.base import Scored
from gbdist.metrics.sums import Rounds, sum_scale, weighting

_Counts: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """One of the metrics in ``VALUES``, of class ``positive`` where the metric is of one class.

    ``n_classes`` is 2 with one raw value a row; such a row is called 1 where its probability is above ``proba_border``.
    """

    name: str
    use_weights: bool
    skip_train: bool
    kind: str
    n_classes: int
    positive: int = 1
    proba_border: float = 0.5

    @property
    def is_max_optimal(self) -> bool:
        """Whether larger is better."""
        return self.kind != "ZeroOneLoss"

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        scored = scored.on_host()
        rows = yield from weighting(scored, self.use_weights)
        counts = np.zeros((self.n_classes, 3), np.int64)
        scale = sum_scale(rows.total)
        border = _raw_border(self.proba_border)
        cpu_metrics.add_class_counts(scored.label, rows.weight, scored.predictions, border, scale, counts)
        sums = yield counts.ravel()
        return VALUES[self.kind](sums.reshape(-1, 3) / scale, self.positive)


def _raw_border(probability: float) -> float:
    """Raw value of a probability, log(p / (1 − p)); ∓inf at 0 and 1."""
    if probability in (0.0, 1.0):
        return -math.inf if probability == 0.0 else math.inf
    return -float(log_array(np.float64(1.0 / probability - 1.0)))


def _accuracy(counts: _Counts, positive: int) -> float:
    total = _add(counts[:, 1])
    return _add(counts[:, 0]) / total if total > 0.0 else 0.0


def _zero_one_loss(counts: _Counts, positive: int) -> float:
    return 1.0 - _accuracy(counts, positive) if _add(counts[:, 1]) > 0.0 else math.nan


def _precision(counts: _Counts, positive: int) -> float:
    right, _, called = counts[positive].tolist()
    return float(right / called) if called > 0.0 else 0.0


def _recall(counts: _Counts, positive: int) -> float:
    right, true, _ = counts[positive].tolist()
    return float(right / true) if true > 0.0 else 1.0


def _f1(counts: _Counts, positive: int) -> float:
    right, true, called = counts[positive].tolist()
    return float(2.0 * right / (true + called)) if true + called > 0.0 else 1.0


def _mcc(counts: _Counts, positive: int) -> float:
    """Gorodkin's R_K, which is Matthews' coefficient for two classes; 0 where all rows are of, or called, one class."""
    right, true, called = counts[:, 0], counts[:, 1], counts[:, 2]
    total = _add(true)
    covariance = _add(right) * total - _add(true * called)
    spread_true = total * total - _add(true * true)
    spread_called = total * total - _add(called * called)
    tiny = 1e-13 * total * total
    if spread_true <= tiny or spread_called <= tiny:
        return 0.0
    return float(covariance / math.sqrt(spread_true * spread_called))


def _f1_of_each(counts: _Counts) -> _Counts:
    both = counts[:, 1] + counts[:, 2]
    return np.divide(2.0 * counts[:, 0], both, out=np.zeros_like(both), where=both > 0.0)


def _weighted_f1(counts: _Counts, positive: int) -> float:
    total = _add(counts[:, 1])
    return _add(_f1_of_each(counts) * counts[:, 1]) / total if total > 0.0 else math.nan


def _macro_f1(counts: _Counts, positive: int) -> float:
    return _add(_f1_of_each(counts)) / len(counts)


def _micro_f1(counts: _Counts, positive: int) -> float:
    return _accuracy(counts, positive) if _add(counts[:, 1]) > 0.0 else math.nan


def _add(values: _Counts) -> float:
    """Sum in one order on every machine."""
    return float(sum(values.tolist()))


#: value from counts float64 [n_classes, 3] (right, true, called) and the class; as CatBoost's in the degenerate cases
VALUES: dict[str, Callable[[_Counts, int], float]] = {
    "Accuracy": _accuracy,
    "ZeroOneLoss": _zero_one_loss,
    "Precision": _precision,
    "Recall": _recall,
    "F1": _f1,
    "MCC": _mcc,
    "TotalF1:Weighted": _weighted_f1,
    "TotalF1:Macro": _macro_f1,
    "TotalF1:Micro": _micro_f1,
}
