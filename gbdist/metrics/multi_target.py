"""Metrics of several labels a row, of a mean with its deviation, and of a time between two ends."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import labels_of
from gbdist.kernels import pointwise as kinds
from gbdist.metrics.base import Metric, Scored
from gbdist.metrics.counts import ClassCounts
from gbdist.metrics.sums import Rounds, ratio, scales, together, weighting
from gbdist.objectives.multi_target import MultiTarget
from gbdist.objectives.survival import SurvivalAft
from gbdist.objectives.uncertainty import RMSEWithUncertainty

_LN2 = 0.6931471805599454  # rounded up


@dataclass(frozen=True, slots=True)
class MultiRMSE:
    """Root of the sum over the labels of each one's mean squared error, of the rows that have it."""

    name: str
    use_weights: bool
    skip_train: bool
    loss: MultiTarget
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        largest = self.loss.bounds(scored.label_bound, scored.prediction_bound).loss
        units = scales(rows.total * largest, rows.total)
        sums = np.zeros((self.loss.dimension, 2), np.int64)
        for k, label in enumerate(labels_of(scored.label)):
            scored.kernels.add_pointwise_sums(label, rows.weight, scored.predictions[k], self.loss.rule, units, sums[k])
        sums = (yield sums.ravel()).reshape(sums.shape)
        return math.sqrt(2.0 * math.fsum(ratio(of_label, units) for of_label in sums))


@dataclass(frozen=True, slots=True)
class MultiLogLoss:
    """Mean over rows and labels of each label's log-loss: ``MultiLogloss`` and ``MultiCrossEntropy``.

    CatBoost 1.2 divides by the sum of the weights' integer parts, a factor that is the same at every iteration.
    """

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        labels = labels_of(scored.label)
        largest = scored.prediction_bound + _LN2
        units = scales(rows.total * len(labels) * largest, rows.total * len(labels))
        sums, rule = np.zeros(2, np.int64), (kinds.LOGISTIC, 0.0, 0.0)
        for k, label in enumerate(labels):  # so the weights are counted once a label, for the mean over labels
            scored.kernels.add_pointwise_sums(label, rows.weight, scored.predictions[k], rule, units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class OfLabel:
    """A metric of one of the labels."""

    metric: Metric
    label: int

    @property
    def name(self) -> str:
        """See ``Metric.name``."""
        return self.metric.name

    @property
    def is_max_optimal(self) -> bool:
        """See ``Metric.is_max_optimal``."""
        return self.metric.is_max_optimal

    @property
    def skip_train(self) -> bool:
        """See ``Metric.skip_train``."""
        return self.metric.skip_train

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        return self.metric.rounds(_of_label(scored, self.label))


@dataclass(frozen=True, slots=True)
class HammingLoss:
    """Share of the labels that are called wrongly: 1 − the mean of each label's accuracy."""

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        metric = ClassCounts("", self.use_weights, False, "Accuracy", 2)
        labels = range(len(labels_of(scored.label)))
        values = yield from together([metric.rounds(_of_label(scored, k)) for k in labels])
        return 1.0 - math.fsum(values) / len(values)


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """Weighted share of the rows all of whose labels are called rightly: CatBoost's ``Accuracy`` of several labels."""

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = True

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        scored = scored.on_host()
        rows = yield from weighting(scored, self.use_weights)
        labels: NDArray[np.bool_] = np.atleast_2d(scored.label) > 0.5
        right = ((scored.predictions > 0.0) == labels).all(axis=0)
        weight = rows.weight.astype(np.float64) if rows.weight.shape[0] else np.ones(right.shape[0])
        units = scales(rows.total, rows.total)
        rounded = np.rint(weight * units[0]).astype(np.int64)
        return ratio((yield np.array([rounded[right].sum(), rounded.sum()])), units)


@dataclass(frozen=True, slots=True)
class MeanUncertaintyLoss:
    """Mean of RMSEWithUncertainty's loss: minus the log-density of the label."""

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        bounds = RMSEWithUncertainty().bounds(scored.label_bound, scored.prediction_bound, scored.prediction_top)
        units = scales(rows.total * bounds.loss, rows.total)
        sums = np.zeros(2, np.int64)
        scored.kernels.add_uncertainty_sums(scored.label, rows.weight, scored.predictions, units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class IntervalDistance:
    """``SurvivalAft``: how far e to the raw value lies outside of the two ends, on average.

    As in CatBoost a row without a lower end counts as outside wherever it is.
    """

    name: str
    use_weights: bool
    skip_train: bool
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        top = min(scored.prediction_top, scored.prediction_bound, SurvivalAft.largest_prediction)
        largest = scored.label_bound + math.exp(top)
        units = scales(rows.total * largest, rows.total)
        sums = np.zeros(2, np.int64)
        scored.kernels.add_interval_sums(*labels_of(scored.label), rows.weight, scored.predictions[0], units, sums)
        return ratio((yield sums), units)


def _of_label(scored: Scored, k: int) -> Scored:
    return replace(scored, predictions=scored.predictions[k : k + 1], label=labels_of(scored.label)[k])
