"""Weights of leaves, against counts of rows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gbdist.compression.passes.outputs import leaves_of
from gbdist.compression.passes.weights import with_leaf_weights
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements, rows_of


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_are_those_of_the_rows_in_each_leaf(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray, weighted: bool
) -> None:
    ensemble = make_ensemble([3, 0, 5])
    weight = np.random.default_rng(3).random(900).astype(np.float32) if weighted else None
    rows = rows_of(ensemble, raw_features, np.zeros(900, np.float32), weight=weight)
    data = data_of(ensemble, rows)
    alone = with_leaf_weights(ensemble.trees, data)
    for found, tree in zip(alone, ensemble.trees, strict=True):
        expected = np.bincount(leaves_of(tree, data), weight, tree.n_leaves)
        assert found == replace(tree, leaf_weights=found.leaf_weights)
        np.testing.assert_allclose(found.leaf_weights, expected, rtol=1e-12 if weighted else 0)
    for placement in placements(900):
        for found in on_ranks(ensemble, rows, placement, lambda part: with_leaf_weights(ensemble.trees, part)):
            assert found == alone
