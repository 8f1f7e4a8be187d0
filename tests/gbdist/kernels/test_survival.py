"""Kernels of SurvivalAft equal their NumPy twins, bit for bit, and the twins are scipy's distributions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gumbel_l, logistic, norm

from gbdist.kernels import cpu_survival, reference_survival, survival

N_LEAVES = 4
KINDS = {survival.NORMAL: norm, survival.LOGISTIC: logistic, survival.EXTREME: gumbel_l}


def ends(rng: np.random.Generator, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Times that are known, between two ends, above one, below one."""
    low = np.exp(rng.normal(size=n_rows) * 2).astype(np.float32)
    high = (low * rng.choice([1.0, 1.01, 1.5, 30.0], n_rows)).astype(np.float32)
    high[::5], low[1::5] = -1.0, -1.0
    return low, high


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.sampled_from([0, 1, 300]),
    weighted=st.booleans(),
    noise=st.tuples(st.sampled_from(list(KINDS)), st.sampled_from([0.3, 1.0, 2.5])),
    spread=st.sampled_from([1.0, 30.0, 400.0]),
    asked=st.sampled_from([(1, 1, 1, 1), (0, 1, 1, 1), (1, 0, 0, 0)]),
)
def test_kernels_equal_their_twins(seed, n_rows, weighted, noise, spread, asked) -> None:
    rng = np.random.default_rng(seed)
    low, high = ends(rng, n_rows)
    a, w = rng.normal(size=n_rows) * spread, (rng.random(n_rows if weighted else 0) * 3).astype(np.float32)
    leaf_of_row, shift = rng.integers(0, N_LEAVES, n_rows).astype(np.uint16), rng.normal(size=(N_LEAVES, 1))
    scales = np.array(asked) * 2.0 ** np.array([20, 40, 25, 24])
    found = []
    for module in (cpu_survival, reference_survival):
        out, sums, mean = np.empty(n_rows), np.ones((N_LEAVES, 4), np.int64), np.ones(2, np.int64)
        module.survival_derivatives(low, high, w, a, noise, out)
        module.add_survival_leaf_sums(low, high, w, a, leaf_of_row, shift, noise, scales, sums)
        module.add_interval_sums(low, high, w, np.clip(a, -9, 9), np.array([2.0**20, 2.0**40]), mean)
        found.append((out.tobytes(), sums.tolist(), mean.tolist()))
        assert np.isfinite(out).all()
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_minus_the_log_likelihood(kind: int) -> None:
    rng, scale = np.random.default_rng(3), 0.8
    low, high = ends(rng, 400)
    a = rng.normal(size=400)
    loss, _, _ = reference_survival.parts((kind, scale), low, high, a)
    of = KINDS[kind]
    with np.errstate(all="ignore"):
        z_low, z_high = ((np.log(end.astype(np.float64)) - a) / scale for end in (low, high))
        side = np.where(z_low > 0, of.sf(z_low) - of.sf(z_high), of.cdf(z_high) - of.cdf(z_low))
        likelihood = np.where(
            low == high, of.logpdf(z_low), np.where(high < 0, of.logsf(z_low), np.where(low < 0, of.logcdf(z_high), np.log(side)))
        )  # fmt: skip
    near = -likelihood < 500.0  # beyond, an interval is its nearer end
    assert near.mean() > 0.9
    assert loss[near] == pytest.approx(-likelihood[near], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_those_of_minus_the_loss(kind: int) -> None:
    rng, noise, step = np.random.default_rng(4), (kind, 1.3), 2.0**-13
    low, high = ends(rng, 400)
    a = rng.normal(size=400)
    _, first, second = reference_survival.parts(noise, low, high, a)
    above, below = (reference_survival.parts(noise, low, high, a + sign * step) for sign in (1, -1))
    inner = (np.abs(first) < 14.0) & (second > -14.0) & (second < -1e-6)
    assert inner.mean() > 0.8
    assert first[inner] == pytest.approx(((below[0] - above[0]) / (2 * step))[inner], abs=1e-5)
    assert second[inner] == pytest.approx(((above[1] - below[1]) / (2 * step))[inner], abs=1e-4)


def test_far_tails_have_derivatives() -> None:
    low, high = np.array([1, 1, -1, 1], np.float32), np.array([1, -1, 1, 2], np.float32)
    for kind in KINDS:
        for a in (-300.0, 300.0):
            loss, first, second = reference_survival.parts((kind, 1.0), low, high, np.full(4, a))
            assert np.isfinite([loss, first, second]).all()
            assert (first[[0, 3]] * a < 0).all()  # back to the time
            assert abs(first[1]) < 1e-100 if a > 0 else first[1] >= 1.0
