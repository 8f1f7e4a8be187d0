"""When other workers, or other shares for slow ones, make a run end so much sooner that it is worth beginning an epoch."""

from dataclasses import replace

import pytest

from gbdist.estimators.elastic import Pace, pays, speeds_of

# A hundred trees of a second each so far, nine hundred to go, rows of 100 bytes.
PACE = Pace(done=100, left=900, seconds=1.0, row_bytes=100, replay=0.15)
EVEN = {"a": 100_000, "b": 100_000}


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param({}, None, id="nothing is known"),
        pytest.param({"a": 7.0}, None, id="one is known, others are as fast"),
        pytest.param({"a": 10.0, "b": 8.1}, None, id="noise"),
        pytest.param({"a": 10.0, "b": 6.0}, {"a": 10.0, "b": 6.0, "c": 8.0}, id="a third one has the mean speed"),
        pytest.param({"a": 10.0, "x": 1.0}, None, id="of those that are meant"),
        pytest.param({"a": 10.0, "b": 9.0, "c": 20.0}, {"a": 10.0, "b": 9.0, "c": 20.0}, id="a fast one"),
    ],
)
def test_speeds(measured: dict[str, float], expected: dict[str, float] | None) -> None:
    assert speeds_of(measured, ["a", "b", "c"]) == expected


@pytest.mark.parametrize(
    ("pace", "then", "expected"),
    [
        pytest.param(PACE, {"a": 66_667, "b": 66_667, "c": 66_666}, True, id="a third of each tree"),
        # Saved: a third of a second for each of 30 trees left. To replay 100 trees costs 15 s, to begin anew 2, all twice.
        pytest.param(replace(PACE, left=30), {"a": 66_667, "b": 66_667, "c": 66_666}, False, id="at the end"),
        pytest.param(
            replace(PACE, left=30, done=3),
            {"a": 66_667, "b": 66_667, "c": 66_666},
            True,
            id="as few trees again",
        ),
        # 33,333 rows of a megabyte take five minutes.
        pytest.param(
            replace(PACE, row_bytes=1_000_000), {"a": 66_667, "b": 66_667, "c": 66_666}, False, id="rows are large"
        ),
        pytest.param(PACE, {**EVEN, "c": 0}, False, id="nothing to do for who came"),
        # A twentieth of a second for each of 900 trees: new workers need no part of a tree that is fair.
        pytest.param(PACE, {"a": 95_000, "b": 95_000, "c": 10_000}, True, id="a little, often"),
    ],
)
def test_workers_that_came(pace: Pace, then: dict[str, int], expected: bool) -> None:
    assert pays(pace, EVEN, then, None) == expected


SLOW = {"a": 300_000.0, "b": 100_000.0}
BY_SPEED = {"a": 150_000, "b": 50_000}


@pytest.mark.parametrize(
    ("pace", "rows", "then", "expected"),
    [
        # b works a second for a tree, a third of one; then half a second each. It costs twice 17.05 s.
        pytest.param(PACE, EVEN, BY_SPEED, True, id="half of each tree"),
        pytest.param(replace(PACE, left=68), EVEN, BY_SPEED, False, id="34 seconds in all"),
        pytest.param(replace(PACE, left=69), EVEN, BY_SPEED, True, id="34.5 seconds in all"),
        pytest.param(replace(PACE, left=69, levelled=1), EVEN, BY_SPEED, False, id="the same, the second time"),
        pytest.param(replace(PACE, left=137, levelled=1), EVEN, BY_SPEED, True, id="twice as much"),
        pytest.param(replace(PACE, left=272, levelled=2), EVEN, BY_SPEED, False, id="less than four times as much"),
        pytest.param(PACE, EVEN, {"a": 114_000, "b": 86_000}, False, id="14 % of a tree"),
        pytest.param(PACE, EVEN, {"a": 115_000, "b": 85_000}, True, id="15 % of a tree"),
        pytest.param(PACE, BY_SPEED, BY_SPEED, False, id="levelled already"),
        pytest.param(replace(PACE, seconds=4.0), EVEN, BY_SPEED, False, id="most of a tree is not work"),
        pytest.param(PACE, EVEN, EVEN, False, id="rows that cannot be split"),
        pytest.param(PACE, EVEN, {"a": 200_000}, True, id="without the slow one"),
    ],
)
def test_a_slow_worker(pace: Pace, rows: dict[str, int], then: dict[str, int], expected: bool) -> None:
    assert pays(pace, rows, then, SLOW) == expected
