"""Metrics that are the weighted mean of a loss that a rule describes (``kernels.pointwise``)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gbdist.metrics.base import Scored
from gbdist.metrics.sums import Rounds, ratio, scales, weighting
from gbdist.objectives.pointwise import MultiQuantile, Pointwise


@dataclass(frozen=True, slots=True)
class MeanLoss:
    """Mean of the loss of an objective."""

    name: str
    use_weights: bool
    skip_train: bool
    loss: Pointwise
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        largest = self.loss.bounds(scored.label_bound, scored.prediction_bound, scored.prediction_top).loss
        units = scales(rows.total * largest, rows.total)
        sums = np.zeros(2, np.int64)
        scored.kernels.add_pointwise_sums(scored.label, rows.weight, scored.predictions[0], self.loss.rule, units, sums)
        return ratio((yield sums), units)


@dataclass(frozen=True, slots=True)
class MeanQuantileLoss:
    """Mean over the rows of the mean over the quantiles of each one's loss."""

    name: str
    use_weights: bool
    skip_train: bool
    loss: MultiQuantile
    is_max_optimal: ClassVar[bool] = False

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        rows = yield from weighting(scored, self.use_weights)
        count = self.loss.dimension
        largest = self.loss.bounds(scored.label_bound, scored.prediction_bound, scored.prediction_top).loss
        units = scales(rows.total * largest, rows.total * count)
        sums = np.zeros(2, np.int64)
        for k, rule in enumerate(self.loss.rules):  # so the weights are counted once a quantile, which makes the mean
            scored.kernels.add_pointwise_sums(scored.label, rows.weight, scored.predictions[k], rule, units, sums)
        return ratio((yield sums), units)
