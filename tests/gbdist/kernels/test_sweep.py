"""Sweeps against NumPy's least squares, and coordinate descent against what a minimum must fulfil."""

import numpy as np
import pytest

from gbdist.kernels import reference_sweep
from gbdist.kernels.cpu_sweep import descend, sweep

INSIDE = [4, 1, 6]


def columns(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(50, 7)), generator.normal(size=50)


def form_of(a: np.ndarray, t: np.ndarray) -> np.ndarray:
    both = np.column_stack((a, t))
    return both.T @ both


def test_columns_that_are_swept_in_have_the_factors_of_least_squares() -> None:
    a, t = columns()
    form = form_of(a, t)
    for column in INSIDE:
        sweep(form, column, True)
    factors, (square,), *_ = np.linalg.lstsq(a[:, INSIDE], t)
    residual = t - a[:, INSIDE] @ factors
    outside = [column for column in range(7) if column not in INSIDE]
    assert form[INSIDE, 7] == pytest.approx(factors, rel=1e-10)
    assert form[7, INSIDE] == pytest.approx(factors, rel=1e-10)
    assert form[7, 7] == pytest.approx(square, rel=1e-10)
    assert form[outside, 7] == pytest.approx(a[:, outside].T @ residual, rel=1e-9, abs=1e-9)
    left = a[:, outside] - a[:, INSIDE] @ np.linalg.lstsq(a[:, INSIDE], a[:, outside])[0]
    assert form.diagonal()[outside] == pytest.approx((left**2).sum(axis=0), rel=1e-10)
    inverse = np.linalg.inv(a[:, INSIDE].T @ a[:, INSIDE])
    assert form[np.ix_(INSIDE, INSIDE)] == pytest.approx(-inverse, rel=1e-9)


def test_a_column_that_is_swept_out_was_never_in() -> None:
    a, t = columns(1)
    form, expected = form_of(a, t), form_of(a, t)
    for column in INSIDE:
        sweep(form, column, True)
    sweep(form, 1, False)
    for column in (4, 6):
        sweep(expected, column, True)
    assert form == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("positive", [True, False])
def test_descent_ends_where_no_coordinate_lowers_the_penalized_error(positive: bool) -> None:
    a, t = columns(2)
    matrix, products = a.T @ a, a.T @ t
    penalty = np.full(7, 0.3 * np.abs(products).max())
    factors, residual = np.zeros(7), products.copy()
    rounds = 0
    while descend(matrix, penalty, positive, factors, residual) > 1e-12:
        rounds += 1
        assert rounds < 1000
    pull = products - matrix @ factors
    assert residual == pytest.approx(pull, abs=1e-9)
    inside = factors != 0.0
    assert 0 < inside.sum() < 7
    assert pull[inside] == pytest.approx(np.sign(factors[inside]) * penalty[inside], rel=1e-9)
    assert ((pull if positive else np.abs(pull))[~inside] <= penalty[~inside] * (1 + 1e-9)).all()
    assert not positive or (factors >= 0.0).all()


def test_a_column_of_zeros_gets_no_factor() -> None:
    matrix, factors = np.zeros((2, 2)), np.zeros(2)
    assert descend(matrix, np.zeros(2), False, factors, np.ones(2)) == 0.0
    assert not factors.any()


@pytest.mark.parametrize("seed", range(5))
def test_sweeps_are_those_of_the_twin(seed: int) -> None:
    form = form_of(*columns(seed))
    expected = form.copy()
    for column, forward in ((4, True), (1, True), (4, False), (6, True)):
        sweep(form, column, forward)
        reference_sweep.sweep(expected, column, forward)
        assert form.tobytes() == expected.tobytes()


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3])
def test_descents_are_those_of_the_twin(positive: bool, share: float) -> None:
    a, t = columns(3)
    a[:, 2] = 0.0
    matrix, products = a.T @ a, a.T @ t
    penalty = np.full(7, share * np.abs(products).max())
    found, expected = (np.zeros(7), products.copy()), (np.zeros(7), products.copy())
    for _ in range(6):
        moved = descend(matrix, penalty, positive, *found)
        assert moved == reference_sweep.descend(matrix, penalty, positive, *expected)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
