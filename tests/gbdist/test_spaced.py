"""Some of many things are evenly spaced, each once, from the first to the last."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gbdist.spaced import evenly_spaced


@given(st.integers(0, 5_000), st.integers(2, 5_000))
def test_places(n: int, most: int) -> None:
    places = evenly_spaced(n, most)
    assert places.dtype == np.int64
    assert len(places) == min(n, most)
    if n <= most:
        assert places.tolist() == list(range(n))
    else:
        assert (places[0], places[-1]) == (0, n - 1)
        gaps = np.diff(places)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
