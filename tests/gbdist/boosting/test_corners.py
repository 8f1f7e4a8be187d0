"""Odd data and parameters: everything stays finite, and any number of ranks gives the same bits, or one error."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows, Segment
from gbdist.errors import DataError, ParameterError
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable, Table

KINDS = ("No", "Bernoulli", "Bayesian", "MVS")
LOSSES = [("RMSE", 0), ("Logloss", 2), ("CrossEntropy", 2), ("MultiClass", 3), ("MultiClassOneVsAll", 3)]


def params_of(loss: str = "RMSE", classes: int = 0, **more: object) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        **{"iterations": 3, "depth": 3, "learning_rate": 0.3, **more},  # type: ignore[arg-type]
    )


def check_finite(result: BoostResult) -> None:
    for tree in result.trees:
        assert np.isfinite(tree.leaf_values).all()
        assert np.isfinite(tree.leaf_weights).all()
    assert np.isfinite(result.predictions).all()
    assert all(np.isfinite(curve).all() for curve in result.history["learn"].values())


def check_ranks(table: Table, params: BoostParams, n_ranks: int = 3) -> BoostResult:
    alone = table.boost(params, (table,))
    check_finite(alone)
    for result in table.boost_on_ranks(params, n_ranks, (table,)):
        assert result.trees == alone.trees
        assert result.history == alone.history
    return alone


WEIGHTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "none": lambda rng, n: np.zeros(n),
    "one class none": lambda rng, n: np.where(np.arange(n) % 2, 1.0, 0.0),
    "tiny": lambda rng, n: rng.random(n) * 1e-30,
    "subnormal": lambda rng, n: rng.random(n) * 1e-43,
    "huge": lambda rng, n: rng.random(n) * 3e38,
    "forty orders apart": lambda rng, n: 10.0 ** rng.integers(-30, 11, n),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(("loss", "classes"), [("RMSE", 0), ("Logloss", 2), ("MultiClass", 3)])
def test_any_weights(make_table: MakeTable, loss: str, classes: int, weights: str, kind: str) -> None:
    table = make_table(n_rows=200, classes=classes)
    weight = WEIGHTS[weights](np.random.default_rng(1), 200).astype(np.float32)
    table = Table(replace(table.rows, weight=weight), table.n_bins)
    check_ranks(table, params_of(loss, classes, bootstrap=Bootstrap(kind, 0.8)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [0.0, 1e-40, 1e30, 3e37])
def test_any_size_of_labels(make_table: MakeTable, factor: float, kind: str) -> None:
    table = make_table(n_rows=100)
    rows = replace(table.rows, label=(table.rows.label * factor).astype(np.float32))
    check_ranks(Table(rows, table.n_bins), params_of(bootstrap=Bootstrap(kind, 0.8)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_fewer_rows_than_ranks(make_table: MakeTable, n_rows: int, kind: str) -> None:
    check_ranks(make_table(n_rows=n_rows), params_of(bootstrap=Bootstrap(kind, 0.8)), n_ranks=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    loss=st.sampled_from(LOSSES),
    bootstrap=st.builds(
        Bootstrap,
        kind=st.sampled_from(KINDS),
        subsample=st.floats(0.05, 1.0),
        bagging_temperature=st.floats(0.0, 1e6),
        mvs_reg=st.none() | st.floats(0.0, 1e6),
    ),
    l2_leaf_reg=st.sampled_from([0.0, 1e-20, 3.0, 1e20]),
    method=st.sampled_from([("Newton", 1), ("Newton", 3), ("Gradient", 2)]),
    n_rows=st.integers(1, 120),
    seed=st.integers(0, 2**32 - 1),
)
def test_ranks_agree_whatever_the_parameters(
    make_table: MakeTable,
    loss: tuple[str, int],
    bootstrap: Bootstrap,
    l2_leaf_reg: float,
    method: tuple[str, int],
    n_rows: int,
    seed: int,
) -> None:
    table = make_table(n_rows=n_rows, classes=loss[1], seed=seed, weighted=bool(seed % 2), bins=7)
    params = params_of(
        *loss,
        bootstrap=bootstrap,
        l2_leaf_reg=l2_leaf_reg,
        leaf_estimation_method=method[0],
        leaf_estimation_iterations=method[1],
        random_seed=seed,
    )
    check_ranks(table, params)


def spread(table: Table, cuts: list[int], owners: list[int], rank: int) -> Rows:
    """Rows of one rank where the pieces between ``cuts`` belong to ``owners``."""
    edges = [0, *sorted(cuts), table.rows.n_rows]
    pieces = [(a, b) for a, b, owner in zip(edges, edges[1:], owners, strict=False) if owner == rank and a < b]
    where = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in pieces)])
    starts = np.cumsum([0, *(b - a for a, b in pieces)]).tolist()
    rows = table.rows
    return replace(
        rows,
        bins=np.ascontiguousarray(rows.bins[:, where]),
        label=rows.label[where],
        weight=None if rows.weight is None else rows.weight[where],
        segments=tuple(Segment(s, s + b - a, a) for s, (a, b) in zip(starts, pieces, strict=False)),
    )


@pytest.mark.parametrize("loss", LOSSES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.integers(0, 400), min_size=5, max_size=5),
    owners=st.lists(st.integers(0, 2), min_size=6, max_size=6),
    threads=st.tuples(*[st.integers(1, 4)] * 3),
    weighted=st.booleans(),
)
def test_neither_pieces_nor_ranks_nor_threads_change_anything(
    make_table: MakeTable,
    monkeypatch: pytest.MonkeyPatch,
    loss: tuple[str, int],
    kind: str,
    cuts: list[int],
    owners: list[int],
    threads: tuple[int, int, int],
    weighted: bool,
) -> None:
    monkeypatch.setattr("gbdist.boosting.crew._MIN_ROWS", 30)
    table = make_table(n_rows=400, classes=loss[1], weighted=weighted, bins=9)
    params = params_of(*loss, bootstrap=Bootstrap(kind, 0.7), rsm=0.7)
    if loss[1]:
        params = replace(
            params, metrics=(*params.metrics, *make_metrics("AUC:hints=skip_train~false", loss[1], loss[0]))
        )
    alone = table.boost(params)

    def of_rank(c: Collective) -> BoostResult:
        mine = spread(table, cuts, owners, c.rank)
        return boost(mine, [], table.n_bins, replace(params, threads=threads[c.rank]), c)

    for result in run_threads(3, of_rank):
        assert result.trees == alone.trees
        assert result.history == alone.history


@pytest.mark.parametrize("kind", KINDS)
def test_a_rank_may_leave_out_weights_of_one(make_table: MakeTable, kind: str) -> None:
    table = make_table(n_rows=300, weighted=True)
    weight = table.rows.weight
    assert weight is not None
    weight[100:200] = 1.0
    metrics = (*make_metrics("RMSE", 0, "RMSE"), *make_metrics("RMSE:use_weights=false", 0, "RMSE"))
    params = replace(params_of(bootstrap=Bootstrap(kind, 0.8)), metrics=metrics)

    def part(rank: int) -> Rows:
        rows = table.part(100 * rank, 100 * rank + 100)
        return replace(rows, weight=None) if rank == 1 else rows

    alone = table.boost(params)
    for result in run_threads(3, lambda c: boost(part(c.rank), [], table.n_bins, params, c)):
        assert result.trees == alone.trees
        assert result.history == alone.history


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learning_rate", [1e20, 1e300])
def test_a_learning_rate_that_leads_out_of_range_is_named(
    make_table: MakeTable, learning_rate: float, kind: str
) -> None:
    params = params_of(learning_rate=learning_rate, iterations=20, bootstrap=Bootstrap(kind, 0.8))
    with pytest.raises(ParameterError, match="learning_rate=1e"):
        make_table(n_rows=100).boost(params)


def test_a_baseline_out_of_range_is_named(make_table: MakeTable) -> None:
    table = make_table(n_rows=10)
    rows = replace(table.rows, baseline=np.full((1, 10), 1e200))
    with pytest.raises(DataError, match="baseline of 'validation'"):
        boost(table.rows, [rows], table.n_bins, params_of(), SingleRank())


def test_a_table_that_no_memory_holds_is_refused_before_the_first_tree(make_table: MakeTable) -> None:
    table = make_table(n_rows=10)
    with pytest.raises(ParameterError, match=r"depth=16 .* 65536 bins"):
        Table(table.rows, np.full(6, 65_536, np.int64)).boost(params_of(depth=16))


@pytest.mark.parametrize("wide", [False, True])
def test_two_bytes_a_bin_up_to_65535_borders(
    make_table: MakeTable, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wide:
        monkeypatch.setattr("gbdist.boosting.fixed_point.PACKED_ROWS_LIMIT", 0)
    bins = np.random.default_rng(0).permuted(np.tile(np.arange(65_536), (2, 1)), axis=1).astype(np.uint16)
    label = (bins[1] > 65_533).astype(np.float32)  # only the last border but one separates the labels
    rows = replace(make_table(n_rows=65_536).rows, bins=bins, label=label)
    table = Table(rows, np.full(2, 65_536, np.int64))
    params = params_of(iterations=1, depth=2, random_strength=0.0)
    tree = table.boost(params).trees[0]
    assert (tree.splits[0].feature, tree.splits[0].border) == (1, 65_533)
    assert [result.trees for result in table.boost_on_ranks(params, 2)] == [(tree,)] * 2
