"""Losses of classification."""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import cpu
from gbdist.kernels.elementary import log_array
from gbdist.objectives.base import (
    LARGEST_PREDICTION,
    Bounds,
    Exponent,
    LeafScales,
    kernel_scales,
    kernel_weight,
    no_start_value,
    widened,
)

_LN2 = 0.6931471805599454  # rounded up


@dataclass(frozen=True, slots=True)
class Logloss:
    """Log-loss of a label in [0, 1]: der = label − p, der2 = −p(1 − p) (CalcCrossEntropyDerRangeImpl)."""

    name: ClassVar[str] = "Logloss"
    dimension: ClassVar[int] = 1
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = 1.0  # |1 − 2p|
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        label = max(1.0, label_bound)
        return widened(Bounds(derivative=label, second_derivative=0.25, loss=_LN2 + label * prediction_bound))

    def start_value(self, weighted_label_mean: float) -> float:
        """log(p / (1 − p)) of the mean as float32, as CatBoost's Logit; the mean is kept 2⁻³⁰ away from 0 and 1."""
        p = min(max(float(np.float32(weighted_label_mean)), 2.0**-30), 1.0 - 2.0**-30)
        return -float(log_array(np.float64(1.0 / p - 1.0)))

    def derivatives(
        self,
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        predictions: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: ModuleType = cpu,
    ) -> None:
        """See ``Objective.derivatives``."""
        kernels.logistic_derivatives(label, kernel_weight(weight), predictions[0], -1, out[0])

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
        kernels.add_logistic_leaf_sums(
            label, kernel_weight(weight), predictions[0], leaf_of_row, shift, -1, kernel_scales(scales), sums
        )


@dataclass(frozen=True, slots=True)
class CrossEntropy(Logloss):
    """The same loss under the name that CatBoost gives it where labels are probabilities."""

    name: ClassVar[str] = "CrossEntropy"


@dataclass(frozen=True, slots=True)
class MultiClass:
    """Softmax: der_k = [k = label] − p_k, der2_km = p_k p_m − [k = m] p_k (CatBoost's TMultiClassError)."""

    dimension: int
    name: ClassVar[str] = "MultiClass"
    second_order: ClassVar[str] = "full"
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``; the label's bound does not matter."""
        loss = 2.0 * prediction_bound + self.dimension.bit_length() * _LN2
        return widened(Bounds(derivative=1.0, second_derivative=0.25, loss=loss))

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: CatBoost has no ``boost_from_average`` for this loss."""
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
        kernels.softmax_derivatives(label, kernel_weight(weight), predictions, out)

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
        kernels.add_softmax_leaf_sums(
            label, kernel_weight(weight), predictions, leaf_of_row, shift, kernel_scales(scales), sums
        )


@dataclass(frozen=True, slots=True)
class MultiClassOneVsAll:
    """One log-loss a class, added up: der_k = [k = label] − p_k, der2_k = −p_k(1 − p_k) (TMultiClassOneVsAllError).

    The derivatives are of the sum over the classes; CatBoost's metric of this name is its mean over the classes.
    """

    dimension: int
    name: ClassVar[str] = "MultiClassOneVsAll"
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = 1.0  # |1 − 2p|
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``; the label's bound does not matter."""
        loss = self.dimension * (prediction_bound + _LN2)
        return widened(Bounds(derivative=1.0, second_derivative=0.25, loss=loss))

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: CatBoost has no ``boost_from_average`` for this loss."""
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
        for k in range(self.dimension):
            kernels.logistic_derivatives(label, kernel_weight(weight), predictions[k], k, out[k])

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
        for k in range(self.dimension):
            kernels.add_logistic_leaf_sums(
                label, kernel_weight(weight), predictions[k], leaf_of_row, shift, k, kernel_scales(scales), sums
            )
