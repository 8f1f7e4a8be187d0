"""Monotone constraints: which leaves of a tree must not fall behind which others.

A tree's leaves that agree on all splits of free columns stand in one order: they rise with the splits of constrained columns, of
which the first counts most. That is stricter than needed where a tree has several, and how CatBoost does it
(monotonic_constraint_utils.cpp).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_monotone import make_isotonic

#: The column must not raise predictions, it is free, it must not lower them.
FALLING, FREE, RISING = -1, 0, 1


@dataclass(frozen=True, eq=False)
class Orders:
    """Orders of a tree's leaves: int64 [n_leaves], ``size`` leaves in each, one order behind the other."""

    leaves: NDArray[np.int64]
    size: int

    def isotonic(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The isotonic values nearest to some, both float64 [n_leaves, dimension], by weighted squares in each dimension."""
        found = np.empty_like(values)
        for k in range(values.shape[1]):
            column = values[:, k].copy()
            make_isotonic(column, np.ascontiguousarray(weights[:, k]), self.leaves, self.size)
            found[:, k] = column
        return found


def orders_of(constraints: Sequence[int]) -> Orders:
    """Orders of the leaves of a tree; ``constraints`` are those of its splits' columns, each −1, 0 or 1."""
    bound = [level for level, constraint in enumerate(constraints) if constraint != FREE]
    free = [level for level, constraint in enumerate(constraints) if constraint == FREE]
    ranks, groups = np.arange(1 << len(bound)), np.arange(1 << len(free))
    leaves = np.zeros((groups.shape[0], ranks.shape[0]), np.int64)
    for place, level in enumerate(free):
        leaves += ((groups >> place) & 1)[:, None] << level
    for place, level in enumerate(reversed(bound)):
        bits = (ranks >> place) & 1
        leaves += (bits if constraints[level] == RISING else 1 - bits)[None, :] << level
    return Orders(leaves.ravel(), ranks.shape[0])


@dataclass(frozen=True, eq=False)
class LevelOrders:
    """What scoring a level must know.

    Parameters
    ----------
    of_features : tuple of int
        Constraints of the binned columns; other features are free.
    orders : int64 [3, 2 × n_leaves]
        Of the level's children if the next split is of a column that is falling, free, rising.
    sizes : int64 [3]
    """

    of_features: tuple[int, ...]
    orders: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def after(cls, of_features: tuple[int, ...], splits: Sequence[int]) -> "LevelOrders":
        """Those of the level that follows splits of some features."""
        before = [constraint_of(of_features, feature) for feature in splits]
        each = [orders_of([*before, constraint]) for constraint in (FALLING, FREE, RISING)]
        return cls(of_features, np.stack([one.leaves for one in each]), np.array([one.size for one in each], np.int64))

    def which(self, features: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of ``orders`` that each of some features has, int64 [n]."""
        return np.array([constraint_of(self.of_features, feature) + 1 for feature in features.tolist()], np.int64)


def constraint_of(of_features: Sequence[int], feature: int) -> int:
    """The constraint of a feature, by its number in the model."""
    return of_features[feature] if feature < len(of_features) else FREE
