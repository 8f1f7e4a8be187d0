"""Which units of a layer can go, and what those that stay have to say in their place: linear algebra on covariances.

What reads a layer sees Σ a_j W_j over its units. Without unit j, the other units say as much of a_j as a linear function of
them can; the rest is lost: ‖W_j‖² × the variance of a_j that the others do not explain, which is ‖W_j‖² / (C⁻¹)_jj. That is the
optimal brain surgeon's score (Hassibi and Stork, "Second Order Derivatives for Network Pruning", 1992) on outputs of a layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A unit whose standard deviation is at most this part of its mean is a constant, but for rounding.
_CONSTANT: Final = 1e-12
#: Added to the correlations' diagonal: what is learnt of few rows, or of units that are all but the same, stays small.
RIDGE: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """What reads the units of a layer.

    Parameters
    ----------
    mean : float64 [n_units]
    covariance : float64 [n_units, n_units]
        Of the units, over rows.
    weights : float64 [n_units, n_outputs]
        What each unit adds to the reader's sums, for each 1 of it.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Standard deviations, float64 [n_units]; 0 of a constant."""
        deviations = np.sqrt(np.maximum(self.covariance.diagonal(), 0.0))
        return np.where(deviations <= _CONSTANT * np.abs(self.mean), 0.0, deviations)


@dataclass(frozen=True, slots=True, eq=False)
class Remaining:
    """What is left of a layer: units (ascending positions), and for each reader its weights and what its biases gain."""

    kept: NDArray[np.intp]
    weights: tuple[NDArray[np.float64], ...]
    shifts: tuple[NDArray[np.float64], ...]


def useful_units(readers: Sequence[Reader]) -> int:
    """How many units say anything to any of the readers: neither constant nor without weight. The others can go for nothing."""
    useful = [(reader.deviations > 0.0) & reader.weights.any(axis=1) for reader in readers]
    return int(np.logical_or.reduce(useful).sum())


def eliminate(readers: Sequence[Reader], keep: int) -> Remaining:
    """Take the unit whose loss costs least, one by one, until ``keep`` are left; of equal ones the first.

    Several readers share the units, each with statistics of its own (``residual``). Constants are folded into biases exactly.
    """
    states = [_State(reader) for reader in readers]
    n_units = readers[0].mean.shape[0]
    there = np.ones(n_units, bool)
    for _ in range(n_units - keep):
        costs = np.where(there, sum(state.costs for state in states), np.inf)
        unit = int(np.argmin(costs))
        there[unit] = False
        for state in states:
            state.remove(unit, there)
    kept = np.flatnonzero(there)
    weights = tuple(state.weights[kept] for state in states)
    shifts = tuple(
        reader.mean @ reader.weights - reader.mean[kept] @ rows for reader, rows in zip(readers, weights, strict=True)
    )
    return Remaining(kept, weights, shifts)


class _State:
    """One reader while units go: weights and the inverse of the correlations, both in units' standard deviations."""

    def __init__(self, reader: Reader) -> None:
        deviations = reader.deviations
        self._unit = np.where(deviations > 0.0, deviations, 1.0)
        correlations = reader.covariance / np.outer(self._unit, self._unit)
        constant = deviations == 0.0
        correlations[constant] = 0.0
        correlations[:, constant] = 0.0
        np.fill_diagonal(correlations, 1.0 + RIDGE)
        self._inverse = np.linalg.inv(correlations)
        self._scaled = reader.weights * deviations[:, None]
        self._gained = np.zeros_like(self._scaled)
        self._reader = reader

    @property
    def costs(self) -> NDArray[np.float64]:
        """What the loss of each unit costs, float64 [n_units]."""
        return np.asarray(((self._scaled + self._gained) ** 2).sum(axis=1) / self._inverse.diagonal())

    @property
    def weights(self) -> NDArray[np.float64]:
        """As ``Reader`` has them; those that gained nothing are as they were, to the last bit."""
        return self._reader.weights + self._gained / self._unit[:, None]

    def remove(self, unit: int, there: NDArray[np.bool_]) -> None:
        """Let those that are ``there`` say what they know of a unit."""
        column = self._inverse[:, unit].copy()
        pivot = column[unit]
        said = np.where(there, -column / pivot, 0.0)
        self._gained += np.outer(said, self._scaled[unit] + self._gained[unit])
        self._inverse -= np.outer(column, column / pivot)
        self._inverse[unit, unit] = 1.0  # or later costs, which nobody looks at, would divide by 0
