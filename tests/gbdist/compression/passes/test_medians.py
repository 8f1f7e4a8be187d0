"""A few points stand for all, at the least cost that there is."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gbdist.compression.passes.medians import nearest_of_few


@settings(max_examples=200, deadline=None)
@given(data=st.data(), n=st.integers(1, 7))
def test_no_other_choice_costs_less(data: st.DataObject, n: int) -> None:
    unit = st.floats(0.0, 1.0)
    positions = np.sort(data.draw(arrays(np.float64, n, elements=unit)))
    costs = data.draw(arrays(np.float64, n, elements=unit))
    n_kept = data.draw(st.integers(1, n))
    found = nearest_of_few(positions, costs, n_kept)
    assert len(set(found.tolist())) <= n_kept
    assert found[found].tolist() == found.tolist()  # who stands for others stands for itself
    best = min(
        (costs * np.abs(positions[:, np.newaxis] - positions[list(kept)]).min(axis=1)).sum()
        for kept in combinations(range(n), n_kept)
    )
    np.testing.assert_allclose((costs * np.abs(positions - positions[found])).sum(), best, atol=1e-12)


def test_points_that_cost_most_stay() -> None:
    found = nearest_of_few(np.array([0.0, 0.1, 0.5, 0.6]), np.array([1.0, 5.0, 7.0, 1.0]), 2)
    assert found.tolist() == [1, 1, 2, 2]
