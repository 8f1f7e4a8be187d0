"""Merged trees predict the same, and are fewer wherever trees test the same."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.compression.passes.merge import MergeTrees
from gbdist.compression.passes.simple import structure_of
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, TreeSplit

from .ensembles import n_leaves, predicted, random_bins, random_ensemble, same_predictions

A, B, C, COLOUR = TreeSplit(0, 1), TreeSplit(0, 3), TreeSplit(2, 0), TreeSplit(3, 1)


def with_trees(*tests: Sequence[TreeSplit]) -> Ensemble:
    """Oblivious trees with these tests and random leaves."""
    generator = np.random.default_rng(3)
    trees = tuple(
        ObliviousTree(tuple(splits), generator.normal(size=(1 << len(splits), 1)), generator.random(1 << len(splits)))
        for splits in tests
    )
    return replace(random_ensemble(0), trees=trees)


def merged(ensemble: Ensemble) -> Ensemble:
    return MergeTrees().apply(ensemble, None)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), symmetric=st.booleans(), dimension=st.integers(1, 3))
def test_predictions_stay_and_leaves_do_not_grow(seed: int, symmetric: bool, dimension: int) -> None:
    ensemble = random_ensemble(seed, symmetric=symmetric, dimension=dimension)
    found = merged(ensemble)
    assert same_predictions(found, ensemble)
    assert n_leaves(found) <= n_leaves(ensemble)
    assert len(found.trees) <= len(ensemble.trees)
    assert found.features == ensemble.features
    again = merged(found)
    assert len(again.trees) == len(found.trees)  # nothing was left to be merged


def test_predictions_stay_on_many_rows() -> None:
    ensemble = random_ensemble(5, n_trees=100, max_depth=5)
    bins = random_bins(100_000)
    np.testing.assert_allclose(predicted(merged(ensemble), bins), predicted(ensemble, bins), rtol=0, atol=1e-11)


def test_same_tests_in_another_order_are_one_tree_with_the_mean_of_the_weights() -> None:
    ensemble = with_trees([A, C, COLOUR], [COLOUR, A, C])
    found = merged(ensemble)
    assert [tree.splits for tree in found.trees] == [(A, C, COLOUR)]
    assert same_predictions(found, ensemble)
    first, second = ensemble.trees
    second_in_order = second.leaf_weights.reshape(2, 2, 2).transpose(2, 0, 1).ravel()  # axes were C, A, COLOUR
    np.testing.assert_allclose(found.trees[0].leaf_weights, (first.leaf_weights + second_in_order) / 2)


def test_a_part_of_another_tree_is_added_to_it() -> None:
    ensemble = with_trees([A], [C, A], [A, C, COLOUR])
    found = merged(ensemble)
    assert [tree.splits for tree in found.trees] == [(A, C, COLOUR)]
    assert same_predictions(found, ensemble)
    assert found.trees[0].leaf_weights.tobytes() == ensemble.trees[2].leaf_weights.tobytes()


def test_trees_that_share_all_tests_but_one_become_one() -> None:
    ensemble = with_trees([A, C], [A, COLOUR])
    found = merged(ensemble)
    assert [tree.splits for tree in found.trees] == [(A, C, COLOUR)]
    assert same_predictions(found, ensemble)
    # Each of the first tree's leaves keeps its weight, now in two leaves.
    weights = found.trees[0].leaf_weights.reshape(2, 4).sum(axis=0)
    np.testing.assert_allclose(weights, ensemble.trees[0].leaf_weights)


def test_a_test_made_twice_goes() -> None:
    ensemble = with_trees([A, C, A], [B, B])
    found = merged(ensemble)
    assert [tree.splits for tree in found.trees] == [(A, C), (B,)]
    assert same_predictions(found, ensemble)


def test_a_test_that_no_leaf_minds_goes_and_constants_go_into_the_bias() -> None:
    ensemble = with_trees([A, C], [B, C])
    first, second = ensemble.trees
    first = replace(first, leaf_values=first.leaf_values[[0, 0, 2, 2]])
    second = replace(second, leaf_values=np.full((4, 1), 0.25))
    ensemble = replace(ensemble, trees=(first, second))
    found = merged(ensemble)
    assert [tree.splits for tree in found.trees] == [(C,)]
    assert found.bias[0] == ensemble.bias[0] + 0.25
    assert found.trees[0].leaf_weights.sum() == pytest.approx(first.leaf_weights.sum())
    assert same_predictions(found, ensemble)


def test_known_outcomes_go_from_non_symmetric_trees() -> None:
    # Where A is false, B is too; of colours that are 1, none is 2.
    values = np.arange(5.0)[:, np.newaxis]
    nodes = (Node(A, 1, 2), Node(B, ~0, ~1), Node(COLOUR, ~2, 3), Node(TreeSplit(3, 2), ~3, ~4))
    ensemble = replace(random_ensemble(0), trees=(NonSymmetricTree(nodes, values, np.ones(5)),))
    found = merged(ensemble)
    assert found.trees[0].splits == (A, COLOUR)
    assert found.trees[0].leaf_values.ravel().tolist() == [0.0, 2.0, 3.0]
    assert same_predictions(found, ensemble)


def test_a_non_symmetric_tree_is_added_to_one_that_is_finer() -> None:
    fine = NonSymmetricTree((Node(C, 1, 2), Node(A, ~0, ~1), Node(A, ~2, ~3)), np.arange(4.0)[:, None], np.ones(4))
    coarse = NonSymmetricTree((Node(A, ~0, 1), Node(C, ~1, ~2)), np.array([[10.0], [20.0], [40.0]]), np.ones(3))
    ensemble = replace(random_ensemble(0), trees=(coarse, fine))
    found = merged(ensemble)
    assert [structure_of(tree) for tree in found.trees] == [fine.nodes]
    assert found.trees[0].leaf_values.ravel().tolist() == [10.0, 21.0, 12.0, 43.0]


def test_non_symmetric_trees_of_which_none_is_finer_stay() -> None:
    one = NonSymmetricTree((Node(A, 1, ~2), Node(C, ~0, ~1)), np.arange(3.0)[:, None], np.ones(3))
    other = NonSymmetricTree((Node(A, ~0, 1), Node(C, ~1, ~2)), np.arange(3.0)[:, None], np.ones(3))
    assert merged(replace(random_ensemble(0), trees=(one, other))).trees == (one, other)
