"""States of a network's run: each rank leaves the newest one, the client hears of it and fetches it, one at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.estimators.networks import keeping
from gbdist.estimators.networks.keeping import Leaver, StateKeeper, StateLeft
from gbdist.neural.training.state import Progress, TrainState, encode_state
from gbdist_cluster.parcels import LeftPlace

HERE, THERE = LeftPlace("tcp://10.0.0.1:1", "r"), LeftPlace("tcp://10.0.0.2:1", "r")


def state(epoch: int, batch: int = 0) -> TrainState:
    return TrainState(Progress(np.full(3, float(epoch))), epoch, batch)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Rank:
    """A rank's context, as far as it is asked here."""

    place = HERE

    def __init__(self, rank: int = 0) -> None:
        self.rank = rank
        self.left: list[TrainState] = []
        self.told: list[tuple[int, int]] = []

    def leave(self, what: TrainState) -> None:
        self.left.append(what)

    def emit(self, message: StateLeft) -> None:
        assert message.place == HERE
        self.told.append(message.reached)


def test_a_rank_leaves_every_state_and_tells_of_few() -> None:
    context: Any = Rank()
    clock = Clock()
    leave = Leaver(context, clock)
    for epoch in range(1, 5):  # four epochs within one period
        clock.now += keeping.PERIOD / 4
        leave(state(epoch))
    assert [one.epoch for one in context.left] == [1, 2, 3, 4]
    assert context.told == [(1, 0)]
    clock.now += keeping.PERIOD
    leave(state(5))
    leave(state(5, batch=7))  # an error has ended the run within an epoch
    assert context.told == [(1, 0), (5, 0), (5, 7)]


def test_other_ranks_tell_only_of_what_they_alone_may_have() -> None:
    context: Any = Rank(rank=1)
    leave = Leaver(context, Clock())
    leave(state(1))
    leave(state(1, batch=2))
    assert context.told == [(1, 2)]


class Courier:
    """Brings what it is told to bring, when it is told."""

    def __init__(self, client: object) -> None:
        self.asked: list[str] = []
        self.busy = False
        self.arrived: bytes | None = None
        self.closed = 0

    def send_for(self, place: LeftPlace, pack: Callable[[Any], bytes]) -> None:
        assert not self.busy
        assert pack is encode_state
        self.asked.append(place.address)
        self.busy = True

    def arrive(self, what: TrainState | None) -> None:
        self.arrived = None if what is None else encode_state(what)

    def take(self, wait: float = 0.0) -> bytes | None:
        found, self.arrived = self.arrived, None
        self.busy = self.busy and found is None
        return found

    def close(self) -> None:
        self.closed += 1
        self.busy = False


class Keeping:
    """A keeper with a clock and a courier of ours, and what it has given on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, start: TrainState | None = None) -> None:
        monkeypatch.setattr(keeping, "Courier", Courier)
        self.heard: list[tuple[bytes, int]] = []
        self.clock = Clock()
        client: Any = None
        self.keeper = StateKeeper(client, start, lambda record, epochs: self.heard.append((record, epochs)), self.clock)

    @property
    def courier(self) -> Any:
        return self.keeper._courier

    def tell(self, *reached: tuple[int, int], place: LeftPlace = HERE) -> None:
        for each in reached:
            self.keeper.take(StateLeft(place, each))


def test_the_newest_state_is_fetched_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Keeping(monkeypatch)
    assert (run.keeper.record, run.keeper.reached, run.keeper.told_of) == (None, (0, 0), (0, 0))
    run.tell((1, 0), (2, 0))
    assert run.courier.asked == [HERE.address]
    run.courier.arrive(state(3))  # a newer one was there meanwhile
    run.clock.now += 0.01
    run.keeper.look()
    assert run.keeper.record == encode_state(state(3))
    assert run.heard == [(encode_state(state(3)), 3)]
    run.tell((4, 0))
    assert len(run.courier.asked) == 1  # not yet
    run.clock.now += keeping.PERIOD
    run.keeper.look()
    assert len(run.courier.asked) == 2


def test_what_takes_long_to_fetch_is_fetched_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Keeping(monkeypatch)
    run.tell((1, 0))
    run.clock.now += 3.0
    run.courier.arrive(state(1))
    run.tell((2, 0))
    run.clock.now += 29.0
    run.keeper.look()
    assert len(run.courier.asked) == 1
    run.clock.now += 2.0
    run.keeper.look()
    assert len(run.courier.asked) == 2


def test_an_older_state_takes_no_newer_ones_place(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Keeping(monkeypatch, start=state(4))
    assert run.keeper.reached == run.keeper.told_of == (4, 0)
    run.tell((5, 0))
    run.courier.arrive(state(4))
    run.keeper.look()
    assert run.keeper.record == encode_state(state(4))
    assert run.heard == []


def test_after_a_loss_the_next_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Keeping(monkeypatch)
    run.tell((7, 0))
    run.keeper.lost()
    assert run.courier.closed == 1
    assert not run.courier.busy
    run.keeper.look()
    assert run.courier.asked == [HERE.address]  # nobody is known who has it
    run.tell((6, 3), place=THERE)  # what was left of the run
    assert run.keeper.told_of == (6, 3)
    assert run.courier.asked == [HERE.address, THERE.address]
    run.courier.arrive(state(6, 3))
    run.keeper.look()
    assert run.keeper.reached == (6, 3)
    run.keeper.close()
    assert run.courier.closed == 2
