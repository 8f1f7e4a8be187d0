"""Ranks that make steps of their own and average now and then: when they are alike, and that they learn as one does."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.errors import ParameterError
from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.network import Network
from gbdist.neural.network.numbers import held_dtype
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.compression import Exact
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.state import Progress, TrainState
from gbdist.neural.training.strategies.base import Strategy
from gbdist.neural.training.strategies.local import Local
from gbdist.neural.training.strategies.sync import Sync
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import PeerLost

from ..tables import Course, Interruption, fitted, fitted_on, make_table, same_bits

SPEC = NetworkSpec(4, (8,), 1, "binary_log_loss")
N_ROWS, BATCH = 240, 24  # ten batches an epoch


def params_of(kind: str = "local", precision: str = "float64", solver: str = "adam", **strategy: Any) -> TrainParams:
    rate = 0.01 if solver == "adam" else 0.1
    how = StrategyParams(kind=kind, **{"period": 4, **strategy})
    return TrainParams(
        solver=solver, batch_size=BATCH, precision=precision, learning_rate_init=rate, alpha=1e-3, strategy=how
    )


@dataclass(frozen=True)
class Table:
    """Rows, and the ranks that own them."""

    rows: Batch
    owner: NDArray[np.int64]

    def of(self, rank: int, batch: int) -> Batch:
        """A rank's rows of a batch of neighbours."""
        return self.rows.some((self.owner == rank) & (np.arange(N_ROWS) // BATCH == batch))


def table_of(size: int, *, weighted: bool = False, dtype: Any = np.float64) -> Table:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((N_ROWS, 4))
    y = (x @ [1.0, -2.0, 0.5, 0.0] + 0.5 * rng.standard_normal(N_ROWS) > 0).astype(dtype)[:, None]
    weight = rng.uniform(0.5, 2.0, N_ROWS).astype(dtype) if weighted else None
    codes, numbers = np.empty((N_ROWS, 0), np.int32), np.arange(N_ROWS, dtype=np.uint64)
    return Table(Batch(x.astype(dtype), codes, y, weight, numbers), np.arange(N_ROWS) % size)


def begun(strategy: Strategy, params: TrainParams) -> Strategy:
    network = Network(SPEC, params.precision)
    strategy.begin(Progress(network.initial(3).astype(held_dtype(params.precision))))
    return strategy


def local_of(collective: Collective, table: Table, params: TrainParams) -> Local:
    return Local(Network(SPEC, params.precision), params, collective, float((table.owner == collective.rank).mean()))


def epoch(strategy: Strategy, table: Table, rank: int, params: TrainParams, batches: Sequence[int] = range(10)) -> None:
    for batch in batches:
        strategy.step(table.of(rank, batch), params.learning_rate_init, None, pause=False)


def told(progress: Progress) -> tuple[Any, ...]:
    """All that a progress says, as something that is compared bit for bit."""
    rest = replace(progress, flat=np.empty(0), moments=())
    return progress.flat.tobytes(), tuple(each.tobytes() for each in progress.moments), repr(rest)


def ran(size: int, table: Table, params: TrainParams, epochs: int = 2) -> list[tuple[Progress, list[float]]]:
    """Progress of each rank after some epochs, and the losses that they tell."""

    def routine(collective: Collective) -> tuple[Progress, list[float]]:
        strategy = begun(local_of(collective, table, params), params)
        losses = []
        for _ in range(epochs):
            strategy.begin_epoch()
            epoch(strategy, table, collective.rank, params)
            losses.append(strategy.end_epoch())
            assert strategy.end_epoch() == losses[-1]
        return strategy.progress(), losses

    return run_threads(size, routine, deadline=30)


@pytest.mark.parametrize(
    "more",
    [{}, {"groups": 2}, {"compression": "fp16"}, {"compression": "top-k", "kept_share": 0.2}, {"period": 3}],
    ids=str,
)
@pytest.mark.parametrize("precision", ["float64", "float32", "fp16"])
def test_all_ranks_are_alike_after_an_epoch_and_runs_repeat(more: dict[str, Any], precision: str) -> None:
    params = params_of(precision=precision, **more)
    table = table_of(3, weighted=True, dtype=held_dtype(precision))
    first, second = ran(3, table, params), ran(3, table, params)
    assert {told(progress) for progress, _ in first} == {told(first[0][0])}
    assert [told(progress) for progress, _ in first] == [told(progress) for progress, _ in second]
    assert first[0][0].rows == N_ROWS
    assert first[0][1][1] < first[0][1][0] < 0.9


@pytest.mark.parametrize(
    ("more", "settled"),
    [
        ({}, [3, 7]),
        ({"period": 1}, list(range(10))),
        ({"period": 20}, []),
        ({"groups": 2}, []),
        ({"compression": "fp16"}, []),
    ],
    ids=str,
)
def test_ranks_are_alike_exactly_where_it_says_so(more: dict[str, Any], settled: list[int]) -> None:
    params, table = params_of(**more), table_of(4)

    def routine(collective: Collective) -> tuple[list[int], list[bytes]]:
        strategy = begun(local_of(collective, table, params), params)
        strategy.begin_epoch()
        seen, flats = [], []
        for batch in range(10):
            epoch(strategy, table, collective.rank, params, [batch])
            if strategy.settled:
                seen.append(batch)
                assert strategy.progress().flat.tobytes() == strategy._flat.tobytes()
            flats.append(strategy._flat.tobytes() + b"".join(each.tobytes() for each in strategy._moments))
        return seen, flats

    found = run_threads(4, routine, deadline=30)
    assert [seen for seen, _ in found] == [settled] * 4
    alike = [batch for batch in range(10) if len({flats[batch] for _, flats in found}) == 1]
    assert alike == settled


def test_groups_average_among_themselves_until_the_epoch_ends() -> None:
    params, table = params_of(groups=2), table_of(4)

    def routine(collective: Collective) -> list[bytes]:
        strategy = begun(local_of(collective, table, params), params)
        epoch(strategy, table, collective.rank, params, range(4))
        flats = [strategy._flat.tobytes()]
        epoch(strategy, table, collective.rank, params, range(4, 10))
        strategy.end_epoch()
        return [*flats, strategy._flat.tobytes()]

    (one, two, three, four) = run_threads(4, routine, deadline=30)
    assert one[0] == two[0] != three[0] == four[0]
    assert len({each[1] for each in (one, two, three, four)}) == 1


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_one_step_of_descent_is_that_of_sync(solver: str) -> None:
    """The average of steps that are linear in the gradient is the step of the sum; Adam's is not linear."""
    params = replace(params_of(solver=solver, period=1), momentum=0.9)
    table = table_of(3, weighted=True)
    alone = begun(Sync(Network(SPEC, "float64"), params, Exact(SingleRank())), params)
    epoch(alone, replace(table, owner=table.owner * 0), 0, params, [0])

    def routine(collective: Collective) -> Progress:
        strategy = begun(local_of(collective, table, params), params)
        epoch(strategy, table, collective.rank, params, [0])
        return strategy.progress()

    for found in run_threads(3, routine):
        off = float(np.abs(found.flat - alone.progress().flat).max())
        assert off < 2e-5 if solver == "sgd" else off > 1e-4
        assert found.rows == BATCH
        assert found.loss_sum == pytest.approx(alone.progress().loss_sum, rel=1e-2)


def test_ranks_weigh_as_much_as_their_rows() -> None:
    """Rank 0 alone has rows of the first batches: the others make no step, and take its parameters over."""
    table = table_of(2)
    owner = np.where(np.arange(N_ROWS) < 4 * BATCH, 0, 1)
    table, params = replace(table, owner=owner), params_of()

    def routine(collective: Collective) -> tuple[bytes, bytes, int]:
        strategy = begun(local_of(collective, table, params), params)
        epoch(strategy, table, collective.rank, params, range(3))
        before = strategy._flat.tobytes()
        epoch(strategy, table, collective.rank, params, [3])
        return before, strategy._flat.tobytes(), strategy.progress().step

    (_, mine, steps), (start, theirs, also) = run_threads(2, routine)
    assert start == Network(SPEC, "float64").initial(3).tobytes()
    assert mine == theirs != start
    assert steps == also == 4


def test_rank_without_rows_takes_part() -> None:
    table = replace(table_of(3), owner=np.arange(N_ROWS) % 2)
    progresses = [progress for progress, _ in ran(3, table, params_of())]
    assert {told(each) for each in progresses} == {told(progresses[0])}
    assert np.isfinite(progresses[0].flat).all()


@pytest.mark.parametrize("kind", ["local", "groups", "fp16"])
def test_a_run_goes_on_from_where_ranks_were_alike(kind: str) -> None:
    more: dict[str, Any] = {"local": {}, "groups": {"groups": 2}, "fp16": {"compression": "fp16"}}[kind]
    params, table = params_of(**more), table_of(4)
    whole = [told(progress) for progress, _ in ran(4, table, params)]

    def routine(collective: Collective) -> tuple[Any, ...]:
        rank = collective.rank
        strategy = begun(local_of(collective, table, params), params)
        strategy.begin_epoch()
        epoch(strategy, table, rank, params)
        strategy.end_epoch()
        strategy.begin_epoch()
        done = 8 if kind == "local" else 0
        epoch(strategy, table, rank, params, range(done))
        # These steps are lost with a peer.
        epoch(strategy, table, rank, params, range(done, 9))
        left = strategy.held()
        assert left is not None
        again = local_of(collective, table, params)
        again.begin(left)
        epoch(again, table, rank, params, range(done, 10))
        again.end_epoch()
        return told(again.progress())

    assert run_threads(4, routine, deadline=30) == whole


def test_what_is_held_is_not_changed_by_later_steps() -> None:
    params, table = params_of(), table_of(2)

    def routine(collective: Collective) -> bool:
        strategy = begun(local_of(collective, table, params), params)
        epoch(strategy, table, collective.rank, params, range(4))
        held = strategy.held()
        assert held is not None
        before = told(held)
        epoch(strategy, table, collective.rank, params, range(4, 10))
        return told(held) == before and strategy.held() is not held

    assert run_threads(2, routine) == [True, True]


def test_a_pause_is_wanted_by_all_where_they_meet() -> None:
    params, table = params_of(), table_of(2)

    def routine(collective: Collective) -> list[bool]:
        strategy = begun(local_of(collective, table, params), params)
        seen = []
        for batch in range(4):
            strategy.step(table.of(collective.rank, batch), 0.01, None, pause=collective.rank == 1 and batch == 1)
            seen.append(strategy.paused)
        return seen

    assert run_threads(2, routine) == [[False, False, False, True]] * 2


def test_a_message_is_sent_once_a_period() -> None:
    def sent(**more: Any) -> int:
        params, table = params_of(precision="float32", **more), table_of(2, dtype=np.float32)

        def routine(collective: Any) -> int:
            strategy = begun(local_of(collective, table, params), params)
            before = collective.traffic.bytes_sent
            epoch(strategy, table, collective.rank, params, range(4))
            return int(collective.traffic.bytes_sent - before)

        return run_threads(2, routine)[0]

    n, head = Network(SPEC, "float32").n_parameters, 57  # and what ranks say of themselves
    assert sent(period=5) == 0
    assert sent(period=4) == 3 * 4 * n + head
    assert sent(period=2) == 2 * (3 * 4 * n + head)
    assert sent(period=4, compression="fp16") == 2 * n + 16 + head  # two factors of 8 bytes
    assert sent(period=4, compression="top-k", kept_share=0.1) == 8 * 5 + head


def test_worker_lost_during_an_average_leaves_what_was_held() -> None:
    """The third rank fails while the others wait for it: all still have what they agreed on before."""
    params, table = params_of(), table_of(3)

    def routine(collective: Any) -> None:
        strategy = begun(local_of(collective, table, params), params)
        epoch(strategy, table, collective.rank, params, range(4))
        kept = told(strategy.progress())
        epoch(strategy, table, collective.rank, params, range(4, 7))
        if collective.rank == 2:
            collective.all_gather = lambda item: 1 / 0
        all_there.wait(20)
        try:
            epoch(strategy, table, collective.rank, params, [7])
        except (PeerLost, ZeroDivisionError):
            held = strategy.held()
            found.append(held is not None and told(held) == kept and not strategy.settled)
            raise

    found, all_there = list[bool](), threading.Barrier(3)
    with pytest.raises(ZeroDivisionError):
        run_threads(3, routine, deadline=20)
    assert found == [True] * 3


@pytest.mark.parametrize(("solver", "decoupled"), [("sgd", False), ("sgd", True), ("adam", True)])
def test_the_penalty_pulls_as_with_sync(solver: str, decoupled: bool) -> None:
    """Weights that the loss says nothing about shrink at the same pace, whatever becomes of the learning rate."""
    params = replace(params_of(solver=solver, period=2), alpha=2.0, decoupled=decoupled)
    table, network = table_of(4), Network(SPEC, "float64")
    flat = network.initial(3)
    network.slots[1].of(flat)[0] = -1e6  # bias of a unit that is never active

    def dead_weights(strategy: Strategy, rank: int, of: Table) -> NDArray[Any]:
        strategy.begin(Progress(flat))
        epoch(strategy, of, rank, params)
        strategy.end_epoch()
        return network.slots[0].of(strategy.progress().flat)[:, 0].copy()

    one = Sync(network, params, Exact(SingleRank()))
    alone = dead_weights(one, 0, replace(table, owner=table.owner * 0))
    assert (np.abs(alone) < 0.99 * np.abs(network.slots[0].of(flat)[:, 0])).all()
    for found in run_threads(4, lambda one: dead_weights(local_of(one, table, params), one.rank, table)):
        np.testing.assert_allclose(found, alone, rtol=1e-9)


def test_loss_that_is_no_number_ends_the_run() -> None:
    table = make_table("regression")
    params = TrainParams(
        solver="sgd", learning_rate_init=1e6, max_iter=3, strategy=StrategyParams(kind="local", period=2)
    )
    with pytest.raises(ParameterError, match="learning_rate_init"):
        fitted_on(3, table, params)


@pytest.mark.parametrize("at", [4, 5, 6, 11, 14])
def test_rank_that_fails_leaves_a_state_from_which_the_run_ends_the_same(at: int) -> None:
    table = make_table(weighted=True)
    params = TrainParams(
        max_iter=3, batch_size=16, learning_rate_init=0.01, strategy=StrategyParams(kind="local", period=4)
    )
    whole = fitted_on(3, table, params)[0]
    kept: dict[int, TrainState] = {}

    def fails(rows: NetworkRows, collective: Collective) -> Any:
        course = Course(end=at) if collective.rank == 1 else Course()
        rank = collective.rank
        return train(
            rows, [], table.spec, params, collective, control=course, keep=lambda state: kept.update({rank: state})
        )

    with pytest.raises(Interruption):
        fitted_on(3, table, params, fails)

    def goes_on(rows: NetworkRows, collective: Collective) -> Any:
        return train(rows, [], table.spec, params, collective, start=kept.get(collective.rank))

    assert max(state.reached for state in kept.values()) >= (at // 6, at % 6 // 4 * 4)
    for state in fitted_on(3, table, params, goes_on):
        assert same_bits(state, whole)


def test_one_rank_alone_trains_as_sync() -> None:
    table, params = make_table(), TrainParams(max_iter=2, batch_size=16)
    alone = fitted(table, replace(params, strategy=StrategyParams(kind="local", period=5)))
    assert same_bits(alone, fitted(table, params))
