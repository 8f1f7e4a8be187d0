"""Bins of float32 values by a branch-free binary search over padded borders."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel

_BLOCK = np.uint64(2048)
_ZERO, _ONE = np.uint32(0), np.uint32(1)


@kernel
def bin_tile(
    tile: NDArray[np.float32],
    tables: NDArray[np.float32],
    first_steps: NDArray[np.uint32],
    nan_bins: NDArray[np.uint32],
    out: NDArray[Any],
) -> None:
    """Write the number of borders below each value.

    Parameters
    ----------
    tile : float32 [n_features, n_rows], IN
    tables : float32 [n_features, width], IN
        Ascending borders, padded with +inf, which no value exceeds.
    first_steps : uint32 [n_features], IN
        Half the number of bins that the search tells apart: a power of two, ``2 · first_step > n_borders``; 0 without
        borders. ``2 · first_step ≤ width``.
    nan_bins : uint32 [n_features], IN
        Bin of NaN.
    out : uint8 or uint16 [n_features, n_rows], OUT
    """
    n_rows = np.uint64(tile.shape[1])
    position = np.empty(_BLOCK, dtype=np.uint32)
    for feature in range(np.uint64(tile.shape[0])):
        borders = tables[feature]
        nan_bin = nan_bins[feature]
        for start in range(np.uint64(0), n_rows, _BLOCK):
            stop = min(start + _BLOCK, n_rows)
            values = tile[feature, start:stop]
            bins = out[feature, start:stop]
            n = stop - start
            for i in range(n):
                position[i] = _ZERO
            step = first_steps[feature]
            # One step for all values, then the next step: the probes of different values overlap, those of one value cannot.
            while step > _ZERO:
                last = step - _ONE
                for i in range(n):
                    at = position[i]
                    position[i] = at + (step if borders[np.uint64(at + last)] < values[i] else _ZERO)
                step >>= _ONE
            for i in range(n):
                value = values[i]
                bins[i] = nan_bin if value != value else position[i]
