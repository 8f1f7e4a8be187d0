"""SurvivalAft in NumPy: what the kernels of ``cpu_survival`` must equal, bit for bit.

Shapes and types are those of ``reference_losses``; ``low`` and ``high`` float32 [n] are the ends of a time, −1 for none, and
``noise`` is (distribution, scale), see ``survival``.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import survival as kinds
from gbdist.kernels.elementary import exp_array, log_array, sigmoid_array
from gbdist.kernels.survival import Noise

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]


def survival_derivatives(low: _F4, high: _F4, weight: _F4, prediction: _F8, noise: Noise, out: _F8) -> None:
    """Weight × derivative of minus the loss."""
    out[:] = parts(noise, low, high, prediction)[1] * _ones_or(weight, low)


def add_survival_leaf_sums(
    low: _F4,
    high: _F4,
    weight: _F4,
    prediction: _F8,
    leaf_of_row: NDArray[np.uint16],
    shift: _F8,
    noise: Noise,
    scales: _F8,
    sums: NDArray[np.int64],
) -> None:
    """Columns: loss, weight, derivative, second derivative."""
    w = _ones_or(weight, low)
    loss, first, second = parts(noise, low, high, prediction + shift[leaf_of_row, 0])
    if scales[0] != 0.0:
        sums[0, 0] += np.rint(loss * w * scales[0]).astype(np.int64).sum()
    for column, (value, scale) in enumerate(zip((w, first * w, second * w), scales[1:], strict=True), start=1):
        np.add.at(sums[:, column], leaf_of_row, np.rint(value * scale).astype(np.int64))


def add_interval_sums(low: _F4, high: _F4, weight: _F4, prediction: _F8, scales: _F8, sums: NDArray[np.int64]) -> None:
    """Σ weight × distance of e^prediction from the interval, and Σ weight: scales float64 [2] IN, sums int64 [2] IN and OUT."""
    w = _ones_or(weight, low)
    time, lower, upper = exp_array(prediction), low.astype(np.float64), high.astype(np.float64)
    to_low = np.where(lower != kinds.NO_END, np.abs(time - lower), np.inf)
    to_high = np.where(upper != kinds.NO_END, np.abs(time - upper), np.inf)
    inside = (lower != kinds.NO_END) & (time > lower) & ((upper == kinds.NO_END) | (time < upper))
    distance = np.where(inside, 0.0, np.minimum(to_low, to_high))
    for column, (value, scale) in enumerate(zip((distance * w, w), scales, strict=True)):
        sums[column] += np.rint(value * scale).astype(np.int64).sum()


def parts(noise: Noise, low: _F4, high: _F4, a: _F8) -> tuple[_F8, _F8, _F8]:
    """Loss, derivative and second derivative of minus the loss of each row, for a weight of 1: float64 [n] each."""
    kind, scale = noise
    lower, upper = low.astype(np.float64), high.astype(np.float64)
    with np.errstate(all="ignore"):
        z_low, z_high = _standardized(lower, a, scale), _standardized(upper, a, scale)
        is_exact, no_high, no_low = lower == upper, upper == kinds.NO_END, lower == kinds.NO_END
        over, under = _above(kind, z_low)[1:], _below(kind, z_high)[1:]
        each = zip(_at(kind, z_low), over, (under[0], -under[1], under[2]), _inside(kind, z_low, z_high), strict=True)
        loss, first, curvature = (
            np.where(is_exact, at, np.where(no_high, above, np.where(no_low, below, inside)))
            for at, above, below, inside in each
        )
        first = np.clip(first / scale, -kinds.LARGEST_DERIVATIVE, kinds.LARGEST_DERIVATIVE)
        curvature = np.clip(curvature / (scale * scale), kinds.LEAST_CURVATURE, kinds.LARGEST_DERIVATIVE)
        return np.minimum(loss, kinds.LARGEST_LOSS), first, -curvature


def _standardized(end: _F8, a: _F8, scale: float) -> _F8:
    z = (np.asarray(log_array(np.where(end > 0.0, end, 1.0))) - a) / scale
    return np.where(end > 0.0, np.clip(z, -kinds.FARTHEST, kinds.FARTHEST), 0.0)


def _scaled_tail(x: _F8) -> _F8:
    far = x + 0.65
    for number in (4.0, 3.0, 2.0, 1.0):
        far = x + number / far
    top, bottom = kinds.TOP[0] * x + kinds.TOP[1], kinds.BOTTOM[0] * x + kinds.BOTTOM[1]
    for of_top, of_bottom in zip(kinds.TOP[2:], kinds.BOTTOM[2:], strict=False):
        top, bottom = top * x + of_top, bottom * x + of_bottom
    near = top / (bottom * x + kinds.BOTTOM[7])
    return np.where(x >= kinds.FAR, 1.0 / (far * kinds.ROOT), near)


def _above(kind: int, z: _F8) -> tuple[_F8, _F8, _F8, _F8]:
    if kind == kinds.LOGISTIC:
        share, other = np.asarray(sigmoid_array(-z)), np.asarray(sigmoid_array(z))
        return share, -np.asarray(log_array(np.maximum(share, kinds.LEAST_MASS))), other, share * other
    if kind == kinds.EXTREME:
        u = np.asarray(exp_array(z))
        return np.asarray(exp_array(-u)), u, u, u
    square = 0.5 * z * z
    height, tail, right = np.asarray(exp_array(-square)), _scaled_tail(np.abs(z)), z >= 0.0
    share = np.where(right, height * tail, 1.0 - height * tail)
    ratio = np.where(right, 1.0 / (tail * kinds.ROOT), height / (kinds.ROOT * share))
    loss = np.where(right, square - log_array(tail), -log_array(np.where(right, 1.0, share)))
    return share, loss, ratio, ratio * (ratio - z)


def _below(kind: int, z: _F8) -> tuple[_F8, _F8, _F8, _F8]:
    if kind != kinds.EXTREME:
        return _above(kind, -z)
    u = np.asarray(exp_array(z))
    left = np.asarray(exp_array(-u))
    share, small = 1.0 - left, u < kinds.SMALL
    ratio = u * left / share
    return (
        np.where(small, u, share),
        np.where(small, -z, -log_array(np.where(small, 1.0, share))),
        np.where(small, 1.0 - 0.5 * u, ratio),
        np.where(small, 0.5 * u, ratio * ((ratio - 1.0) + u)),
    )


def _at(kind: int, z: _F8) -> tuple[_F8, _F8, _F8]:
    if kind == kinds.LOGISTIC:
        share, other = np.asarray(sigmoid_array(z)), np.asarray(sigmoid_array(-z))
        spread = share * other
        return -np.asarray(log_array(np.maximum(spread, kinds.LEAST_MASS))), share - other, 2.0 * spread
    if kind == kinds.EXTREME:
        u = np.asarray(exp_array(z))
        return u - z, u - 1.0, u
    return 0.5 * z * z + kinds.HALF_LOG, z, np.ones_like(z)


def _inside(kind: int, low: _F8, high: _F8) -> tuple[_F8, _F8, _F8]:
    right = low > 0.0
    mass = np.where(right, _above(kind, low)[0] - _above(kind, high)[0], _below(kind, high)[0] - _below(kind, low)[0])
    (low_loss, low_slope, _), (high_loss, high_slope, _) = _at(kind, low), _at(kind, high)
    low_height, high_height = np.asarray(exp_array(-low_loss)), np.asarray(exp_array(-high_loss))
    known = mass > kinds.LEAST_MASS
    first = (low_height - high_height) / mass
    second = (high_slope * high_height - low_slope * low_height) / mass
    found = -np.asarray(log_array(np.where(known, mass, 1.0))), first, first * first + second
    nearest = _at(kind, np.where(right, low, high))
    loss, slope, bend = (np.where(known, one, other) for one, other in zip(found, nearest, strict=True))
    return loss, slope, bend


def _ones_or(weight: _F4, label: _F4) -> _F8:
    return weight.astype(np.float64) if weight.shape[0] else np.ones(label.shape[0])
