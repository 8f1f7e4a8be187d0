"""Rounded leaf values: no prediction is off by more than the bound, and rounding twice is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.compression.passes.quantize import QuantizeLeaves, bound_of, is_quantized
from gbdist.compression.passes.rounding import to_codes
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, TreeSplit

from .ensembles import predicted, random_bins, random_ensemble

KINDS = [QuantizeLeaves("fp16"), QuantizeLeaves("int8"), QuantizeLeaves(levels=8)]


def distinct(ensemble: Ensemble) -> int:
    return len(np.unique(np.concatenate([tree.leaf_values.ravel() for tree in ensemble.trees])))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    symmetric=st.booleans(),
    dimension=st.integers(1, 3),
    kind=st.sampled_from(KINDS),
)
def test_no_prediction_is_off_by_more_than_the_bound(
    seed: int, symmetric: bool, dimension: int, kind: QuantizeLeaves
) -> None:
    ensemble = random_ensemble(seed, symmetric=symmetric, dimension=dimension)
    if distinct(ensemble) <= 8:
        return
    found = kind.apply(ensemble, None)
    bins = random_bins(1000)
    errors = np.abs(predicted(found, bins) - predicted(ensemble, bins)).max(axis=0)
    assert np.all(errors <= bound_of(ensemble, found))
    assert all(a.leaf_weights is b.leaf_weights for a, b in zip(found.trees, ensemble.trees, strict=True))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_bound_holds_on_many_rows_and_is_not_far_from_what_happens(kind: QuantizeLeaves) -> None:
    ensemble = random_ensemble(7, n_trees=60, dimension=2)
    found = kind.apply(ensemble, None)
    bins = random_bins(100_000)
    errors = np.abs(predicted(found, bins) - predicted(ensemble, bins)).max(axis=0)
    bounds = bound_of(ensemble, found)
    assert np.all(errors <= bounds)
    assert np.all(bounds < 10 * errors)


def test_bound_is_reached_where_the_worst_leaves_meet() -> None:
    tree = ObliviousTree((TreeSplit(0, 1),), np.array([[1.0], [2.0]]), np.ones(2))
    ensemble = replace(random_ensemble(0), trees=(tree, tree))
    moved = replace(tree, leaf_values=np.array([[1.25], [1.5]]))
    found = replace(ensemble, trees=(moved, moved))
    assert bound_of(ensemble, found) == pytest.approx([1.0])  # both are 0.5 too low for the same rows


def test_bound_of_models_with_other_trees() -> None:
    with pytest.raises(ModelError) as error:
        bound_of(random_ensemble(1), random_ensemble(2))
    assert str(error.value) == (
        "the two models do not have the same trees, so their leaf values cannot be compared. "
        "Compare a model with what QuantizeLeaves made of it."
    )


def test_int8_has_a_scale_a_tree_and_uses_all_codes() -> None:
    found = QuantizeLeaves("int8").apply(random_ensemble(3, dimension=1), None)
    for tree in found.trees:
        codes = to_codes(tree.leaf_values).codes
        assert to_codes(tree.leaf_values).values().tobytes() == (tree.leaf_values + 0.0).tobytes()
        if tree.n_leaves > 1:
            assert (codes.min(), codes.max()) == (-127, 127)


def test_levels_are_as_many_as_asked_for() -> None:
    assert distinct(QuantizeLeaves(levels=5).apply(random_ensemble(3), None)) == 5


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_rounding_twice_is_refused(kind: str) -> None:
    once = QuantizeLeaves(kind).apply(random_ensemble(3), None)
    assert is_quantized(once, kind)
    with pytest.raises(ModelError) as error:
        QuantizeLeaves(kind).apply(once, None)
    assert str(error.value) == (
        f"to={kind!r}: the leaf values are rounded so already. Leave the pass out, or round to fewer bits."
    )


def test_as_many_levels_as_there_are_values_are_refused() -> None:
    once = QuantizeLeaves(levels=5).apply(random_ensemble(3), None)
    with pytest.raises(ModelError) as error:
        QuantizeLeaves(levels=6).apply(once, None)
    assert str(error.value) == (
        "levels=6: the model has no more than 5 different leaf values. Leave the pass out, or use fewer levels."
    )


def test_values_too_large_for_half_precision() -> None:
    ensemble = random_ensemble(3)
    tree = ensemble.trees[0]
    large = replace(ensemble, trees=(replace(tree, leaf_values=tree.leaf_values - 1e5), *ensemble.trees[1:]))
    with pytest.raises(
        ModelError, match=r"^to=\"fp16\": a leaf value of -?\d+(\.\d+)? is too large for half precision"
    ):
        QuantizeLeaves("fp16").apply(large, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "to=None cannot be used: expected to or levels, and not both (levels=None). Give one of them."),
        ({"to": "fp8"}, 'to=\'fp8\' cannot be used: expected "fp16" or "int8". Use one of them, or levels.'),
        (
            {"levels": 1},
            "levels=1 cannot be used: expected a whole number from 2 to 65536. Use 256 for a byte a leaf value.",
        ),
    ],
)
def test_wrong_parameters(given: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        QuantizeLeaves(**given)  # type: ignore[arg-type]
    assert str(error.value) == message
