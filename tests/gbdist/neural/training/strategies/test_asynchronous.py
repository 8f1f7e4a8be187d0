"""Ranks that run ahead of the steps: how far, with which parameters, and what is left of a run when one of them is lost."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective
from gbdist.errors import ParameterError
from gbdist.metrics import make_metrics
from gbdist.neural.network.network import Network
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.state import Progress, TrainState
from gbdist.neural.training.strategies.asynchronous import Asynchronous, Sums
from gbdist.neural.training.strategies.replica import Replica
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import PeerLost

from ..tables import Course, Interruption, NetworkTable, fitted, fitted_on, make_table, same_bits

BATCH, BATCHES = 15, 6  # of 90 rows


def params_of(kind: str = "async", *, solver: str = "adam", precision: str = "float64", **strategy: Any) -> TrainParams:
    rate = 0.01 if solver == "adam" else 0.05
    how = StrategyParams(kind=kind, **{"staleness": 2, **strategy})
    return TrainParams(
        solver=solver,
        precision=precision,
        learning_rate_init=rate,
        batch_size=BATCH,
        max_iter=3,
        alpha=0.01,
        strategy=how,
    )


@dataclass(frozen=True)
class Batches:
    """The batches of a rank's rows, in their order; epoch after epoch the same."""

    rows: NetworkRows

    def of(self, number: int) -> Any:
        numbers = self.rows.numbers()
        return self.rows.batch(np.flatnonzero(numbers // BATCH == number % BATCHES), numbers)


def begun(table: NetworkTable, collective: Collective, params: TrainParams) -> Asynchronous:
    network = Network(table.spec, params.precision)
    strategy = Asynchronous(network, params, collective)
    strategy.begin(Progress(network.initial(3).astype(np.float64 if params.precision == "float64" else np.float32)))
    return strategy


def on_ranks(
    n_ranks: int, table: NetworkTable, params: TrainParams, work: Callable[..., Any], **more: Any
) -> list[Any]:
    """What ``work(strategy, step, rank)`` gives on each rank; ``step(batch, pause)`` makes a step."""

    def routine(rows: NetworkRows, collective: Collective) -> Any:
        strategy, batches = begun(table, collective, params), Batches(rows)

        def step(number: int, *, pause: bool = False) -> None:
            strategy.step(batches.of(number), params.learning_rate_init, None, pause)

        return work(strategy, step, collective.rank)

    return fitted_on(n_ranks, table, params, routine, **{"deadline": 30, **more})


def by_hand(table: NetworkTable, params: TrainParams, steps: int) -> list[bytes]:
    """Parameters after each step, of a single rank that keeps gradients back."""
    network = Network(table.spec, params.precision)
    replica, batches = Replica(network, params), Batches(table.rows)
    replica.begin(Progress(network.initial(3)))
    rate, kept, flats = params.learning_rate_init, deque[Any](), [replica.progress().flat.copy()]
    for number in range(steps + params.strategy.staleness):
        if len(kept) > params.strategy.staleness:
            replica.take(kept.popleft(), rate)
            flats.append(replica.progress().flat.copy())
        kept.append(replica.message(batches.of(number), None, False, [rate] * len(kept)).copy())
    return flats


@pytest.mark.parametrize("precision", ["float64", "float32", "fp16"])
@pytest.mark.parametrize(("solver", "decoupled"), [("sgd", False), ("adam", False), ("adam", True)])
def test_without_staleness_it_is_sync_to_the_bit(precision: str, solver: str, decoupled: bool) -> None:
    table = make_table("multiclass", weighted=True, dropout=0.2)
    params = replace(params_of(solver=solver, precision=precision, staleness=0), decoupled=decoupled)
    for state in fitted_on(3, table, params):
        assert same_bits(state, fitted_on(3, table, replace(params, strategy=StrategyParams()))[0])


@pytest.mark.parametrize("staleness", [1, 2, 5, 100])
@pytest.mark.parametrize("precision", ["float64", "float32", "fp16"])
@pytest.mark.parametrize("more", [{}, {"compression": "fp16"}, {"compression": "top-k", "kept_share": 0.3}], ids=str)
def test_all_ranks_end_alike_and_runs_repeat(staleness: int, precision: str, more: dict[str, Any]) -> None:
    table, params = make_table(weighted=True), params_of(precision=precision, staleness=staleness, **more)
    first, second = fitted_on(4, table, params), fitted_on(4, table, params)  # one of four ranks has no rows
    assert all(same_bits(state, first[0]) for state in [*first, *second])
    assert first[0].progress.rows == (90 if precision != "fp16" else first[0].progress.rows)
    assert first[0].loss_curve[2] < first[0].loss_curve[0]


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("staleness", [1, 3])
def test_steps_are_those_of_one_rank_that_keeps_gradients_back(solver: str, staleness: int) -> None:
    table, params = make_table(weighted=True), params_of(solver=solver, staleness=staleness)
    expected = by_hand(table, params, 9)

    def work(strategy: Asynchronous, step: Callable[..., None], rank: int) -> list[Any]:
        flats = []
        for number in range(9):
            step(number)
            assert not strategy.settled
            assert strategy.beyond == max(0, number - staleness)
            flats.append(strategy.progress().flat.copy())
        strategy.end_epoch()
        assert (strategy.settled, strategy.progress().step) == (True, 9)
        return flats

    for flats in on_ranks(3, table, params, work):
        for number, flat in enumerate(flats):
            np.testing.assert_allclose(flat, expected[max(0, number - staleness)], rtol=0, atol=1e-11)


@pytest.mark.parametrize("slow", [0, 1, 2])
def test_ranks_go_on_for_staleness_batches_while_one_stands_still(slow: int) -> None:
    """The slow rank makes no step at all until the others have ended their last one that needs nothing of it."""
    table, params, staleness = make_table(), params_of(staleness=2), 2
    ahead = threading.Barrier(3)

    def work(strategy: Asynchronous, step: Callable[..., None], rank: int) -> bytes:
        if rank == slow:
            ahead.wait(20)
        for number in range(staleness + 1):
            step(number)
        if rank != slow:
            ahead.wait(20)
        for number in range(staleness + 1, 10):
            step(number)
        strategy.end_epoch()
        return strategy.progress().flat.tobytes()

    assert len(set(on_ranks(3, table, params, work))) == 1


def test_what_comes_after_the_last_sum_is_left_for_others() -> None:
    params = params_of()

    def routine(collective: Collective) -> object:
        sums = Sums(collective, params)
        sums.give(np.arange(10.0))
        if collective.rank == 0:
            total = sums.next()
            collective.send(1, b"something else")
            sent.set()
            return total.tolist()
        assert sent.wait(20)
        sums.look()
        return sums.next().tolist(), collective.receive(0)

    sent = threading.Event()
    total = (2 * np.arange(10.0)).tolist()
    assert run_threads(2, routine, deadline=20) == [total, (total, b"something else")]


@pytest.mark.parametrize("staleness", [0, 1, 4])
def test_nobody_is_further_ahead(staleness: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, message = list[int](), Replica.message

    def counted(self: Replica, batch: Any, noise: Any, pause: bool, under_way: Sequence[float] = ()) -> Any:
        seen.append(len(under_way))
        return message(self, batch, noise, pause, under_way)

    monkeypatch.setattr(Replica, "message", counted)
    fitted_on(3, make_table(), params_of(staleness=staleness))
    assert max(seen) == staleness


@pytest.mark.parametrize("staleness", [0, 2])
def test_a_pause_is_made_by_all_ranks_after_the_same_batch(staleness: int) -> None:
    table, params = make_table(), params_of(staleness=staleness)

    def work(strategy: Asynchronous, step: Callable[..., None], rank: int) -> tuple[int, bytes, int]:
        for number in range(20):
            step(number, pause=(rank, number) == (1, 4))
            assert strategy.paused == strategy.settled
            if strategy.paused:
                return number, strategy.progress().flat.tobytes(), strategy.progress().step
        raise AssertionError

    found = on_ranks(3, table, params, work)
    assert len(set(found)) == 1
    assert (found[0][0], found[0][2]) == (4 + staleness + 1, 4 + staleness + 2)


def test_a_run_that_pauses_goes_on_to_the_same_end_on_every_rank() -> None:
    table, params = make_table(), params_of()
    kept: dict[int, TrainState] = {}

    def pauses(rows: NetworkRows, collective: Collective) -> Any:
        course, rank = Course(pause=7 if collective.rank == 1 else -1), collective.rank
        return train(
            rows, [], table.spec, params, collective, control=course, keep=lambda state: kept.update({rank: state})
        )

    assert fitted_on(3, table, params, pauses) == [None] * 3
    assert {state.reached for state in kept.values()} == {
        (1, 5)
    }  # of the batches 6 … 11, three after the one of the wish

    def goes_on(rows: NetworkRows, collective: Collective) -> Any:
        return train(rows, [], table.spec, params, collective, start=kept[collective.rank])

    ends = fitted_on(3, table, params, goes_on)
    assert all(same_bits(state, ends[0]) for state in ends)
    assert (ends[0].progress.step, ends[0].progress.rows) == (3 * BATCHES, 90)


@pytest.mark.parametrize("lost", [0, 2])
@pytest.mark.parametrize("at", [3, 6, 8, 14])
def test_rank_that_fails_leaves_replicas_of_which_one_has_all_but_the_batches_under_way(lost: int, at: int) -> None:
    table, params = make_table(weighted=True), params_of()
    kept: dict[int, TrainState] = {}
    flats: dict[int, bytes] = {}

    def noted(rows: NetworkRows, collective: Collective) -> Any:
        return train(rows, [], table.spec, params, collective)

    def fails(rows: NetworkRows, collective: Collective) -> Any:
        rank = collective.rank
        course = Course(end=at) if rank == lost else Course()
        return train(
            rows, [], table.spec, params, collective, control=course, keep=lambda state: kept.update({rank: state})
        )

    with pytest.MonkeyPatch.context() as patch:
        take = Replica.take

        def take_and_note(self: Replica, total: Any, rate: float) -> None:
            take(self, total, rate)
            flats[self.progress().step] = self.progress().flat.tobytes()

        patch.setattr(Replica, "take", take_and_note)
        fitted_on(3, table, params, noted)
    with pytest.raises(Interruption):
        fitted_on(3, table, params, fails)
    for state in kept.values():
        done = state.epoch * BATCHES + state.batch
        assert state.progress.step == done
        assert done == 0 or state.progress.flat.tobytes() == flats[done]
    assert max(state.epoch * BATCHES + state.batch for state in kept.values()) >= at - params.strategy.staleness - 1

    def goes_on(rows: NetworkRows, collective: Collective) -> Any:
        return train(rows, [], table.spec, params, collective, start=kept.get(collective.rank))

    ends = fitted_on(2, table, params, goes_on)
    assert same_bits(*ends)
    assert (ends[0].progress.step, ends[0].progress.rows) == (3 * BATCHES, 90)


def test_server_lost_while_the_others_wait_leaves_a_replica_on_each() -> None:
    table, params = make_table(), params_of(staleness=1)
    held: list[tuple[int, int]] = []

    def work(strategy: Asynchronous, step: Callable[..., None], rank: int) -> None:
        for number in range(5):
            step(number)
        if rank == 0:
            raise ZeroDivisionError
        try:
            strategy.end_epoch()
        except PeerLost:
            found = strategy.held()
            assert found is not None
            held.append((found.step, strategy.beyond))
            raise

    with pytest.raises(ZeroDivisionError):
        on_ranks(3, table, params, work)
    assert [step for step, _ in held] == [beyond for _, beyond in held]
    assert all(3 <= step <= 5 for step, _ in held)  # all had made the step of the third batch to begin the fifth


def ran_ahead(then: Callable[[Asynchronous, Callable[..., None]], Any]) -> Any:
    """What ``then(strategy, step)`` gives on a server that knows three sums and has made no step yet."""
    table, params, ahead = make_table(), params_of(staleness=3), threading.Barrier(2)

    def work(strategy: Asynchronous, step: Callable[..., None], rank: int) -> Any:
        step(0)
        step(1)
        if rank == 1:
            step(2)
            ahead.wait(20)
            for number in range(3, 6):
                step(number)
            return strategy.end_epoch()
        ahead.wait(20)
        step(2)
        return then(strategy, step)

    return on_ranks(2, table, params, work)[0]


def test_what_is_held_is_all_that_is_known_here() -> None:
    def then(strategy: Asynchronous, step: Callable[..., None]) -> tuple[Any, ...]:
        assert (strategy.progress().step, strategy.beyond) == (0, 0)
        held = strategy.held()
        assert held is not None
        before = held.step, strategy.beyond
        for number in range(3, 6):
            step(number)
        strategy.end_epoch()
        return before, strategy.progress().step

    assert ran_ahead(then) == ((3, 3), 6)


def test_a_step_that_fails_is_no_part_of_what_is_held() -> None:
    def then(strategy: Asynchronous, step: Callable[..., None]) -> tuple[Any, ...]:
        take = strategy._replica.take

        def fails_the_second_time(total: Any, rate: float) -> None:
            if strategy.progress().step == 1:
                raise ZeroDivisionError
            take(total, rate)

        strategy._replica.take = fails_the_second_time  # type: ignore[method-assign]
        step(3)
        step(4)
        with pytest.raises(ZeroDivisionError):
            step(5)
        held = strategy.held()  # although the third sum is known
        assert held is not None
        found.append((held.step, strategy.beyond))
        raise ZeroDivisionError

    found: list[tuple[int, int]] = []
    with pytest.raises(ZeroDivisionError):
        ran_ahead(then)
    assert found == [(1, 1)]


@pytest.mark.parametrize(
    ("solver", "staleness", "there"), [("sgd", 1, True), ("adam", 1, True), ("adam", 2, True), ("sgd", 20, False)]
)
def test_it_comes_where_sync_comes_in_at_most_1_3_times_the_epochs(solver: str, staleness: int, there: bool) -> None:
    table, epochs = make_table(n=1_500, hidden=(16, 8)), 20

    def best(kind: str, epochs: int) -> float:
        params = replace(params_of(kind, solver=solver, staleness=staleness), batch_size=60, max_iter=epochs)
        params = replace(params, n_iter_no_change=epochs, metrics=make_metrics("Logloss", 2, "Logloss"))

        def routine(collective: Collective) -> float:
            rank = collective.rank
            rows, held_out = (table.part([(a + rank * n, a + rank * n + n)]) for a, n in ((0, 300), (1_200, 75)))
            state = train(rows, [held_out], table.spec, params, collective)
            assert state is not None
            return min(state.history["validation"]["Logloss"])

        return run_threads(4, routine, deadline=60)[0]

    # On 300 rows the losses of two runs that are as good differ by about a hundredth.
    assert (best("async", epochs * 13 // 10) < 1.02 * best("sync", epochs)) == there


def test_loss_that_is_no_number_ends_the_run() -> None:
    params = replace(params_of(solver="sgd"), learning_rate_init=1e6)
    with pytest.raises(ParameterError, match="learning_rate_init"):
        fitted_on(3, make_table("regression"), params)


def test_one_rank_alone_trains_as_sync() -> None:
    table, params = make_table(), params_of(staleness=3)
    assert same_bits(fitted(table, params), fitted(table, replace(params, strategy=StrategyParams())))


@pytest.mark.parametrize(("more", "of_gradient", "of_sum"), [({}, 8, 8), ({"compression": "fp16"}, 2, 2)], ids=str)
def test_the_server_sends_a_sum_to_each_rank_and_they_send_it_a_gradient(
    more: dict[str, Any], of_gradient: int, of_sum: int
) -> None:
    table, params = make_table(), params_of(**more)
    size = Network(table.spec).n_parameters
    behind = 4 * 8 + (8 if more else 0)

    def work(rows: NetworkRows, collective: Any) -> tuple[int, int]:
        strategy, batches = begun(table, collective, params), Batches(rows)
        for number in range(7):
            strategy.step(batches.of(number), 0.01, None, False)
        strategy.end_epoch()
        return collective.traffic.messages, collective.traffic.bytes_sent

    found = fitted_on(3, table, params, work)
    assert found[0] == (14, 14 * (of_sum * size + behind))
    assert found[1:] == [(7, 7 * (of_gradient * size + behind))] * 2
