"""Monotone constraints: orders of leaves, and trees that keep them on any ranks, in every bit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting import fixed_point, histogram
from gbdist.boosting.monotone import LevelOrders, Orders, orders_of
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

from .conftest import MakeTable

CONSTRAINTS = (1, -1, 0, 1, 0, 0)


def test_a_tree_without_constraints_has_orders_of_one_leaf() -> None:
    free = orders_of([0, 0])
    assert (free.leaves.tolist(), free.size) == ([0, 1, 2, 3], 1)


@pytest.mark.parametrize("constraints", list(itertools.product([-1, 0, 1], repeat=3)), ids=str)
def test_orders_hold_every_leaf_once_and_all_that_must_not_fall(constraints: tuple[int, ...]) -> None:
    orders = orders_of(constraints)
    assert sorted(orders.leaves.tolist()) == list(range(8))
    place = {leaf: at for at, leaf in enumerate(orders.leaves.tolist())}
    for level, constraint in enumerate(constraints):
        for leaf in (leaf for leaf in range(8) if not leaf >> level & 1 and constraint):
            lower, higher = (leaf, leaf | 1 << level)[::constraint]
            assert place[lower] < place[higher]
            assert place[lower] // orders.size == place[higher] // orders.size


def test_the_first_of_several_constrained_splits_counts_most() -> None:
    assert orders_of([1, -1]).leaves.tolist() == [2, 0, 3, 1]


def test_a_level_knows_the_constraints_of_what_was_split() -> None:
    level = LevelOrders.after((1, -1), [1, 5])  # the last one is made of categories
    assert level.which(np.array([0, 1, 2, 9])).tolist() == [2, 0, 1, 1]
    for row, constraint in enumerate((-1, 0, 1)):
        expected: Orders = orders_of([-1, 0, constraint])
        assert (level.orders[row].tolist(), level.sizes[row]) == (expected.leaves.tolist(), expected.size)


def params_of(loss: str, **more: object) -> BoostParams:
    classes = {"Logloss": 2, "Focal:focal_alpha=0.3;focal_gamma=2": 2}.get(loss, 0)
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        **{"iterations": 10, "depth": 4, "learning_rate": 0.3, "monotone_constraints": CONSTRAINTS, **more},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("loss", "more"),
    [
        ("RMSE", {}),
        ("RMSE", {"l2_leaf_reg": 0.0, "score_function": "L2", "shrinkage": Shrinkage(0.2)}),
        ("Logloss", {"leaf_estimation_iterations": 10}),
        ("Logloss", {"leaf_estimation_iterations": 4, "leaf_estimation_method": "Gradient"}),
        ("Logloss", {"leaf_estimation_iterations": 3, "leaf_estimation_backtracking": "No"}),
        ("Quantile:alpha=0.7", {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 5}),
        ("MultiQuantile:alpha=0.2,0.7", {"leaf_estimation_method": "Gradient"}),
    ],
)
def test_no_prediction_falls_where_it_must_not_on_any_ranks(
    make_table: MakeTable, loss: str, more: dict[str, object]
) -> None:
    table = make_table(n_rows=1_000, classes=2 if loss == "Logloss" else 0, weighted=True)
    params = params_of(loss, bootstrap=Bootstrap("Bernoulli", 0.7), **more)
    alone = table.boost(params)
    assert any(CONSTRAINTS[split.feature] for tree in alone.trees for split in tree.splits)
    rng = np.random.default_rng(0)
    for feature, constraint in enumerate(CONSTRAINTS):
        rows = rng.integers(0, 40, (50, 6))
        rays = np.repeat(rows[None], 40, axis=0)
        rays[:, :, feature] = np.arange(40)[:, None]
        values = np.zeros((40, 50, params.objective.dimension))
        for tree in alone.trees:
            bits = [(rays[:, :, split.feature] > split.border) << level for level, split in enumerate(tree.splits)]
            values += tree.leaf_values[np.sum(bits, axis=0)]
        steps = np.diff(values, axis=0) * constraint
        assert (steps >= 0.0).all()
        assert feature != 0 or steps.max() > 0.0
    for result in table.boost_on_ranks(params, 3):
        assert (result.trees, result.history) == (alone.trees, alone.history)


@pytest.mark.parametrize("wide", [False, True])
def test_tables_that_are_dealt_and_threads_change_nothing(
    make_table: MakeTable, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wide:
        monkeypatch.setattr(fixed_point, "PACKED_ROWS_LIMIT", 10)
    table, params = make_table(n_rows=600), params_of("RMSE", iterations=4)
    alone = table.boost(params)
    monkeypatch.setattr(histogram, "ALL_REDUCE_BYTES", 100)
    for n_ranks, threads in ((1, 3), (2, 2), (7, 1)):
        for result in table.boost_on_ranks(replace(params, threads=threads), n_ranks):
            assert result.trees == alone.trees


def test_columns_that_are_all_free_train_the_plain_model(make_table: MakeTable) -> None:
    table = make_table(n_rows=600)
    free, plain = (params_of("RMSE", monotone_constraints=given) for given in ((0,) * 6, ()))
    assert table.boost(free).trees == table.boost(plain).trees
