"""Statistics and their bins are CatBoost's to the last bit."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from gbdist.categories.keys import projection_keys
from gbdist.categories.values import border_values, counts_of_keys, statistic_bins
from gbdist.models.catboost_format import to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart, Projection, StatisticFeature, StatisticTable
from gbdist.models.tree import ObliviousTree, TreeSplit

PROJECTION = Projection((0,))
PRIORS = (0.0, 0.5, 1.0, 0.3, -0.5, 2.5)
Hashes = Callable[[Sequence[str]], np.ndarray]


def catboost_bins(feature: StatisticFeature, counts: np.ndarray, hashes: Hashes) -> np.ndarray:
    """Bins that CatBoost makes of the categories' ``counts``: one tree a border adds 1 for the rows above it."""
    strings = [f"v{i}" for i in range(len(counts))]
    keys = projection_keys([hashes(strings)])
    order = np.argsort(keys)
    table = StatisticTable(PROJECTION, feature.kind == "Counter", keys[order], counts[order])
    trees = tuple(
        ObliviousTree((TreeSplit(0, border),), np.array([[0.0], [1.0]]), np.ones(2))
        for border in range(feature.border_count)
    )
    part = CategoricalPart(positions=(0,), statistics=(feature,), tables=(table,))
    model = to_catboost(Ensemble(trees, (), np.zeros(1), ("c",), None, categories=part))
    return np.asarray(model.predict(pd.DataFrame({"c": strings}))).astype(np.int64)


def distances(feature: StatisticFeature, count: np.ndarray, total: np.ndarray) -> np.ndarray:
    """How far values are from a whole number, where borders are; float64 [n]."""
    values = ((count + feature.prior) / (total + 1) + feature.shift) * feature.scale
    return np.abs(values - np.rint(values))


@pytest.mark.parametrize("border_count", [15, 7, 255])
@pytest.mark.parametrize("prior", PRIORS)
def test_bins_are_catboosts_also_where_only_rounding_decides(
    prior: float, border_count: int, catboost_hashes: Hashes
) -> None:
    feature = StatisticFeature(PROJECTION, "Borders", 0, prior, border_count)
    total, count = np.tril_indices(600)  # all pairs with count <= total
    nearest = np.argsort(distances(feature, count, total), kind="stable")[:4000]
    # As many that are far greater, also than float32 holds exactly.
    generator = np.random.default_rng(1)
    great = generator.integers(1, 2**31, 4000) >> generator.integers(0, 25, 4000)
    count = np.concatenate([count[nearest], (generator.random(4000) * (great + 1)).astype(np.int64)])
    total = np.concatenate([total[nearest], great])
    if prior in (0, 1):
        assert (distances(feature, count, total) < 1e-12).sum() > 1000
    bins = statistic_bins(count, total, feature)
    assert bins.dtype == np.uint8
    assert len(np.unique(bins)) > min(border_count, 100) / 3
    np.testing.assert_array_equal(bins, catboost_bins(feature, np.stack([total - count, count], 1), catboost_hashes))


@pytest.mark.parametrize("prior", PRIORS)
def test_bins_of_a_counter_are_catboosts(prior: float, catboost_hashes: Hashes) -> None:
    feature = StatisticFeature(PROJECTION, "Counter", 0, prior, 15)
    count = np.arange(1, 3601)
    bins = statistic_bins(count, 3600, feature)
    np.testing.assert_array_equal(bins, catboost_bins(feature, count[:, np.newaxis], catboost_hashes))
    np.testing.assert_array_equal(bins, statistic_bins(count, np.full(3600, 3600), feature))


def test_borders_lie_below_whole_numbers_while_float32_can_tell() -> None:
    borders = border_values(StatisticFeature(PROJECTION, "Borders", 0, 0.0, 40))
    assert borders.dtype == np.float32
    np.testing.assert_array_equal(np.ceil(borders), np.arange(1, 41))
    assert borders[31] < 32
    assert borders[32] == 33


@pytest.mark.parametrize(
    ("kind", "target_border", "count", "total"),
    [
        ("Borders", 0, [5, 0, 0], [6, 4, 0]),
        ("Borders", 1, [3, 0, 0], [6, 4, 0]),
        ("Buckets", 0, [1, 4, 0], [6, 4, 0]),
        ("Buckets", 2, [3, 0, 0], [6, 4, 0]),
        ("Counter", 0, [6, 4, 0], [6, 6, 6]),
    ],
)
def test_counts_of_a_category(kind: str, target_border: int, count: list[int], total: list[int]) -> None:
    """The last key is one that no training row had."""
    keys = np.array([7, 2**63], dtype=np.uint64)
    classes = np.array([[1, 2, 3], [4, 0, 0]])
    counter = kind == "Counter"
    table = StatisticTable(PROJECTION, counter, keys, classes.sum(axis=1, keepdims=True) if counter else classes)
    feature = StatisticFeature(PROJECTION, kind, target_border, 0.5, 15)
    found = counts_of_keys(table, feature, np.array([7, 2**63, 2**64 - 1], dtype=np.uint64))
    assert [each.tolist() for each in found] == [count, total]
