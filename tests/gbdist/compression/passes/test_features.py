"""Dropped columns are no longer asked for, by whatever feature, and the means of trees stay."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.compression.passes.features import DropFeatures
from gbdist.compression.passes.worth import columns_of_features, worth_of_columns, worth_of_splits
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit

from .ensembles import predicted, random_bins, random_ensemble


def columns_tested(ensemble: Ensemble) -> set[int]:
    """Places of the columns that trees test."""
    columns = columns_of_features(ensemble)
    return {column for tree in ensemble.trees for split in tree.splits for column in columns[split.feature]}


def mean(ensemble: Ensemble) -> Any:
    """The mean over the rows of leaf weights, tree by tree."""
    means = (np.average(tree.leaf_values, axis=0, weights=tree.leaf_weights) for tree in ensemble.trees)
    return sum(means, ensemble.bias)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), symmetric=st.booleans(), name=st.sampled_from(["f0", "f2", "colour"]))
def test_no_prediction_depends_on_a_dropped_column(seed: int, symmetric: bool, name: str) -> None:
    ensemble = random_ensemble(seed, symmetric=symmetric, dimension=2)
    column = ensemble.feature_names.index(name)
    if column not in columns_tested(ensemble):
        return
    found = DropFeatures(columns=[name]).apply(ensemble, None)
    bins, others = random_bins(300), random_bins(300)
    others[column] = random_bins(300, seed=1)[column]
    assert predicted(found, bins).tobytes() == predicted(found, others).tobytes()
    np.testing.assert_allclose(mean(found), mean(ensemble), atol=1e-9)
    for tree in found.trees:
        assert any(tree.leaf_weights.sum() == pytest.approx(other.leaf_weights.sum()) for other in ensemble.trees)


@pytest.mark.parametrize("symmetric", [True, False])
def test_columns_of_most_worth_are_kept(symmetric: bool) -> None:
    ensemble = random_ensemble(2, symmetric=symmetric)
    worth = worth_of_columns(ensemble)
    found = DropFeatures(keep=2).apply(ensemble, None)
    assert columns_tested(found) == set(sorted(worth, key=lambda column: -worth[column])[:2])


def test_statistics_and_combinations_go_with_any_of_their_columns(make_categorical: Callable[..., Any]) -> None:
    ensemble = make_categorical().ensemble
    found = DropFeatures(columns=["street", "b"]).apply(ensemble, None)
    gone = {ensemble.feature_names.index(name) for name in ("street", "b")}
    assert gone <= columns_tested(ensemble)
    assert not gone & columns_tested(found)
    assert found.features == ensemble.features
    # Nothing else goes.
    columns = columns_of_features(ensemble)
    kept = {split for split in worth_of_splits(ensemble) if not columns[split.feature] & gone}
    assert set(worth_of_splits(found)) == kept


@pytest.mark.parametrize("symmetric", [True, False])
def test_worth_of_a_test_is_what_its_leaves_lose(symmetric: bool) -> None:
    test, values, weights = TreeSplit(0, 1), np.array([[1.0], [4.0]]), np.array([1.0, 3.0])
    tree: Tree = ObliviousTree((test,), values, weights)
    if not symmetric:
        tree = NonSymmetricTree((Node(test, ~0, ~1),), values, weights)
    ensemble = replace(random_ensemble(0), trees=(tree,))
    expected = 1.0 * (1.0 - 3.25) ** 2 + 3.0 * (4.0 - 3.25) ** 2
    assert worth_of_splits(ensemble) == {test: pytest.approx(expected)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "columns=None cannot be used: expected columns or keep, and not both (keep=None). Give one of them."),
        ({"columns": "f0"}, "columns='f0' cannot be used: expected a list of names. Use columns=['f0']."),
        (
            {"keep": 0},
            "keep=0 cannot be used: expected a whole number from 1 on. Use the number of columns to be kept.",
        ),
    ],
)
def test_wrong_parameters(given: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        DropFeatures(**given)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_columns_that_cannot_be_dropped() -> None:
    with pytest.raises(ModelError) as error:
        DropFeatures(columns=["f0", "g"]).apply(random_ensemble(0), None)
    assert str(error.value) == (
        "the model has no column 'g' to be dropped. Its columns are ['f0', 'f1', 'f2', 'colour']."
    )
    with pytest.raises(ModelError) as error:
        DropFeatures(keep=4).apply(random_ensemble(0), None)
    assert str(error.value) == (
        "no tree tests a column that would be dropped: 4 columns are tested. "
        "Drop another column, keep fewer, or leave the pass out."
    )
