"""RMSEWithUncertainty: a row's raw values are the mean a and the logarithm s of the deviation of a normal distribution.

The loss is minus the logarithm of its density, ½ log 2π + s + ½ d² e^(−2s) with d = y − a. The derivatives are CatBoost's (its
TRMSEWithUncertaintyError): those of minus the loss times the inverse of Fisher's information, known as the natural gradient
(NGBoost, arXiv:1910.03225), d and d² e^(−2s) − 1; the second ones are −1 and −2 d² e^(−2s). One source for CPU and card.
"""

from collections.abc import Callable
from typing import Any

from gbdist.kernels.elementary import Functions

#: ½ log 2π
LOG_DENSITY = 0.9189385332046727


def uncertainty(
    elementary: Functions, times: Callable[[Any, Any], Any], compiled: Callable[[Any], Any]
) -> Callable[[Any, Any, Any], Any]:
    """Make the function (y, a, s) → (loss, derivative by a, derivative by s, second derivative by s) for one kind of kernel.

    The second derivative by a is −1. ``times`` and ``compiled`` are as in ``elementary.functions``.
    """
    exp = elementary.exp

    def parts(y: Any, a: Any, s: Any) -> Any:
        d = y - a
        ratio = times(times(d, d), exp(-2.0 * s))
        return (times(0.5, ratio) + s) + LOG_DENSITY, d, ratio - 1.0, -2.0 * ratio

    made: Callable[[Any, Any, Any], Any] = compiled(parts)
    return made
