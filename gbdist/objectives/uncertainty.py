"""Regression that says how sure it is: mean and deviation of a normal distribution for each row."""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import cpu
from gbdist.kernels.uncertainty import LOG_DENSITY
from gbdist.objectives.base import (
    Bounds,
    Exponent,
    LeafScales,
    kernel_scales,
    kernel_weight,
    no_start_value,
    widened,
)


@dataclass(frozen=True, slots=True)
class RMSEWithUncertainty:
    """Minus the log-density of a normal distribution, by CatBoost's natural gradient (``kernels.uncertainty``).

    Raw values are the mean, and the logarithm of the deviation, whose negative is an exponent.
    """

    name: ClassVar[str] = "RMSEWithUncertainty"
    dimension: ClassVar[int] = 2
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = 100.0
    exponent: ClassVar[Exponent | None] = Exponent(dimension=1, sign=-1.0)

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        d = label_bound + prediction_bound
        ratio = d * d * math.exp(2.0 * min(top, prediction_bound, self.largest_prediction))
        return widened(Bounds(max(d, ratio + 1.0), max(1.0, 2.0 * ratio), 0.5 * ratio + prediction_bound + LOG_DENSITY))

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: the start of the deviation does not follow from a mean (``boosting.start``)."""
        raise no_start_value(self.name)

    def derivatives(
        self,
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        predictions: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: ModuleType = cpu,
    ) -> None:
        """See ``Objective.derivatives``."""
        kernels.uncertainty_derivatives(label, kernel_weight(weight), predictions, out)

    def add_leaf_sums(
        self,
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        predictions: NDArray[np.float64],
        leaf_of_row: NDArray[np.uint16],
        shift: NDArray[np.float64],
        scales: LeafScales,
        sums: NDArray[np.int64],
        kernels: ModuleType = cpu,
    ) -> None:
        """See ``Objective.add_leaf_sums``."""
        kernels.add_uncertainty_leaf_sums(
            label, kernel_weight(weight), predictions, leaf_of_row, shift, kernel_scales(scales), sums
        )
