"""Exact numbers as vectors of int64 that ranks may add up."""

import numpy as np
from numpy.typing import NDArray

_LIMB_BITS = 32
#: Limbs of an exact sum, which has at most 1024 + 1126 + 64 bits.
LIMBS = 72


def limbs_of(exact: int) -> NDArray[np.int64]:
    """An exact number (``quantize.exact``) in limbs: int64 [LIMBS], low ones first, all of the number's sign."""
    sign, rest = (-1 if exact < 0 else 1), abs(exact)
    limbs = np.zeros(LIMBS, np.int64)
    for position in range(LIMBS):
        limbs[position] = sign * (rest & ((1 << _LIMB_BITS) - 1))
        rest >>= _LIMB_BITS
    return limbs


def exact_of(limbs: NDArray[np.int64]) -> int:
    """The exact number of limbs, or of sums of limbs."""
    return sum(limb << (_LIMB_BITS * position) for position, limb in enumerate(limbs.tolist()))
