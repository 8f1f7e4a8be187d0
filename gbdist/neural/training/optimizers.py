"""Optimizers: from the summed gradient of a batch to the next parameters, in place. The formulas are scikit-learn's."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_optimizers import adam_ahead, adam_step, sgd_step, sum_of_squares
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.schedules import whole_power
from gbdist.neural.training.state import Vector


class Optimizer(Protocol):
    """Makes steps on one vector of parameters."""

    @property
    def n_moments(self) -> int:
        """How many vectors it keeps, beside the parameters."""
        ...

    def step(
        self, flat: Vector, gradient: Vector, moments: tuple[Vector, ...], rate: float, number: int, weight: float
    ) -> None:
        """Move ``flat`` and ``moments`` (IN and OUT) by the gradient (IN) of a batch.

        ``gradient`` is a sum over rows whose ``weight`` in all is this; ``number`` counts steps from 1.
        """
        ...

    def look_ahead(
        self, flat: Vector, moments: tuple[Vector, ...], rates: Sequence[float], number: int, ahead: Vector
    ) -> None:
        """Write to ``ahead`` (OUT) where ``flat`` (IN) will be after one more step at each of some learning rates.

        As far as the moments (IN) tell after ``number`` steps, one at least; the gradients to come are not known.
        """
        ...


class Penalty:
    """The penalty alpha / 2 × Σ W² of the parameters that it counts, and its place in a step.

    Parameters
    ----------
    penalized : bool [n_parameters]
    told : bool [n_parameters] or None
        Which of them ``of`` adds up, where other ranks tell of the rest; None: all.
    """

    def __init__(
        self, penalized: NDArray[np.bool_], params: TrainParams, told: NDArray[np.bool_] | None = None
    ) -> None:
        self.penalized = penalized
        counted = penalized if told is None else penalized & told
        edges = np.flatnonzero(np.diff(counted.astype(np.int8), prepend=np.int8(0), append=np.int8(0)))
        self._runs = np.ascontiguousarray(edges.reshape(-1, 2), np.int64)
        self._alpha, self._decoupled = params.alpha, params.decoupled

    @property
    def in_loss(self) -> float:
        """What of ``alpha`` is part of the loss: nothing where weights shrink beside it."""
        return 0.0 if self._decoupled else self._alpha

    def of(self, flat: Vector) -> float:
        """Its value, to be divided by the total weight of a batch as scikit-learn does."""
        if self.in_loss == 0.0:
            return 0.0
        return 0.5 * self._alpha * float(sum_of_squares(flat, self._runs))

    def decay(self, rate: float) -> float:
        """Share of each parameter that a step takes away beside the gradient (Loshchilov and Hutter, 2019, algorithm 2)."""
        return rate * self._alpha if self._decoupled else 0.0


class Sgd:
    """Stochastic gradient descent with momentum."""

    n_moments = 1

    def __init__(self, penalty: Penalty, params: TrainParams) -> None:
        self._penalty = penalty
        self._momentum, self._nesterov = params.momentum, params.nesterovs_momentum

    def step(
        self, flat: Vector, gradient: Vector, moments: tuple[Vector, ...], rate: float, number: int, weight: float
    ) -> None:
        """See ``Optimizer``."""
        number_of, penalty = flat.dtype.type, self._penalty
        mean = number_of(penalty.in_loss), number_of(weight)
        rates = number_of(rate), number_of(penalty.decay(rate))
        sgd_step(flat, gradient, moments[0], penalty.penalized, mean, rates, number_of(self._momentum), self._nesterov)

    def look_ahead(
        self, flat: Vector, moments: tuple[Vector, ...], rates: Sequence[float], number: int, ahead: Vector
    ) -> None:
        """See ``Optimizer``: with the velocity that is left of what it is, which gradients like the last ones keep up."""
        np.multiply(moments[0], flat.dtype.type(self._momentum * len(rates)), out=ahead)
        ahead += flat


class Adam:
    """Adam; AdamW where ``alpha`` is decoupled."""

    n_moments = 2

    def __init__(self, penalty: Penalty, params: TrainParams) -> None:
        self._penalty = penalty
        self._betas, self._epsilon = (params.beta_1, params.beta_2), params.epsilon

    def step(
        self, flat: Vector, gradient: Vector, moments: tuple[Vector, ...], rate: float, number: int, weight: float
    ) -> None:
        """See ``Optimizer``."""
        number_of, penalty = flat.dtype.type, self._penalty
        one, two = self._betas
        corrected = self._corrected(rate, number)
        mean = number_of(penalty.in_loss), number_of(weight)
        rates = number_of(corrected), number_of(penalty.decay(rate))
        kept = number_of(one), number_of(1.0 - one), number_of(two), number_of(1.0 - two)
        first, second = moments
        adam_step(flat, gradient, first, second, penalty.penalized, mean, rates, kept, number_of(self._epsilon))

    def look_ahead(
        self, flat: Vector, moments: tuple[Vector, ...], rates: Sequence[float], number: int, ahead: Vector
    ) -> None:
        """See ``Optimizer``: steps of the moments as they are."""
        number_of, rate = flat.dtype.type, self._corrected(sum(rates), number)
        first, second = moments
        adam_ahead(flat, first, second, number_of(rate), number_of(self._epsilon), ahead)

    def _corrected(self, rate: float, number: int) -> float:
        """A learning rate with the corrections of both moments after so many steps."""
        one, two = self._betas
        return rate * math.sqrt(1.0 - whole_power(two, number)) / (1.0 - whole_power(one, number))


def optimizer_of(penalty: Penalty, params: TrainParams) -> Optimizer:
    """The optimizer of a run."""
    return Sgd(penalty, params) if params.solver == "sgd" else Adam(penalty, params)
