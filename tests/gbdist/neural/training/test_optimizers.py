"""Optimizers make scikit-learn's steps; AdamW shrinks weights beside them."""

from typing import Any

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from gbdist.neural.training.optimizers import Penalty, optimizer_of
from gbdist.neural.training.params import TrainParams


def run(params: TrainParams, steps: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=50)
    optimizer = optimizer_of(Penalty(np.arange(50) < 40, params), params)
    moments = tuple(np.zeros_like(flat) for _ in range(optimizer.n_moments))
    for number in range(1, steps + 1):
        gradient = rng.normal(size=50) * 16.0
        optimizer.step(flat, gradient, moments, params.learning_rate_init, number, 16.0)
    return flat


def by_scikit_learn(optimizer: Any, alpha: float, flat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for _ in range(20):
        gradient = rng.normal(size=50)
        gradient[:40] += alpha * flat[:40] / 16.0
        optimizer.update_params([flat], [gradient])
    return flat


@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize(
    "params",
    [
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
        {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
        {"solver": "adam", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
    ],
)
def test_steps_are_those_of_scikit_learn(params: dict[str, Any], alpha: float) -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=50)
    if params["solver"] == "sgd":
        theirs: Any = SGDOptimizer([flat], 0.01, "constant", params["momentum"], params.get("nesterovs_momentum", True))
    else:
        theirs = AdamOptimizer([flat], 0.01, params["beta_1"], params["beta_2"], params["epsilon"])
    expected = by_scikit_learn(theirs, alpha, flat, rng)
    mine = run(TrainParams(learning_rate_init=0.01, alpha=alpha, **params))
    np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-13)


def test_decoupled_weights_shrink_by_rate_times_alpha_beside_the_step() -> None:
    params = {"solver": "adam", "learning_rate_init": 0.01}
    plain = run(TrainParams(alpha=0.0, **params), steps=1)
    decoupled = run(TrainParams(alpha=0.5, decoupled=True, **params), steps=1)
    before = np.random.default_rng(0).normal(size=50)
    np.testing.assert_allclose(decoupled[:40], plain[:40] - 0.01 * 0.5 * before[:40], rtol=1e-12)
    np.testing.assert_array_equal(decoupled[40:], plain[40:])


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("steps", [1, 3])
def test_parameters_are_expected_where_gradients_like_the_last_ones_lead(solver: str, steps: int) -> None:
    params = TrainParams(solver=solver, alpha=0.0, nesterovs_momentum=False)
    optimizer = optimizer_of(Penalty(np.ones(50, bool), params), params)
    rng = np.random.default_rng(0)
    flat, gradient = rng.normal(size=50), rng.normal(size=50)
    moments = tuple(np.zeros_like(flat) for _ in range(optimizer.n_moments))
    for number in range(1, 201):  # until the moments are those of this gradient
        optimizer.step(flat, gradient, moments, 0.01, number, 1.0)
    before, expected = flat.copy(), np.empty_like(flat)
    optimizer.look_ahead(flat, moments, [0.01] * steps, 200, expected)
    np.testing.assert_array_equal(flat, before)
    for number in range(201, 201 + steps):
        optimizer.step(flat, gradient, moments, 0.01, number, 1.0)
    # Momentum looks less far by that factor, so that nothing is expected where there is none.
    share = 0.9 if solver == "sgd" else 1.0
    np.testing.assert_allclose(expected - before, share * (flat - before), rtol=1e-3)


def test_without_momentum_parameters_are_expected_to_stay() -> None:
    params = TrainParams(solver="sgd", momentum=0.0)
    flat, expected = np.arange(5.0), np.empty(5)
    optimizer_of(Penalty(np.ones(5, bool), params), params).look_ahead(flat, (flat + 1.0,), [0.1, 0.1], 7, expected)
    np.testing.assert_array_equal(expected, flat)


def test_the_penalty_is_half_of_alpha_times_the_squares_and_none_where_it_is_decoupled() -> None:
    flat, penalized = np.arange(12.0), np.arange(12) % 5 != 0
    expected = 0.5 * 0.3 * float((flat[penalized] ** 2).sum())
    assert Penalty(penalized, TrainParams(alpha=0.3)).of(flat) == pytest.approx(expected, rel=1e-15)
    assert Penalty(penalized, TrainParams(alpha=0.3, decoupled=True)).of(flat) == 0.0
