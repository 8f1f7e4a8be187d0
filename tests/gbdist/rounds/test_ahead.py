"""A trainer that runs ahead of the merge: how far, and how it ends."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.rounds.ahead import Ahead
from gbdist.rounds.training import Grown

from .conftest import MakeSpec


class Puppet:
    """Stands for a trainer: says which rounds have begun, and from what."""

    def __init__(self, fails_at: int = -1) -> None:
        self.begun: list[int] = []
        self.started_from: list[object] = []
        self._fails_at = fails_at
        self._start: object = None
        self._changed = threading.Condition()

    def grow(self, number: int, wanted: Callable[[], bool]) -> Grown:
        with self._changed:
            self.begun.append(number)
            self.started_from.append(self._start)
            self._changed.notify_all()
        if number == self._fails_at:
            raise OSError("injected")
        return Grown((b"%d" % number,), np.zeros(1))

    def go_on_from(self, predictions: object) -> None:
        self._start = predictions

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: number in self.begun, timeout=20)


class Model:
    """Stands for the merged model after some rounds."""

    def __init__(self, number: int) -> None:
        self.sets = [self]
        self.predictions = number


def ahead(puppet: Any, spec: Any, wanted: Callable[[], bool] = lambda: True) -> Ahead:
    return Ahead(puppet, spec, wanted)


@pytest.mark.parametrize("max_staleness", [0, 1, 3])
def test_trainer_runs_ahead_as_far_as_it_may(make_spec: MakeSpec, max_staleness: int) -> None:
    puppet = Puppet()
    with ahead(puppet, make_spec(rounds=8, max_staleness=max_staleness)) as schedule:
        for number in range(8):
            furthest = min(number + max_staleness, 7)
            puppet.wait_for(furthest)
            assert schedule.grow(number).models == (b"%d" % number,)
            assert puppet.begun == list(range(furthest + 1))
            schedule.met(Model(number))  # type: ignore[arg-type]
    assert puppet.begun == list(range(8))


def test_best_goes_on_from_the_newest_merged_model(make_spec: MakeSpec) -> None:
    puppet = Puppet()
    with ahead(puppet, make_spec(rounds=5, merge="best", max_staleness=2)) as schedule:
        schedule.grow(0)
        assert puppet.begun == [0]  # there is nothing to go on from yet, however far it might run ahead
        schedule.met(Model(0))  # type: ignore[arg-type]
        puppet.wait_for(3)
        for number in (1, 2, 3):
            schedule.grow(number)
            schedule.met(Model(number))  # type: ignore[arg-type]
        schedule.grow(4)
    assert puppet.started_from[:4] == [None, 0, 0, 0]
    assert puppet.started_from[4] in (1, 2, 3)


def test_error_is_raised_when_its_round_comes(make_spec: MakeSpec) -> None:
    with ahead(Puppet(fails_at=2), make_spec(rounds=5, max_staleness=9)) as schedule:
        assert [schedule.grow(number).models for number in range(2)] == [(b"0",), (b"1",)]
        for _ in range(2):
            with pytest.raises(OSError, match="injected"):
                schedule.grow(2)


def test_trainer_that_waits_for_its_turn_ends_with_the_block(make_spec: MakeSpec) -> None:
    puppet = Puppet()
    with ahead(puppet, make_spec(rounds=5, max_staleness=0)) as schedule:
        schedule.grow(0)
    assert puppet.begun == [0]
    assert not schedule._thread.is_alive()


@pytest.mark.parametrize("how", ["the block ends", "the run is not wanted"])
def test_trainer_stops_between_two_trees(make_spec: MakeSpec, how: str) -> None:
    training, stopped, run_over = threading.Event(), threading.Event(), threading.Event()

    class Endless(Puppet):
        def grow(self, number: int, wanted: Callable[[], bool]) -> Grown:
            training.set()
            for _ in range(20_000):  # trees of a millisecond
                if not wanted():
                    stopped.set()
                    break
                run_over.wait(0.001)
            return super().grow(number, wanted)

    with ahead(Endless(), make_spec(rounds=1), lambda: not run_over.is_set()) as schedule:
        assert training.wait(20)
        if how == "the run is not wanted":
            run_over.set()
            schedule.grow(0)
    assert stopped.is_set()
