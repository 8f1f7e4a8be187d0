"""What the tests of an ensemble are worth: how much its predictions would change without them."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.levels import in_pairs, pair_costs
from gbdist.compression.passes.nested import Leaf, Nested, mean_of, nested
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit


def counted_weights(tree: Tree) -> NDArray[np.float64]:
    """What a leaf counts: its weight, or 1 where no leaf of the tree has any."""
    return tree.leaf_weights if np.any(tree.leaf_weights > 0.0) else np.ones_like(tree.leaf_weights)


def worth_of_splits(ensemble: Ensemble) -> dict[TreeSplit, float]:
    """What each test is worth in all trees together: Σ w (v - mean)² over the pairs of leaves that it tells apart.

    A test inside of a non-symmetric tree tells apart the means of what is left and right of it.
    """
    return _summed(ensemble, pair_costs)


def moves_of_splits(ensemble: Ensemble) -> dict[TreeSplit, float]:
    """What it costs to send all rows the other way at each test, in all trees together: Σ (w₀ + w₁) (v₁ - v₀)² over the pairs."""
    return _summed(ensemble, _swap_costs)


def worth_of_columns(ensemble: Ensemble) -> dict[int, float]:
    """What each column that is tested is worth, by its place among all; a combination counts for each of its columns."""
    worth: defaultdict[int, float] = defaultdict(float)
    columns = columns_of_features(ensemble)
    for split, value in worth_of_splits(ensemble).items():
        for column in columns[split.feature]:
            worth[column] += value
    return dict(worth)


def columns_of_features(ensemble: Ensemble) -> tuple[frozenset[int], ...]:
    """For each of ``ensemble.features``, the places, among all columns, of those that it is made of."""
    part, positions, binned = ensemble.categories, ensemble.categories.positions, ensemble.binned
    numbers = (frozenset({binned[number]}) for number in range(len(ensemble.borders)))
    values = (frozenset({positions[feature.cat]}) for feature in part.one_hot)
    projections = (feature.projection for feature in part.statistics)
    statistics = (
        frozenset(
            {
                *(positions[cat] for cat in each.cats),
                *(positions[cat] for cat, _ in each.one_hot_splits),
                *(binned[number] for number, _ in each.float_splits),
            }
        )
        for each in projections
    )
    return (*numbers, *values, *statistics)


#: costs of pairs of leaves, float64 [n_pairs], from values [2, n_pairs, dimension] and weights [2, n_pairs]
_PairCosts = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def _swap_costs(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    costs: NDArray[np.float64] = (weights[0] + weights[1]) * np.square(values[1] - values[0]).sum(axis=-1)
    return costs


def _summed(ensemble: Ensemble, costs: _PairCosts) -> dict[TreeSplit, float]:
    worth: defaultdict[TreeSplit, float] = defaultdict(float)
    for tree in ensemble.trees:
        for split, values, weights in _pairs(tree):
            worth[split] += float(costs(values, weights).sum())
    return dict(worth)


def _pairs(tree: Tree) -> Iterator[tuple[TreeSplit, NDArray[np.float64], NDArray[np.float64]]]:
    """Each test with values [2, n_pairs, dimension] and weights [2, n_pairs] of what it tells apart."""
    if not isinstance(tree, ObliviousTree):
        yield from _pairs_below(nested(tree))
        return
    counted = counted_weights(tree)
    for level, split in enumerate(tree.splits):
        yield split, in_pairs(tree.leaf_values, level), in_pairs(counted, level)


def _pairs_below(root: Nested) -> Iterator[tuple[TreeSplit, NDArray[np.float64], NDArray[np.float64]]]:
    if isinstance(root, Leaf):
        return
    left, right = mean_of(root.left), mean_of(root.right)
    yield root.split, np.stack([[left.value], [right.value]]), np.array([[left.weight], [right.weight]])
    yield from _pairs_below(root.left)
    yield from _pairs_below(root.right)
