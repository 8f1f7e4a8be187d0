"""Runs that are paused and gone on with from their steps: the same bits as runs that are not, whatever they train."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gbdist.boosting import scores
from gbdist.boosting.params import BoostParams, Bootstrap, Card, Stopping
from gbdist.boosting.penalties import Penalties
from gbdist.boosting.rows import Rows, Segment, part_of_label
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.custom.objective import custom_objective
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

from ..custom.objects import Logistic
from .conftest import MakeTable, Table
from .resumed import Training, assert_same, check_resumes
from .test_groups import BINS, LOSSES, make_rows, part
from .test_groups import params_of as ranking_params


def cut_rows(rows: Rows, n_ranks: int) -> list[Rows]:
    """Equal parts, of labels of any shape."""
    edges = [rows.n_rows * rank // n_ranks for rank in range(n_ranks + 1)]
    return [
        replace(
            rows,
            bins=np.ascontiguousarray(rows.bins[:, start:stop]),
            label=np.ascontiguousarray(part_of_label(rows.label, slice(start, stop))),
            weight=None if rows.weight is None else rows.weight[start:stop],
            baseline=None if rows.baseline is None else np.ascontiguousarray(rows.baseline[:, start:stop]),
            segments=(Segment(0, stop - start, start),),
        )
        for start, stop in pairwise(edges)
    ]


def training_of(tables: Sequence[Table], params: BoostParams) -> Training:
    """Train on the first table, with the others as eval sets."""

    def cut(n_ranks: int) -> list[list[Rows]]:
        parts = [cut_rows(table.rows, n_ranks) for table in tables]
        return [[of_table[rank] for of_table in parts] for rank in range(n_ranks)]

    return Training(cut, tables[0].n_bins, params)


def params_of(loss: str, classes: int = 0, metrics: Sequence[str] = (), **more: Any) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, classes or 1),
        metrics=tuple(one for name in (loss, *metrics) for one in make_metrics(name, classes or 1, loss)),
        **{"iterations": 7, "depth": 4, "learning_rate": 0.3, **more},
    )


COSTS = Penalties((0.8, 1.0, 1.2, 1.0, 1.0, 0.5), (2.0, 1.2, 0.6, 0.9, 0.3, 0.2))
Labels = Callable[[np.ndarray], np.ndarray]
#: Loss, classes, what becomes of the label of a regression, and parameters.
CASES: dict[str, tuple[str, int, Labels | None, dict[str, Any]]] = {
    "plain": ("RMSE", 0, None, {"boost_from_average": True}),
    "MVS, several steps a leaf": (
        "Logloss", 2, None, {"bootstrap": Bootstrap("MVS", 0.7), "leaf_estimation_iterations": 5, "metrics": ("AUC",)},
    ),
    "Bayesian, features drawn": ("MultiClass", 3, None, {"bootstrap": Bootstrap("Bayesian"), "rsm": 0.5}),
    "Bernoulli, L2": ("MultiClassOneVsAll", 3, None, {"bootstrap": Bootstrap("Bernoulli", 0.6), "score_function": "L2"}),
    "no noise, gradient": ("CrossEntropy", 2, None, {"random_strength": 0.0, "leaf_estimation_method": "Gradient"}),
    "by level": (
        "Logloss", 2, None, {"grow_policy": "Depthwise", "min_data_in_leaf": 20, "bootstrap": Bootstrap("MVS", 0.8)},
    ),
    "by gain": ("RMSE", 0, None, {"grow_policy": "Lossguide", "max_leaves": 9, "depth": 6, "rsm": 0.7}),
    "by gain, what columns cost": (
        "RMSE", 0, None,
        {"grow_policy": "Lossguide", "max_leaves": 5, "penalties": COSTS},
    ),
    "monotone": (
        "Logloss", 2, None, {"monotone_constraints": (1, -1, 0, 1, 0, 0), "leaf_estimation_iterations": 3},
    ),
    "what columns cost": (
        "RMSE", 0, None, {"penalties": COSTS, "depth": 2},
    ),
    "shrunk": (
        "RMSE", 0, None, {"shrinkage": Shrinkage(0.3), "bootstrap": Bootstrap("MVS", 0.7), "metric_period": 3},
    ),
    "shrunk ever less": ("Poisson", 0, np.abs, {"shrinkage": Shrinkage(0.4, "Decreasing"), "learning_rate": 0.6}),
    "exponents": ("Poisson", 0, lambda y: np.floor(np.exp(y)), {"learning_rate": 0.9}),
    "exponents, gradient": ("Tweedie:variance_power=1.3", 0, np.abs, {"learning_rate": 0.8}),
    "quantile, exact": (
        "Quantile:alpha=0.7", 0, None, {"leaf_estimation_method": "Exact", "boost_from_average": True},
    ),
    "several quantiles, exact": ("MultiQuantile:alpha=0.2,0.5,0.7", 0, None, {"leaf_estimation_method": "Exact"}),
    "LogCosh, exact": ("LogCosh", 0, None, {"leaf_estimation_method": "Exact"}),
    "uncertainty": ("RMSEWithUncertainty", 0, None, {"boost_from_average": True}),
    "Cox": ("Cox", 0, None, {"bootstrap": Bootstrap("MVS", 0.8)}),
    "rare metrics": ("RMSE", 0, None, {"metric_period": 3, "metrics": ("MAE",)}),
    "a detector and rare metrics": ("RMSE", 0, None, {"metric_period": 3, "stopping": Stopping("Iter", 5)}),
    "the best model alone": ("RMSE", 0, None, {"metric_period": 2, "use_best_model": True, "iterations": 9}),
}  # fmt: skip


def of_case(name: str, make_table: MakeTable) -> Training:
    loss, classes, labels, more = CASES[name]
    tables = [make_table(n_rows, classes=classes, seed=seed, weighted=True) for n_rows, seed in ((900, 7), (150, 8))]
    for table in tables if labels is not None else []:
        table.rows.label[:] = labels(table.rows.label)
    return training_of(tables, params_of(loss, classes, **more))


@pytest.mark.parametrize("name", CASES)
def test_a_paused_run_goes_on_with_the_same_bits(make_table: MakeTable, name: str) -> None:
    check_resumes(of_case(name, make_table))


@pytest.mark.parametrize("loss", ["MultiRMSEWithMissingValues", "MultiLogloss", "SurvivalAft"])
def test_runs_of_several_labels_go_on(make_table: MakeTable, loss: str) -> None:
    def with_labels(table: Table) -> Table:
        first = table.rows.label
        label = np.stack([first, 1.0 - first]).astype(np.float32)
        if loss == "MultiLogloss":
            label = (label > 0.5).astype(np.float32)
        elif loss == "SurvivalAft":
            label = np.exp([np.zeros(len(first)), first**2 + 1]).astype(np.float32)
        else:
            label[1, ::7] = np.nan
        return replace(table, rows=replace(table.rows, label=label))

    tables = [with_labels(make_table(n_rows, seed=seed)) for n_rows, seed in ((600, 7), (100, 8))]
    params = replace(
        params_of("RMSE", boost_from_average=loss.startswith("MultiRMSE")),
        objective=make_objective(loss, 2),
        metrics=make_metrics(loss, 2, loss),
    )
    check_resumes(training_of(tables, params))


def test_runs_of_an_object_of_the_users_go_on(make_table: MakeTable) -> None:
    table = make_table(700, classes=2, weighted=True)
    params = params_of("Logloss", 2, bootstrap=Bootstrap("MVS", 0.7), leaf_estimation_iterations=2)
    check_resumes(training_of([table, table], replace(params, objective=custom_objective(Logistic(), 1))))


@pytest.mark.parametrize("baseline", [0.5, 30.0])
def test_runs_with_a_baseline_go_on(make_table: MakeTable, baseline: float) -> None:
    table = make_table(700)
    values = np.random.default_rng(0).normal(size=(1, 700)) * 0.1 - baseline
    table = replace(table, rows=replace(table.rows, label=np.abs(table.rows.label), baseline=values))
    check_resumes(training_of([table, table], params_of("Poisson", learning_rate=0.8)))


RANKINGS = [*((loss, False) for loss in LOSSES), ("PairLogit", True)]


def of_ranking(loss: str, pairs: bool) -> Training:
    rows = make_rows(pairs=pairs)

    def cut(n_ranks: int) -> list[list[Rows]]:
        edges = [12 * rank // n_ranks for rank in range(n_ranks + 1)]
        parts = [part(rows, range(a, b)) for a, b in pairwise(edges)]
        return [[one, one] for one in parts]

    return Training(cut, BINS, ranking_params(loss, iterations=6, bootstrap=Bootstrap("Bayesian")))


@pytest.mark.parametrize(("loss", "pairs"), RANKINGS)
def test_rankings_go_on(loss: str, pairs: bool) -> None:
    check_resumes(of_ranking(loss, pairs))


def noisy(make_table: MakeTable) -> list[Table]:
    table, noise = make_table(n_rows=300), make_table(n_rows=300, seed=9)
    noise.rows.label[:] = np.random.default_rng(0).permutation(noise.rows.label)
    return [table, table, noise]


@pytest.mark.parametrize("stopping", [Stopping("Iter", 4), Stopping("IncToDec", 3, 0.01)])
@pytest.mark.parametrize("best", [False, True])
def test_a_run_that_was_stopped_early_ends_at_once(make_table: MakeTable, stopping: Stopping, best: bool) -> None:
    """As does one whose detector remembers values of trees that were replayed."""
    params = params_of("RMSE", iterations=60, stopping=stopping, use_best_model=best)
    expected = check_resumes(training_of(noisy(make_table), params))
    assert expected.stopped == "overfitting"
    assert len(expected.scores) < 60


def test_a_run_of_no_trees_stays_one(make_table: MakeTable) -> None:
    training = training_of([make_table(100)], params_of("RMSE", iterations=0))
    assert [len(result.trees) for result in training.on(2).ended] == [0, 0]


def test_a_run_may_be_paused_after_every_tree(make_table: MakeTable) -> None:
    tables = [make_table(600, classes=2), make_table(100, classes=2, seed=8)]
    for more in ({}, {"shrinkage": Shrinkage(0.3), "metric_period": 4}):
        training = training_of(tables, params_of("Logloss", 2, bootstrap=Bootstrap("MVS", 0.8), iterations=5, **more))
        whole = training.on(1)
        steps = []
        for tree in range(5):
            ended = training.on(1 + tree % 3, steps, pause_after=1)
            steps += ended.steps
            assert len(steps) == tree + 1
        # Nobody is asked after the last tree.
        assert_same(ended.ended, whole.ended[0])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    k=st.integers(1, 6),
    ranks=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    seed=st.integers(0, 1000),
    loss=st.sampled_from([("RMSE", 0), ("Logloss", 2), ("MultiClass", 3), ("Poisson", 2)]),
    policy=st.sampled_from(["SymmetricTree", "Depthwise", "Lossguide"]),
    bootstrap=st.sampled_from([Bootstrap(), Bootstrap("MVS", 0.7), Bootstrap("Bayesian"), Bootstrap("Bernoulli", 0.5)]),
    shrinkage=st.sampled_from([None, Shrinkage(0.3), Shrinkage(0.3, "Decreasing")]),
    period=st.integers(1, 3),
)
def test_any_run_goes_on_after_any_tree_on_any_ranks(
    make_table: MakeTable,
    k: int,
    ranks: tuple[int, int],
    seed: int,
    loss: tuple[str, int],
    policy: str,
    bootstrap: Bootstrap,
    shrinkage: Shrinkage | None,
    period: int,
) -> None:
    tables = [make_table(200, classes=loss[1], seed=seed), make_table(50, classes=loss[1], seed=seed + 1)]
    more = {"grow_policy": policy, "bootstrap": bootstrap, "shrinkage": shrinkage, "metric_period": period}
    training = training_of(tables, params_of(*loss, iterations=7, depth=3, random_seed=seed, **more))
    (expected,) = training.on(1).ended
    paused = training.on(ranks[0], pause_after=k)
    assert len(paused.steps) == k
    assert_same(training.on(ranks[1], paused.steps).ended, expected)


@pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning")
@pytest.mark.usefixtures("quick_simulator")
def test_a_card_goes_on_with_what_a_cpu_has_grown(make_table: MakeTable) -> None:
    tables = [make_table(101, n_features=3, classes=2, bins=9), make_table(30, n_features=3, classes=2, bins=9, seed=8)]
    params = params_of("Logloss", 2, iterations=3, depth=2, bootstrap=Bootstrap("MVS", 0.8))
    whole = training_of(tables, params).on(1)
    on_card = training_of(tables, replace(params, card=Card(0)))
    assert_same(on_card.on(1, whole.steps[:2]).ended, whole.ended[0])
    assert_same(on_card.on(1, whole.steps).ended, whole.ended[0])


def test_replaying_computes_no_metrics(make_table: MakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    training = training_of([make_table(200)] * 2, params_of("RMSE"))
    steps = training.on(1).steps
    monkeypatch.setattr(scores, "evaluate_many", lambda *_: pytest.fail("evaluated"))
    assert len(training.on(1, steps).ended) == 1
