"""SurvivalAft: log t = a + scale × noise, of a time t that is known, or known to lie between two ends.

A noise is (distribution, scale). With z = (log t − a) / scale, density f, distribution function F and S = 1 − F, minus the loss
of a row is log f(z) where the time is known, log S(z) where it is above the lower end alone, log F(z) where it is below
the upper end alone, and log (F(z of the upper end) − F(z of the lower one)) in between; an end of −1 is none. Derivatives are
CatBoost's (its TSurvivalAftError), cut to ±15, the curvature to 1e-16 … 15; in the tails ratios f / S and f / F take the place of
its limits, and an interval without any probability counts as its end nearer to a. One source for CPU and card.
"""

from collections.abc import Callable
from typing import Any

from gbdist.kernels.elementary import Functions

NORMAL, LOGISTIC, EXTREME = range(3)
#: A distribution and a scale.
Noise = tuple[int, float]

LARGEST_DERIVATIVE = 15.0
LEAST_CURVATURE = 1e-16
#: The loss of a row is cut to this.
LARGEST_LOSS = 1e6
#: What stands for an end that is none.
NO_END = -1.0

#: |z| is cut to this, so that e^z is a number.
FARTHEST = 700.0
#: An interval of less probability counts as an end.
LEAST_MASS = 1e-300
#: √(2π), ½ log 2π
ROOT = 2.5066282746310002
HALF_LOG = 0.9189385332046727
#: below it 1 − e^−u is u
SMALL = 1e-5
#: Hart's rational function (West, Better approximations to cumulative normal functions, 2005), highest power first.
TOP = (
    3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931,
    220.206867912376,
)  # fmt: skip
BOTTOM = (
    8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831,
    793.826512519948, 440.413735824752,
)  # fmt: skip
#: from here on a continued fraction
FAR = 7.07106781186547


