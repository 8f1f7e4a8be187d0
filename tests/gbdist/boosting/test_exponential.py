"""Losses of exponents keep their digits whatever rows are far below the others, and steps that are too long are halved."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.params import BoostParams
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

from ..conftest import described
from .conftest import MakeTable, Table

LOSSES = ("Poisson", "Tweedie", "LogLinQuantile")


def params_of(loss: str, **more: Any) -> BoostParams:
    method = "Gradient" if loss == "LogLinQuantile" else "Newton"
    return BoostParams(
        objective=make_objective(described(loss), 1),
        metrics=make_metrics(described(loss), 1, described(loss)),
        **{"iterations": 15, "depth": 3, "learning_rate": 0.2, "leaf_estimation_method": method, **more},
    )


def counts(make_table: MakeTable, n_rows: int = 1_000) -> Table:
    table = make_table(n_rows=n_rows)
    table.rows.label[:] = np.floor(np.exp(table.rows.label / 2))
    return table


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_far_below_the_others_costs_no_digits(make_table: MakeTable, loss: str) -> None:
    """As of an exposure of nearly nothing, whose logarithm is its baseline."""
    table = counts(make_table)
    baseline = np.zeros((1, 1_000))
    usual = replace(table, rows=replace(table.rows, baseline=baseline.copy())).boost(params_of(loss))
    baseline[0, 7], table.rows.label[7] = -45.0, 0.0
    found = replace(table, rows=replace(table.rows, baseline=baseline)).boost(params_of(loss))
    curve, expected = (next(iter(each.history["learn"].values())) for each in (found, usual))
    assert curve[-1] == pytest.approx(expected[-1], rel=0.02)
    ranks = replace(table, rows=replace(table.rows, baseline=baseline)).boost_on_ranks(params_of(loss), 3)
    assert all(each.trees == found.trees for each in ranks)


@pytest.mark.parametrize("backtracking", ["AnyImprovement", "No"])
def test_a_step_beyond_all_numbers_is_halved_or_ends_the_walk(make_table: MakeTable, backtracking: str) -> None:
    """The first Newton step of large counts is their mean, of which e to the power is no number."""
    table = counts(make_table)
    table.rows.label[:] *= 1_000.0
    more = {"leaf_estimation_iterations": 12, "leaf_estimation_backtracking": backtracking}
    params = params_of("Poisson", **more, learning_rate=0.01)
    if backtracking == "No":
        params = replace(params, iterations=1)
    found = table.boost(params)
    assert np.isfinite(found.predictions).all()
    curve = next(iter(found.history["learn"].values()))
    assert np.isfinite(curve).all()
    assert backtracking == "No" or (np.diff(curve) < 0.0).all()


def test_predictions_that_are_no_exponents_are_refused(make_table: MakeTable) -> None:
    from gbdist.errors import ParameterError

    table = counts(make_table)
    table.rows.label[:] *= 10_000.0
    with pytest.raises(ParameterError, match="expected steps that keep raw predictions below 300"):
        table.boost(params_of("Poisson", learning_rate=0.9))
