"""Tests that cost least are taken out, by the cost that is stated; leaves get their means."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.compression.passes.depth import ReduceDepth, depth_of, fewer_leaves
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit

from .ensembles import leaves_of, n_leaves, predicted, random_bins, random_ensemble

A, C = TreeSplit(0, 1), TreeSplit(2, 0)


def weighted_square(before: Tree, after: Tree, ensemble: Ensemble) -> float:
    """Σ w (v - v')² over the leaves of ``before``, where each of them is one row."""
    bins = random_bins(3000, seed=1)
    leaves, first = np.unique(leaves_of(before, ensemble, bins), return_index=True)
    change = after.leaf_values[leaves_of(after, ensemble, bins[:, first])] - before.leaf_values[leaves]
    return float((before.leaf_weights[leaves] * np.square(change).sum(axis=1)).sum())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), symmetric=st.booleans(), dimension=st.integers(1, 3), depth=st.integers(0, 3))
def test_no_tree_is_deeper_and_means_and_weights_stay(seed: int, symmetric: bool, dimension: int, depth: int) -> None:
    ensemble = random_ensemble(seed, symmetric=symmetric, dimension=dimension, max_depth=5)
    deepest = max(depth_of(tree) for tree in ensemble.trees)
    if deepest <= depth:
        return
    found = ReduceDepth(depth=depth).apply(ensemble, None)
    assert all(0 < depth_of(tree) <= depth for tree in found.trees)
    mean = sum(np.average(tree.leaf_values, axis=0, weights=tree.leaf_weights) for tree in ensemble.trees)
    found_mean = sum(
        (np.average(tree.leaf_values, axis=0, weights=tree.leaf_weights) for tree in found.trees),
        np.zeros(dimension),
    )
    np.testing.assert_allclose(found_mean + found.bias, mean + ensemble.bias, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), symmetric=st.booleans(), share=st.floats(0.2, 0.95))
def test_leaves_fit_the_share_and_each_weight_is_kept(seed: int, symmetric: bool, share: float) -> None:
    ensemble = random_ensemble(seed, symmetric=symmetric, max_depth=5)
    budget = int(share * n_leaves(ensemble))
    if budget < len(ensemble.trees):
        return
    found = fewer_leaves(ensemble.trees, budget)
    assert budget / 2 < sum(tree.n_leaves for tree in found) <= budget
    for tree, other in zip(ensemble.trees, found, strict=True):
        assert other.leaf_weights.sum() == pytest.approx(tree.leaf_weights.sum())
        assert set(other.splits) <= set(tree.splits)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_cheapest_test_is_taken_out(symmetric: bool) -> None:
    generator = np.random.default_rng(4)
    # Each test once, so that every leaf has rows.
    splits = (TreeSplit(0, 1), TreeSplit(1, 2), TreeSplit(2, 0), TreeSplit(3, 2))
    tree: Tree = ObliviousTree(splits, generator.normal(size=(16, 2)), generator.random(16))
    if not symmetric:
        nodes = (Node(splits[0], 1, 2), Node(splits[1], ~0, ~1), Node(splits[2], ~2, 3), Node(splits[3], ~3, ~4))
        tree = NonSymmetricTree(nodes, generator.normal(size=(5, 2)), generator.random(5))
    ensemble = replace(random_ensemble(0, dimension=2), trees=(tree,))
    (found,) = fewer_leaves([tree], tree.n_leaves - 1)
    costs = {}
    for number, split in enumerate(splits):
        if symmetric:
            left = [leaf for leaf in range(16) if not leaf >> number & 1]
            pairs = [(leaf, leaf | 1 << number) for leaf in left]
        else:
            pairs = {1: [(0, 1)], 3: [(3, 4)]}.get(number, [])
        if pairs:
            costs[split] = sum(pair_square(tree, pair) for pair in pairs)
    cheapest = min(costs, key=lambda split: costs[split])
    assert set(found.splits) == {*splits} - {cheapest}
    assert weighted_square(tree, found, ensemble) == pytest.approx(costs[cheapest])


def pair_square(tree: Tree, pair: tuple[int, int]) -> float:
    values, weights = tree.leaf_values[list(pair)], tree.leaf_weights[list(pair)]
    mean = np.average(values, axis=0, weights=weights)
    return float((weights[:, np.newaxis] * (values - mean) ** 2).sum())


def test_leaves_without_weights_count_alike() -> None:
    values = np.array([0.0, 4.0, 1.0, 5.0])[:, np.newaxis]  # C tells 0 from 1, A tells 0 from 4
    tree = ObliviousTree((A, C), values, np.zeros(4))
    (found,) = fewer_leaves([tree], 2)
    assert found.splits == (A,)
    assert found.leaf_values.ravel().tolist() == [0.5, 4.5]


def test_trees_that_end_as_one_leaf_are_in_the_bias() -> None:
    ensemble = random_ensemble(1)
    found = ReduceDepth(depth=0).apply(ensemble, None)
    assert found.trees == ()
    assert np.ptp(predicted(found, random_bins(10))) == 0.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "depth=None cannot be used: expected depth or share, and not both (share=None). Give one of them."),
        (
            {"depth": 2, "share": 0.5},
            "depth=2 cannot be used: expected depth or share, and not both (share=0.5). Give one of them.",
        ),
        (
            {"depth": 16},
            "depth=16 cannot be used: expected a whole number from 0 to 15. Use the depth that trees may have.",
        ),
        (
            {"share": 1.0},
            "share=1.0 cannot be used: expected a number between 0 and 1. Use 0.5 to keep half of the leaves.",
        ),
    ],
)
def test_wrong_parameters(given: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        ReduceDepth(**given)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_nothing_to_take_out() -> None:
    ensemble = random_ensemble(1, n_trees=5)
    with pytest.raises(ModelError) as error:
        ReduceDepth(depth=4).apply(ensemble, None)
    assert str(error.value) == (
        "depth=4: no tree of the model is deeper than 4. Use a smaller depth, or leave the pass out."
    )


def test_share_with_less_than_a_leaf_a_tree() -> None:
    ensemble = replace(random_ensemble(1), trees=(ObliviousTree((A, C), np.zeros((4, 1)), np.ones(4)),) * 2)
    with pytest.raises(ModelError) as error:
        ReduceDepth(share=0.2).apply(ensemble, None)
    assert str(error.value) == (
        "share=0.2: 1 leaves are left of 8, and the model has 2 trees. Use a share above 0.25, or drop trees first."
    )
