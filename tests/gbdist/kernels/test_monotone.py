"""Monotone constraints: isotonic values are those of scikit-learn, and kernels equal their twins, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from gbdist.boosting.monotone import LevelOrders
from gbdist.kernels import cpu_monotone, cpu_split, reference_monotone
from gbdist.kernels.hashing import stream_key

N_BINS = np.array([9, 1, 7, 2, 9, 1, 5], np.int64)
EQUALS = np.array([0, 0, 0, 0, 1, 1, 1], np.uint8)
FEATURES = np.arange(7) + 3
UNITS = np.array([2.0**-10, 2.0**-11, 2.0**-5])
KEYS = (stream_key(1, 2), stream_key(1, 3))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1, 2, 4, 16]), n_orders=st.integers(1, 4))
def test_isotonic_values_are_those_of_scikit_learn(seed: int, size: int, n_orders: int) -> None:
    rng = np.random.default_rng(seed)
    start, weights = rng.normal(size=size * n_orders).round(1), rng.integers(1, 5, size * n_orders).astype(np.float64)
    orders = rng.permutation(size * n_orders)
    values, twin = start.copy(), start.copy()
    cpu_monotone.make_isotonic(values, weights, orders, size)
    reference_monotone.make_isotonic(twin, weights, orders, size)
    assert values.tobytes() == twin.tobytes()
    for order in orders.reshape(n_orders, size):
        expected = isotonic_regression(start[order], sample_weight=weights[order])
        assert values[order] == pytest.approx(expected, abs=1e-12)
        assert (np.diff(values[order]) >= 0.0).all()


def test_a_leaf_without_weight_moves_no_other() -> None:
    for module in (cpu_monotone, reference_monotone):
        values = np.array([3.0, 100.0, 1.0, -7.0])
        module.make_isotonic(values, np.array([1.0, 0.0, 1.0, 0.0]), np.arange(4), 4)
        assert values.tolist() == [2.0, 2.0, 2.0, 2.0]


def table_of(rng: np.random.Generator, wide: bool, n_leaves: int = 4) -> np.ndarray:
    amounts = rng.integers(0, 40, (7, 2, n_leaves, 16))
    amounts[..., ::3] = 0
    amounts[:, :, 1] = 0  # an empty leaf
    sums = np.where(amounts > 0, rng.integers(-(2**12), 2**12, amounts.shape), 0)
    for f, bins in enumerate(N_BINS):
        amounts[f, :, :, bins:], sums[f, :, :, bins:] = 0, 0
    return np.stack([sums, amounts], axis=-1).reshape(7, 2, n_leaves, 32) if wide else (sums << 32) + amounts


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("sigma", [0.0, 0.7])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), l2=st.sampled_from([0.0, 3.0]))
def test_best_monotone_borders_equal_the_twin(wide: bool, cosine: bool, sigma: float, seed: int, l2: float) -> None:
    rng = np.random.default_rng(seed)
    table, which = table_of(rng, wide), rng.integers(0, 3, 7)
    level = LevelOrders.after((1, -1, 0), rng.integers(0, 4, 2).tolist())
    found = []
    for module in (cpu_monotone, reference_monotone):
        best = (np.full(7, 7, np.int64), np.full(7, np.nan), np.full(7, np.nan))
        constraints = (which, level.orders, level.sizes)
        module.best_monotone_borders(
            table, N_BINS, EQUALS, FEATURES, constraints, UNITS, (l2, cosine, wide), sigma, KEYS, best
        )
        found.append(np.concatenate([b.astype(np.float64) for b in best]))
    assert np.array_equal(found[0], found[1], equal_nan=True)
    assert np.array_equal(found[0][:7] == -1, N_BINS < 2)


@pytest.mark.parametrize("cosine", [False, True])
def test_scores_of_free_columns_are_the_plain_ones(cosine: bool) -> None:
    table, level = table_of(np.random.default_rng(2), wide=False), LevelOrders.after((0, 1), [0, 0])
    best = [(np.full(7, 7, np.int64), np.full(7, -1.0), np.full(7, -1.0)) for _ in range(2)]
    how = (UNITS, (3.0, cosine, False), 0.0, KEYS)
    constraints = (np.ones(7, np.int64), level.orders, level.sizes)
    cpu_monotone.best_monotone_borders(table, N_BINS, EQUALS, FEATURES, constraints, *how, best[0])
    cpu_split.best_borders(table, N_BINS, EQUALS, np.zeros(7, np.int64), FEATURES, *how, best[1])
    assert best[0][0].tolist() == best[1][0].tolist()
    competing = N_BINS >= 2
    assert best[0][1][competing] == pytest.approx(best[1][1][competing], rel=1e-12)
