"""The levels of an oblivious tree: put in another order, taken out, and what taking one out costs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.nested import mean_by_weight
from gbdist.models.tree import ObliviousTree, TreeSplit


def in_levels(tree: ObliviousTree, leaves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Something of each leaf, [2**depth, …], with an axis for each level, [2, …, 2, …]: axis l is that of ``splits[l]``."""
    depth = tree.depth
    # The first split is the lowest bit of a leaf's number, hence the last axis of the reshaped array.
    return leaves.reshape((2,) * depth + leaves.shape[1:]).transpose(
        *reversed(range(depth)), *range(depth, depth + leaves.ndim - 1)
    )


def from_levels(
    splits: Sequence[TreeSplit], values: NDArray[np.float64], weights: NDArray[np.float64]
) -> ObliviousTree:
    """The tree of values [2, …, 2, dimension] and weights [2, …, 2], the other way of ``in_levels``."""
    depth = len(splits)
    order = tuple(reversed(range(depth)))
    return ObliviousTree(
        tuple(splits),
        np.ascontiguousarray(values.transpose(*order, depth)).reshape(1 << depth, values.shape[-1]),
        np.ascontiguousarray(weights.transpose(*order)).reshape(1 << depth),
    )


def reordered(tree: ObliviousTree, order: Sequence[int]) -> ObliviousTree:
    """The same tree with level ``order[k]`` as its k-th."""
    depth = tree.depth
    values, weights = in_levels(tree, tree.leaf_values), in_levels(tree, tree.leaf_weights)
    splits = [tree.splits[level] for level in order]
    return from_levels(splits, values.transpose(*order, depth), weights.transpose(*order))


def without_level(tree: ObliviousTree, level: int) -> ObliviousTree:
    """The tree without one of its tests: a pair of leaves that it told apart becomes their mean by weight."""
    values = np.moveaxis(in_levels(tree, tree.leaf_values), level, 0)
    weights = np.moveaxis(in_levels(tree, tree.leaf_weights), level, 0)
    splits = tree.splits[:level] + tree.splits[level + 1 :]
    return from_levels(splits, mean_by_weight(values, weights), weights[0] + weights[1])


def level_costs(tree: ObliviousTree, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What it costs to take each level out, float64 [depth]: Σ w (v − mean)² over leaves, of all dimensions.

    ``weights``, float64 [2**depth], are what a leaf's square counts. A pair of leaves costs w₀ w₁ / (w₀ + w₁) · (v₁ − v₀)².
    """
    return np.array(
        [pair_costs(in_pairs(tree.leaf_values, level), in_pairs(weights, level)).sum() for level in range(tree.depth)]
    )


def pair_costs(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs of putting pairs of leaves together, float64 […]: values [2, …, dimension], weights [2, …]."""
    total = weights[0] + weights[1]
    common = np.divide(weights[0] * weights[1], total, out=np.zeros_like(total), where=total > 0.0)
    costs: NDArray[np.float64] = common * np.square(values[1] - values[0]).sum(axis=-1)
    return costs


def in_pairs(leaves: NDArray[np.float64], level: int) -> NDArray[np.float64]:
    """Something of each leaf, [2**depth, …], as that of the pairs that a level tells apart, [2, 2**(depth - 1), …]."""
    # The axis in the middle is the level's bit of the leaf's number.
    pairs = np.moveaxis(leaves.reshape(-1, 2, 1 << level, *leaves.shape[1:]), 1, 0)
    return pairs.reshape(2, -1, *leaves.shape[1:])
