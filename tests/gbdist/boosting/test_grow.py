"""Trees: splits are those of an exhaustive search, every way to make a level's table gives the same ones."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting import fixed_point, histogram
from gbdist.boosting.grow import redundant_split
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

from .conftest import MakeTable, Table


def params_of(depth: int = 4, iterations: int = 3, **more: object) -> BoostParams:
    return BoostParams(
        objective=make_objective("RMSE", 1),
        metrics=make_metrics("RMSE", 1, "RMSE"),
        iterations=iterations,
        depth=depth,
        learning_rate=0.3,
        **{"random_strength": 0.0, **more},  # type: ignore[arg-type]
    )


def best_first_split(table: Table, l2: float) -> tuple[int, int]:
    """Exhaustive search for the root's split by the formula of CatBoost's Cosine score."""
    label = table.rows.label.astype(np.float64)
    best, found = -np.inf, (-1, -1)
    for feature, border in itertools.product(range(table.rows.n_features), range(int(table.n_bins[0]) - 1)):
        right = table.rows.bins[feature] > border
        numerator, denominator = 0.0, 1e-100
        for side in (right, ~right):
            average = label[side].sum() / (side.sum() + l2)
            numerator += average * label[side].sum()
            denominator += average * average * side.sum()
        score = numerator / np.sqrt(denominator)
        if score > best + 1e-9:
            best, found = score, (feature, border)
    return found


def test_the_first_split_is_that_of_an_exhaustive_search(make_table: MakeTable) -> None:
    table = make_table(n_rows=400, bins=12)
    tree = table.boost(params_of(depth=1, iterations=1)).trees[0]
    assert (tree.splits[0].feature, tree.splits[0].border) == best_first_split(table, 3.0)


@pytest.mark.parametrize("n_ranks", [2, 3, 7])
@pytest.mark.parametrize("kind", ["No", "Bernoulli", "Bayesian", "MVS"])
def test_number_of_ranks_does_not_change_the_trees(make_table: MakeTable, kind: str, n_ranks: int) -> None:
    table = make_table(weighted=kind != "No")
    params = params_of(bootstrap=Bootstrap(kind, 0.7), random_strength=1.0, rsm=0.8)
    alone = table.boost(params)
    for result in table.boost_on_ranks(params, n_ranks):
        assert result.trees == alone.trees


def test_threads_do_not_change_the_trees(make_table: MakeTable) -> None:
    table = make_table(n_rows=70_000)
    trees = [table.boost(params_of(threads=threads, bootstrap=Bootstrap("MVS", 0.8))).trees for threads in (1, 3)]
    assert trees[0] == trees[1]


@pytest.mark.parametrize("limits", [{"ALL_REDUCE_BYTES": 0}, {"ALL_REDUCE_BYTES": 1 << 40}, {"TABLE_BUDGET": 40_000}])
def test_every_way_to_make_a_table_gives_the_same_trees(
    make_table: MakeTable, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, params = make_table(), params_of(depth=7)
    usual = table.boost(params).trees
    for name, value in limits.items():
        monkeypatch.setattr(histogram, name, value)
    assert table.boost(params).trees == usual
    for n_ranks in (3, 8):  # of 6 features
        assert [result.trees for result in table.boost_on_ranks(params, n_ranks)] == [usual] * n_ranks


@pytest.mark.parametrize("overlap", [2, 4])
def test_ranks_that_add_up_in_spans_grow_the_same_trees(
    make_table: MakeTable, monkeypatch: pytest.MonkeyPatch, overlap: int
) -> None:
    """A rank on a CPU among ranks on cards: all spans of a level are counted before the first is added up."""
    table, params = make_table(), params_of()
    usual = table.boost(params).trees
    monkeypatch.setattr(histogram, "ALL_REDUCE_BYTES", 0)
    spans = replace(params, overlap=overlap)
    assert [result.trees for result in table.boost_on_ranks(spans, 2)] == [usual] * 2


def test_wide_cells_grow_the_same_trees_on_any_ranks(make_table: MakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table, params = make_table(weighted=True), params_of(bootstrap=Bootstrap("Bayesian"))
    packed = table.boost(params)
    monkeypatch.setattr(fixed_point, "PACKED_ROWS_LIMIT", 0)
    alone = table.boost(params)
    assert [result.trees for result in table.boost_on_ranks(params, 3)] == [alone.trees] * 3
    # Finer units, same signal: the root does not move.
    assert alone.trees[0].splits[0] == packed.trees[0].splits[0]


def test_sixteen_levels(make_table: MakeTable) -> None:
    table = make_table(n_rows=500, n_features=3)
    tree = table.boost(params_of(depth=16, iterations=1)).trees[0]
    assert 8 < tree.depth <= 16
    assert tree.leaf_weights.sum() == 500


def test_a_constant_table_gives_a_tree_of_one_leaf(make_table: MakeTable) -> None:
    table = make_table(n_rows=50)
    table.rows.bins[:] = 0
    result = Table(table.rows, np.ones(6, np.int64)).boost(params_of(iterations=1))
    assert result.trees[0].depth == 0
    assert result.trees[0].leaf_weights.tolist() == [50.0]


def test_redundant_split_is_the_first_that_separates_nothing() -> None:
    # leaves 0b00, 0b01, 0b10, 0b11; splits[0] is the low bit
    assert redundant_split(np.array([False, True, False, True])) == 0
    assert redundant_split(np.array([False, False, True, True])) == 1
    assert redundant_split(np.array([False, True, True, False])) == 0
    assert redundant_split(np.array([False, False, False, True])) is None
