"""No feature has more borders than said; rows that no border was moved over keep their leaves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.compression.passes.borders import FewerBorders, positions_of_borders
from gbdist.compression.passes.nested import flat, nested
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, TreeSplit

from .ensembles import N_NUMBERS, random_ensemble


def borders_of(ensemble: Ensemble, feature: int) -> set[int]:
    return {s.border for tree in ensemble.trees for s in tree.splits if s.feature == feature}


def stumps(*leaves: tuple[int, float, float, float, float]) -> Ensemble:
    """Trees of one test each on feature 0: its border, values and weights left and right."""
    trees = tuple(
        ObliviousTree((TreeSplit(0, border),), np.array([[left], [right]]), np.array([w_left, w_right]))
        for border, left, right, w_left, w_right in leaves
    )
    return replace(random_ensemble(0), trees=trees, bias=np.zeros(1))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), symmetric=st.booleans(), per_feature=st.integers(1, 3))
def test_borders_are_few_and_those_that_there_were(seed: int, symmetric: bool, per_feature: int) -> None:
    ensemble = random_ensemble(seed, symmetric=symmetric, dimension=2, n_trees=20)
    before = [borders_of(ensemble, feature) for feature in range(N_NUMBERS)]
    if max(map(len, before)) <= per_feature:
        return
    found = FewerBorders(per_feature).apply(ensemble, None)
    for feature, borders in enumerate(before):
        left = borders_of(found, feature)
        assert len(left) <= per_feature
        assert left <= borders  # none is new
    for tree in found.trees:
        splits = tree.splits
        if isinstance(tree, ObliviousTree):
            assert len(set(splits)) == len(splits)


def test_the_border_that_changes_least_is_moved_to_the_nearer_one() -> None:
    # 20 %, 50 % and 60 % of the rows are not above borders 0, 1, 2.
    ensemble = stumps((0, 0.0, 5.0, 2.0, 8.0), (1, 0.0, 1.0, 5.0, 5.0), (2, 0.0, 5.0, 6.0, 4.0))
    assert positions_of_borders(ensemble, {0: [0, 1, 2]}) == {0: pytest.approx({0: 0.2, 1: 0.5, 2: 0.6})}
    found = FewerBorders(2).apply(ensemble, None)
    assert [tree.splits[0].border for tree in found.trees] == [0, 2, 2]
    assert [tree.leaf_values.ravel().tolist() for tree in found.trees] == [[0.0, 5.0], [0.0, 1.0], [0.0, 5.0]]


def test_tests_that_fall_together_become_one_with_means() -> None:
    ensemble = stumps((1, 0.0, 100.0, 4.0, 6.0))
    splits = (TreeSplit(0, 3), TreeSplit(2, 0), TreeSplit(0, 1))
    values = np.arange(8.0)[:, np.newaxis]
    weights = np.array([3.0, 0.0, 2.0, 0.0, 1.0, 2.0, 2.0, 1.0])  # not above 1 and above 3: no rows
    tree = ObliviousTree(splits, values, weights)
    ensemble = replace(ensemble, trees=(*ensemble.trees, tree))
    found = FewerBorders(1).apply(ensemble, None).trees[1]
    assert found.splits == (TreeSplit(0, 1), TreeSplit(2, 0))
    # Border 1 stays, so rows between 1 and 3 (leaves 4 and 6) go with those above 3 (leaves 5 and 7).
    assert found.leaf_weights.tolist() == [3.0, 3.0, 2.0, 3.0]
    np.testing.assert_allclose(found.leaf_values.ravel(), [0.0, (4 + 2 * 5) / 3, 2.0, (2 * 6 + 7) / 3])


def test_roots_tell_where_borders_of_non_symmetric_trees_lie() -> None:
    ensemble = stumps((1, 0.0, 1.0, 3.0, 1.0))
    tree = flat(nested(ensemble.trees[0]))
    other = replace(ensemble, trees=(tree,))
    # Border 1 is known, 3 is half-way from it to the end of 4 borders … 0.75 + 2/3 · 0.25.
    assert positions_of_borders(other, {0: [1, 3]})[0] == pytest.approx({1: 0.75, 3: 0.75 + 0.25 * 2 / 3})


def test_nothing_to_move_and_wrong_numbers() -> None:
    with pytest.raises(ModelError) as error:
        FewerBorders(4).apply(random_ensemble(0), None)
    assert str(error.value) == (
        "per_feature=4: no feature has more than 4 borders that are tested. Use fewer, or leave the pass out."
    )
    with pytest.raises(ParameterError) as wrong:
        FewerBorders(0)
    assert str(wrong.value) == "per_feature=0 cannot be used: expected a whole number from 1 on. Use 16 or 32, say."
