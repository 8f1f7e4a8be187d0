"""Scales never let a sum leave its bits, and depend on global quantities alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.fixed_point import PACKED_ROWS_LIMIT, cell_scales, sum_scale


@settings(deadline=None)
@given(bound=st.floats(1e-200, 1e200), n_rows=st.integers(0, 2**40))
def test_sums_fit_62_bits(bound: float, n_rows: int) -> None:
    scale = sum_scale(bound, n_rows)
    assert np.log2(scale) == int(np.log2(scale))
    assert bound * max(n_rows, 1) * scale <= 2.0**62


@settings(deadline=None)
@given(n_rows=st.integers(1, PACKED_ROWS_LIMIT), total=st.floats(1e-12, 1e18))
def test_packed_cells_hold_the_sum_of_all_rows_each_rounded_up(n_rows: int, total: float) -> None:
    scales = cell_scales(n_rows, np.array([total]), total)
    assert not scales.wide
    assert total * scales.derivatives[0] + n_rows < 2**31
    assert total * scales.weight + n_rows < 2**32


def test_cells_become_wide_where_packed_ones_would_be_coarse() -> None:
    scales = cell_scales(PACKED_ROWS_LIMIT + 1, np.array([1.0, 0.0]), None)
    assert scales.wide
    assert scales.weight == 1.0
    assert scales.units.tolist() == [2.0**-46, 1.0, 1.0]
