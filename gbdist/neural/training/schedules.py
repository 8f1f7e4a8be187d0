"""The learning rate of each step. Powers and cosines are made of IEEE operations alone: all ranks must get the same bits."""

import math
from collections.abc import Callable

import numpy as np

from gbdist.kernels.elementary import exp_array, log_array
from gbdist.neural.training.params import TrainParams

#: scikit-learn's "adaptive" gives up below this rate, and divides by five until then.
SMALLEST_RATE, DIVISOR = 1e-6, 5.0


class Schedule:
    """Learning rates of a run.

    As in scikit-learn, "invscaling" and "adaptive" are for "sgd" alone: with "adam" they mean "constant".

    Parameters
    ----------
    n_rows : int
        Rows of an epoch over all ranks; scikit-learn counts the samples that were seen.
    n_batches : int
        Steps of an epoch.
    """

    def __init__(self, params: TrainParams, n_rows: int, n_batches: int) -> None:
        self._params, self._n_rows, self._n_batches = params, n_rows, n_batches

    def of_epoch(self, epoch: int, rate_factor: float) -> Callable[[int], float]:
        """The rate of each batch of one epoch, both from 0; ``rate_factor`` is what "adaptive" has left of it."""
        params = self._params
        rate = params.learning_rate_init
        if params.solver == "sgd" and params.schedule == "invscaling" and epoch > 0:
            rate = rate / power(epoch * self._n_rows + 1.0, params.power_t)
        elif self.adapts:
            rate = rate * rate_factor
        if params.schedule != "cosine" and epoch >= params.warm_up:
            return lambda batch: rate
        return lambda batch: rate * self._share(epoch * self._n_batches + batch)

    @property
    def adapts(self) -> bool:
        """Whether the rate is lowered where scikit-learn would otherwise stop."""
        return self._params.solver == "sgd" and self._params.schedule == "adaptive"

    def lowered(self, rate_factor: float) -> float | None:
        """The next ``rate_factor`` of "adaptive"; None: the rate is so small that the run is over."""
        if not self.adapts or self._params.learning_rate_init * rate_factor <= SMALLEST_RATE:
            return None
        return rate_factor / DIVISOR

    def _share(self, step: int) -> float:
        """Warm-up (Goyal et al., 2017, section 2.2), then half a cosine (Loshchilov and Hutter, SGDR, 2017, equation 5)."""
        warm_up = self._params.warm_up * self._n_batches
        if step < warm_up:
            return (step + 1.0) / (warm_up + 1.0)
        if self._params.schedule != "cosine":
            return 1.0
        left = self._params.max_iter * self._n_batches - warm_up
        return half_cosine((step - warm_up) / left) if step - warm_up < left else 0.0


def power(base: float, exponent: float) -> float:
    """base ** exponent for a base above 0."""
    return float(exp_array(np.float64(exponent) * log_array(np.float64(base))))


def whole_power(base: float, exponent: int) -> float:
    """base ** exponent for an exponent of 0 or more, by repeated squaring."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base, exponent = base * base, exponent >> 1
    return result


def half_cosine(share: float) -> float:
    """(1 + cos π share) / 2 for 0 ≤ share ≤ 1: falls from 1 to 0. Taylor's series of the sine, to 1e-15."""
    angle = math.pi * (0.5 - share)  # (1 + sin angle) / 2
    square, term, total = angle * angle, angle, angle
    for k in range(2, 26, 2):
        term = -term * square / (k * (k + 1))
        total += term
    return 0.5 * (1.0 + total)
