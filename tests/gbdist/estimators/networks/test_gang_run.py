"""Where the ranks of a network's gang begin: with the furthest state that is known, and no epoch is told twice or not at all."""

from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import IterationDone
from gbdist.estimators.gang_run import Relay
from gbdist.estimators.networks.gang_run import NetworkRunSpec, _begun, untold
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.state import Progress, TrainState, encode_state
from gbdist_cluster.collective.threads import run_threads


def state(epoch: int, batch: int = 0, stopped: str = "") -> TrainState:
    losses = tuple(1.0 / (number + 1) for number in range(epoch))
    history = {"validation": {"AUC": [0.5 + 0.1 * number for number in range(epoch)]}}
    progress = Progress(np.full(4, float(epoch + batch / 10)))
    return TrainState(
        progress, epoch, batch, loss_curve=losses, history=history, best=0.7, best_epoch=2, stopped=stopped
    )


def spec(**more: Any) -> NetworkRunSpec:
    given = {"tells": True, "asks": False, "told": 0, "stops": False, **more}
    return NetworkRunSpec((), NetworkSpec(1, (), 1, "squared_error"), None, (), TrainParams(), (None,), **given)


class Context:
    """A rank's, as far as it is asked here: what its predecessor has left, and a client that answers."""

    def __init__(self, left: TrainState | None = None, stops_at: int = -1) -> None:
        self.left, self.stops_at = left, stops_at
        self.told: list[IterationDone] = []

    def leave(self, what: TrainState) -> None:
        self.left = what

    def emit(self, event: IterationDone) -> None:
        self.told.append(event)

    def ask(self, event: IterationDone) -> bool:
        self.told.append(event)
        return event.iteration == self.stops_at


def begun(context: Any, run: NetworkRunSpec) -> TrainState | None:
    return _begun(context, run, SingleRank(), Relay(context, run.asks) if run.tells else None)


def test_epochs_that_nobody_was_told_of_have_their_values() -> None:
    events = untold(state(4), 2)
    assert [event.iteration for event in events] == [2, 3]
    assert events[0].metrics == {"learn": {"loss": 1 / 3}, "validation": {"AUC": pytest.approx(0.7)}}
    assert [(event.best, event.best_value) for event in untold(state(4), 0)] == [(-1, 0.7)] * 2 + [(2, 0.7)] * 2
    assert untold(state(3), 3) == []


@pytest.mark.parametrize(
    ("left", "known", "expected"),
    [
        pytest.param(None, None, None, id="nothing is known"),
        pytest.param(state(2, 5), state(2), (2, 5), id="the rank has gone on from what the client has"),
        pytest.param(state(1), state(2), (2, 0), id="the client has what was lost with the others"),
        pytest.param(None, state(2), (2, 0), id="a snapshot"),
    ],
)
def test_the_furthest_state_counts(
    left: TrainState | None, known: TrainState | None, expected: tuple[int, int] | None
) -> None:
    context = Context(left)
    found = begun(context, spec(state=None if known is None else encode_state(known), told=2))
    assert (None if found is None else found.reached) == expected
    assert context.left is found or found is None
    assert context.told == []


def test_all_ranks_begin_alike() -> None:
    left = [state(1), state(2, 3), None]

    def rank(collective: Any) -> TrainState | None:
        return _begun(Context(left[collective.rank]), spec(), collective, None)  # type: ignore[arg-type]

    found = run_threads(3, rank)
    assert [encode_state(each) for each in found] == [encode_state(state(2, 3))] * 3


@pytest.mark.parametrize("asks", [False, True])
def test_the_client_is_told_of_what_it_has_missed(asks: bool) -> None:
    context = Context(state(4))
    found = begun(context, spec(told=3, asks=asks))
    assert [event.iteration for event in context.told] == [3]
    assert found is not None
    assert found.stopped == ""
    assert begun(Context(state(4)), spec(told=3, tells=False)) is not None  # where nobody listens nobody is told


@pytest.mark.parametrize(
    ("stops", "stops_at", "told", "expected"),
    [
        pytest.param(False, 3, 3, "callback", id="the answer to what was missed"),
        pytest.param(True, -1, 4, "callback", id="the answer that was lost"),
        pytest.param(True, -1, 5, "", id="the epoch it was about was lost too, and is asked about again"),
        pytest.param(False, -1, 4, "", id="nobody wanted to stop"),
    ],
)
def test_an_answer_that_was_lost_counts(stops: bool, stops_at: int, told: int, expected: str) -> None:
    found = begun(Context(state(4), stops_at), spec(told=told, asks=True, stops=stops))
    assert found is not None
    assert found.stopped == expected


def test_a_run_that_was_over_stays_so() -> None:
    found = begun(Context(state(4, stopped="converged"), stops_at=3), spec(told=3, asks=True))
    assert found is not None
    assert found.stopped == "converged"
