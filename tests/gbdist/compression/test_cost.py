from dataclasses import fields, replace

import catboost
import numpy as np
import pytest

from gbdist.compression.cost import UNITS, Work, cost_of, measure_latency, work_of
from gbdist.errors import ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart, OneHotFeature, Projection, StatisticFeature
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

BORDERS = tuple(FeatureBorders(np.arange(n, dtype=np.float32), "AsIs") for n in (3, 5, 2))


def ensemble_of(*trees, **given) -> Ensemble:
    return Ensemble(trees, BORDERS, np.zeros(1), ("a", "b", "c"), None, **given)


def symmetric(*splits: tuple[int, int], dimension: int = 1) -> ObliviousTree:
    n_leaves = 1 << len(splits)
    return ObliviousTree(tuple(TreeSplit(*s) for s in splits), np.ones((n_leaves, dimension)), np.ones(n_leaves))


def test_every_kind_of_work_has_a_unit() -> None:
    assert set(UNITS) == {field.name for field in fields(Work)}
    assert min(UNITS.values()) >= 0.0


def test_work_of_symmetric_trees_counts_what_is_used() -> None:
    work = work_of(ensemble_of(symmetric((0, 1), (0, 1), (1, 4)), symmetric((0, 1))))
    assert work == Work(
        columns=2,
        borders=2,
        one_hot=0,
        projections=0,
        statistics=0,
        trees=2,
        levels=4,
        vectors=0,
        paths=0,
        steps=0,
        deepest=0,
        leaves=2,
    )


def test_steps_of_other_trees_are_those_of_the_rows() -> None:
    nodes = (Node(TreeSplit(0, 0), ~0, 1), Node(TreeSplit(1, 0), ~1, ~2))
    tree = NonSymmetricTree(nodes, np.ones((3, 1)), np.array([6.0, 1.0, 1.0]))
    work = work_of(ensemble_of(tree))
    assert (work.paths, work.steps, work.deepest) == (1, 1.25, 2)
    assert work_of(ensemble_of(replace(tree, leaf_weights=np.zeros(3)))).steps == pytest.approx(5 / 3)


def test_leaves_of_several_values_count_apart() -> None:
    trees = (symmetric((0, 1), (1, 2), dimension=3),) * 2
    work = work_of(replace(ensemble_of(*trees), bias=np.zeros(3)))
    assert (work.trees, work.vectors, work.leaves) == (2, 2, 6)


def test_statistics_count_with_what_their_keys_are_made_of() -> None:
    part = CategoricalPart(
        (3,),
        (OneHotFeature(0, (5, 9)),),
        (
            StatisticFeature(Projection((0,), ((2, 1),)), "Borders", 0, 0.5, 15),
            StatisticFeature(Projection((0,), ((2, 1),)), "Counter", 0, 0.0, 15),
            StatisticFeature(Projection((0,)), "Counter", 0, 0.0, 15),
        ),
    )
    # Feature 3 is the one-hot one, 4 to 6 are the statistics, the last of which no tree uses.
    work = work_of(ensemble_of(symmetric((3, 0), (3, 1), (4, 2), (5, 2)), categories=part))
    assert (work.columns, work.borders, work.one_hot, work.projections, work.statistics) == (1, 1, 2, 1, 2)


def test_cost_adds_up() -> None:
    tree = symmetric((0, 1), (1, 2))
    once, twice = cost_of(ensemble_of(tree)), cost_of(ensemble_of(tree, tree))
    binarization = 2 * (UNITS["columns"] + UNITS["borders"])
    assert twice - binarization == pytest.approx(2 * (once - binarization))


def test_latency_is_measured_with_the_columns_of_the_model() -> None:
    rows = [[0.5, "a"], [1.5, "b"], [2.5, "a"], [3.5, "c"]]
    model = catboost.CatBoostRegressor(iterations=2, verbose=False, allow_writing_files=False, cat_features=[1])
    model.fit(rows, [1.0, 2.0, 3.0, 4.0])
    latency = measure_latency(model, rows, repeats=2, singles=6)
    assert latency.n_rows == 4
    assert latency.batch > 0.0
    assert latency.single > 0.0


def test_no_rows_are_refused() -> None:
    model = catboost.CatBoostRegressor(iterations=1, verbose=False, allow_writing_files=False)
    model.fit([[0.0], [1.0]], [0.0, 1.0])
    with pytest.raises(ParameterError) as caught:
        measure_latency(model, np.empty((0, 1)))
    assert str(caught.value) == (
        "rows='no rows' cannot be used: expected at least one row. Pass some of the rows that the model is for."
    )
