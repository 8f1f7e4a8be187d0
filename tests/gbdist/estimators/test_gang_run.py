"""Ranks agree on the steps that they begin with, and leave theirs to the next gang."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import Event, IterationDone, RunFinished, RunStarted
from gbdist.boosting.progress import Step
from gbdist.estimators.gang_run import Course, Relay, agreed_steps
from gbdist.models.tree import ObliviousTree, TreeSplit
from gbdist.snapshots.steps import encode_step
from gbdist_cluster.collective.channel import Traffic
from gbdist_cluster.collective.threads import run_threads

from .test_keeper import step

STEPS = [step(number) for number in range(7)]
RECORDS = [encode_step(each) for each in STEPS]


def agreed(counts: list[int], most: int | None) -> tuple[list[tuple[Step, ...]], list[Traffic]]:
    """What ranks that know so many steps each begin with, and what they sent for it."""

    def rank(collective: Any) -> tuple[tuple[Step, ...], Traffic]:
        return agreed_steps(STEPS[: counts[collective.rank]], most, collective), collective.traffic

    found = run_threads(len(counts), rank)
    return [steps for steps, _ in found], [traffic for _, traffic in found]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, len(STEPS)), min_size=1, max_size=4), st.none() | st.integers(0, len(STEPS) + 1))
def test_all_ranks_begin_with_the_most_that_any_knows_and_no_more_than_they_may(
    counts: list[int], most: int | None
) -> None:
    expected = RECORDS[: max(counts)] if most is None else RECORDS[: max(counts)][:most]
    for steps in agreed(counts, most)[0]:
        assert [encode_step(each) for each in steps] == expected
        assert steps[: min(counts)] == tuple(STEPS[: min(counts)])[: len(expected)]  # what all know is not read again


@pytest.mark.parametrize(
    ("counts", "most"),
    [
        pytest.param([0, 0, 0], None, id="nobody knows any"),
        pytest.param([4, 4, 4], None, id="all know the same"),
        pytest.param([4, 6, 5], 4, id="all know as many as they may"),
        pytest.param([4, 6, 5], 0, id="they may know none"),
    ],
)
def test_steps_travel_only_where_they_are_missing(counts: list[int], most: int | None) -> None:
    _, traffic = agreed(counts, most)
    _, of_counts = agreed([1, 1, 1], None)
    assert [each.bytes_sent for each in traffic] == [each.bytes_sent for each in of_counts]


def test_only_steps_that_some_rank_lacks_travel() -> None:
    _, few = agreed([6, 7], None)
    _, many = agreed([0, 7], None)
    assert sum(each.bytes_sent for each in few) + 5 * len(RECORDS[0]) < sum(each.bytes_sent for each in many)


def test_one_rank_agrees_with_itself() -> None:
    assert agreed_steps(STEPS, None, SingleRank()) == tuple(STEPS)
    assert agreed_steps(STEPS, 2, SingleRank()) == tuple(STEPS[:2])


def test_the_steps_of_folds_travel_too() -> None:
    folds = [(step(number), step(number + 1)) for number in range(4)]
    known = [folds[:1], folds, []]
    for steps in run_threads(3, lambda collective: agreed_steps(known[collective.rank], 3, collective)):
        assert [[encode_step(one) for one in each] for each in steps] == [RECORDS[k : k + 2] for k in range(3)]


class Context:
    """What a rank is given, as far as its course needs it."""

    def __init__(self) -> None:
        self.left: Any = None
        self.wants_pause = False
        self.checked = 0
        self.sent: list[Event] = []
        self.asked: list[Event] = []

    def leave(self, what: object) -> None:
        self.left = what

    def check_cancelled(self) -> None:
        self.checked += 1

    def emit(self, message: Event) -> None:
        self.sent.append(message)

    def ask(self, message: Event) -> bool:
        self.asked.append(message)
        return True


def test_a_course_leaves_the_steps_that_it_began_with_and_those_that_follow() -> None:
    context: Any = Context()
    begun = tuple(STEPS[:2])
    course = Course(context, begun)
    assert context.left == list(begun)
    for event in (RunStarted(9, 1, 1, 1), IterationDone(2, {}, -1, 0.0, STEPS[2]), RunFinished(3, "iterations")):
        assert course.hear(event) is False
    assert context.left == STEPS[:3]
    assert course.hear(IterationDone(3, {}, -1, 0.0)) is False  # a tree of another process has no step here
    assert context.left == STEPS[:3]
    assert len(begun) == 2


def test_a_course_is_controlled_by_the_client() -> None:
    context: Any = Context()
    course = Course(context, ())
    assert not course.wants_pause
    context.wants_pause = True
    assert course.wants_pause
    course.check()
    assert context.checked == 1


def test_a_gang_that_was_cancelled_ends_at_its_next_check() -> None:
    def cancelled() -> None:
        raise KeyError

    context: Any = SimpleNamespace(leave=lambda steps: None, check_cancelled=cancelled)
    with pytest.raises(KeyError):
        Course(context, ()).check()


@pytest.mark.parametrize("asks", [False, True])
def test_events_travel_without_steps_and_wait_for_an_answer_where_one_counts(asks: bool) -> None:
    tree = ObliviousTree((TreeSplit(0, 1),), np.zeros((2, 1)), np.ones(2))
    context: Any = Context()
    relay = Relay(context, asks)
    events = [RunStarted(9, 1, 1, 1), IterationDone(0, {}, -1, 0.0, Step(tree, {}, ())), RunFinished(1, "callback")]
    assert [relay.hear(event) for event in events] == [False, asks, False]
    assert context.asked == ([events[1]] if asks else [])
    assert context.sent == ([events[0], events[2]] if asks else events)
    assert all(event.step is None for event in (*context.asked, *context.sent) if isinstance(event, IterationDone))


def test_a_relay_waits_after_the_iterations_that_are_asked_about_alone() -> None:
    context: Any = Context()
    relay = Relay(context, {2}.__contains__)
    events = [IterationDone(number, {}, -1, 0.0) for number in range(3)]
    assert [relay.hear(event) for event in events] == [False, True, False]
    assert context.asked == [events[1]]
    assert context.sent == [events[0], events[2]]
