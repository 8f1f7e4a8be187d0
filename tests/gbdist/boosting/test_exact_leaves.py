"""Exact leaves are the weighted quantiles of all rows, whoever holds them; those of LogCosh the root of its derivative."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.exact_leaves import start_of_labels
from gbdist.boosting.leaf_rows import Leaves, WalkStart
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.population import survey_population
from gbdist.boosting.rows import Rows, Segment
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from ..conftest import described
from .conftest import MakeTable


def params_of(loss: str, **more: Any) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, 1),
        metrics=make_metrics(loss, 1, loss),
        **{"leaf_estimation_method": "Exact", "iterations": 8, "depth": 4, "learning_rate": 0.2, **more},
    )


def rows_of(label: np.ndarray, weight: np.ndarray | None) -> Rows:
    return Rows(np.zeros((1, label.shape[0]), np.uint8), label, weight, None, (Segment(0, label.shape[0], 0),))


def estimated(
    loss: str,
    label: np.ndarray,
    weight: np.ndarray | None,
    prediction: np.ndarray,
    leaf_of_row: np.ndarray,
    n_ranks: int = 1,
) -> Leaves:
    """Leaves of rows that ranks share."""
    n_rows, n_leaves = label.shape[0], 4

    def work(collective: Collective) -> Leaves:
        some = slice(n_rows * collective.rank // n_ranks, n_rows * (collective.rank + 1) // n_ranks)
        rows = rows_of(label[some], None if weight is None else weight[some])
        with Crew(1) as crew:
            estimator = LeafEstimator(params_of(loss), survey_population(rows, collective), collective, crew)
            start = WalkStart(prediction[None, some], leaf_of_row[some], float(np.abs(prediction).max(initial=0.0)))
            (leaves,) = estimator.estimate(rows, [start], n_leaves)
        return leaves

    first, *others = run_threads(n_ranks, work)
    for leaves in others:
        assert leaves.values.tobytes() == first.values.tobytes()
        assert leaves.weights.tobytes() == first.weights.tobytes()
    return first


SEEDS = st.integers(0, 2**32 - 1)
ALPHAS = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.9, 1.0])


@settings(max_examples=80, deadline=None)
@given(seed=SEEDS, n_rows=st.integers(1, 60), alpha=ALPHAS, digits=st.sampled_from([0, 1, 8]), ranks=st.integers(1, 3))
def test_quantiles_are_numpys_inverted_cdf(seed: int, n_rows: int, alpha: float, digits: int, ranks: int) -> None:
    """Also where many residuals are equal, and of leaves that have no rows."""
    rng = np.random.default_rng(seed)
    label = np.round(rng.normal(size=n_rows) * 3, digits).astype(np.float32)
    prediction, leaf_of_row = np.round(rng.normal(size=n_rows), digits), rng.integers(0, 4, n_rows).astype(np.uint16)
    found = estimated(f"Quantile:alpha={alpha};delta=0", label, None, prediction, leaf_of_row, ranks)
    residual = label.astype(np.float64) - prediction
    for leaf in range(4):
        mine = residual[leaf_of_row == leaf]
        expected = np.quantile(mine, alpha, method="inverted_cdf") if mine.size else 0.0
        assert found.values[leaf, 0] == expected
    assert found.weights == pytest.approx(np.bincount(leaf_of_row, minlength=4))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n_rows=st.integers(1, 60), alpha=ALPHAS)
def test_weighted_quantiles_are_those_of_repeated_rows(seed: int, n_rows: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    label, prediction = rng.normal(size=n_rows).astype(np.float32), rng.normal(size=n_rows)
    times, leaf_of_row = rng.integers(0, 4, n_rows), np.zeros(n_rows, np.uint16)
    weight = times.astype(np.float32) * np.float32(0.25)
    found = estimated(f"Quantile:alpha={alpha};delta=0", label, weight, prediction, leaf_of_row, 2)
    repeated = np.repeat(label.astype(np.float64) - prediction, times)
    expected = np.quantile(repeated, alpha, method="inverted_cdf") if repeated.size else 0.0
    assert found.values[0, 0] == expected


@pytest.mark.parametrize(
    ("labels", "alpha", "expected"),
    [
        ([1.0, 2.0, 3.0], 0.5, 2.0 - 0.01),  # 1 + 0.5 reaches 1.5
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0 + 0.01),
        ([1.0, 2.0, 3.0], 0.9, 3.0 - 0.01),
        ([5.0], 0.2, 5.0 - 0.01),
    ],
)
def test_quantiles_are_moved_by_delta_as_catboosts(labels: list[float], alpha: float, expected: float) -> None:
    label = np.array(labels, np.float32)
    nothing = np.zeros(label.shape[0])
    found = estimated(f"Quantile:alpha={alpha};delta=0.01", label, None, nothing, nothing.astype(np.uint16))
    assert found.values[0, 0] == expected


def test_rows_of_large_labels_weigh_less_in_mape() -> None:
    label = np.array([1.0, 1.0, 1.0, 10.0, 10.0, 10.0, 10.0], np.float32)
    nothing = np.zeros(7)
    assert estimated("MAPE", label, None, nothing, nothing.astype(np.uint16)).values[0, 0] == 1.0


@pytest.mark.parametrize("spread", [0.1, 3.0, 5_000.0])
def test_leaves_of_log_cosh_are_where_its_derivative_is_zero(spread: float) -> None:
    rng = np.random.default_rng(3)
    label, prediction = (rng.normal(size=400) * spread).astype(np.float32), rng.normal(size=400)
    leaf_of_row, weight = rng.integers(0, 3, 400).astype(np.uint16), rng.random(400).astype(np.float32)
    found = estimated("LogCosh", label, weight, prediction, leaf_of_row, 2)
    residual = label.astype(np.float64) - prediction
    for leaf in range(3):
        mine, w = residual[leaf_of_row == leaf], weight[leaf_of_row == leaf].astype(np.float64)
        below, above = ((np.tanh(mine - found.values[leaf, 0] + side) * w).sum() for side in (-1e-7, 1e-7))
        assert below < 0.0 < above
    assert found.values[3, 0] == 0.0


@pytest.mark.parametrize("loss", ["MAE", "Quantile:alpha=0.9", "MAPE"])
def test_a_run_starts_at_the_quantile_of_all_labels(loss: str) -> None:
    label = (np.random.default_rng(2).gamma(2.0, 3.0, 1_001)).astype(np.float32)

    def work(collective: Collective) -> Any:
        rows = rows_of(label[500 * collective.rank : 500 + 501 * collective.rank], None)
        with Crew(1) as crew:
            estimator = LeafEstimator(params_of(loss), survey_population(rows, collective), collective, crew)
            return start_of_labels(estimator, rows).tolist()

    found = run_threads(2, work)
    if loss == "MAPE":
        order = np.argsort(label)
        weights = 1.0 / np.maximum(1.0, label[order].astype(np.float64))
        expected = float(label[order][np.searchsorted(np.cumsum(weights), weights.sum() / 2)])
    else:
        alpha = 0.5 if loss == "MAE" else 0.9
        quantile = np.quantile(label, alpha, method="inverted_cdf").astype(np.float64)
        less, equal = (label < quantile).sum(), (label == quantile).sum()
        expected = float(np.float32(quantile + (-1e-6 if less + equal * alpha >= 1_001 * alpha else 1e-6)))
    assert found == [[expected]] * 2


LOSSES = {"MAE": "Exact", "Quantile": "Exact", "MAPE": "Exact", "LogCosh": "Exact", "Poisson": "Newton"}
LOSSES |= {"MultiQuantile": "Exact"}
LOSSES |= {"Tweedie": "Newton", "Huber": "Newton", "Expectile": "Newton", "Lq": "Newton", "LogLinQuantile": "Gradient"}


@pytest.mark.parametrize("loss", LOSSES)
def test_ranks_and_threads_do_not_change_a_run(make_table: MakeTable, loss: str) -> None:
    """With an eval set, sampled rows and noise."""
    table, other = make_table(n_rows=1_500, weighted=True), make_table(n_rows=400, seed=8, weighted=True)
    for each in (table, other):
        each.rows.label[:] = np.abs(each.rows.label)
    more = {"leaf_estimation_method": LOSSES[loss], "bootstrap": Bootstrap("MVS", 0.8)}
    starts = loss in ("MAE", "Quantile", "MAPE", "MultiQuantile")
    params = params_of(described(loss), boost_from_average=starts, leaf_estimation_iterations=3, **more)
    alone = table.boost(params, (other,))
    curve = next(iter(alone.history["learn"].values()))
    assert curve[-1] < curve[0]
    for result in (*table.boost_on_ranks(params, 3, (other,)), table.boost(replace(params, threads=2), (other,))):
        assert result.trees == alone.trees
        assert result.history == alone.history
        assert result.bias.tobytes() == alone.bias.tobytes()
