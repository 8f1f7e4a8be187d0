"""Metrics that are the weighted mean of a loss over the rows, and R2."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from gbdist.kernels import cpu_metrics
from gbdist.metrics.base import Scored
from gbdist.metrics.sums import Rounds, ratio, scales, weighting

_LN2 = 0.6931471805599454  # rounded up


@dataclass(frozen=True, slots=True)
class LogLoss:
    """Mean of log(1 + e^a) − y a: ``Logloss`` (y = 1 where the label is above ½) and ``CrossEntropy`` (y is the label)."""

    name: str
    use_weights: bool
    skip_train: bool
    binarize: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        target = -2 if self.binarize else -1
        largest = max(1.0, scored.label_bound) * scored.prediction_bound + _LN2
        units = scales(rows.total * largest, rows.total)
        sums = np.zeros(2, np.int64)
        scored.kernels.add_logistic_sums(scored.label, rows.weight, scored.predictions[0], target, units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class MultiClass:
    """Mean of log Σ e^a − a of the label's class."""

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        largest = 2.0 * scored.prediction_bound + scored.predictions.shape[0].bit_length() * _LN2
        units = scales(rows.total * largest, rows.total)
        sums = np.zeros(2, np.int64)
        scored.kernels.add_softmax_sums(scored.label, rows.weight, scored.predictions, units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class MultiClassOneVsAll:
    """Mean over the rows of the mean over the classes of each class's log-loss."""

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        n_classes = scored.predictions.shape[0]
        units = scales(rows.total * n_classes * (scored.prediction_bound + _LN2), rows.total * n_classes)
        sums = np.zeros(2, np.int64)
        for k in range(n_classes):  # so the weights are counted once a class, which makes the mean over the classes
            scored.kernels.add_logistic_sums(scored.label, rows.weight, scored.predictions[k], k, units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class BrierScore:
    """Mean of (label − p)²."""

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        units = scales(rows.total * max(1.0, scored.label_bound) ** 2, rows.total)
        sums = np.zeros(2, np.int64)
        scored.kernels.add_brier_sums(scored.label, rows.weight, scored.predictions[0], units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class PartialLikelihood:
    """``Cox``: the logarithm of Cox's partial likelihood, a sum over events; weights do not count, as in CatBoost."""

    name: str
    skip_train: bool
    is_max_optimal: ClassVar[bool] = True

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``; costs the rounds of ``RiskOrder.gains`` beside its own."""
        scored = scored.on_host()
        if scored.risk is None:
            raise ValueError("Cox needs the order of times")
        largest = 2.0 * scored.prediction_bound + scored.total_rows.bit_length() * _LN2
        unit = scales(scored.total_rows * largest)
        gains = scored.risk.gains(scored.predictions[0])
        sums = yield np.array([np.rint(gains * unit[0]).astype(np.int64).sum()])
        return int(sums[0]) / float(unit[0])


@dataclass(frozen=True, slots=True)
class Residual:
    """``RMSE``, ``MAE`` and ``R2``, from one pass over the rows; ``kind`` says which."""

    name: str
    use_weights: bool
    skip_train: bool
    kind: str

    @property
    def is_max_optimal(self) -> bool:
        """Whether larger is better."""
        return self.kind == "R2"

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        y, d = scored.label_bound, scored.label_bound + scored.prediction_bound
        units = scales(*(rows.total * factor for factor in (d, d * d, 1.0, y, y * y)))
        sums = np.zeros((5, 2), np.int64)
        scored.kernels.add_residual_sums(scored.label, rows.weight, scored.predictions[0], units, sums)
        sums = (yield sums.ravel()).reshape(5, 2)
        low = Fraction(cpu_metrics.LOW_UNITS)
        absolute, squared, weight, first, second = (
            (whole + rest / low) / Fraction(unit)
            for (whole, rest), unit in zip(sums.tolist(), units.tolist(), strict=True)
        )
        if self.kind == "R2":
            return _r_squared(squared, weight, first, second, Fraction(scored.label_bound))
        if weight == 0:
            return 0.0
        return float(absolute / weight) if self.kind == "MAE" else math.sqrt(squared / weight)


def _r_squared(squared: Fraction, weight: Fraction, first: Fraction, second: Fraction, label_bound: Fraction) -> float:
    """1 − Σ w d² / Σ w (y − mean)², in exact arithmetic: the variance is a small difference of large sums.

    1 where labels are equal but for the rounding of w y² in float64, or without weight, as CatBoost says there.
    """
    if weight == 0:
        return 1.0
    variance = second - first * first / weight
    rounding = weight * label_bound**2 / 2**50
    return float(1 - squared / variance) if variance > rounding else 1.0
