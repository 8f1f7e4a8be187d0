"""Steps of the optimizers, one pass over the vector of all parameters; and the penalty on large weights.

Made of IEEE + − × ÷ and square roots alone, each rounded once, so that ranks whose processors differ hold the same bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel

_Vector = NDArray[np.floating[Any]]


@device_function
def _slope(gradient: Any, parameter: Any, penalized: Any, mean: tuple[Any, Any]) -> Any:
    """Derivative of the mean loss with its penalty: (gradient + alpha × parameter) / total weight."""
    alpha, total = mean
    if penalized:
        return (gradient + alpha * parameter) / total
    return gradient / total


@kernel
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
    """One step of stochastic gradient descent with momentum, scikit-learn's ``SGDOptimizer``.

    Parameters
    ----------
    flat, velocity : float32 or float64[n], IN and OUT
    gradient : like ``flat``, IN
        Sums over the rows of weight × loss.
    penalized : bool[n], IN
    mean : (alpha, total), numbers of ``flat``'s type
        See ``_slope``.
    rates : (rate, decay), numbers of that type
        ``decay`` × parameter is taken from each penalized parameter beside the step.
    """
    rate, decay = rates
    for i in range(np.uint64(flat.shape[0])):
        parameter = flat[i]
        slope = _slope(gradient[i], parameter, penalized[i], mean)
        step = momentum * velocity[i] - rate * slope
        velocity[i] = step
        if nesterov:
            step = momentum * step - rate * slope
        if penalized[i]:
            step -= decay * parameter
        flat[i] = parameter + step


@kernel
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
    """One step of Adam (Kingma and Ba, 2014, section 2, last paragraph), scikit-learn's ``AdamOptimizer``.

    Parameters
    ----------
    flat, gradient, penalized, mean, rates : see ``sgd_step``
        ``rate`` has the corrections of both moments in it.
    first, second : like ``flat``, IN and OUT
        The moments.
    kept : (beta_1, 1 − beta_1, beta_2, 1 − beta_2), numbers of ``flat``'s type
    epsilon : number of that type
    """
    rate, decay = rates
    keep_1, take_1, keep_2, take_2 = kept
    for i in range(np.uint64(flat.shape[0])):
        parameter = flat[i]
        slope = _slope(gradient[i], parameter, penalized[i], mean)
        average = keep_1 * first[i] + take_1 * slope
        square = keep_2 * second[i] + take_2 * (slope * slope)
        first[i], second[i] = average, square
        step = -rate * average / (np.sqrt(square) + epsilon)
        if penalized[i]:
            step -= decay * parameter
        flat[i] = parameter + step


@kernel
def adam_ahead(flat: _Vector, first: _Vector, second: _Vector, rate: Any, epsilon: Any, ahead: _Vector) -> None:
    """Where Adam's parameters will be if its moments stay what they are.

    Parameters
    ----------
    flat, first, second : float32 or float64[n], IN
    rate, epsilon : numbers of that type
        ``rate`` is that of all steps to come, with the corrections of both moments in it.
    ahead : like ``flat``, OUT
    """
    for i in range(np.uint64(flat.shape[0])):
        ahead[i] = flat[i] - rate * first[i] / (np.sqrt(second[i]) + epsilon)


@kernel
def sum_of_squares(flat: _Vector, runs: NDArray[np.int64]) -> float:
    """Σ parameter² over the runs ``start … stop−1``, int64[n_runs, 2], in float64 and in one order on every machine."""
    total = 0.0
    for run in range(runs.shape[0]):
        start, stop = np.uint64(runs[run, 0]), np.uint64(runs[run, 1])
        blocks = (stop - start) // np.uint64(8)
        a = b = c = d = e = f = g = h = 0.0  # eight sums, because an addition waits for the one before
        for block in range(blocks):
            i = np.uint64(start + block * np.uint64(8))
            a += np.float64(flat[i]) * flat[i]
            b += np.float64(flat[i + np.uint64(1)]) * flat[i + np.uint64(1)]
            c += np.float64(flat[i + np.uint64(2)]) * flat[i + np.uint64(2)]
            d += np.float64(flat[i + np.uint64(3)]) * flat[i + np.uint64(3)]
            e += np.float64(flat[i + np.uint64(4)]) * flat[i + np.uint64(4)]
            f += np.float64(flat[i + np.uint64(5)]) * flat[i + np.uint64(5)]
            g += np.float64(flat[i + np.uint64(6)]) * flat[i + np.uint64(6)]
            h += np.float64(flat[i + np.uint64(7)]) * flat[i + np.uint64(7)]
        for rest in range(start + blocks * np.uint64(8), stop):
            a += np.float64(flat[rest]) * flat[rest]
        total += ((a + e) + (b + f)) + ((c + g) + (d + h))
    return total
