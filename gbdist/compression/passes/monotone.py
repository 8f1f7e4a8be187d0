"""Monotone constraints of a model: a mean by weight, or a new value, may break what the leaves of a tree kept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.monotone import FREE, orders_of
from gbdist.compression.passes.levels import in_levels
from gbdist.compression.passes.worth import counted_weights
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, Tree


def constraints_of(ensemble: Ensemble) -> tuple[int, ...]:
    """Monotone constraint of each of ``ensemble.features``, −1, 0 or 1, as the model's training options tell them."""
    told = ensemble.options.get("tree_learner_options", {}).get("monotone_constraints") or {}
    of_binned = [int(told.get(str(position), FREE)) for position in ensemble.binned[: len(ensemble.borders)]]
    return (*of_binned, *[FREE] * (len(ensemble.features) - len(of_binned)))


def kept_monotone(ensemble: Ensemble) -> Ensemble:
    """The ensemble with the nearest leaf values, by weighted squares, in trees that are not as monotone as the model must be.

    Constraints are those of the model's training options; CatBoost has them for oblivious trees alone. Trees that keep them
    stay as they are.
    """
    constraints = constraints_of(ensemble)
    if not any(constraints):
        return ensemble
    return replace(ensemble, trees=tuple(_kept(tree, constraints) for tree in ensemble.trees))


def nearest_monotone(
    tree: Tree, values: NDArray[np.float64], counts: NDArray[np.float64], constraints: Sequence[int]
) -> NDArray[np.float64]:
    """The nearest leaf values that the constraints allow, float64 [n_leaves, dimension] as ``values``.

    ``counts``, of the same shape, tell how much the square of each counts; ``constraints`` are those of all features.
    """
    of_splits = [constraints[split.feature] for split in tree.splits]
    if not isinstance(tree, ObliviousTree) or not any(of_splits):
        return values
    orders = orders_of(of_splits)
    # Once more, with equal weights, so that rounding leaves no bit out of order.
    return orders.isotonic(orders.isotonic(values, counts), np.ones_like(values))


def _kept(tree: Tree, constraints: Sequence[int]) -> Tree:
    if not isinstance(tree, ObliviousTree):
        return tree
    values = in_levels(tree, tree.leaf_values)
    signs = [constraints[split.feature] for split in tree.splits]
    if all(np.all(sign * np.diff(values, axis=level) >= 0.0) for level, sign in enumerate(signs)):
        return tree
    weights = np.repeat(counted_weights(tree)[:, np.newaxis], tree.leaf_values.shape[1], axis=1)
    return replace(tree, leaf_values=nearest_monotone(tree, tree.leaf_values, weights, constraints))
