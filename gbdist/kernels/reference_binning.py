"""The obvious way to find the bin of a value; the oracle of ``cpu_binning``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def bins_of_column(values: NDArray[np.float32], borders: NDArray[np.float32], nan_bin: int) -> NDArray[np.int64]:
    """Number of ``borders`` (ascending) below each value; ``nan_bin`` for NaN."""
    bins = np.searchsorted(borders, values, side="left")
    return np.where(np.isnan(values), nan_bin, bins)


def bin_tile(
    tile: NDArray[np.float32],
    tables: NDArray[np.float32],
    first_steps: NDArray[np.uint32],
    nan_bins: NDArray[np.uint32],
    out: NDArray[Any],
) -> None:
    """Twin of ``cpu_binning.bin_tile``."""
    for f, values in enumerate(tile):
        padded = max(2 * int(first_steps[f]) - 1, 0)  # what the search looks at; +inf is above no value
        out[f] = bins_of_column(values, tables[f, :padded], int(nan_bins[f]))
