"""Sums of floats that do not depend on the order of the addends: integers in units of the smallest float."""

import numpy as np
from numpy.typing import NDArray

_UNIT_EXPONENT = 1126  # every finite float64 is a multiple of 2**-1074; 53 more bits keep its mantissa an integer
_MANTISSA_BITS = 53
_LOW_BITS = 26
_BLOCK = 1 << 22  # 2**22 addends of 27 bits stay below 2**53, so bincount's float64 sums are exact


def exact_sums(values: NDArray[np.float64], groups: NDArray[np.int64] | None = None, n_groups: int = 1) -> list[int]:
    """Sum of finite ``values`` [n] by group, exactly: each result is an integer in units of 2**-1126.

    Integers of any size add up without rounding, so sums over partitions can be merged in any order.
    ``to_float`` rounds one to the nearest float64.
    """
    totals = [0] * n_groups
    for start in range(0, values.shape[0], _BLOCK):
        block = values[start : start + _BLOCK]
        _add_block(block, None if groups is None else groups[start : start + _BLOCK], totals)
    return totals


def exact_count(n: int) -> int:
    """The exact sum of ``n`` ones."""
    return n << _UNIT_EXPONENT


def to_float(total: int) -> float:
    """An exact sum as the nearest float64."""
    return total / (1 << _UNIT_EXPONENT)


def _add_block(values: NDArray[np.float64], groups: NDArray[np.int64] | None, totals: list[int]) -> None:
    fraction, exponent = np.frexp(values)
    lowest = int(exponent.min())
    n_exponents = int(exponent.max()) - lowest + 1
    cell = (exponent - lowest).astype(np.int64)
    if groups is not None:
        cell += groups * n_exponents
    mantissa = np.ldexp(fraction, _MANTISSA_BITS).astype(np.int64)
    n_cells = n_exponents * len(totals)
    high = np.bincount(cell, weights=(mantissa >> _LOW_BITS).astype(np.float64), minlength=n_cells)
    low = np.bincount(cell, weights=(mantissa & ((1 << _LOW_BITS) - 1)).astype(np.float64), minlength=n_cells)
    for position in np.flatnonzero((high != 0) | (low != 0)).tolist():
        whole = (int(high[position]) << _LOW_BITS) + int(low[position])
        shift = position % n_exponents + lowest - _MANTISSA_BITS + _UNIT_EXPONENT
        totals[position // n_exponents] += whole << shift