def survival(
    elementary: Functions, times: Callable[[Any, Any], Any], compiled: Callable[[Any], Any]
) -> Callable[[Any, Any, Any, Any], Any]:
    """Make the function (noise, lower end, upper end, a) → (loss, derivative, second derivative) for one kind of kernel.

    ``times`` and ``compiled`` are as in ``elementary.functions``; derivatives are those of minus the loss.
    """
    exp, log, sigmoid = elementary.exp, elementary.log, elementary.sigmoid

    def scaled_tail(x: Any) -> Any:
        """(1 − Φ(x)) e^(x²/2) for x ≥ 0."""
        if x >= FAR:
            below = x + 0.65
            below = x + 4.0 / below
            below = x + 3.0 / below
            below = x + 2.0 / below
            below = x + 1.0 / below
            return 1.0 / (below * ROOT)
        top, bottom = times(TOP[0], x) + TOP[1], times(BOTTOM[0], x) + BOTTOM[1]
        top, bottom = times(top, x) + TOP[2], times(bottom, x) + BOTTOM[2]
        top, bottom = times(top, x) + TOP[3], times(bottom, x) + BOTTOM[3]
        top, bottom = times(top, x) + TOP[4], times(bottom, x) + BOTTOM[4]
        top, bottom = times(top, x) + TOP[5], times(bottom, x) + BOTTOM[5]
        top, bottom = times(top, x) + TOP[6], times(bottom, x) + BOTTOM[6]
        return top / (times(bottom, x) + BOTTOM[7])

    scaled_tail = compiled(scaled_tail)

    def half_square(z: Any) -> Any:
        return times(times(0.5, z), z)

    half_square = compiled(half_square)

    def above(kind: Any, z: Any) -> Any:
        """S(z), −log S(z), f(z) / S(z), and the derivative of the last by z."""
        if kind == LOGISTIC:
            share, other = sigmoid(-z), sigmoid(z)
            return share, -log(max(share, LEAST_MASS)), other, share * other
        if kind == EXTREME:
            u = exp(z)
            return exp(-u), u, u, u
        square = half_square(z)
        height = exp(-square)
        if z >= 0.0:
            tail = scaled_tail(z)
            ratio = 1.0 / (tail * ROOT)
            return height * tail, square - log(tail), ratio, ratio * (ratio - z)
        share = 1.0 - times(height, scaled_tail(-z))
        ratio = height / (ROOT * share)
        return share, -log(share), ratio, ratio * (ratio - z)

    above = compiled(above)

    def below(kind: Any, z: Any) -> Any:
        """F(z), −log F(z), f(z) / F(z), and minus the derivative of the last by z."""
        if kind != EXTREME:
            return above(kind, -z)  # both are symmetric
        u = exp(z)
        if u < SMALL:
            half = times(0.5, u)
            return u, -z, 1.0 - half, half
        left = exp(-u)
        share = 1.0 - left
        ratio = u * left / share
        return share, -log(share), ratio, ratio * ((ratio - 1.0) + u)

    below = compiled(below)

    def at(kind: Any, z: Any) -> Any:
        """−log f(z), and minus the first and second derivatives of log f at z."""
        if kind == LOGISTIC:
            share, other = sigmoid(z), sigmoid(-z)
            spread = share * other
            return -log(max(spread, LEAST_MASS)), share - other, 2.0 * spread
        if kind == EXTREME:
            u = exp(z)
            return u - z, u - 1.0, u
        return half_square(z) + HALF_LOG, z, 1.0

    at = compiled(at)

    def inside(kind: Any, low: Any, high: Any) -> Any:
        """Minus the logarithm of F(high) − F(low), and minus its first and second derivatives where both ends move alike."""
        right = low > 0.0
        mass = above(kind, low)[0] - above(kind, high)[0] if right else below(kind, high)[0] - below(kind, low)[0]
        if not mass > LEAST_MASS:
            return at(kind, low if right else high)
        low_loss, low_slope, _ = at(kind, low)
        high_loss, high_slope, _ = at(kind, high)
        low_height, high_height = exp(-low_loss), exp(-high_loss)
        first = (low_height - high_height) / mass
        second = (times(high_slope, high_height) - times(low_slope, low_height)) / mass
        return -log(mass), first, times(first, first) + second

    inside = compiled(inside)

    def parts(noise: Any, low: Any, high: Any, a: Any) -> Any:
        kind, scale = noise
        z_low = min(max((log(low) - a) / scale, -FARTHEST), FARTHEST) if low > 0.0 else 0.0
        z_high = min(max((log(high) - a) / scale, -FARTHEST), FARTHEST) if high > 0.0 else 0.0
        if low == high:
            loss, first, curvature = at(kind, z_low)
        elif high == NO_END:
            _, loss, first, curvature = above(kind, z_low)
        elif low == NO_END:
            _, loss, first, curvature = below(kind, z_high)
            first = -first
        else:
            loss, first, curvature = inside(kind, z_low, z_high)
        first = min(max(first / scale, -LARGEST_DERIVATIVE), LARGEST_DERIVATIVE)
        curvature = min(max(curvature / (scale * scale), LEAST_CURVATURE), LARGEST_DERIVATIVE)
        return min(loss, LARGEST_LOSS), first, -curvature

    made: Callable[[Any, Any, Any, Any], Any] = compiled(parts)
    return made


def interval_distance(elementary: Functions, compiled: Callable[[Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Make the function (lower end, upper end, a) → how far e^a lies outside of the ends, CatBoost's metric of the loss.

    CatBoost takes −1 for infinity on both sides, so that what has no lower end is never inside.
    """
    exp = elementary.exp

    def distance(low: Any, high: Any, a: Any) -> Any:
        time = exp(a)
        to_low = abs(time - low) if low != NO_END else -1.0
        to_high = abs(time - high) if high != NO_END else -1.0
        inside = low != NO_END and time > low and (high == NO_END or time < high)
        if inside:
            return 0.0
        return to_high if to_low < 0.0 else (to_low if to_high < 0.0 else min(to_low, to_high))

    made: Callable[[Any, Any, Any], Any] = compiled(distance)
    return made
