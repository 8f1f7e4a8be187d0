"""Numbers in fewer bits: half precision, 8-bit codes with a scale, or a codebook of k levels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: codes of int8 are −127 … 127: −128 is left out, so that they lie as far below 0 as above
LARGEST_CODE = 127
#: rounds of Lloyd's algorithm at most; it stops where no value changes its level
_ROUNDS = 100


class Coded(NamedTuple):
    """Values as whole multiples of a scale: ``codes`` int8, as the values; ``scale`` is a float32's value."""

    codes: NDArray[np.int8]
    scale: float

    def values(self) -> NDArray[np.float64]:
        """What the codes stand for, float64; exact, for a float32 times 7 bits fits a float64."""
        return self.codes * np.float64(self.scale)


class Levels(NamedTuple):
    """Values as numbers of levels: ``codes`` uint16, as the values; ``codebook`` float64 [n_levels], ascending."""

    codes: NDArray[np.uint16]
    codebook: NDArray[np.float64]

    def values(self) -> NDArray[np.float64]:
        """What the codes stand for, float64."""
        return self.codebook[self.codes]


def to_half(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest numbers of half precision, as float64; infinite beyond ±65,519."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float64)


def to_codes(values: NDArray[np.float64]) -> Coded:
    """The nearest whole multiples of the smallest float32 scale by which all values have a code; scale 0 where all are 0.

    Values that are multiples already stay as they are, bit for bit: their scale is found again.
    """
    largest = float(np.abs(values).max(initial=0.0))
    scale = np.float32(largest / LARGEST_CODE)
    if largest > LARGEST_CODE * float(scale):
        scale = np.nextafter(scale, np.float32(np.inf))
    if scale == 0.0:
        return Coded(np.zeros(values.shape, np.int8), 0.0)
    return Coded(np.rint(values / np.float64(scale)).astype(np.int8), float(scale))


def to_levels(values: NDArray[np.float64], n_levels: int, weights: NDArray[np.float64]) -> Levels:
    """At most ``n_levels`` levels that lie close to the values by weighted squares (k-means on a line, Lloyd's algorithm).

    It begins with quantiles of the density's square root: the best levels of a fine quantizer lie by the cube root (Gersho &
    Gray, Vector Quantization and Signal Compression, 5.6), which processors round differently. The first and the last level
    may move inwards like any other.

    Parameters
    ----------
    values : float64, of any shape, finite
    n_levels : 1 … 65,536
    weights : float64, as ``values``, not negative
        What a square counts; where all are 0, each counts alike.
    """
    distinct, place = np.unique(values.ravel(), return_inverse=True)
    weight = np.bincount(place, weights.ravel(), distinct.shape[0]).astype(np.float64)
    if distinct.shape[0] <= n_levels:
        return Levels(place.reshape(values.shape).astype(np.uint16), distinct)
    # What weighs nothing must still have a level near it, though it moves none.
    weight += (weight.sum() or 1.0) * 1e-9 / distinct.shape[0]
    levels = _lloyd(distinct, weight, _first_levels(distinct, weight, n_levels))
    codes = _nearest(distinct, levels)
    return Levels(codes[place].reshape(values.shape).astype(np.uint16), levels)


def _first_levels(distinct: NDArray[np.float64], weight: NDArray[np.float64], n_levels: int) -> NDArray[np.float64]:
    """Quantiles of the square root of the density, float64 [at most n_levels], ascending; ``distinct`` [n] ascending."""
    mass = np.cumsum(np.sqrt(weight * np.gradient(distinct)))  # √(weight / gap) · gap
    wanted = (np.arange(n_levels) + 0.5) * (mass[-1] / n_levels)
    return np.unique(distinct[np.searchsorted(mass, wanted)])


def _lloyd(
    distinct: NDArray[np.float64], weight: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Levels each at the weighted mean of the values nearest to it; a level without values is left out."""
    codes = _nearest(distinct, levels)
    for _ in range(_ROUNDS):
        total = np.bincount(codes, weight, levels.shape[0])
        used = total > 0.0
        levels = np.bincount(codes, weight * distinct, levels.shape[0])[used] / total[used]
        moved = _nearest(distinct, levels)
        if np.array_equal(moved, codes):
            break
        codes = moved
    return levels


def _nearest(values: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the level nearest to each value, int64 [n]; of two as near, the lower."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
