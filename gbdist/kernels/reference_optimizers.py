"""The obvious NumPy twins of the optimizers' kernels: slow, same signatures, same bits. Tests hold them together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Vector = NDArray[np.floating[Any]]


def _slope(gradient: Any, parameter: Any, penalized: Any, mean: tuple[Any, Any]) -> Any:
    alpha, total = mean
    return (gradient + (alpha * parameter) * penalized) / total


def sgd_step(
    flat: _Vector,
    gradient: _Vector,
    velocity: _Vector,
    penalized: NDArray[np.bool_],
    mean: tuple[Any, Any],
    rates: tuple[Any, Any],
    momentum: Any,
    nesterov: bool,
) -> None:
    """Twin of ``cpu_optimizers.sgd_step``."""
    rate, decay = rates
    slope = _slope(gradient, flat, penalized, mean)
    velocity *= momentum
    velocity -= rate * slope
    step = momentum * velocity - rate * slope if nesterov else velocity
    flat += step - (decay * flat) * penalized


def adam_step(
    flat: _Vector,
    gradient: _Vector,
    first: _Vector,
    second: _Vector,
    penalized: NDArray[np.bool_],
    mean: tuple[Any, Any],
    rates: tuple[Any, Any],
    kept: tuple[Any, Any, Any, Any],
    epsilon: Any,
) -> None:
    """Twin of ``cpu_optimizers.adam_step``."""
    rate, decay = rates
    keep_1, take_1, keep_2, take_2 = kept
    slope = _slope(gradient, flat, penalized, mean)
    first *= keep_1
    first += take_1 * slope
    second *= keep_2
    second += take_2 * (slope * slope)
    step = -rate * first / (np.sqrt(second) + epsilon)
    flat += step - (decay * flat) * penalized


def adam_ahead(flat: _Vector, first: _Vector, second: _Vector, rate: Any, epsilon: Any, ahead: _Vector) -> None:
    """Twin of ``cpu_optimizers.adam_ahead``."""
    ahead[:] = flat - rate * first / (np.sqrt(second) + epsilon)


def sum_of_squares(flat: _Vector, runs: NDArray[np.int64]) -> float:
    """Twin of ``cpu_optimizers.sum_of_squares``, but for the order of its additions."""
    squares = [flat[start:stop].astype(np.float64) ** 2 for start, stop in runs.tolist()]
    return float(sum(float(each.sum()) for each in squares))
