"""What every pass promises: the same bits on any ranks, the ensemble that was given as it was, and its features."""

import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from gbdist.compression import passes
from gbdist.compression.passes.base import Pass, PassData
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart

from ..conftest import on_ranks, placements, rows_of

#: At least one of each.
PASSES: list[Pass] = [
    passes.Distil(trees=4, depth=3, copies=1),
    passes.Drop(),
    passes.Drop("backward", share=0.5),
    passes.Drop("prefix", trees=3),
    passes.DropFeatures(keep=2),
    passes.FewerBorders(2),
    passes.MergeTrees(),
    passes.PruneTables(share=0.5),
    passes.QuantizeLeaves("int8"),
    passes.ReduceDepth(depth=3),
    passes.Refit(),
    passes.Refit(towards="labels", steps=1),
    passes.Reweight(share=0.5),
    passes.Reweight(trees=3, method="lasso", towards="labels"),
]


@pytest.fixture(params=[False, True], ids=["numbers", "categories"])
def case(request: pytest.FixtureRequest, make_categorical: Callable[..., Any]) -> tuple[Ensemble, Any]:
    """A small ensemble and its rows: of three classes and numbers alone, or of two with categories."""
    made = make_categorical(3, 2, 1, ("no", "yes"), (4,) * 8)
    ensemble, hashes = made.ensemble, made.hashes
    if not request.param:
        made = make_categorical(3, 3, 3, ("ant", "bee", "cow"), (4,) * 8, 0)
        ensemble, hashes = made.ensemble, None
        numbers = tuple(
            replace(tree, splits=tuple(replace(s, feature=s.feature % 3, border=s.border % 20) for s in tree.splits))
            for tree in ensemble.trees
        )
        ensemble = replace(ensemble, trees=numbers, categories=CategoricalPart())
        ensemble = replace(ensemble, feature_names=ensemble.feature_names[:3])
    generator = np.random.default_rng(1)
    label = generator.integers(0, len(ensemble.class_names or ()), 1_000).astype(np.float32)
    weight = generator.random(1_000).astype(np.float32)
    return ensemble, rows_of(ensemble, made.features, label, hashes, weight)


def test_every_pass_is_here() -> None:
    assert {*(type(one).__name__ for one in PASSES), "Pass", "PassData"} == set(passes.__all__)


@pytest.mark.parametrize("one", PASSES, ids=repr)
def test_any_ranks_leave_the_same_and_nothing_that_was_given_is_changed(one: Pass, case: tuple[Ensemble, Any]) -> None:
    ensemble, rows = case
    if isinstance(one, passes.PruneTables) and not ensemble.categories.tables:
        with pytest.raises(ModelError):
            one.apply(ensemble, None)
        return
    before = pickle.dumps(ensemble)

    def apply(data: PassData) -> Ensemble:
        return one.apply(ensemble, replace(data, teacher=ensemble))

    found = [made for placement in placements(1_000) for made in on_ranks(ensemble, rows, placement, apply)]
    assert pickle.dumps(ensemble) == before
    for made in found:
        assert made.features == ensemble.features
        assert made.trees == found[0].trees
        assert made.bias.tobytes() == found[0].bias.tobytes()
        assert made.bias.dtype == np.float64
        for tree in made.trees:
            assert tree.leaf_values.shape == (tree.n_leaves, ensemble.dimension)
            assert tree.leaf_weights.shape == (tree.n_leaves,)
    assert cbm_bytes(to_catboost(found[0]))
    assert pickle.loads(pickle.dumps(one)) == one
    if not one.needs_rows:
        assert one.apply(ensemble, None).trees == found[0].trees


@pytest.mark.parametrize(("one", "field"), [(one, each.name) for one in PASSES for each in fields(one)], ids=repr)
def test_what_a_parameter_cannot_be_is_refused_by_name(one: Pass, field: str) -> None:
    with pytest.raises(ParameterError, match=r"cannot be used: expected"):
        replace(one, **{field: object()})
