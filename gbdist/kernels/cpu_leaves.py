"""CPU kernels over leaves: the Newton step where the second derivative is a full matrix, and powers of e."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel
from gbdist.kernels.elementary import exp


@kernel
def solve_leaves(
    second: NDArray[np.float64],
    first: NDArray[np.float64],
    regularizer: tuple[float, float],
    step: NDArray[np.float64],
) -> None:
    """Solve (−H + λI) x = g for every leaf by Cholesky's decomposition, in a fixed order of operations.

    λ = max(l2, ε × largest diagonal element), as CatBoost's hessian.cpp (SolveNewtonEquation) has it. Written out rather
    than left to LAPACK, whose last bits depend on the machine.

    Parameters
    ----------
    second : float64 [n_leaves, K·(K+1)/2], IN
        Upper triangle of H (second derivative of minus the loss, so ≤ 0), row by row.
    first : float64 [n_leaves, K], IN
    regularizer : (l2, epsilon)
    step : float64 [n_leaves, K], OUT
    """
    l2, epsilon = regularizer
    n_leaves, size = first.shape
    lower = np.zeros((size, size))
    for leaf in range(n_leaves):
        position = 0
        largest = l2
        for i in range(size):
            for j in range(i, size):
                lower[j, i] = -second[leaf, position]
                position += 1
            largest = max(largest, lower[i, i])
        ridge = max(l2, largest * epsilon)
        for j in range(size):
            diagonal = lower[j, j] + ridge
            for m in range(j):
                diagonal -= lower[j, m] * lower[j, m]
            # Rounding may push a singular direction below 0; the ridge is then all that is left of it.
            root = np.sqrt(max(diagonal, ridge)) if max(diagonal, ridge) > 0.0 else 1.0
            lower[j, j] = root
            for i in range(j + 1, size):
                value = lower[i, j]
                for m in range(j):
                    value -= lower[i, m] * lower[j, m]
                lower[i, j] = value / root
        for i in range(size):
            value = first[leaf, i]
            for m in range(i):
                value -= lower[i, m] * step[leaf, m]
            step[leaf, i] = value / lower[i, i]
        for back in range(size):
            i = size - 1 - back
            value = step[leaf, i]
            for m in range(i + 1, size):
                value -= lower[m, i] * step[leaf, m]
            step[leaf, i] = value / lower[i, i]


@kernel
def exponentials(values: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write e^value of each value, float64 [n, k], out OUT; quicker than ``exp_array`` for the few that leaves are."""
    for i in range(np.uint64(values.shape[0])):
        for k in range(np.uint64(values.shape[1])):
            out[i, k] = exp(values[i, k])
