"""Leaf values that settle together, against the same steps written down plainly."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.outputs import leaves_of, raw_predictions
from gbdist.compression.passes.settle import Lesson, settled
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements, rows_of


def settled_on(ensemble: Ensemble, data: PassData, rounds: int, l2: float) -> list[Any]:
    said = raw_predictions(ensemble, data) - ensemble.bias[:, np.newaxis]
    return settled(ensemble.trees, Lesson(data.rows, said), rounds, l2, data)


@pytest.mark.parametrize("weighted", [False, True])
def test_each_tree_takes_what_the_others_leave(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray, weighted: bool
) -> None:
    ensemble = make_ensemble([4, 2, 3])
    generator = np.random.default_rng(1)
    label = generator.normal(size=900).astype(np.float32)
    weight = generator.random(900).astype(np.float32) if weighted else None
    rows = rows_of(ensemble, raw_features, label, weight=weight)
    data = data_of(ensemble, rows)
    found = settled_on(ensemble, data, 2, 1.5)
    w = np.ones(900) if weight is None else weight.astype(np.float64)
    values = [tree.leaf_values[:, 0].copy() for tree in ensemble.trees]
    leaves = [leaves_of(tree, data) for tree in ensemble.trees]
    for _ in range(2):
        for k, leaf_of_row in enumerate(leaves):
            left = label - sum(v[leaf] for v, leaf in zip(values, leaves, strict=True))
            size = len(values[k])
            values[k] += np.bincount(leaf_of_row, w * left, size) / (np.bincount(leaf_of_row, w, size) + 1.5 * w.mean())
    for tree, expected, before in zip(found, values, ensemble.trees, strict=True):
        np.testing.assert_allclose(tree.leaf_values[:, 0], expected, rtol=1e-9, atol=1e-12)
        assert replace(tree, leaf_values=before.leaf_values) == before
    losses = [
        float(
            (w * (label - raw_predictions(replace(ensemble, trees=tuple(trees)), data)[0] + ensemble.bias) ** 2).sum()
        )
        for trees in (ensemble.trees, settled_on(ensemble, data, 1, 1.5), found)
    ]
    assert all(later < earlier for earlier, later in pairwise(losses))


def test_leaf_values_are_the_same_on_any_ranks(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    ensemble = make_ensemble([4, 2, 3], 3, ("ant", "bee", "cow"))
    label = np.random.default_rng(1).normal(size=(3, 900)).astype(np.float32)
    rows = rows_of(ensemble, raw_features, np.zeros(900, np.float32))

    def work(data: PassData) -> list[Any]:
        its_label = np.ascontiguousarray(label[:, data.rows.numbers().astype(np.intp)])
        return settled_on(ensemble, replace(data, rows=replace(data.rows, label=its_label)), 2, 1.0)

    alone = work(data_of(ensemble, rows))
    for placement in placements(900):
        assert all(found == alone for found in on_ranks(ensemble, rows, placement, work))
