"""Losses of one raw value a row, whose derivatives follow from label and prediction by a rule: one source for CPU and card.

A rule is (kind, p, q): which loss, and up to two options. Formulas are CatBoost's (error_functions.h; for the losses themselves
metric.cpp), with y the label, a the prediction, d = y − a:

kind             loss                                            options
QUANTILE         α (|d| − δ) above 0, (1 − α) (|d| − δ) below;   p = α, q = δ
                 0 for |d| < δ
MAPE             |d| / max(1, |y|)
LOG_LIN_QUANTILE QUANTILE of d = y − e^a, δ = 0                  p = α
POISSON          e^a − y a
LQ               |d|^p                                           p ≥ 1
EXPECTILE        α d² above 0, (1 − α) d² below                  p = α
HUBER            ½ d² for |d| < δ, else δ (|d| − ½ δ)            p = δ
LOG_COSH         log cosh d
TWEEDIE          e^((2−p) a) / (2 − p) − y e^((1−p) a) / (1 − p)  1 < p < 2
FOCAL            −α_t (1 − p_t)^γ log p_t                        p = α, q = γ; p_t is the probability of the label's class
SQUARED          ½ d²; 0 where the label is missing (NaN)
LOGISTIC         log(1 + e^a) − y a

Everywhere in this library the derivative is that of minus the loss, by a.
"""

from collections.abc import Callable
from typing import Any

from gbdist.kernels.elementary import Functions

QUANTILE, MAPE, LOG_LIN_QUANTILE, POISSON, LQ, EXPECTILE, HUBER, LOG_COSH, TWEEDIE, FOCAL, SQUARED, LOGISTIC = range(12)
#: Probabilities of FOCAL stay this far from 0 and 1, as CatBoost's.
FOCAL_MARGIN = 1e-13
LN2 = 0.6931471805599453

Rule = tuple[int, float, float]


def pointwise(
    elementary: Functions, times: Callable[[Any, Any], Any], compiled: Callable[[Any], Any]
) -> Callable[[Any, Any, Any], Any]:
    """Make the function (rule, y, a) → (loss, derivative, second derivative) for one kind of kernel.

    ``times`` and ``compiled`` are as in ``elementary.functions``: a product that meets a sum goes through ``times``.
    """
    exp, log = elementary.exp, elementary.log
    sigmoid, softplus_of_decay = elementary.sigmoid, elementary.softplus_of_decay
    decay, sigmoid_of_decay = elementary.decay, elementary.sigmoid_of_decay

    def power(x: Any, exponent: Any) -> Any:
        """x^exponent for x ≥ 0 and exponent ≥ 0; 0⁰ is 1."""
        return 1.0 if exponent == 0.0 else exp(times(exponent, log(x)))

    power = compiled(power)

    def focal(y: Any, a: Any, alpha: Any, gamma: Any) -> Any:
        p = min(max(sigmoid(a), FOCAL_MARGIN), 1.0 - FOCAL_MARGIN)
        positive = y == 1.0
        weight, sign = (alpha, 1.0) if positive else (1.0 - alpha, -1.0)
        own = p if positive else 1.0 - p
        other = 1.0 - own
        log_own = log(own)
        u = weight * power(other, gamma)
        v = (times(times(gamma, own), log_own) + own) - 1.0
        du = -(weight * gamma) * power(other, gamma - 1.0) if gamma >= 1.0 else -(u * gamma) / other
        dv = (times(gamma, log_own) + gamma) + 1.0
        second = -(times(du, v) + times(u, dv)) * (own * other)
        return -(u * log_own), -(sign * (u * v)), second

    focal = compiled(focal)

    def smooth(kind: Any, p: Any, y: Any, a: Any) -> Any:
        """Losses of exponentials."""
        if kind == POISSON:
            e = exp(a)
            return e - times(y, a), y - e, -e
        if kind == LOG_COSH:
            d = y - a
            distance = abs(d)
            twice = -(distance + distance)
            e = exp(twice)
            slope = (1.0 - e) / (1.0 + e)
            loss = (distance + softplus_of_decay(twice, e)) - LN2
            return loss, slope if d > 0.0 else -slope, -(4.0 * e) / ((1.0 + e) * (1.0 + e))
        if kind == TWEEDIE:
            down, up = 1.0 - p, 2.0 - p
            first, second = times(y, exp(times(down, a))), exp(times(up, a))
            return second / up - first / down, first - second, times(first, down) - times(second, up)
        if kind == LOGISTIC:
            e = decay(a)
            of_label = sigmoid_of_decay(a, e)
            return softplus_of_decay(a, e) - times(y, a), y - of_label, -of_label * (1.0 - of_label)
        e = exp(a)  # LOG_LIN_QUANTILE
        d = y - e
        slope = p if d > 0.0 else -(1.0 - p)
        return slope * d, slope * e, 0.0

    smooth = compiled(smooth)

    def of_distance(kind: Any, p: Any, q: Any, y: Any, a: Any) -> Any:
        """Losses of d."""
        d = y - a
        distance = abs(d)
        if kind == QUANTILE:
            slope = 0.0 if distance < q else (p if d > 0.0 else -(1.0 - p))
            return abs(slope) * (distance - q), slope, 0.0
        if kind == MAPE:
            slope = 1.0 / max(1.0, abs(y))
            return distance * slope, slope if d > 0.0 else -slope, 0.0
        if kind == SQUARED:
            return (0.5 * d * d, d, -1.0) if d == d else (0.0, 0.0, 0.0)
        if kind == EXPECTILE:
            slope = p if d > 0.0 else 1.0 - p
            return slope * d * d, 2.0 * slope * d, -2.0 * slope
        if kind == HUBER:
            if distance < p:
                return 0.5 * d * d, d, -1.0
            return p * (distance - times(0.5, p)), p if d > 0.0 else -p, 0.0
        slope = p * power(distance, p - 1.0)  # LQ
        second = -(p * (p - 1.0)) * power(distance, p - 2.0) if p >= 2.0 else 0.0
        return power(distance, p), slope if d > 0.0 else -slope, second

    of_distance = compiled(of_distance)

    def parts(rule: Any, y: Any, a: Any) -> Any:
        """Loss, derivative and second derivative of minus the loss, of a row of weight 1."""
        kind, p, q = rule
        if kind == FOCAL:
            return focal(y, a, p, q)
        if kind in (POISSON, LOG_COSH, TWEEDIE, LOG_LIN_QUANTILE, LOGISTIC):
            return smooth(kind, p, y, a)
        return of_distance(kind, p, q, y, a)

    made: Callable[[Any, Any, Any], Any] = compiled(parts)
    return made
