"""Trials side by side: each once, wherever its places go, however the search ends. What they train is a formula here."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from gbdist.boosting.events import IterationDone
from gbdist.errors import ClusterError, DataError
from gbdist.estimators.listeners import progress_listener
from gbdist.selection.evaluating.result import FoldScores
from gbdist.selection.searching import trials as module
from gbdist.selection.searching.events import SearchStarted, TrialAdvanced, TrialEnded, TrialStarted
from gbdist.selection.searching.hearing import is_told
from gbdist.selection.searching.opening import Where
from gbdist.selection.searching.samplers import make_search
from gbdist.selection.searching.spaces import read_space
from gbdist.selection.searching.study import Ledger
from gbdist.selection.searching.trials import Course, Trials
from gbdist.selection.searching.workers import Places, Trained

SPACE = {"x": {"low": 0.0, "high": 1.0}}
ITERATIONS = 9


class Formula(BaseEstimator):  # type: ignore[misc]
    def __init__(self, x: float = 0.0) -> None:
        self.x = x


@dataclass(frozen=True)
class Named:
    name: str = "score"
    in_training: bool = True

    def of(self, values: Any) -> float:
        return float(values["M"])


def scores(x: float, iterations: int = ITERATIONS, stopped: str = "iterations") -> FoldScores:
    return FoldScores({"score": np.array([x, x])}, None, np.zeros(2), np.zeros(2), None, iterations, stopped)


def train(trained: Trained) -> FoldScores:
    """Iterations whose score is ``x`` from the first one on, told of as fits tell."""
    listener = progress_listener(None)
    assert listener is not None
    x = trained.estimator.x
    for iteration in range(ITERATIONS):
        listener.hear(IterationDone(iteration, {"validation": {"M": x}}, -1, 0.0))
        if trained.asked_after is not None and not trained.watch(iteration + 1, x):
            return scores(x, iteration + 1, "callback")
    return scores(x)


@dataclass(eq=False)
class FakePlace:
    work: Callable[[Trained], FoldScores]
    lost: bool = False
    closed: bool = False
    ran: list[float] = field(default_factory=list)

    def run(self, trained: Trained) -> FoldScores:
        self.ran.append(trained.estimator.x)
        return self.work(trained)

    def close(self) -> None:
        self.closed = True


class FakePlaces(Places):
    """Hands out what it is given, once each."""

    def __init__(self, *places: FakePlace, side_by_side: int | None = None) -> None:
        many = len(places) if side_by_side is None else side_by_side
        super().__init__(many, many, None)
        self._left, self.closed = list(places), False

    def another(self, wait: float = 0.0) -> Any:
        if self._left:
            return self._left.pop(0)
        if wait:
            raise ClusterError("There are no workers", "Start some.")
        return None

    def close(self) -> None:
        self.closed = True


def book(search: Any = "random", n_trials: int | None = 6, pruner: Any = None) -> Ledger:
    space = read_space(SPACE)
    made = make_search(search, pruner, space, seed=5, iterations=ITERATIONS)
    return Ledger(Where(), made, space, n_trials, {"digest": "f" * 64})


def course(heard: list[Any], **more: Any) -> Course:
    usual = {
        "estimator": Formula(),
        "scorers": (Named(),),
        "asked_after": None,
        "iterations_of": lambda estimator: ITERATIONS,
        "train_scores": False,
        "raises": False,
        "timeout": None,
        "listeners": (heard.append,),
    }
    return Course(**{**usual, **more})


def ran(ledger: Ledger) -> list[tuple[int, str, float | None]]:
    return [(one.number, one.state, one.score) for one in ledger.records()]


@pytest.fixture
def expected() -> list[tuple[int, str, float | None]]:
    ledger = book()
    Trials(ledger, FakePlaces(FakePlace(train)), course([])).run()
    return ran(ledger)


def test_how_many_run_side_by_side_does_not_change_what_comes_out(expected: Any) -> None:
    meet = threading.Barrier(3)

    def together(trained: Trained) -> FoldScores:
        meet.wait(timeout=10)  # nobody goes on before all three run
        return train(trained)

    ledger, places = book(), [FakePlace(together) for _ in range(3)]
    Trials(ledger, FakePlaces(*places), course([])).run()
    assert ran(ledger) == expected
    assert [len(place.ran) for place in places] == [2, 2, 2]
    assert all(place.closed for place in places)


def test_listeners_hear_of_every_trial_in_its_order() -> None:
    heard: list[Any] = []
    ledger = book(n_trials=2)
    Trials(ledger, FakePlaces(FakePlace(train)), course(heard)).run()
    kinds = [SearchStarted, *([TrialStarted] + [TrialAdvanced] * ITERATIONS + [TrialEnded]) * 2]
    assert [type(event) for event in heard] == kinds
    assert (heard[0].trials, heard[0].done, heard[0].side_by_side) == (2, 0, 1)
    first, second = (event for event in heard if isinstance(event, TrialEnded))
    assert (first.number, second.number) == (0, 1)
    assert first.score == first.best == first.params["x"]
    assert second.best == max(first.params["x"], second.params["x"])
    assert heard[3].iteration == 2


def test_a_lost_place_costs_no_trial(expected: Any) -> None:
    lost = FakePlace(train)

    def lose(trained: Trained) -> FoldScores:
        lost.lost = True
        raise ClusterError("The worker has left", "Add workers.")

    lost.work = lose
    ledger, heard = book(), []  # type: ignore[var-annotated]
    Trials(ledger, FakePlaces(lost, FakePlace(train), side_by_side=1), course(heard)).run()
    assert ran(ledger) == expected
    assert [event.number for event in heard if isinstance(event, TrialEnded)] == [0, 1, 2, 3, 4, 5]
    assert lost.closed


def test_a_trial_that_loses_one_place_after_another_has_failed() -> None:
    def lose(trained: Trained) -> FoldScores:
        if trained.estimator.x == first:
            next(place for place in places if trained.estimator.x in place.ran and not place.lost).lost = True
            raise MemoryError("killed")
        return train(trained)

    drawn = book().next()
    assert drawn is not None
    first = drawn.params["x"]
    places = [FakePlace(lose) for _ in range(4)]
    ledger = book()
    Trials(ledger, FakePlaces(*places, side_by_side=1), course([])).run()
    assert [state for _, state, _ in ran(ledger)] == ["failed", *["complete"] * 5]


def test_no_workers_end_the_search_and_leave_the_trial_free() -> None:
    lost = FakePlace(train, lost=True)
    lost.work = lambda trained: scores(1 / 0)
    ledger = book()
    with pytest.raises(ClusterError, match="There are no workers"):
        Trials(ledger, FakePlaces(lost), course([])).run()
    assert ran(ledger) == []
    Trials(ledger, FakePlaces(FakePlace(train)), course([])).run()
    assert len(ran(ledger)) == 6


def test_no_workers_to_begin_with_are_told() -> None:
    with pytest.raises(ClusterError, match="There are no workers"):
        Trials(book(), FakePlaces(side_by_side=1), course([])).run()


def test_a_place_that_cannot_be_given_back_ends_the_search() -> None:
    class Stuck(FakePlaces):
        def give_back(self, place: Any) -> None:
            raise RuntimeError("it is stuck")

    ledger = book()
    with pytest.raises(RuntimeError, match="it is stuck"):
        Trials(ledger, Stuck(FakePlace(train)), course([])).run()
    assert len(ran(ledger)) == 6


def test_what_is_wrong_with_the_cluster_ends_the_search() -> None:
    def busy(trained: Trained) -> FoldScores:
        raise ClusterError("The workers were busy", "Wait.")

    ledger = book()
    with pytest.raises(ClusterError, match="busy"):
        Trials(ledger, FakePlaces(FakePlace(busy)), course([])).run()
    assert ran(ledger) == []
    assert ledger.next() is not None


def test_a_failed_trial_is_one_of_many() -> None:
    def refuse(trained: Trained) -> FoldScores:
        if trained.estimator.x > 0.5:
            raise DataError("X", "no rows", "some", "Add rows.")
        return train(trained)

    ledger, heard = book(), []  # type: ignore[var-annotated]
    found = Trials(ledger, FakePlaces(FakePlace(refuse)), course(heard))
    found.run()
    failed = [one for one in ledger.records() if one.state == "failed"]
    assert 0 < len(failed) < 6
    assert all(one.params["x"] > 0.5 and "DataError: X: found no rows" in one.error for one in failed)
    assert isinstance(found.first_error, DataError)
    assert {event.error for event in heard if isinstance(event, TrialEnded)} == {"", str(found.first_error)}


def test_the_first_failure_ends_a_search_that_asks_for_that() -> None:
    def refuse(trained: Trained) -> FoldScores:
        raise DataError("X", "no rows", "some", "Add rows.")

    ledger = book()
    with pytest.raises(DataError):
        Trials(ledger, FakePlaces(FakePlace(refuse)), course([], raises=True)).run()
    assert len(ran(ledger)) == 1


def test_pruned_trials_stop_at_once() -> None:
    ledger = book("hyperband", n_trials=12)
    place = FakePlace(train)
    Trials(ledger, FakePlaces(place), course([], asked_after={1, 3, 9}.__contains__)).run()
    records = ledger.records()
    pruned = [one for one in records if one.state == "pruned"]
    assert pruned
    assert all(one.result["iterations"] < ITERATIONS and one.result["stopped"] == "callback" for one in pruned)
    whole = [one for one in records if one.state == "complete"]
    assert all(one.result["iterations"] == ITERATIONS for one in whole)
    best = max(records, key=lambda one: one.result["test"]["score"][0])
    assert best.state == "complete"


def test_time_that_is_over_ends_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    begun, stopped = threading.Event(), threading.Event()

    def wait(trained: Trained) -> FoldScores:
        begun.set()
        while not stopped.wait(0.001):
            train(trained)  # raises once the search has ended
        return scores(0.0)

    ledger = book()
    monkeypatch.setattr(ledger, "beat", lambda: begun.wait(timeout=10))  # before the clock is looked at
    Trials(ledger, FakePlaces(FakePlace(wait)), course([], timeout=0.001)).run()
    assert begun.is_set()
    assert ran(ledger) == []
    assert ledger.next() is not None


def test_an_interrupt_ends_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(trained: Trained) -> FoldScores:
        while True:
            train(trained)

    ledger = book()
    found = Trials(ledger, FakePlaces(FakePlace(wait)), course([]))
    monkeypatch.setattr(ledger, "beat", lambda: (_ for _ in ()).throw(KeyboardInterrupt()))
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    with pytest.raises(KeyboardInterrupt):
        found.run()
    assert ran(ledger) == []
    monkeypatch.undo()
    Trials(ledger, FakePlaces(FakePlace(train)), course([])).run()
    assert len(ran(ledger)) == 6


def test_a_listener_that_raises_ends_the_search() -> None:
    def listener(event: Any) -> None:
        if isinstance(event, TrialEnded):
            raise RuntimeError("the table is full")

    with pytest.raises(RuntimeError, match="the table is full"):
        Trials(book(), FakePlaces(FakePlace(train)), course([], listeners=(listener,))).run()


def test_iterations_of_two_digits_that_count_are_told() -> None:
    assert [n for n in range(1, 131) if is_told(n)] == [*range(1, 101), 110, 120, 130]
    assert [n for n in range(950, 1300) if is_told(n)] == [950, 960, 970, 980, 990, 1000, 1100, 1200]
