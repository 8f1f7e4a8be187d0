"""What a listener hears of a run whose gangs are lost, and what its answers do."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.events import Event, Happened, IterationDone, RunFinished, RunStarted
from gbdist.estimators.told import Told


def started(resumed: int = 0) -> RunStarted:
    return RunStarted(10, 100, 2, 2, resumed=resumed)


def grown(number: int) -> IterationDone:
    return IterationDone(number, {}, -1, 0.0)


def told(
    events: Sequence[Event], *, trees: int = 0, stops_at: int | None = None
) -> tuple[list[Event], list[bool], Told]:
    """What the listener hears, what the ranks are answered, and what is remembered."""
    heard: list[Event] = []

    def listen(event: Event) -> bool:
        heard.append(event)
        return isinstance(event, IterationDone) and event.iteration == stops_at

    made = Told(listen, trees)
    return heard, [made.hear(event) for event in events], made


def test_each_event_is_told_once() -> None:
    first = [started(), grown(0), grown(1), grown(2)]
    second = [started(resumed=1), grown(1), grown(2), grown(3), RunFinished(4, "iterations")]
    heard, answers, _ = told([*first, *second])
    assert heard == [*first, *second[3:]]
    assert answers == [False] * len(answers)


def test_trees_that_were_gone_on_with_are_not_told_of() -> None:
    # A run that goes on from a snapshot of two trees, and loses one of them with its workers.
    heard, _, made = told([started(resumed=1), grown(1), grown(2)], trees=2)
    assert heard == [started(resumed=1), grown(2)]
    assert made.most_steps == 3


def test_an_answer_is_remembered_for_the_tree_that_is_grown_again() -> None:
    heard, answers, made = told([started(), grown(0), grown(1)], stops_at=1)
    assert answers == [False, False, True]
    assert made.most_steps == 1  # the next gang grows the last tree once more, and asks
    assert made.hear(started(resumed=1)) is False
    assert made.hear(grown(1)) is True
    assert len(heard) == 3


def test_an_answer_counts_for_its_own_iteration_where_more_was_lost() -> None:
    # A network's run that goes on from an older state than the one that was told of last.
    _, answers, made = told([started(), grown(0), grown(1), grown(2), started(resumed=1), grown(1)], stops_at=2)
    assert answers == [False, False, False, True, False, False]
    assert made.hear(grown(2)) is True


def test_nobody_who_listens_is_told_nothing_and_has_all_steps() -> None:
    made = Told(None, 3)
    assert not made.listens
    assert made.most_steps is None
    assert [made.hear(event) for event in (started(), grown(3), RunFinished(4, "iterations"))] == [False] * 3


def test_what_a_listener_returns_is_taken_as_yes_or_no() -> None:
    made = Told(lambda event: None, 0)
    assert made.hear(grown(0)) is False
    assert made.most_steps == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 8), max_size=6), st.integers(0, 4))
def test_whatever_gangs_lose_the_listener_hears_of_every_tree_in_order(lost: list[int], trees: int) -> None:
    heard: list[int] = []
    made = Told(lambda event: heard.append(event.iteration) if isinstance(event, IterationDone) else None, trees)
    at = trees
    for step_back in lost:  # each gang grows five trees, and the next one begins some before
        for number in range(at, at + 5):
            made.hear(grown(number))
        at = max(0, at + 5 - step_back)
    assert heard == list(range(trees, trees + len(heard)))
    assert made.most_steps == trees + len(heard)


def test_what_happens_between_trees_does_not_take_back_an_answer() -> None:
    lost = Happened("lost", "worker tcp://10.0.0.2:1 was lost")
    heard, answers, made = told([started(), grown(0), grown(1), lost], stops_at=1)
    assert heard[-1] == lost
    assert answers == [False, False, True, True]
    assert made.most_steps == 1
