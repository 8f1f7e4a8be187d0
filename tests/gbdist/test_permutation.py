"""Permutations that need no state."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.kernels.hashing import stream_key
from gbdist.permutation import SORTED_BELOW, permuted

KEY = stream_key(7)


@given(st.one_of(st.integers(1, 40), st.integers(SORTED_BELOW - 2, 20_000)), st.integers(0, 2**32 - 1))
def test_every_place_is_taken_once(n: int, seed: int) -> None:
    places = permuted(stream_key(seed), n, np.arange(n))
    assert places.dtype == np.int64
    np.testing.assert_array_equal(np.sort(places), np.arange(n))


@pytest.mark.parametrize("n", [100, 10_007])
def test_some_numbers_have_the_places_that_they_have_among_all(n: int) -> None:
    some = np.array([3, 0, n - 1, 57])
    np.testing.assert_array_equal(permuted(KEY, n, some), permuted(KEY, n, np.arange(n))[some])


def test_large_numbers_stay_below_n() -> None:
    n = 10**12 + 39
    places = permuted(KEY, n, np.arange(n - 50_000, n))
    assert np.unique(places).shape == (50_000,)
    assert places.min() >= 0
    assert places.max() < n
    assert 0.45 < places.mean() / n < 0.55


@pytest.mark.parametrize("n", [SORTED_BELOW - 1, SORTED_BELOW, 100_000])
def test_places_have_no_pattern(n: int) -> None:
    places = permuted(KEY, n, np.arange(n))
    # Of neighbours, far ones and rows with the same last digits, as many pairs rise as fall.
    for gap in (1, 2, 64, 1000, int(np.sqrt(n))):
        assert abs((places[gap:] > places[:-gap]).mean() - 0.5) < 2.5 / np.sqrt(n)
    # The first tenth is drawn from all regions alike.
    regions = np.histogram(np.flatnonzero(places < n // 10), bins=10, range=(0, n))[0]
    assert abs(regions / (n // 10) - 0.1).max() < 3 / np.sqrt(n)
