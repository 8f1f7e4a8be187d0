"""Figures of a model: counted from its trees, and the size of its file."""

import numpy as np

from gbdist.compression.cost import cost_of
from gbdist.compression.figures import ModelFigures, figures_of
from gbdist.models.catboost_format import cbm_bytes, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart, OneHotFeature, Projection, StatisticFeature, StatisticTable
from gbdist.models.tree import ObliviousTree, TreeSplit
from gbdist.quantize.borders import FeatureBorders


def tree(*splits: tuple[int, int]) -> ObliviousTree:
    leaves = 1 << len(splits)
    return ObliviousTree(
        tuple(TreeSplit(*split) for split in splits), np.arange(float(leaves))[:, None], np.ones(leaves)
    )


BORDERS = tuple(FeatureBorders(np.array([0.5, 1.5], np.float32), "AsIs") for _ in range(3))
SHOP = Projection((0,))
TOWN_AND_HEAT = Projection((1,), float_splits=((2, 1),))
TABLES = (
    StatisticTable(SHOP, False, np.array([3, 5, 9], np.uint64), np.ones((3, 2), np.int64)),
    StatisticTable(TOWN_AND_HEAT, False, np.array([4, 8], np.uint64), np.ones((2, 2), np.int64)),
)
STATISTICS = (StatisticFeature(SHOP, "Borders", 0, 0.5, 15), StatisticFeature(TOWN_AND_HEAT, "Borders", 0, 0.5, 15))
CATEGORIES = CategoricalPart((3, 4), (OneHotFeature(1, (7, 8)),), STATISTICS, TABLES)


def ensemble_of(*trees: ObliviousTree) -> Ensemble:
    return Ensemble(trees, BORDERS, np.zeros(1), ("a", "b", "heat", "shop", "town"), None, {}, CATEGORIES)


def test_numbers_alone() -> None:
    made = ensemble_of(tree((0, 0), (1, 1)), tree((0, 0)), tree((0, 1)))
    model = to_catboost(made)
    assert figures_of(made, model) == ModelFigures(
        size=len(cbm_bytes(model)), trees=3, leaves=8, features=2, borders=3, tables=0, cost=cost_of(made)
    )


def test_columns_within_statistics_count_and_tables_that_no_tree_needs_do_not() -> None:
    one_hot = ensemble_of(tree((3, 0)), tree((3, 1)))
    statistic = ensemble_of(tree((5, 2)), tree((3, 1)))  # of town, and of heat above a border
    both = ensemble_of(tree((5, 2)), tree((4, 1)))
    found = [figures_of(made, to_catboost(made)) for made in (one_hot, statistic, both)]
    assert [(one.features, one.borders, one.tables) for one in found] == [(1, 2, 0), (2, 2, 2), (3, 2, 5)]
