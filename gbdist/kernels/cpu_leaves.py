"""CPU kernels over leaves: sums by leaf, the Newton step where the second derivative is a full matrix, what a step will bring."""

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
def bound_gain(
    step: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64], change: float
) -> tuple[float, float]:
    """First-order gain Σ g·s of a step, and a bound of what curvature takes of it: Σ ½·max(−h, 0)·s²·e^(c·|s|).

    ``step``, ``first`` (g) and ``second`` (h) are float64 [n_leaves, K], IN; c is ``change``.
    """
    gain, most = 0.0, 0.0
    for i in range(np.uint64(step.shape[0])):
        for k in range(np.uint64(step.shape[1])):
            s = step[i, k]
            gain += first[i, k] * s
            most += 0.5 * max(-second[i, k], 0.0) * s * s * exp(change * abs(s))
    return gain, most


@kernel
def bound_next_steps(
    step: NDArray[np.float64], second: NDArray[np.float64], rule: tuple[float, float, float], out: NDArray[np.float64]
) -> None:
    """Write bounds of the Newton steps after some: e^(2c·|s|)·(|s|·λ/H + ½c·s²) with H = max(λ − h, tiny).

    Parameters
    ----------
    step, second : float64 [n_leaves, K], IN
        s and h, the second derivative of minus the loss.
    rule : (λ, c, longest)
        Of steps above ``longest`` nothing is said.
    out : float64 [n_leaves, K], OUT
        Inf where nothing is said.
    """
    l2, change, longest = rule
    for i in range(np.uint64(step.shape[0])):
        for k in range(np.uint64(step.shape[1])):
            length = abs(step[i, k])
            curvature = max(l2 - second[i, k], 1e-300)
            bound = exp(2.0 * change * length) * (length * (l2 / curvature) + 0.5 * change * length * length)
            out[i, k] = bound if length <= longest else np.inf


@kernel
def find_settled(
    step: NDArray[np.float64],
    following: NDArray[np.float64],
    point: NDArray[np.float64],
    active: NDArray[np.bool_],
    share: float,
    settled: NDArray[np.bool_],
) -> None:
    """Mark active leaves whose step or the one after it is small: at most ``share`` × max(1, |value after the step|).

    ``step``, ``following`` and ``point`` (where the step begins) are float64 [n_leaves, K], IN; ``active`` bool [n_leaves], IN;
    ``settled`` bool [n_leaves], OUT.
    """
    for i in range(np.uint64(step.shape[0])):
        small = active[i]
        for k in range(np.uint64(step.shape[1])):
            most = min(abs(step[i, k]), following[i, k])
            small &= most <= share * max(1.0, abs(point[i, k] + step[i, k]))
        settled[i] = small


@kernel
def add_by_leaf(
    values: NDArray[np.float64], leaf_of_row: NDArray[np.uint16], scale: float, sums: NDArray[np.int64]
) -> None:
    """Add ``rint(value × scale)`` of each row to its leaf's sum.

    ``values`` float64 [n] and ``leaf_of_row`` uint16 [n] are IN, ``sums`` int64 [n_leaves] IN and OUT.
    """
    for i in range(np.uint64(values.shape[0])):
        sums[leaf_of_row[i]] += np.int64(np.rint(values[i] * scale))
