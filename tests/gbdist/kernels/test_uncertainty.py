"""Kernels of RMSEWithUncertainty equal their NumPy twins, bit for bit, and the twins are the formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from gbdist.kernels import cpu_uncertainty, reference_uncertainty

N_LEAVES = 5


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.sampled_from([0, 1, 300]),
    weighted=st.booleans(),
    asked=st.sampled_from([(1, 1, 1, 1), (0, 1, 1, 1), (1, 0, 0, 0)]),
)
def test_kernels_equal_their_twins(seed: int, n_rows: int, weighted: bool, asked: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(seed)
    y, a = rng.normal(size=n_rows).astype(np.float32), rng.normal(size=(2, n_rows)) * 2
    w = (rng.random(n_rows if weighted else 0) * 3).astype(np.float32)
    leaf_of_row, shift = rng.integers(0, N_LEAVES, n_rows).astype(np.uint16), rng.normal(size=(N_LEAVES, 2))
    scales = np.array(asked) * 2.0 ** np.array([20, 40, 25, 24])
    found = []
    for module in (cpu_uncertainty, reference_uncertainty):
        out, sums, mean = np.empty((2, n_rows)), np.ones((N_LEAVES, 6), np.int64), np.ones(2, np.int64)
        module.uncertainty_derivatives(y, w, a, out)
        module.add_uncertainty_leaf_sums(y, w, a, leaf_of_row, shift, scales, sums)
        module.add_uncertainty_sums(y, w, a, np.array([2.0**20, 2.0**40]), mean)
        found.append((out.tobytes(), sums.tolist(), mean.tolist()))
    assert found[0] == found[1]


def test_the_loss_is_that_of_a_normal_distribution() -> None:
    y, a = np.array([1.5, -2.0], np.float32), np.array([[1.0, 1.0], [0.3, -0.4]])
    unit, sums, derivatives = 2.0**40, np.zeros(2, np.int64), np.empty((2, 2))
    reference_uncertainty.add_uncertainty_sums(y, np.empty(0, np.float32), a, np.array([unit, 1.0]), sums)
    reference_uncertainty.uncertainty_derivatives(y, np.empty(0, np.float32), a, derivatives)
    expected = -norm(a[0], np.exp(a[1])).logpdf(y)
    assert sums[0] / unit == pytest.approx(expected.sum(), abs=1e-10)
    # The gradient of minus the loss times the inverse of Fisher's information, σ² and ½; the latter is left out as in CatBoost.
    residual = (y - a[0]) / np.exp(a[1])
    np.testing.assert_allclose(derivatives, [y - a[0], residual**2 - 1.0], rtol=1e-14)
