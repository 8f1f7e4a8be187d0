"""The obvious way to find the bin of a value; the oracle of ``cpu_binning``."""

import numpy as np
from numpy.typing import NDArray


def bins_of_column(values: NDArray[np.float32], borders: NDArray[np.float32], nan_bin: int) -> NDArray[np.int64]:
    """Number of ``borders`` (ascending) below each value; ``nan_bin`` for NaN."""
    bins = np.searchsorted(borders, values, side="left")
    return np.where(np.isnan(values), nan_bin, bins)
