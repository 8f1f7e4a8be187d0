"""Losses of regression."""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import cpu
from gbdist.objectives.base import (
    LARGEST_PREDICTION,
    Bounds,
    Exponent,
    LeafScales,
    kernel_scales,
    kernel_weight,
    widened,
)


@dataclass(frozen=True, slots=True)
class RMSE:
    """Half the squared error: der = label − a, der2 = −1 (CatBoost's TRMSEError in error_functions.h)."""

    name: ClassVar[str] = "RMSE"
    dimension: ClassVar[int] = 1
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = 0.0
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        residual = label_bound + prediction_bound
        return widened(Bounds(derivative=residual, second_derivative=1.0, loss=0.5 * residual * residual))

    def start_value(self, weighted_label_mean: float) -> float:
        """The mean, as the float32 that CatBoost makes of it (CalculateWeightedTargetAverage)."""
        return float(np.float32(weighted_label_mean))

    def derivatives(
        self,
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        predictions: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: ModuleType = cpu,
    ) -> None:
        """See ``Objective.derivatives``."""
        kernels.residual_derivatives(label, kernel_weight(weight), predictions[0], out[0])

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
        kernels.add_residual_leaf_sums(
            label, kernel_weight(weight), predictions[0], leaf_of_row, shift, kernel_scales(scales), sums
        )
