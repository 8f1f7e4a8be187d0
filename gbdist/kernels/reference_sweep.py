"""The obvious twins of ``cpu_sweep``."""

import numpy as np
from numpy.typing import NDArray


def sweep(matrix: NDArray[np.float64], pivot: int, forward: bool) -> None:
    """See ``cpu_sweep``."""
    diagonal, column = matrix[pivot, pivot], matrix[pivot].copy()
    shares = column / diagonal
    matrix -= np.outer(shares, column)
    matrix[pivot] = matrix[:, pivot] = shares if forward else -shares
    matrix[pivot, pivot] = -1.0 / diagonal


def descend(
    matrix: NDArray[np.float64],
    penalty: NDArray[np.float64],
    positive: bool,
    factors: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> float:
    """See ``cpu_sweep``."""
    largest = 0.0
    for j, diagonal in enumerate(matrix.diagonal()):
        if diagonal <= 0.0:
            continue
        pull = residual[j] + diagonal * factors[j]
        value = np.sign(pull) * max(0.0, abs(pull) - penalty[j]) / diagonal
        value = max(0.0, value) if positive else value
        change = value - factors[j]
        factors[j] = value
        residual -= change * matrix[j]
        largest = max(largest, abs(change) * float(np.sqrt(diagonal)))
    return largest
