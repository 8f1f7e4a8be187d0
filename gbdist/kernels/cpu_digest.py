"""Digests of columns, by which data are known again. The twins, which say what each computes, are in ``reference_digest``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel
from gbdist.kernels.hashing import hash_number


@kernel
def column_digest(key: np.uint64, first_row: np.uint64, values: NDArray[Any]) -> np.uint64:
    """See ``reference_digest.column_digest``."""
    total = np.uint64(0)
    for i in range(np.uint64(values.shape[0])):
        total += hash_number(hash_number(key, first_row + np.uint64(i)), np.uint64(values[i]))
    return total
