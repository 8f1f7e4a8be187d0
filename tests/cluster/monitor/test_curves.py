"""Curves stay short and keep their shape: first and newest point, even gaps, ascending numbers."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist_cluster.monitor.curves import Curve, thinned


def curve_of(count: int, most: int) -> Curve:
    curve = Curve(most)
    for number in range(count):
        curve.add(number, -float(number))
    return curve


def test_a_short_curve_is_kept_whole() -> None:
    assert curve_of(3, 8).points == [[0, 0.0], [1, -1.0], [2, -2.0]]
    assert curve_of(0, 8).points == []
    assert curve_of(0, 8).last is None


def test_a_long_one_loses_every_second_point_and_keeps_the_newest() -> None:
    assert [number for number, _ in curve_of(8, 8).points] == [0, 2, 4, 6, 7]
    assert [number for number, _ in curve_of(9, 8).points] == [0, 2, 4, 6, 8]
    assert [number for number, _ in curve_of(16, 8).points] == [0, 4, 8, 12, 15]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3_000), st.integers(4, 50))
def test_whatever_its_length(count: int, most: int) -> None:
    numbers = [int(number) for number, _ in curve_of(count, most).points]
    assert len(numbers) <= most
    assert (numbers[0], numbers[-1]) == (0, count - 1)
    gaps = {after - before for before, after in pairwise(numbers[:-1])}
    assert len(gaps) <= 1
    assert len(numbers) >= min(count, most // 2)


def test_numbers_that_were_passed_change_nothing() -> None:
    curve = curve_of(5, 8)
    curve.add(2, 99.0)
    curve.add(4, 99.0)
    assert curve.last == (4, -4.0)
    assert len(curve.points) == 5


@pytest.mark.parametrize(("count", "most"), [(0, 3), (3, 3), (4, 3), (10, 3), (100, 40), (81, 40)])
def test_what_a_message_has_is_thinned_from_its_end(count: int, most: int) -> None:
    points = [(number, 0.5) for number in range(count)]
    kept = thinned(points, most)
    assert len(kept) <= most
    assert set(kept) <= set(points)
    assert kept[-1:] == points[-1:]
    assert kept == sorted(kept)
