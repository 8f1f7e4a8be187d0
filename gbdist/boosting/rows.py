"""The quantized rows that one rank owns: what the trainer reads, and never changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bins = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows ``start … stop−1`` of a rank are the rows ``first_row …`` of the whole data set.

    Randomness is a hash of the global row number (DESIGN §4), so every kernel that draws runs once per segment.
    """

    start: int
    stop: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one data set on one rank.

    Parameters
    ----------
    bins : uint8 or uint16 [n_features, n_rows], C order
        ``bins[f, i]`` is the number of borders of feature f that are below the value (so bin 0 is below all).
    label : float32 [n_rows]
        Target value, or number of the class for classification.
    weight : float32 [n_rows] or None
        Row weight, class weights included; None means 1.
    baseline : float64 [dimension, n_rows] or None
        Raw prediction to start from.
    segments : tuple of Segment
        Ascending in ``start``, covering all rows.
    """

    bins: Bins
    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    baseline: NDArray[np.float64] | None
    segments: tuple[Segment, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows on this rank."""
        return int(self.bins.shape[1])

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.bins.shape[0])
