"""The losses of ``pointwise`` in NumPy: what the kernels of ``cpu_pointwise`` must equal, bit for bit.

Shapes and types are those of ``reference_losses``; ``rule`` is (kind, p, q), see ``pointwise``.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import pointwise as kinds
from gbdist.kernels.elementary import exp_array, log1p_exp_array, log_array, sigmoid_array, softplus_of_decay_array
from gbdist.kernels.pointwise import Rule

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]
_Parts: TypeAlias = tuple[_F8, _F8, _F8]


def pointwise_derivatives(label: _F4, weight: _F4, prediction: _F8, rule: Rule, out: _F8) -> None:
    """Weight × derivative of minus the loss."""
    _, first, _ = parts(rule, label, prediction)
    out[:] = first * _ones_or(weight, label)


def add_pointwise_leaf_sums(
    label: _F4,
    weight: _F4,
    prediction: _F8,
    leaf_of_row: NDArray[np.uint16],
    shift: _F8,
    rule: Rule,
    place: int,
    scales: _F8,
    sums: NDArray[np.int64],
) -> None:
    """Columns: loss; weight, if ``place`` is 0; the derivative and second derivative of that one of the dimensions."""
    w = _ones_or(weight, label)
    loss, first, second = parts(rule, label, prediction + shift[leaf_of_row, place])
    if scales[0] != 0.0:
        sums[0, 0] += np.rint(loss * w * scales[0]).astype(np.int64).sum()
    at_second = 2 + (sums.shape[1] - 2) // 2 + place
    columns = ((1, w, scales[1] * (place == 0)), (2 + place, first * w, scales[2]), (at_second, second * w, scales[3]))
    for column, value, scale in columns:
        np.add.at(sums[:, column], leaf_of_row, np.rint(value * scale).astype(np.int64))


def add_pointwise_sums(
    label: _F4, weight: _F4, prediction: _F8, rule: Rule, scales: _F8, sums: NDArray[np.int64]
) -> None:
    """Σ weight × loss, and Σ weight, of all rows that have a label: scales float64 [2] IN, sums int64 [2] IN and OUT."""
    w = np.where(np.isnan(label), 0.0, _ones_or(weight, label))
    loss, _, _ = parts(rule, label, prediction)
    for column, (value, scale) in enumerate(zip((loss * w, w), scales, strict=True)):
        sums[column] += np.rint(value * scale).astype(np.int64).sum()


def parts(rule: Rule, label: _F4, a: _F8) -> _Parts:
    """Loss, derivative and second derivative of minus the loss of each row, for a weight of 1: float64 [n] each."""
    kind, p, q = rule
    y = label.astype(np.float64)
    with np.errstate(all="ignore"):
        return _PARTS[kind](y, a, p, q)


def _quantile(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    d = y - a
    slope = np.where(np.abs(d) < q, 0.0, np.where(d > 0.0, p, -(1.0 - p)))
    return np.abs(slope) * (np.abs(d) - q), slope, np.zeros_like(d)


def _mape(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    d = y - a
    slope = 1.0 / np.maximum(1.0, np.abs(y))
    return np.abs(d) * slope, np.where(d > 0.0, slope, -slope), np.zeros_like(d)


def _log_lin_quantile(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    e = exp_array(a)
    slope = np.where(y - e > 0.0, p, -(1.0 - p))
    return slope * (y - e), slope * e, np.zeros_like(e)


def _poisson(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    e = exp_array(a)
    return e - y * a, y - e, -e


def _power(x: _F8, exponent: float) -> _F8:
    return np.ones_like(x) if exponent == 0.0 else np.asarray(exp_array(exponent * log_array(x)))


def _lq(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    d = y - a
    slope = p * _power(np.abs(d), p - 1.0)
    second = -(p * (p - 1.0)) * _power(np.abs(d), p - 2.0) if p >= 2.0 else np.zeros_like(d)
    return _power(np.abs(d), p), np.where(d > 0.0, slope, -slope), second


def _expectile(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    d = y - a
    slope = np.where(d > 0.0, p, 1.0 - p)
    return slope * d * d, 2.0 * slope * d, -2.0 * slope


def _huber(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    d = y - a
    near = np.abs(d) < p
    loss = np.where(near, 0.5 * d * d, p * (np.abs(d) - 0.5 * p))
    return loss, np.where(near, d, np.where(d > 0.0, p, -p)), np.where(near, -1.0, 0.0)


def _log_cosh(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    d = y - a
    twice = -2.0 * np.abs(d)
    e = exp_array(twice)
    slope = (1.0 - e) / (1.0 + e)
    loss = np.abs(d) + softplus_of_decay_array(twice, e) - kinds.LN2
    return loss, np.where(d > 0.0, slope, -slope), -(4.0 * e) / ((1.0 + e) * (1.0 + e))


def _tweedie(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    down, up = 1.0 - p, 2.0 - p
    first, second = y * exp_array(down * a), exp_array(up * a)
    return second / up - first / down, first - second, first * down - second * up


def _focal(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    probability = np.clip(sigmoid_array(a), kinds.FOCAL_MARGIN, 1.0 - kinds.FOCAL_MARGIN)
    positive = y == 1.0
    weight, sign = np.where(positive, p, 1.0 - p), np.where(positive, 1.0, -1.0)
    own = np.where(positive, probability, 1.0 - probability)
    other = 1.0 - own
    log_own = log_array(own)
    u = weight * _power(other, q)
    v = q * own * log_own + own - 1.0
    du = -(weight * q) * _power(other, q - 1.0) if q >= 1.0 else -(u * q) / other
    dv = q * log_own + q + 1.0
    return -(u * log_own), -(sign * (u * v)), -(du * v + u * dv) * (own * other)


def _squared(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    there = ~np.isnan(y)
    d = np.where(there, y - a, 0.0)
    return 0.5 * d * d, d, np.where(there, -1.0, 0.0)


def _logistic(y: _F8, a: _F8, p: float, q: float) -> _Parts:
    probability = np.asarray(sigmoid_array(a))
    return np.asarray(log1p_exp_array(a)) - y * a, y - probability, -probability * (1.0 - probability)


#: In the order of the kinds.
_PARTS = (
    _quantile, _mape, _log_lin_quantile, _poisson, _lq, _expectile, _huber, _log_cosh, _tweedie, _focal, _squared, _logistic,
)  # fmt: skip


def _ones_or(weight: _F4, label: _F4) -> _F8:
    return weight.astype(np.float64) if weight.shape[0] else np.ones(label.shape[0])
