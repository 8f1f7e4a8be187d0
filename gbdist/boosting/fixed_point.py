"""Scales of the fixed-point numbers, from global quantities alone, so that every rank agrees (DESIGN §4, decision 0003)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: above this many rows the rounding unit of a packed cell would be coarser than 1/16 of the mean derivative
PACKED_ROWS_LIMIT = 1 << 27
#: smaller sums are taken for this, so that a scale is finite
_SMALLEST_SUM = 1e-290
#: Σ|d| and Σw of wide cells stay below this
_WIDE_SUM = 2.0**46


def sum_scale(bound: float, n_rows: int, bits: int = 62) -> float:
    """Largest power of two with ``n_rows × bound × scale ≤ 2^bits``: with 62, sums of rounded terms fit int64."""
    mantissa, exponent = math.frexp(max(bound, _SMALLEST_SUM) * max(n_rows, 1))
    del mantissa  # below 1, so the product is below 2**exponent
    return math.ldexp(1.0, min(bits - exponent, 1000))


@dataclass(frozen=True)
class CellScales:
    """How derivatives and weights become the integers of one tree's cells.

    ``derivatives`` are units per 1.0 for each dimension, ``weight`` likewise; ``wide`` says which kind of cell.
    """

    wide: bool
    derivatives: tuple[float, ...]
    weight: float

    @property
    def units(self) -> NDArray[np.float64]:
        """float64 [dimensions + 1]: value of one unit of each derivative, and last of the weight."""
        return 1.0 / np.array([*self.derivatives, self.weight])


def cell_scales(n_rows: int, absolute: NDArray[np.float64], weight_total: float | None) -> CellScales:
    """Choose the scales of one tree.

    With Σ|d|·scale + n < 2³¹ no cell, no parent and no sum over ranks can leave its 32 bits (each row rounds up by less
    than 1), whatever the distribution of the derivatives. Σw·scale + 2n < 2³²: Σw is a sum of rounded terms, which lost
    less than one unit a row.

    Parameters
    ----------
    n_rows : rows over all ranks
    absolute : float64 [dimensions]
        Upper bound of Σ|d| over all ranks, one a dimension.
    weight_total : Σ w over all ranks, or None where every weight is 0 or 1.
    """
    wide = n_rows > PACKED_ROWS_LIMIT
    room = _WIDE_SUM if wide else 2.0**31 - n_rows - 2
    weight_room = _WIDE_SUM if wide else 2.0**32 - 2 * n_rows - 2
    return CellScales(
        wide=wide,
        derivatives=tuple(room / max(total, _SMALLEST_SUM) if total > 0.0 else 1.0 for total in absolute.tolist()),
        weight=1.0 if weight_total is None else weight_room / max(weight_total, _SMALLEST_SUM),
    )
