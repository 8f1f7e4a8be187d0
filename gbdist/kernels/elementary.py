"""exp, log, softplus, sigmoid and the normal quantile, with the same bits in NumPy and in kernels.

libm, SVML and NumPy differ in the last bit, and vector loops from their tails, so the model would depend on the machine
and on the partitioning (DESIGN §4). These are made of IEEE + − × ÷, sqrt, comparisons and integer operations on the bits
alone, each rounded once; kernels are compiled without fast-math, so LLVM may not fuse or reorder them. CUDA's compiler fuses a
product with the sum behind it even so, which is why every such product goes through ``times``.

One source serves all: ``functions`` is instantiated with NumPy's ``where`` for float64 arrays (``*_array``), with a
ternary for the float64 scalars of kernels (the plain names), and for CUDA's in ``cuda_elementary``. Kernels in other files
inline them: numba's disk cache looks at the date of the kernel's own file only, so clear it after an edit here.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gbdist.kernels.compile import device_function
from gbdist.kernels.hashing import product

_LOG2_E = 1.4426950408889634
# ln 2 in two parts (Cody and Waite): the first has 21 trailing zero bits, so k × _LN2_HIGH is exact for |k| < 2^21.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LN2 = 0.6931471805599453
# Adding 1.5 × 2^52 rounds a small number to an integer, which then stands in the low bits of the sum.
_ROUNDER = 6755399441055744.0
_ROUNDER_BITS = np.int64(0x4338000000000000)
_EXP_LIMIT = 1400.0  # beyond it exp is 0 or inf; within it the halves of the exponent stay normal
_ONE, _BIAS, _MANTISSA_BITS = np.int64(1), np.int64(1023), np.int64(52)
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_SMALLEST_NORMAL = 2.2250738585072014e-308
_SQRT2_MINUS_1 = 0.41421356237309503
_INF, _NAN = np.inf, np.nan


class Functions(NamedTuple):
    """One instance of every function."""

    exp: Callable[[Any], Any]
    log: Callable[[Any], Any]
    decay: Callable[[Any], Any]
    sigmoid_of_decay: Callable[[Any, Any], Any]
    softplus_of_decay: Callable[[Any, Any], Any]
    sigmoid: Callable[[Any], Any]
    log1p_exp: Callable[[Any], Any]
    normal_quantile: Callable[[Any], Any]


def functions(
    choose: Callable[[Any, Any, Any], Any],
    times: Callable[[Any, Any], Any],
    root: Callable[[Any], Any],
    compiled: Callable[[Any], Any],
) -> Functions:
    """Instantiate the source for one kind of number.

    ``choose(condition, a, b)`` is a where the condition holds, else b; ``times(a, b)`` is a product that is rounded before it is
    used; ``root`` is the square root; ``compiled`` makes a function callable by the others.
    """

    def exp(x: Any) -> Any:
        """e^x. 0 below −745.13, subnormal results rounded once, inf above 709.78, NaN for NaN."""
        x = choose(x > _EXP_LIMIT, _EXP_LIMIT, x)
        x = choose(x < -_EXP_LIMIT, -_EXP_LIMIT, x)
        shifted = times(x, _LOG2_E) + _ROUNDER
        k = shifted - _ROUNDER
        r = (x - times(k, _LN2_HIGH)) - times(k, _LN2_LOW)
        # Taylor to degree 13: |r| ≤ ln 2 / 2 leaves a remainder of 4e-18.
        p = times(1.0 / 6227020800.0, r) + 1.0 / 479001600.0
        p = times(p, r) + 1.0 / 39916800.0
        p = times(p, r) + 1.0 / 3628800.0
        p = times(p, r) + 1.0 / 362880.0
        p = times(p, r) + 1.0 / 40320.0
        p = times(p, r) + 1.0 / 5040.0
        p = times(p, r) + 1.0 / 720.0
        p = times(p, r) + 1.0 / 120.0
        p = times(p, r) + 1.0 / 24.0
        p = times(p, r) + 1.0 / 6.0
        p = times(p, r) + 0.5
        p = times(p, r) + 1.0
        p = times(p, r) + 1.0
        # 2^k as 2^⌊k/2⌋ × 2^⌈k/2⌉: each is normal, the first product is exact, the second rounds to the result.
        k_bits = np.float64(shifted).view(np.int64) - _ROUNDER_BITS
        half = k_bits >> _ONE
        low = np.int64((half + _BIAS) << _MANTISSA_BITS).view(np.float64)
        high = np.int64((k_bits - half + _BIAS) << _MANTISSA_BITS).view(np.float64)
        return times(p * low, high)

    exp = compiled(exp)

    def log_ratio(f: Any, g: Any) -> Any:
        """2 artanh(f / g) for |f / g| ≤ 0.1716, i.e. log((g + f) / (g − f)) near 1."""
        s = f / g
        t = s * s
        p = times(2.0 / 23.0, t) + 2.0 / 21.0
        p = times(p, t) + 2.0 / 19.0
        p = times(p, t) + 2.0 / 17.0
        p = times(p, t) + 2.0 / 15.0
        p = times(p, t) + 2.0 / 13.0
        p = times(p, t) + 2.0 / 11.0
        p = times(p, t) + 2.0 / 9.0
        p = times(p, t) + 2.0 / 7.0
        p = times(p, t) + 2.0 / 5.0
        p = times(p, t) + 2.0 / 3.0
        return times(2.0, s) + times(s, p * t)

    log_ratio = compiled(log_ratio)

    def log(x: Any) -> Any:
        """Natural logarithm. −inf for 0, NaN below 0 and for NaN, inf for inf."""
        is_subnormal = x < _SMALLEST_NORMAL
        scaled = choose(is_subnormal, x * 18014398509481984.0, x)  # 2^54
        bits = np.float64(scaled).view(np.int64)
        k_bits = (bits - _SQRT_HALF_BITS) >> _MANTISSA_BITS  # m in [√½, √2)
        m = np.int64(bits - (k_bits << _MANTISSA_BITS)).view(np.float64)
        k = np.int64(k_bits + _ROUNDER_BITS).view(np.float64) - _ROUNDER
        k = choose(is_subnormal, k - 54.0, k)
        f = m - 1.0
        value = times(k, _LN2_HIGH) + (log_ratio(f, 2.0 + f) + times(k, _LN2_LOW))
        value = choose(x > 0.0, value, _NAN)
        value = choose(x == 0.0, -_INF, value)
        return choose(x == _INF, _INF, value)

    log = compiled(log)

    def decay(x: Any) -> Any:
        """e^−|x|, from which sigmoid and softplus of x are made."""
        return exp(-abs(x))

    decay = compiled(decay)

    def sigmoid_of_decay(x: Any, e: Any) -> Any:
        """1 / (1 + e^−x) with e = ``decay(x)``."""
        return choose(x >= 0.0, 1.0, e) / (1.0 + e)

    sigmoid_of_decay = compiled(sigmoid_of_decay)

    def softplus_of_decay(x: Any, e: Any) -> Any:
        """log(1 + e^x) with e = ``decay(x)``."""
        # log(1 + e) = ln 2 + log((1 + e) / 2) above √2 − 1. One number carries the case, so that LLVM keeps one path.
        case = choose(e > _SQRT2_MINUS_1, 1.0, 0.0)
        value = log_ratio(e - case, (2.0 + case) + e) + times(case, _LN2)
        return choose(x > 0.0, x, 0.0) + value

    softplus_of_decay = compiled(softplus_of_decay)

    def sigmoid(x: Any) -> Any:
        """1 / (1 + e^−x)."""
        return sigmoid_of_decay(x, decay(x))

    def log1p_exp(x: Any) -> Any:
        """log(1 + e^x), without overflow (softplus)."""
        return softplus_of_decay(x, decay(x))

    def ratio(r: Any, a: tuple[float, ...], b: tuple[float, ...]) -> Any:
        """(a0 + a1 r + … + a7 r^7) / (b0 + b1 r + … + b7 r^7)."""
        top, bottom = times(a[7], r) + a[6], times(b[7], r) + b[6]
        top, bottom = times(top, r) + a[5], times(bottom, r) + b[5]
        top, bottom = times(top, r) + a[4], times(bottom, r) + b[4]
        top, bottom = times(top, r) + a[3], times(bottom, r) + b[3]
        top, bottom = times(top, r) + a[2], times(bottom, r) + b[2]
        top, bottom = times(top, r) + a[1], times(bottom, r) + b[1]
        top, bottom = times(top, r) + a[0], times(bottom, r) + b[0]
        return top / bottom

    ratio = compiled(ratio)

    def normal_quantile(u: Any) -> Any:
        """Inverse of the normal distribution function for 0 < u < 1; ∓inf at 0 and 1, NaN outside.

        Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988), about 1e-16 relative.
        """
        q = u - 0.5
        centre = 0.180625 - times(q, q)
        tail = choose(q < 0.0, u, 1.0 - u)
        r = root(-log(choose(tail > 0.0, tail, 1.0)))
        outer = choose(r <= 5.0, ratio(r - 1.6, _C, _D), ratio(r - 5.0, _E, _F))
        outer = choose(q < 0.0, -outer, outer)
        value = choose(abs(q) <= 0.425, times(q, ratio(centre, _A, _B)), outer)
        value = choose(tail > 0.0, value, choose(q < 0.0, -_INF, _INF))
        return choose(tail >= 0.0, value, _NAN)

    return Functions(
        exp, log, decay, sigmoid_of_decay, softplus_of_decay,
        compiled(sigmoid), compiled(log1p_exp), compiled(normal_quantile),
    )  # fmt: skip


_A = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
_B = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
_C = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
_D = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
)  # fmt: skip
_E = (
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
)  # fmt: skip
_F = (
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
)  # fmt: skip


@device_function
def _ternary(condition: Any, a: Any, b: Any) -> Any:
    return a if condition else b


def _quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Overflow, inf and NaN are results here, not accidents to warn of."""

    def quiet(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    quiet.__name__, quiet.__doc__ = function.__name__, function.__doc__
    return quiet


#: For the scalars of CPU kernels.
SCALAR = functions(_ternary, product, math.sqrt, device_function)
_array = functions(np.where, np.multiply, np.sqrt, _quietly)

exp, exp_array = SCALAR.exp, _array.exp
log, log_array = SCALAR.log, _array.log
decay, decay_array = SCALAR.decay, _array.decay
sigmoid_of_decay, sigmoid_of_decay_array = SCALAR.sigmoid_of_decay, _array.sigmoid_of_decay
softplus_of_decay, softplus_of_decay_array = SCALAR.softplus_of_decay, _array.softplus_of_decay
sigmoid, sigmoid_array = SCALAR.sigmoid, _array.sigmoid
log1p_exp, log1p_exp_array = SCALAR.log1p_exp, _array.log1p_exp
normal_quantile, normal_quantile_array = SCALAR.normal_quantile, _array.normal_quantile
