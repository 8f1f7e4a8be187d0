"""What ranks leave to their successors stays with the worker and the run that it is of, until the run is over."""

from collections.abc import Iterator

import pytest

from gbdist_cluster import legacy

A, B = "inproc://a", "inproc://b"  # two workers of one process


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    legacy.forget("one")
    legacy.forget("two")
    assert legacy._left == {}


def test_nothing_is_left_at_first() -> None:
    assert legacy.left(A, "one") is None


def test_what_is_left_is_the_object_itself_and_outlives_a_look() -> None:
    steps: list[int] = []
    legacy.leave(A, "one", steps)
    steps.append(7)  # a rank goes on to fill what it has left
    assert legacy.left(A, "one") is steps
    assert legacy.left(A, "one") == [7]


def test_the_last_word_counts() -> None:
    legacy.leave(A, "one", "first")
    legacy.leave(A, "one", "second")
    assert legacy.left(A, "one") == "second"


def test_workers_of_one_process_and_runs_on_one_worker_do_not_mix() -> None:
    for address, run in ((A, "one"), (B, "one"), (A, "two")):
        legacy.leave(address, run, (address, run))
    legacy.forget("one")
    assert [legacy.left(address, run) for address, run in ((A, "one"), (B, "one"), (B, "two"), (A, "two"))] == [
        None,
        None,
        None,
        (A, "two"),
    ]


def test_a_run_that_left_nothing_can_be_forgotten() -> None:
    legacy.leave(A, "two", 1)
    legacy.forget("one")
    assert legacy.left(A, "two") == 1
