"""With the same initial weights and batches, parameters and losses are scikit-learn's."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from gbdist.neural.network.network import Network
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.state import TrainState

from .tables import TASKS, NetworkTable, fitted, make_table

SGD, ADAM = {"solver": "sgd", "learning_rate_init": 0.05}, {"solver": "adam", "learning_rate_init": 0.01}
#: what scikit-learn is given: solvers and momenta first, then schedules
CASES: dict[str, dict[str, Any]] = {
    "sgd": {**SGD, "momentum": 0.0},
    "momentum": {**SGD, "momentum": 0.8, "nesterovs_momentum": False},
    "nesterov": {**SGD, "momentum": 0.8},
    "adam": ADAM,
    "invscaling": {**SGD, "learning_rate": "invscaling", "power_t": 0.2},
    "adaptive": {**SGD, "learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 0.05, "learning_rate_init": 5e-5},
}


def theirs(table: NetworkTable, given: dict[str, Any]) -> Any:
    kind = MLPRegressor if table.spec.loss == "squared_error" else MLPClassifier
    model = kind(
        hidden_layer_sizes=table.spec.hidden, activation=table.spec.activation, random_state=3, shuffle=False, **given
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weight = None if table.weight is None else table.weight.astype(np.float64)  # else it adds them up in float32
        return model.fit(table.numeric.astype(np.float64), table.y, weight)


def ours(table: NetworkTable, given: dict[str, Any]) -> TrainState:
    renamed = dict(given)
    schedule = renamed.pop("learning_rate", "constant")
    return fitted(table, TrainParams(schedule=schedule, seed=3, shuffle=False, precision="float64", **renamed))


def assert_equal(table: NetworkTable, given: dict[str, Any]) -> tuple[Any, TrainState]:
    model, state = theirs(table, given), ours(table, given)
    network = Network(table.spec, "float64")
    for mine, expected in zip(network.coefs(state.progress.flat), model.coefs_, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-11)
    for mine, expected in zip(network.intercepts(state.progress.flat), model.intercepts_, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(state.loss_curve, model.loss_curve_, rtol=0, atol=1e-11)
    assert state.epoch == model.n_iter_
    assert state.best == pytest.approx(model.best_loss_, abs=1e-11)
    return model, state


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", ["sgd", "momentum", "nesterov", "adam"])
def test_coefs_are_scikit_learns_after_twenty_iterations(case: str, weighted: bool) -> None:
    table = make_table("binary", weighted=weighted)
    assert_equal(table, {**CASES[case], "max_iter": 20, "batch_size": 16, "alpha": 0.01})


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("case", ["nesterov", "adam"])
def test_coefs_are_scikit_learns_for_every_task(task: str, case: str, activation: str) -> None:
    table = make_table(task, activation=activation)
    assert_equal(table, {**CASES[case], "max_iter": 5, "batch_size": 16, "alpha": 0.1})


@pytest.mark.parametrize("weighted", [False, True])
def test_schedules_are_scikit_learns(weighted: bool) -> None:
    table = make_table("regression", weighted=weighted)
    assert_equal(table, {**CASES["invscaling"], "max_iter": 20, "batch_size": 16})
    model, state = assert_equal(table, {**CASES["adaptive"], "max_iter": 30, "batch_size": 16})
    assert state.rate_factor < 1.0
    assert state.stopped == "converged"
    assert state.epoch < 30
    assert model._optimizer.learning_rate == pytest.approx(5e-5 * state.rate_factor)


@pytest.mark.parametrize("case", ["adam", "nesterov"])
def test_a_run_that_converges_ends_after_the_same_epoch(case: str) -> None:
    table = make_table("multiclass")
    given = {**CASES[case], "max_iter": 200, "batch_size": 30, "tol": 0.01, "n_iter_no_change": 3}
    _, state = assert_equal(table, given)
    assert state.stopped == "converged"
    assert 5 < state.epoch < 200


def test_one_batch_of_all_rows() -> None:
    assert_equal(make_table("binary"), {**ADAM, "max_iter": 20, "batch_size": 90})
