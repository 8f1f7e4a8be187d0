"""Monotone constraints of a model whose leaves were put together: a mean by weight may break what each leaf kept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gbdist.boosting.monotone import orders_of
from gbdist.compression.passes.levels import in_levels
from gbdist.compression.passes.refit import constraints_of
from gbdist.compression.passes.worth import counted_weights
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, Tree


def kept_monotone(ensemble: Ensemble) -> Ensemble:
    """The ensemble with the nearest leaf values, by weighted squares, in trees that are not as monotone as the model must be.

    Constraints are those of the model's training options; CatBoost has them for oblivious trees alone. Trees that keep them
    stay as they are.
    """
    constraints = constraints_of(ensemble)
    if not any(constraints):
        return ensemble
    return replace(ensemble, trees=tuple(_kept(tree, constraints) for tree in ensemble.trees))


def _kept(tree: Tree, constraints: Sequence[int]) -> Tree:
    if not isinstance(tree, ObliviousTree):
        return tree
    of_splits = [constraints[split.feature] for split in tree.splits]
    values = in_levels(tree, tree.leaf_values)
    if all(np.all(sign * np.diff(values, axis=level) >= 0.0) for level, sign in enumerate(of_splits)):
        return tree
    orders = orders_of(of_splits)
    weights = np.repeat(counted_weights(tree)[:, np.newaxis], tree.leaf_values.shape[1], axis=1)
    nearest = orders.isotonic(tree.leaf_values, weights)
    # Once more, with equal weights, so that rounding leaves no bit out of order.
    return replace(tree, leaf_values=orders.isotonic(nearest, np.ones_like(weights)))
