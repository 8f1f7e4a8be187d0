"""Numbers in fewer bits are near to what they were, by the distance that each way allows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gbdist.compression.passes.rounding import to_codes, to_half, to_levels

VALUES = arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6))


@settings(max_examples=200, deadline=None)
@given(values=VALUES)
def test_codes_are_off_by_half_a_scale_and_are_found_again(values: np.ndarray) -> None:
    coded = to_codes(values)
    found = coded.values()
    assert np.abs(found - values).max() <= coded.scale / 2 * (1 + 1e-9)
    assert coded.scale == np.float32(coded.scale)
    assert coded.codes.min() >= -127
    assert to_codes(found).values().tobytes() == (found + 0.0).tobytes()


def test_small_numbers_have_codes_too() -> None:
    values = np.array([1e-40, -3e-41, 0.0])  # scales that float32 holds with few bits
    coded = to_codes(values)
    assert np.abs(coded.values() - values).max() <= coded.scale / 2
    assert to_codes(np.array([1e-300])).values().tolist() == [0.0]


def test_half_is_the_nearest_half() -> None:
    assert to_half(np.array([1 / 3, 65504.0, 65519.0, 7e4])).tolist() == [0.333251953125, 65504.0, 65504.0, np.inf]


@settings(max_examples=100, deadline=None)
@given(values=VALUES, n_levels=st.integers(1, 12))
def test_each_value_has_the_level_nearest_to_it(values: np.ndarray, n_levels: int) -> None:
    levels = to_levels(values, n_levels, np.ones_like(values))
    assert 1 <= levels.codebook.shape[0] <= n_levels
    nearest = np.abs(values[:, np.newaxis] - levels.codebook).min(axis=1)
    np.testing.assert_allclose(np.abs(levels.values() - values), nearest, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(values=VALUES, seed=st.integers(0, 99))
def test_levels_are_the_weighted_means_of_their_values(values: np.ndarray, seed: int) -> None:
    weights = np.random.default_rng(seed).random(values.shape) + 0.1
    levels = to_levels(values, 3, weights)
    for code in np.unique(levels.codes):
        of_level = levels.codes == code
        mean = np.average(values[of_level], weights=weights[of_level])
        np.testing.assert_allclose(levels.codebook[code], mean, rtol=1e-6, atol=1e-3)


def test_few_values_are_their_own_levels() -> None:
    values = np.array([[0.1, -2.0], [0.1, 7.0]])
    levels = to_levels(values, 3, np.ones((2, 2)))
    assert levels.values().tobytes() == values.tobytes()
    assert levels.codes.tolist() == [[1, 0], [1, 2]]


def test_levels_lie_where_the_weight_is() -> None:
    values = np.linspace(0.0, 1.0, 1001)
    weights = np.where(values < 0.1, 1000.0, 1.0)
    codebook = to_levels(values, 20, weights).codebook
    assert np.count_nonzero(codebook < 0.1) > 10
