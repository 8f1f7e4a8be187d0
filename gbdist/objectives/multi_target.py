"""Losses of several labels a row, with a raw value for each: the sum over the labels of a loss of each one."""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import labels_of
from gbdist.kernels import cpu
from gbdist.kernels import pointwise as kinds
from gbdist.kernels.pointwise import Rule
from gbdist.objectives.base import (
    LARGEST_PREDICTION,
    Bounds,
    Exponent,
    LeafScales,
    kernel_scales,
    kernel_weight,
    widened,
)
from gbdist.objectives.classification import Logloss
from gbdist.objectives.regression import RMSE

_SQUARED, _LOGISTIC = (kinds.SQUARED, 0.0, 0.0), (kinds.LOGISTIC, 0.0, 0.0)
#: Losses by CatBoost's names (its TMultiRMSEError, TMultiRMSEErrorWithMissingValues, TMultiCrossEntropyError), and their rules.
MULTI_TARGET: dict[str, Rule] = {
    "MultiRMSE": _SQUARED,
    "MultiRMSEWithMissingValues": _SQUARED,
    "MultiLogloss": _LOGISTIC,
    "MultiCrossEntropy": _LOGISTIC,
}
#: The one of them whose labels may be missing.
WITH_MISSING = "MultiRMSEWithMissingValues"


@dataclass(frozen=True, slots=True)
class MultiTarget:
    """One of ``MULTI_TARGET``, of ``dimension`` labels; a missing label adds nothing to loss and derivatives."""

    name: str
    dimension: int
    second_order: ClassVar[str] = "diagonal"
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    @property
    def rule(self) -> Rule:
        """That of each label's loss."""
        return MULTI_TARGET[self.name]

    @property
    def _of_one(self) -> RMSE | Logloss:
        """The same loss of a single label."""
        return RMSE() if self.rule == _SQUARED else Logloss()

    @property
    def curvature_change(self) -> float:
        """See ``Objective.curvature_change``."""
        return self._of_one.curvature_change

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        one = self._of_one.bounds(label_bound, prediction_bound, top)
        return widened(Bounds(one.derivative, one.second_derivative, self.dimension * one.loss))

    def start_value(self, weighted_label_mean: float) -> float:
        """That of the loss of a single label."""
        return self._of_one.start_value(weighted_label_mean)

    def derivatives(
        self,
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        predictions: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: ModuleType = cpu,
    ) -> None:
        """See ``Objective.derivatives``."""
        for k, of_label in enumerate(labels_of(label)):
            kernels.pointwise_derivatives(of_label, kernel_weight(weight), predictions[k], self.rule, out[k])

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
        units = kernel_scales(scales)
        for k, of_label in enumerate(labels_of(label)):
            kernels.add_pointwise_leaf_sums(
                of_label, kernel_weight(weight), predictions[k], leaf_of_row, shift, self.rule, k, units, sums
            )
