"""The obvious twins of the kernels in ``cpu_digest``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers


def column_digest(key: np.uint64, first_row: np.uint64, values: NDArray[Any]) -> np.uint64:
    """Sum over rows of a hash of (key, row, value), modulo 2⁶⁴: parts of a column, in any order, add up to the whole.

    Parameters
    ----------
    key : stream of the column
    first_row : number of the first row in the whole data set
    values : uint8, uint16, uint32 or uint64 [n_rows], IN
    """
    rows = first_row + np.arange(values.shape[0], dtype=np.uint64)
    return np.uint64(digests(key, rows, values).sum(dtype=np.uint64))


def digests(key: np.uint64 | NDArray[np.uint64], rows: NDArray[np.uint64], values: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash of (key, row, value) of each row, uint64 [n_rows]; the key may be one of each row."""
    return hash_numbers(hash_numbers(key, rows), values.astype(np.uint64))  # type: ignore[arg-type]
