"""Axes reach to what is worth seeing."""

import numpy as np
import pytest

from gbdist.report.style import nearly_all


@pytest.mark.parametrize(("greater", "ends"), [(False, (-0.5, 9.5)), (True, (0.5, 10.5))])
def test_an_axis_reaches_from_the_best_to_nearly_the_worst(greater: bool, ends: tuple[float, float]) -> None:
    values = np.array([np.nan, -np.inf, np.inf, *range(11)])
    made = nearly_all(values, greater_is_better=greater, left_out=0.1, room=0.5 / 9)
    assert (made.start, made.end) == pytest.approx(ends)


def test_an_axis_of_one_value_or_none() -> None:
    alone = nearly_all(np.array([3.0]), greater_is_better=True, left_out=0.1, room=0.1)
    assert (alone.start, alone.end) == (2.5, 3.5)
    none = nearly_all(np.array([np.nan]), greater_is_better=True, left_out=0.1, room=0.1)
    assert (none.start, none.end) == (0, 1)
