"""CPU kernels over a quadratic form: least squares on some of its columns, and shrunken ones, in a fixed order of operations.

Written out rather than left to LAPACK, whose last bits depend on the machine.
"""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel


@kernel
def sweep(matrix: NDArray[np.float64], pivot: int, forward: bool) -> None:
    """Take a column into least squares, or (``forward`` False) out of them again.

    Goodnight 1979, "A tutorial on the SWEEP operator".

    Of G = [[AᵀA, Aᵀt], [tᵀA, tᵀt]] swept by the columns S: the last column holds the factors of S, and for all others their
    products with the residual; the last element is the squared error; the diagonal is −(A_SᵀA_S)⁻¹ in S, and elsewhere
    what S does not explain of the column.

    Parameters
    ----------
    matrix : float64 [n, n], IN and OUT
        Symmetric.
    pivot : column; its diagonal element is not 0
    """
    n = matrix.shape[0]
    size = np.uint64(n)
    k = np.uint64(pivot)
    diagonal = matrix[k, k]
    column = matrix[k].copy()
    for i in range(size):
        if i == k:
            continue
        share = column[i] / diagonal
        row = matrix[i]
        for j in range(size):
            row[j] -= share * column[j]
        row[k] = share if forward else -share
    for j in range(size):
        share = column[j] / diagonal
        matrix[k, j] = share if forward else -share
    matrix[k, k] = -1.0 / diagonal


@kernel
def descend(
    matrix: NDArray[np.float64],
    penalty: NDArray[np.float64],
    positive: bool,
    factors: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> float:
    """Lower ½wᵀGw − cᵀw + Σ penalty·|w| by each coordinate in turn, once (Friedman, Hastie and Tibshirani 2010, §2).

    Parameters
    ----------
    matrix : float64 [n, n], IN
        G.
    penalty : float64 [n], IN
    positive : whether no factor may be below 0
    factors : float64 [n], IN and OUT
        w.
    residual : float64 [n], IN and OUT
        c − Gw.

    Returns
    -------
    Largest √G_jj × |change of w_j|.
    """
    size = np.uint64(matrix.shape[0])
    largest = 0.0
    for j in range(size):
        diagonal = matrix[j, j]
        if diagonal <= 0.0:
            continue
        pull = residual[j] + diagonal * factors[j]
        value = 0.0
        if pull > penalty[j]:
            value = (pull - penalty[j]) / diagonal
        elif not positive and pull < -penalty[j]:
            value = (pull + penalty[j]) / diagonal
        change = value - factors[j]
        if change != 0.0:
            factors[j] = value
            row = matrix[j]
            for i in range(size):
                residual[i] -= change * row[i]
            largest = max(largest, abs(change) * np.sqrt(diagonal))
    return largest
