"""Units that go from a layer, and what the others say in their place: against least squares on the rows themselves."""

from itertools import combinations

import numpy as np
import pytest

from gbdist.compression.networks.elimination import RIDGE, Reader, eliminate, useful_units

N_ROWS, N_UNITS = 500, 6


def reader_of(units: np.ndarray, weights: np.ndarray) -> Reader:
    return Reader(units.mean(axis=0), np.cov(units.T, bias=True), weights)


def said(units: np.ndarray, kept: np.ndarray, weights: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return units[:, kept] @ weights + shift


@pytest.fixture
def units() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_ROWS, N_UNITS)) @ rng.normal(size=(N_UNITS, N_UNITS)) + rng.normal(size=N_UNITS)


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(N_UNITS, 3))


def test_constants_and_units_without_weight_go_first_and_for_nothing(units, weights):
    units[:, 1], units[:, 4] = 2.5, 0.0
    weights[3] = 0.0
    reader = reader_of(units, weights)
    assert useful_units([reader]) == 3
    left = eliminate([reader], 3)
    assert left.kept.tolist() == [0, 2, 5]
    np.testing.assert_array_equal(left.weights[0], weights[[0, 2, 5]])
    np.testing.assert_allclose(said(units, left.kept, left.weights[0], left.shifts[0]), units @ weights, atol=1e-13)


def test_a_unit_that_others_explain_is_the_first_to_go(units, weights):
    units[:, 2] = units[:, 0] - 2 * units[:, 5] + 3  # though its weight is the largest
    weights[2] *= 50
    left = eliminate([reader_of(units, weights)], N_UNITS - 1)
    gone = set(range(N_UNITS)) - set(left.kept.tolist())
    assert gone <= {0, 2, 5}
    lost = said(units, left.kept, left.weights[0], left.shifts[0]) - units @ weights
    assert np.sqrt((lost**2).mean()) < 0.05 * np.sqrt(((units @ weights) ** 2).mean())


def test_what_stays_says_what_least_squares_says(units, weights):
    left = eliminate([reader_of(units, weights)], 3)
    deviations = units.std(axis=0)
    scaled = (units - units.mean(axis=0)) / deviations
    ridge = np.sqrt(RIDGE * N_ROWS) * np.eye(N_UNITS)[left.kept]
    gone = [unit for unit in range(N_UNITS) if unit not in left.kept]
    wanted = np.vstack([scaled[:, gone] @ (weights[gone] * deviations[gone, None]), np.zeros((3, 3))])
    gained, *_ = np.linalg.lstsq(np.vstack([scaled[:, left.kept], ridge[:, left.kept]]), wanted, rcond=None)
    expected = weights[left.kept] + gained / deviations[left.kept, None]
    np.testing.assert_allclose(left.weights[0], expected, rtol=1e-9)
    off = said(units, left.kept, left.weights[0], left.shifts[0]) - units @ weights
    np.testing.assert_allclose(off.mean(axis=0), 0.0, atol=1e-12)


def test_the_first_to_go_is_the_one_that_costs_least(units, weights):
    left = eliminate([reader_of(units, weights)], N_UNITS - 1)

    def loss(kept: tuple[int, ...]) -> float:
        design = np.column_stack([units[:, kept], np.ones(N_ROWS)])
        made = design @ np.linalg.lstsq(design, units @ weights, rcond=None)[0]
        return float(((made - units @ weights) ** 2).sum())

    assert tuple(left.kept.tolist()) == min(combinations(range(N_UNITS), N_UNITS - 1), key=loss)


def test_readers_that_share_units_lose_the_same_ones(units, weights):
    others = np.random.default_rng(2).normal(size=(N_ROWS, N_UNITS))
    others[:, 3] = 1.0
    readers = [reader_of(units, weights), reader_of(others, weights[:, :2])]
    assert useful_units(readers) == N_UNITS  # unit 3 says something to the first one
    left = eliminate(readers, 4)
    assert len(left.kept) == 4
    assert [each.shape for each in left.weights] == [(4, 3), (4, 2)]
    for values, reader, rows, shift in zip((units, others), readers, left.weights, left.shifts, strict=True):
        off = said(values, left.kept, rows, shift) - values @ reader.weights
        np.testing.assert_allclose(off.mean(axis=0), 0.0, atol=1e-12)


def test_of_equal_units_the_first_goes():
    reader = Reader(np.zeros(N_UNITS), np.eye(N_UNITS), np.ones((N_UNITS, 1)))
    assert eliminate([reader], 2).kept.tolist() == [4, 5]
