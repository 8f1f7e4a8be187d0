"""A model that must be monotone stays so when leaves are put together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.compression.passes import DropFeatures, FewerBorders, Pass, ReduceDepth
from gbdist.compression.passes.monotone import constraints_of, kept_monotone
from gbdist.models.catboost_format import to_catboost
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, TreeSplit

from .ensembles import random_ensemble

#: Rises with the first column in each half of the third one, and yet not in the mean of the halves.
PARADOX = ObliviousTree(
    (TreeSplit(0, 1), TreeSplit(2, 0)), np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([1.0, 9.0, 9.0, 1.0])
)


def constrained(sign: int) -> Ensemble:
    options = {"tree_learner_options": {"monotone_constraints": {"0": sign}}}
    return replace(random_ensemble(0), trees=(PARADOX,), options=options)


def test_a_mean_that_falls_where_it_must_rise_is_levelled() -> None:
    found = DropFeatures(columns=["f2"]).apply(constrained(0), None)
    assert found.trees[0].leaf_values.ravel().tolist() == [9.0, 2.0]
    found = DropFeatures(columns=["f2"]).apply(constrained(1), None)
    np.testing.assert_allclose(found.trees[0].leaf_values.ravel(), [5.5, 5.5])
    assert kept_monotone(constrained(1)).trees == (PARADOX,)


def test_categorical_columns_shift_the_constraints_of_others(make_categorical: Callable[..., Any]) -> None:
    ensemble = make_categorical(0).ensemble
    options = ensemble.options | {"tree_learner_options": {"monotone_constraints": {"2": -1, "6": 1}}}
    found = constraints_of(replace(ensemble, options=options))
    assert found[:3] == (0, -1, 1)  # columns a, b, c at 0, 2, 6
    assert found[3:] == (0,) * (len(ensemble.features) - 3)


@pytest.mark.parametrize(
    "one", [ReduceDepth(share=0.3), ReduceDepth(depth=2), FewerBorders(6), DropFeatures(keep=2)], ids=str
)
def test_a_model_of_catboost_stays_monotone(one: Pass) -> None:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(600, 3)).astype(np.float32)
    features[:, 2] -= features[:, 0]  # columns that go together, so that leaves have very different weights
    label = features[:, 0] + 3 * features[:, 2] + generator.normal(size=600)
    model = catboost.CatBoostRegressor(
        iterations=40, depth=4, monotone_constraints=[1, 0, 0], verbose=0, allow_writing_files=False, thread_count=2
    ).fit(features, label)
    found = to_catboost(one.apply(from_catboost(model), None))
    rows = np.repeat(features[:100], 50, axis=0)
    rows[:, 0] = np.tile(np.linspace(-3, 3, 50), 100)
    predictions = found.predict(rows).reshape(100, 50)
    assert np.diff(predictions, axis=1).min() >= -1e-9
