"""Leaf values are the minimum of the regularised loss that CatBoost's steps lead to."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.crew import Crew
from gbdist.boosting.leaf_rows import LeafSums, Leaves, WalkStart
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import Population, survey_population
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable, Table


def estimate(table: Table, loss: str, classes: int, **more: object) -> Leaves:
    params = BoostParams(
        make_objective(loss, classes),
        make_metrics(loss, classes, loss),
        **more,  # type: ignore[arg-type]
    )
    population = survey_population(table.rows, SingleRank())
    leaves = (table.rows.bins[0] % 4).astype(np.uint16)
    predictions = np.zeros((params.objective.dimension, table.rows.n_rows))
    with Crew(1) as crew:
        estimator = LeafEstimator(params, population, SingleRank(), crew)
        return estimator.estimate(table.rows, [WalkStart(predictions, leaves, 0.0)], 4)[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_rmse_leaves_are_shrunken_means(make_table: MakeTable, weighted: bool) -> None:
    table = make_table(weighted=weighted)
    weight = np.ones(3_000) if table.rows.weight is None else table.rows.weight.astype(np.float64)
    found = estimate(table, "RMSE", 0)
    for leaf in range(4):
        mine = table.rows.bins[0] % 4 == leaf
        sums = (weight * table.rows.label)[mine].sum(), weight[mine].sum()
        assert found.values[leaf, 0] == pytest.approx(sums[0] / (sums[1] + 3.0 * weight.mean()), rel=1e-9)
        assert found.weights[leaf] == pytest.approx(sums[1], rel=1e-12)


def test_more_newton_steps_come_closer_to_the_log_odds(make_table: MakeTable) -> None:
    table = make_table(classes=2)
    mine = table.rows.bins[0] % 4 == 1
    share = table.rows.label[mine].mean()
    # l2 counts again in every step from where the walk stands, so many steps end at the unregularised optimum.
    found = estimate(table, "Logloss", 2, leaf_estimation_iterations=30)
    assert found.values[1, 0] == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


def test_backtracking_never_ends_above_the_loss_it_started_from(make_table: MakeTable) -> None:
    table = make_table(classes=2)
    weight = np.where(table.rows.label > 0, 1e-3, 1.0).astype(np.float32)
    table = Table(replace(table.rows, weight=weight), table.n_bins)
    leaves = table.rows.bins[0] % 4

    def loss(values: np.ndarray) -> float:
        raw = values[leaves, 0]
        return float((weight * (np.logaddexp(0, raw) - table.rows.label * raw)).sum())

    found = estimate(table, "Logloss", 2, leaf_estimation_iterations=10, l2_leaf_reg=0.0)
    assert loss(found.values) < loss(np.zeros((4, 1)))


def test_gradient_steps_divide_by_the_weight(make_table: MakeTable) -> None:
    table = make_table(classes=2)
    found = estimate(table, "Logloss", 2, leaf_estimation_method="Gradient")
    mine = table.rows.bins[0] % 4 == 2
    assert found.values[2, 0] == pytest.approx((table.rows.label[mine] - 0.5).sum() / (mine.sum() + 3.0), rel=1e-9)


@pytest.mark.parametrize("backtracking", ["No", "AnyImprovement"])
def test_every_gradient_step_divides_by_the_weight(make_table: MakeTable, backtracking: str) -> None:
    table = make_table(classes=2)
    mine = table.rows.bins[0] % 4 == 2
    value = 0.0
    for _ in range(3):
        value += (table.rows.label[mine] - 1 / (1 + np.exp(-value))).sum() / (mine.sum() + 3.0)
    found = estimate(
        table,
        "Logloss",
        2,
        leaf_estimation_method="Gradient",
        leaf_estimation_iterations=3,
        leaf_estimation_backtracking=backtracking,
    )
    assert found.values[2, 0] == pytest.approx(value, rel=1e-9)


def test_multiclass_steps_use_the_whole_second_derivative(make_table: MakeTable) -> None:
    table = make_table(classes=3)
    mine = table.rows.bins[0] % 4 == 3
    counts = np.bincount(table.rows.label[mine].astype(int), minlength=3)
    total = counts.sum()
    hessian = total * (np.eye(3) / 3 - 1 / 9)
    expected = np.linalg.solve(hessian + 3.0 * np.eye(3), counts - total / 3)
    assert estimate(table, "MultiClass", 3).values[3] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("more", [{}, {"leaf_estimation_backtracking": "No"}, {"leaf_estimation_method": "Gradient"}])
def test_leaving_settled_leaves_out_changes_next_to_nothing(
    make_table: MakeTable, monkeypatch: pytest.MonkeyPatch, more: dict[str, object]
) -> None:
    passed_over: list[int] = []
    usual = LeafEstimator.own_sums

    def counting(self: LeafEstimator, pieces: Any, *rest: Any) -> Any:
        passed_over.append(sum(piece.label.shape[0] for piece in pieces))
        return usual(self, pieces, *rest)

    monkeypatch.setattr(LeafEstimator, "own_sums", counting)
    table = make_table(n_rows=20_000, classes=2, weighted=True)
    found = estimate(table, "Logloss", 2, leaf_estimation_iterations=20, **more)
    with_settling = sum(passed_over)
    passed_over.clear()
    monkeypatch.setattr("gbdist.boosting.leaf_walk.SETTLED", 0.0)
    whole = estimate(table, "Logloss", 2, leaf_estimation_iterations=20, **more)
    assert found.values == pytest.approx(whole.values, abs=1e-6)
    assert found.weights.tolist() == whole.weights.tolist()
    # Gradient steps do not converge that fast.
    assert with_settling < (1.01 if "leaf_estimation_method" in more else 0.6) * sum(passed_over)


@dataclass(frozen=True)
class OneLeaf:
    """A leaf of some rows, a share of which is positive, under Logloss; everything as a function of its value."""

    rows: int
    positives: float
    l2: float

    def loss(self, value: float) -> float:
        return float(self.rows * (np.logaddexp(0.0, value) - self.positives * value))

    def sums(self, value: float) -> LeafSums:
        p = 1.0 / (1.0 + np.exp(-value))
        first, second = self.rows * (self.positives - p), -self.rows * p * (1.0 - p)
        return LeafSums(None, np.array([float(self.rows)]), np.array([[first]]), np.array([[second]]))

    def estimator(self) -> LeafEstimator:
        objective, metrics = make_objective("Logloss", 2), make_metrics("Logloss", 2, "Logloss")
        population = Population(
            n_rows=self.rows,
            weighted=False,
            total_weight=float(self.rows),
            label_bound=1.0,
            weight_bound=1.0,
            baseline_bounds=(),
            label_means=(self.positives,),
        )
        return LeafEstimator(BoostParams(objective, metrics, l2_leaf_reg=self.l2), population, SingleRank(), Crew(1))


LEAVES = st.builds(OneLeaf, st.integers(1, 100_000), st.floats(0.0, 1.0), st.floats(0.0, 100.0))


@settings(max_examples=300, deadline=None)
@given(leaf=LEAVES, value=st.floats(-6.0, 6.0))
@example(leaf=OneLeaf(1, 0.75, 5e-324), value=-4.0)  # the first step leads where no curvature is left
def test_step_after_a_newton_step_is_foretold(leaf: OneLeaf, value: float) -> None:
    estimator, sums = leaf.estimator(), leaf.sums(value)
    step = estimator.step(sums, sums.weight)
    following = estimator.step(leaf.sums(value + float(step[0, 0])), sums.weight)
    bound = estimator.step_after(step, sums)
    assert abs(following[0, 0]) <= bound[0, 0] * (1.0 + 1e-9) + 1e-12
    assert np.isfinite(bound[0, 0]) == (abs(step[0, 0]) <= 0.125)


@settings(max_examples=300, deadline=None)
@given(leaf=LEAVES, value=st.floats(-6.0, 6.0), share=st.floats(-3.0, 3.0))
def test_step_that_is_proven_to_improve_the_loss_does(leaf: OneLeaf, value: float, share: float) -> None:
    estimator, sums = leaf.estimator(), leaf.sums(value)
    step = estimator.step(sums, sums.weight) * share
    gain = leaf.loss(value) - leaf.loss(value + float(step[0, 0]))
    if estimator.improves(step, sums):
        assert gain > -1e-9 * leaf.rows
    elif 0.0 < share <= 1.0 and abs(step[0, 0]) > 1e-6:
        assert abs(step[0, 0]) > 0.5  # a short step in the right direction is always proven


def test_loss_is_not_computed_where_steps_are_short(make_table: MakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    usual = LeafEstimator.own_sums

    def watching(self: LeafEstimator, pieces: Any, shift: Any, scales: Any) -> Any:
        asked.append(scales.loss > 0.0)
        return usual(self, pieces, shift, scales)

    monkeypatch.setattr(LeafEstimator, "own_sums", watching)
    estimate(make_table(classes=2), "Logloss", 2, leaf_estimation_iterations=10)
    assert not any(asked)


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_walks_that_share_their_rounds_end_where_each_would_alone(make_table: MakeTable, n_ranks: int) -> None:
    table = make_table(n_rows=3_000, classes=2, weighted=True)
    rng = np.random.default_rng(3)
    # Walks of different lengths: one begins where its leaves are settled almost at once.
    starts = [rng.normal(size=(1, 3_000)) * scale for scale in (0.01, 1.0, 4.0)]
    leaf_of_row = rng.integers(0, 4, 3_000).astype(np.uint16)
    objective = make_objective("Logloss", 2)
    params = BoostParams(objective=objective, metrics=(), leaf_estimation_iterations=10)

    def walk(collective: Any, numbers: list[int]) -> list[Leaves]:
        first, last = (3_000 * (collective.rank + edge) // collective.size for edge in (0, 1))
        rows = table.part(first, last)
        with Crew(1) as crew:
            estimator = LeafEstimator(params, survey_population(rows, collective), collective, crew)
            begins = [
                WalkStart(np.ascontiguousarray(starts[i][:, first:last]), leaf_of_row[first:last], 20.0)
                for i in numbers
            ]
            return estimator.estimate(rows, begins, 4)

    alone = [walk(SingleRank(), [i])[0] for i in range(3)]
    for together in run_threads(n_ranks, lambda collective: walk(collective, [0, 1, 2])):
        assert [each.values.tobytes() for each in together] == [each.values.tobytes() for each in alone]
        assert [each.weights.tobytes() for each in together] == [each.weights.tobytes() for each in alone]
