"""Losses of one raw value a row that a rule describes (``kernels.pointwise``): regression, and Focal."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.description import Option, name_of, parse_description
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
    no_start_value,
    widened,
)

_QUANTILE_ALPHA = Option(0.5, 0.0, 1.0, "from 0 to 1", open_low=False, open_high=False)
_DELTA = Option(1e-6, 0.0, 1e-2, "from 0 to 0.01", open_low=False, open_high=False)
_POSITIVE = Option(None, 0.0, math.inf, "above 0")
#: e to the power of this, and its square, are numbers.
_LARGEST_EXPONENT = 300.0
#: Bounds are below this.
_LARGEST = 1e280


@dataclass(frozen=True, slots=True)
class Family:
    """What losses of one name have in common.

    Parameters
    ----------
    kind : of the rule
    options : by CatBoost's names, in the order p, q
    bounds : (p, q, |label|, |prediction|, prediction) → largest |derivative|, |second derivative| and |loss|
    curvature_change : (p, q) → see ``Objective``
    lowest_label : labels may not be below
    is_exponential : whether predictions are exponents
    fixed : p and q of a loss that has no options
    """

    kind: int
    options: Mapping[str, Option]
    bounds: Callable[[float, float, float, float, float], tuple[float, float, float]]
    curvature_change: Callable[[float, float], float] = lambda p, q: math.inf
    lowest_label: float = -math.inf
    is_exponential: bool = False
    fixed: tuple[float, float] = (0.0, 0.0)


#: Quantiles of MultiQuantile, as many as there are.
_ALPHAS = "numbers from 0 to 1 with commas between them, at least one"


def _of_quantile(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    slope = max(p, 1.0 - p)
    return slope, 1.0, slope * (y + a)


def _of_log_lin_quantile(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    slope = max(p, 1.0 - p)
    return slope * math.exp(top), 1.0, slope * (y + math.exp(top))


def _of_poisson(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    return y + math.exp(top), math.exp(top), math.exp(top) + y * a


def _of_lq(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    d = max(y + a, 1.0)
    return p * _power(d, p - 1.0), p * abs(p - 1.0) * _power(d, max(p - 2.0, 0.0)), _power(d, p)


def _power(x: float, exponent: float) -> float:
    """x^exponent for x ≥ 1, at most ``_LARGEST``."""
    return math.pow(x, exponent) if exponent * math.log(x) < math.log(_LARGEST) else _LARGEST


def _of_expectile(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    slope, d = max(p, 1.0 - p), y + a
    return 2.0 * slope * d, 2.0 * slope, slope * d * d


def _of_huber(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    d = y + a
    return min(p, d), 1.0, min(p * d, 0.5 * d * d)


def _of_tweedie(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    first, second = y * math.exp((p - 1.0) * a), math.exp((2.0 - p) * top)
    return first + second, first * (p - 1.0) + second * (2.0 - p), first / (p - 1.0) + second / (2.0 - p)


def _of_focal(p: float, q: float, y: float, a: float, top: float) -> tuple[float, float, float]:
    # |log| of a probability that stays FOCAL_MARGIN from 0 is below 30; γ (1 − p)^(γ − 1) comes with a factor 1 − p.
    return q + 1.0, q * (q + 1.0) + q * 30.0 + q + 1.0, 30.0


FAMILIES: dict[str, Family] = {
    "MAE": Family(kinds.QUANTILE, {}, _of_quantile, fixed=(0.5, 1e-6)),
    "Quantile": Family(kinds.QUANTILE, {"alpha": _QUANTILE_ALPHA, "delta": _DELTA}, _of_quantile),
    "MAPE": Family(kinds.MAPE, {}, lambda p, q, y, a, top: (1.0, 1.0, 1.0 + a)),
    "LogLinQuantile": Family(
        kinds.LOG_LIN_QUANTILE, {"alpha": _QUANTILE_ALPHA}, _of_log_lin_quantile, is_exponential=True
    ),
    "Poisson": Family(kinds.POISSON, {}, _of_poisson, lambda p, q: 1.0, lowest_label=0.0, is_exponential=True),
    "Lq": Family(kinds.LQ, {"q": Option(None, 1.0, math.inf, "at least 1", open_low=False)}, _of_lq),
    "Expectile": Family(
        kinds.EXPECTILE,
        {"alpha": Option(None, 0.0, 1.0, "from 0 to 1", open_low=False, open_high=False)},
        _of_expectile,
    ),
    "Huber": Family(kinds.HUBER, {"delta": _POSITIVE}, _of_huber),
    "LogCosh": Family(kinds.LOG_COSH, {}, lambda p, q, y, a, top: (1.0, 1.0, y + a + 1.0), lambda p, q: 2.0),
    "Tweedie": Family(
        kinds.TWEEDIE,
        {"variance_power": Option(None, 1.0, 2.0, "between 1 and 2")},
        _of_tweedie,
        lambda p, q: max(p - 1.0, 2.0 - p),
        lowest_label=0.0,
        is_exponential=True,
    ),
    "Focal": Family(
        kinds.FOCAL,
        {"focal_alpha": Option(None, 0.0, 1.0, "between 0 and 1"), "focal_gamma": _POSITIVE},
        _of_focal,
    ),
}


def rule_of(description: str, parameter: str = "loss_function") -> Rule:
    """The rule of a description such as "Quantile:alpha=0.9", whose name is one of ``FAMILIES``.

    Raises ParameterError, which names ``parameter``, for an option that the loss has not, or out of its range.
    """
    given = parse_description(description, parameter)
    family = FAMILIES[given.metric]
    values = [*given.numbers(family.options).values(), *family.fixed[len(family.options) :]]
    return family.kind, float(values[0]), float(values[1])


@dataclass(frozen=True, slots=True)
class Pointwise:
    """A loss of one raw value a row; ``description`` is CatBoost's, options included."""

    description: str
    rule: Rule
    dimension: ClassVar[int] = 1
    second_order: ClassVar[str] = "diagonal"

    @property
    def name(self) -> str:
        """See ``Objective.name``."""
        return name_of(self.description)

    @property
    def family(self) -> Family:
        """What losses of the name have in common."""
        return FAMILIES[self.name]

    @property
    def curvature_change(self) -> float:
        """See ``Objective.curvature_change``."""
        return self.family.curvature_change(*self.rule[1:])

    @property
    def largest_prediction(self) -> float:
        """See ``Objective.largest_prediction``."""
        if self.family.kind == kinds.LQ:
            return min(LARGEST_PREDICTION, 0.25 * math.pow(_LARGEST, 1.0 / self.rule[1]))
        return _LARGEST_EXPONENT if self.family.is_exponential else LARGEST_PREDICTION

    @property
    def exponent(self) -> Exponent | None:
        """See ``Objective.exponent``."""
        return Exponent() if self.family.is_exponential else None

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        a = min(prediction_bound, 2.0 * _LARGEST_EXPONENT) if self.family.is_exponential else prediction_bound
        first, second, loss = self.family.bounds(*self.rule[1:], label_bound, a, min(top, a))
        return widened(Bounds(first, second, loss))

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: CatBoost has no ``boost_from_average`` for the loss, or its start is a quantile of the labels."""
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
        kernels.pointwise_derivatives(label, kernel_weight(weight), predictions[0], self.rule, out[0])

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
        kernels.add_pointwise_leaf_sums(
            label, kernel_weight(weight), predictions[0], leaf_of_row, shift, self.rule, 0, kernel_scales(scales), sums
        )


@dataclass(frozen=True, slots=True)
class MultiQuantile:
    """Several quantiles of a label, a raw value each: the sum of their losses (CatBoost's TMultiQuantileError)."""

    description: str
    rules: tuple[Rule, ...]
    name: ClassVar[str] = "MultiQuantile"
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    @property
    def dimension(self) -> int:
        """See ``Objective.dimension``."""
        return len(self.rules)

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""
        each = [_of_quantile(p, q, label_bound, prediction_bound, top) for _, p, q in self.rules]
        first, second, _ = (max(values) for values in zip(*each, strict=True))
        return widened(Bounds(first, second, math.fsum(loss for _, _, loss in each)))

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: the start values are quantiles of the labels."""
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
        for k, rule in enumerate(self.rules):
            kernels.pointwise_derivatives(label, kernel_weight(weight), predictions[k], rule, out[k])

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
        for k, rule in enumerate(self.rules):
            kernels.add_pointwise_leaf_sums(
                label, kernel_weight(weight), predictions[k], leaf_of_row, shift, rule, k, units, sums
            )


def multi_quantile(description: str, parameter: str = "loss_function") -> MultiQuantile:
    """The objective of a description such as "MultiQuantile:alpha=0.1,0.5,0.9".

    Raises ParameterError, which names ``parameter``, for an option that it has not, or out of its range.
    """
    given = parse_description(description, parameter)
    options = dict(given.options)
    texts = options.pop("alpha", "").split(",")
    delta = replace(given, options=tuple(options.items())).numbers({"delta": _DELTA})["delta"]
    try:
        alphas = [float(text) for text in texts]
    except ValueError:
        alphas = []
    if not alphas or not all(map(_QUANTILE_ALPHA.holds, alphas)):
        raise given.refused(f"alpha to be {_ALPHAS}", "Write it as in 'MultiQuantile:alpha=0.1,0.5,0.9'.")
    return MultiQuantile(description, tuple((kinds.QUANTILE, alpha, delta) for alpha in alphas))
