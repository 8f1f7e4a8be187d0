"""SurvivalAft: the logarithm of a time that is known, or known to lie between two ends."""

import math
from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.description import Option, parse_description
from gbdist.kernels import cpu
from gbdist.kernels.survival import EXTREME, LARGEST_DERIVATIVE, LARGEST_LOSS, LOGISTIC, NORMAL, Noise
from gbdist.objectives.base import (
    Bounds,
    Exponent,
    LeafScales,
    kernel_scales,
    kernel_weight,
    no_start_value,
    widened,
)

_DISTRIBUTIONS = {"Normal": NORMAL, "Logistic": LOGISTIC, "Extreme": EXTREME}
_SCALE = Option(1.0, 0.0, math.inf, "above 0")


@dataclass(frozen=True, slots=True)
class SurvivalAft:
    """Minus the log-likelihood of log t = raw value + scale × noise (``kernels.survival``); labels are two ends, [2, n_rows].

    e to the raw value, a time, is what the metric compares, so that it is an exponent. Weights count, as CatBoost's metric has
    them; its derivatives leave them out.
    """

    description: str
    noise: Noise
    name: ClassVar[str] = "SurvivalAft"
    dimension: ClassVar[int] = 1
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = 300.0
    exponent: ClassVar[Exponent | None] = Exponent()

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        return widened(Bounds(LARGEST_DERIVATIVE, LARGEST_DERIVATIVE, LARGEST_LOSS))

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
        kernels.survival_derivatives(label[0], label[1], kernel_weight(weight), predictions[0], self.noise, out[0])

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
        ends, units = (label[0], label[1]), kernel_scales(scales)
        kernels.add_survival_leaf_sums(
            *ends, kernel_weight(weight), predictions[0], leaf_of_row, shift, self.noise, units, sums
        )


def survival_aft(description: str, parameter: str = "loss_function") -> SurvivalAft:
    """The objective of a description such as "SurvivalAft:dist=Logistic;scale=0.5".

    Raises ParameterError, which names ``parameter``, for an option that it has not, or out of its range.
    """
    given = parse_description(description, parameter)
    options = dict(given.options)
    kind = options.pop("dist", "Normal")
    if kind not in _DISTRIBUTIONS:
        raise given.refused(f"dist to be {', '.join(_DISTRIBUTIONS)}", "Correct dist, or leave it out.")
    scale = replace(given, options=tuple(options.items())).numbers({"scale": _SCALE})["scale"]
    return SurvivalAft(description, (_DISTRIBUTIONS[kind], scale))
