"""What a loss is to the trainer: derivatives, leaf sums and their bounds."""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ParameterError
from gbdist.kernels import cpu

#: raw predictions stay below this, so that their squares and the sums of those are ordinary numbers
LARGEST_PREDICTION = 1e100


@dataclass(frozen=True, slots=True)
class Bounds:
    """Largest absolute values for a row of weight 1; the fixed-point scales come from them (DESIGN §4)."""

    derivative: float
    second_derivative: float
    loss: float


@dataclass(frozen=True, slots=True)
class Exponent:
    """Which raw value, times ``sign``, is an exponent: bounds grow with e to its power, so that those of it must be tight."""

    dimension: int = 0
    sign: float = 1.0

    def largest(self, values: NDArray[np.float64]) -> float:
        """The largest exponent among raw values float64 [n, dimension], n > 0."""
        return float((self.sign * values[:, self.dimension]).max())

    def largest_between(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
        """The largest exponent where raw values lie between two ends, float64 [dimension]."""
        return float(max(self.sign * low[self.dimension], self.sign * high[self.dimension]))


@dataclass(frozen=True, slots=True)
class LeafScales:
    """Powers of two that turn a row's weighted values into int64 before they are summed; 0 for what is not asked for.

    Both derivatives are asked for together.
    """

    derivative: float
    second_derivative: float
    loss: float
    weight: float


class Objective(Protocol):
    """One loss. Instances are small, immutable and picklable.

    Sign convention is CatBoost's: ``derivatives`` is the derivative of **minus** the loss, the second derivative of
    minus the loss is ≤ 0 for a convex loss, and leaf value = Σder / (−Σder2 + l2).

    The leaf-sum vector of one leaf, ``sums[leaf]``, has ``n_sums = 2 + dimension + n_second`` columns:
    ``[loss, weight, der_0 … der_{K−1}, second …]`` where ``second`` is, by ``second_order``: "diagonal" der2_0 … der2_{K−1}, or
    "full" the upper triangle row by row (K·(K+1)/2 values). The loss is that of all rows and stands in ``sums[0, 0]`` alone.
    """

    @property
    def name(self) -> str:
        """CatBoost's name of the loss."""
        ...

    @property
    def dimension(self) -> int:
        """Number of raw values a row gets."""
        ...

    @property
    def second_order(self) -> str:
        """What ``second`` holds: "diagonal" or "full"."""
        ...

    @property
    def curvature_change(self) -> float:
        """Largest |third derivative| of any row as a multiple of its |second|; inf where there is no bound, or none is known."""
        ...

    @property
    def largest_prediction(self) -> float:
        """Raw predictions must stay below this, or where one is an exponent, that one."""
        ...

    @property
    def exponent(self) -> Exponent | None:
        """What is an exponent; None where nothing is."""
        ...

    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """Bounds for |label| ≤ label_bound, every |raw prediction| ≤ prediction_bound and every exponent ≤ top."""
        ...

    def start_value(self, weighted_label_mean: float) -> float:
        """Raw start value for ``boost_from_average``, of all dimensions or, with a label for each, of that label's."""
        ...

    def derivatives(
        self,
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        predictions: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: ModuleType = cpu,
    ) -> None:
        """Write weight × first derivative of each row; ``predictions`` IN and ``out`` OUT are [dimension, n_rows].

        ``label`` is [n_rows], or [n_labels, n_rows] where a row has several (``multi_target``).

        ``kernels`` are those for where the rows lie, here and below.
        """
        ...

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
        """Add each row's values at ``predictions + shift[leaf]`` to its leaf's sums.

        ``shift`` is float64 [n_leaves, dimension], ``sums`` int64 [n_leaves, n_sums], IN and OUT. Each value is rounded once,
        ``rint(value × scale)``, so the sums do not depend on order. A scale of 0 leaves what it scales out: the loss costs a
        logarithm a row, weights do not change between steps, and the last try needs no derivatives. A value that is a sum
        over classes may be rounded class by class.
        """
        ...


class Unbounded(Protocol):
    """A loss whose derivatives have no bounds that are known; they are measured (``boosting.measured``)."""

    @property
    def name(self) -> str:
        """See ``Objective.name``."""
        ...

    @property
    def dimension(self) -> int:
        """See ``Objective.dimension``."""
        ...

    @property
    def second_order(self) -> str:
        """See ``Objective.second_order``."""
        ...

    @property
    def curvature_change(self) -> float:
        """See ``Objective.curvature_change``."""
        ...

    @property
    def largest_prediction(self) -> float:
        """See ``Objective.largest_prediction``."""
        ...

    @property
    def exponent(self) -> Exponent | None:
        """See ``Objective.exponent``."""
        ...

    def start_value(self, weighted_label_mean: float) -> float:
        """See ``Objective.start_value``."""
        ...


def with_bounds(objective: Objective | Unbounded) -> Objective:
    """The objective itself, which is one of those that have bounds."""
    if not hasattr(objective, "bounds"):
        raise TypeError(f"bounds of {objective.name} are not known")
    return cast(Objective, objective)


_NO_WEIGHT = np.empty(0, np.float32)


def kernel_weight(weight: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """What kernels take for the weights: an array without elements where every weight is 1."""
    return _NO_WEIGHT if weight is None else weight


def kernel_scales(scales: LeafScales) -> NDArray[np.float64]:
    """Scales in the order of ``reference_losses``: loss, weight, first and second derivative."""
    return np.array([scales.loss, scales.weight, scales.derivative, scales.second_derivative])


def widened(bounds: Bounds) -> Bounds:
    """Bounds that also hold for values computed in float64, a few roundings above the real ones."""
    factor = 1.0 + 1e-12
    return Bounds(bounds.derivative * factor, bounds.second_derivative * factor, bounds.loss * factor)


def no_start_value(loss: str) -> ParameterError:
    """The refusal of ``boost_from_average`` by a loss that has none."""
    return ParameterError(
        "boost_from_average",
        True,
        f"False with loss_function={loss!r}",
        "Leave boost_from_average out, or set it to False.",
    )
