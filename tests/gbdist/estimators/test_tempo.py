"""A rank's work is measured without what it waits for; the client knows a worker's speed once enough has been told of it."""

from typing import Any

import pytest

from gbdist.boosting.events import Event, IterationDone, RunStarted
from gbdist.estimators import tempo
from gbdist.estimators.tempo import Tempo, TreesWorked, WorkClock

TREE = IterationDone(0, {}, -1, 0.0)


class Rank:
    """A rank with a clock of its own: it works, waits for others, and has listeners that take their time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stops: bool = False) -> None:
        self.now = self.seconds_waited = 0.0
        self.stops = stops
        self.sent: list[Any] = []
        monkeypatch.setattr(tempo.time, "perf_counter", lambda: self.now)
        self.clock = WorkClock(3, self, self.sent.append, [self])

    def hear(self, event: Event) -> bool:
        self.now += 100.0
        return self.stops

    def grow(self, works: float, waits: float = 0.0) -> bool:
        self.now += works + waits
        self.seconds_waited += waits
        return self.clock.hear(TREE)


def test_work_is_neither_waiting_nor_listening_nor_the_first_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    rank = Rank(monkeypatch)
    rank.clock.hear(RunStarted(10, 1, 1, 2))
    rank.grow(works=7.0)
    assert rank.sent == []
    rank.grow(works=0.5, waits=4.0)
    assert rank.sent == [TreesWorked(3, 1, 0.5)]


def test_several_trees_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    rank = Rank(monkeypatch)
    monkeypatch.setattr(tempo, "PERIOD", 250.0)
    for _ in range(7):
        rank.grow(works=0.25)
    assert rank.sent == [TreesWorked(3, 3, 0.75), TreesWorked(3, 3, 0.75)]


def test_listeners_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Rank(monkeypatch).grow(1.0)
    assert Rank(monkeypatch, stops=True).grow(1.0)


ROWS = {"a": 10_000, "b": 20_000}


def told(heard: Tempo, rank: int, *seconds: float, trees: int = 10) -> None:
    for each in seconds:
        heard.take(TreesWorked(rank, trees, each))


def begun(rows: dict[str, int]) -> Tempo:
    heard = Tempo()
    heard.begin(rows, list(rows))
    return heard


def test_speeds_are_known_once_all_have_told_enough() -> None:
    heard = begun(ROWS)
    told(heard, 0, *[1.0] * 5)
    told(heard, 1, *[1.0] * 4)
    assert heard.speeds == {"a": pytest.approx(100_000.0)}
    assert not heard.heard_enough
    told(heard, 1, 1.0)
    assert heard.speeds["b"] == pytest.approx(200_000.0)
    assert heard.heard_enough


def test_few_trees_are_not_enough() -> None:
    heard = begun(ROWS)
    told(heard, 0, *[1.0] * 9, trees=1)
    assert heard.speeds == {}
    told(heard, 0, 1.0, trees=1)
    assert heard.speeds == {"a": pytest.approx(10_000.0)}


def test_a_disturbance_does_not_count_until_it_lasts() -> None:
    heard = begun(ROWS)
    told(heard, 0, *[1.0] * 5, *[5.0] * 4)
    assert heard.speeds["a"] == pytest.approx(100_000.0)
    told(heard, 0, 5.0)
    assert heard.speeds["a"] == pytest.approx(20_000.0)


def test_ranks_with_few_rows_are_at_least_as_fast_as_they_look() -> None:
    heard = begun({"a": 10_000, "b": 100})
    told(heard, 0, *[1.0] * 5)
    told(heard, 1, *[1.0] * 5)
    assert heard.heard_enough
    assert heard.speeds == {"a": pytest.approx(100_000.0)}
    heard.begin({"a": 100, "b": 10_000}, ["a", "b"])
    told(heard, 0, *[1.0] * 5)
    assert heard.speeds == {"a": pytest.approx(100_000.0)}
    told(heard, 0, *[0.001] * 5)
    assert heard.speeds == {"a": pytest.approx(1_000_000.0)}


def test_speeds_are_remembered_until_a_worker_leaves() -> None:
    heard = begun(ROWS)
    told(heard, 0, *[1.0] * 5)
    told(heard, 1, *[1.0] * 5)
    heard.begin({"b": 30_000}, ["b", "c"])
    assert heard.speeds == {"b": pytest.approx(200_000.0)}
    assert not heard.heard_enough
    told(heard, 0, *[1.0] * 5)
    assert heard.speeds == {"b": pytest.approx(300_000.0)}
