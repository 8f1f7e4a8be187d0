"""The elementary functions: the same bits in NumPy and in kernels, and close to the truth."""

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.kernels import elementary

NAMES = ["exp", "log", "sigmoid", "log1p_exp", "normal_quantile"]
SPECIAL = np.concatenate(
    [
        [0.0, -0.0, 1.0, -1.0, 0.5, 700.0, -700.0, 708.5, 709.78, 709.79, 800.0, -708.4, -745.13, -745.14, -800.0],
        [np.inf, -np.inf, np.nan, 5e-324, 1e-310, 2.3e-308, 1e308, -1e308, 1 - 2.0**-53, 1 + 2.0**-52, 2.0**-53],
    ]
)


def looped(function: Callable[[Any], Any]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """A vectorised kernel loop over an array."""

    @numba.njit(error_model="numpy")
    def loop(x, out):
        for i in range(np.uint64(x.shape[0])):
            out[i] = function(x[i])

    def run(x: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.empty_like(x)
        loop(x, out)
        return out

    return run


@pytest.fixture(scope="module")
def loops() -> dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    return {name: looped(getattr(elementary, name)) for name in NAMES}


def arguments(name: str) -> NDArray[np.float64]:
    rng = np.random.default_rng(11)
    near, far = rng.normal(size=20_000) * 3, rng.uniform(-760, 760, size=20_000)
    if name == "log":
        return np.concatenate([np.exp(far / 1.08), rng.uniform(0.4, 2.5, size=20_000), SPECIAL])
    if name == "normal_quantile":
        return np.concatenate([rng.random(30_000), 10.0 ** -rng.uniform(0, 300, size=10_000), SPECIAL])
    return np.concatenate([near, far, SPECIAL])


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_numpy_give_the_same_bits(name, loops) -> None:
    x = arguments(name)
    expected = getattr(elementary, f"{name}_array")(x)
    found = loops[name](x)
    is_nan = np.isnan(expected)
    assert np.array_equal(is_nan, np.isnan(found))
    assert np.array_equal(expected[~is_nan].view(np.int64), found[~is_nan].view(np.int64))


@pytest.mark.parametrize("name", NAMES)
def test_any_slice_gives_the_same_bits(name, loops) -> None:
    # Vector bodies and scalar tails meet different rows in each slice.
    x = arguments(name)[: -SPECIAL.shape[0]]
    whole = loops[name](x)
    rng = np.random.default_rng(5)
    for _ in range(200):
        start = int(rng.integers(0, x.shape[0] - 70))
        stop = start + int(rng.integers(1, 70))
        assert np.array_equal(loops[name](x[start:stop].copy()), whole[start:stop])
        assert np.array_equal(loops[name](x[start:stop]), whole[start:stop])


@pytest.mark.parametrize(
    ("name", "truth", "units"),
    [
        ("exp", np.exp, 2.0),
        ("log", np.log, 2.0),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 3.0),
        ("log1p_exp", lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), 3.0),
    ],
)
def test_error_in_units_in_the_last_place(name, truth, units) -> None:
    x = arguments(name)[: -SPECIAL.shape[0]]
    found = getattr(elementary, f"{name}_array")(x)
    with np.errstate(all="ignore"):
        expected = truth(x.astype(np.longdouble))  # 80 bits where the platform has them
    normal = np.isfinite(found) & (np.abs(found) > 1e-300)
    error = np.abs(found[normal] - expected[normal]) / np.spacing(np.abs(found[normal]))
    assert float(error.max()) <= units


def test_extreme_arguments_of_exp_and_log() -> None:
    with np.errstate(all="ignore"):
        assert np.array_equal(elementary.exp_array(SPECIAL) == 0.0, np.exp(SPECIAL) == 0.0)
        assert np.array_equal(elementary.exp_array(SPECIAL) == np.inf, np.exp(SPECIAL) == np.inf)
        assert np.isnan(elementary.exp_array(np.array([np.nan])))[0]
        found, expected = elementary.log_array(SPECIAL), np.log(SPECIAL)
    assert np.allclose(found, expected, rtol=4e-16, atol=0.0, equal_nan=True)


def test_sigmoid_and_softplus_do_not_overflow() -> None:
    x = np.array([-1e308, -800.0, 800.0, 1e308])
    assert elementary.sigmoid_array(x).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert elementary.log1p_exp_array(x).tolist() == [0.0, 0.0, 800.0, 1e308]


def test_normal_quantile() -> None:
    u = np.concatenate([np.linspace(0.001, 0.999, 999), [1e-300, 1e-20, 1e-8, 1 - 1e-8, 1 - 2.0**-53]])
    expected = np.array([NormalDist().inv_cdf(float(value)) for value in u])
    assert np.allclose(elementary.normal_quantile_array(u), expected, rtol=2e-15, atol=1e-16)
    edges = elementary.normal_quantile_array(np.array([0.0, 1.0, -0.1, 1.1, np.nan]))
    assert edges[0] == -np.inf
    assert edges[1] == np.inf
    assert np.isnan(edges[2:]).all()
