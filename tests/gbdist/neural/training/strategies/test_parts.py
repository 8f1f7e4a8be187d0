"""Ranks that share a network make the steps that one rank makes, in groups too."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.neural.network.arrays import NUMPY
from gbdist.neural.network.blocks import Batch, Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.numbers import TOLERANCES
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.compression import Exact
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.state import Progress
from gbdist.neural.training.strategies.base import Strategy
from gbdist.neural.training.strategies.parts import strategy_of_parts
from gbdist.neural.training.strategies.pipeline import Pipeline, costs_of
from gbdist.neural.training.strategies.spread import AgreedSums, Spread
from gbdist.neural.training.strategies.sync import Sync
from gbdist.neural.training.strategies.tensor import Tensor
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import PeerLost

from ...network.other_memory import OTHER

N_ROWS, BATCH_ROWS, EPOCHS = 45, 12, 2
EDGES = ((-1.0, 0.0, 1.0, 2.0), (-2.0, 0.5, 3.0), (-3.0, 3.0))

PLAIN = NetworkSpec(3, (70, 65, 40), 3, "log_loss")
SPECS = {
    "plain": PLAIN,
    "one hidden layer": NetworkSpec(3, (64,), 1, "binary_log_loss", "tanh"),
    "residual": NetworkSpec(3, (68, 68, 64, 64), 2, "squared_error", "silu", residual=True),
    "dropout": replace(PLAIN, dropout=0.4, label_smoothing=0.1),
    "residual and dropout": NetworkSpec(3, (72, 72, 72), 3, "binary_log_loss", residual=True, dropout=0.25),
    "categories": NetworkSpec(3, (64, 64), 3, "log_loss", categories=(5, 9), category_sizes=(2, 4), dropout=0.1),
    "piecewise": NetworkSpec(
        3, (66, 10), 2, "squared_error", numeric_embedding="piecewise", embedding_size=4, edges=EDGES, residual=True
    ),
    "periodic": NetworkSpec(
        3, (64, 64), 1, "squared_error", "logistic", (5, 9), (1, 2), "periodic", 3, 4, 0.1, dropout=0.2, residual=True
    ),
}
WAYS = [("pipeline", 2, 0), ("pipeline", 4, 2), ("tensor", 2, 0), ("tensor", 4, 0), ("tensor", 4, 2)]


class Trained(NamedTuple):
    """What a rank has seen: the whole after the last epoch, losses of epochs, raw outputs of its own rows by number."""

    progress: Progress
    losses: list[float]
    outputs: dict[int, list[float]]


def rows_of(spec: NetworkSpec, dtype: Any, weighted: bool) -> Batch:
    """All rows; row numbers do not begin with 0."""
    draw = np.random.default_rng(5)
    targets = {
        "log_loss": draw.integers(0, spec.n_outputs, N_ROWS).astype(np.int32),
        "binary_log_loss": draw.integers(0, 2, (N_ROWS, spec.n_outputs)).astype(dtype),
        "squared_error": draw.normal(size=(N_ROWS, spec.n_outputs)).astype(dtype),
    }
    codes = [draw.integers(0, count, N_ROWS) for count in spec.categories]
    return Batch(
        draw.normal(size=(N_ROWS, spec.n_numeric)).astype(dtype),
        np.array(codes, np.int32).reshape(len(codes), N_ROWS).T,
        targets[spec.loss],
        draw.uniform(0.5, 2.0, N_ROWS).astype(dtype) if weighted else None,
        np.arange(N_ROWS, dtype=np.uint64) + np.uint64(1000),
    )


def owners(size: int) -> Any:
    """Which rank has which row: uneven, and rank 1 has none in the first batch."""
    owner = np.random.default_rng(6).integers(0, size, N_ROWS) * np.random.default_rng(7).integers(0, 2, N_ROWS)
    owner[:BATCH_ROWS][owner[:BATCH_ROWS] == 1] = 0
    return owner


def epochs(strategy: Strategy, params: TrainParams, spec: NetworkSpec, rank: int, size: int, dtype: Any) -> Trained:
    rows, owner, losses = rows_of(spec, dtype, weighted=True), owners(size), []
    for epoch in range(EPOCHS):
        strategy.begin_epoch()
        for number, first in enumerate(range(0, N_ROWS, BATCH_ROWS)):
            which = np.arange(first, min(first + BATCH_ROWS, N_ROWS))
            noise = Noise(7, epoch * 10 + number) if spec.dropout else None
            strategy.step(rows.some(which[owner[which] == rank]), params.learning_rate_init, noise, False)
        losses.append(strategy.end_epoch())
    mine = rows.some(owner == rank)
    outputs = strategy.outputs(replace(mine, target=None, weight=None))
    assert outputs.shape == (mine.n_rows, spec.n_outputs)
    numbers: list[int] = mine.numbers.tolist()
    return Trained(strategy.progress().copied(), losses, dict(zip(numbers, outputs.tolist(), strict=True)))


def trained(spec: NetworkSpec, params: TrainParams, size: int) -> list[Trained]:
    """Train on some ranks, or on one that has it all."""
    dtype = np.float64 if params.precision == "float64" else np.float32

    def work(collective: Collective) -> Trained:
        network = Network(spec, params.precision)
        if size == 1:
            strategy: Strategy = Sync(network, params, Exact(collective))
        else:
            strategy = strategy_of_parts(network, params, collective, Exact)
            assert isinstance(strategy, Spread)
        strategy.begin(Progress(network.initial(3).astype(dtype)))
        return epochs(strategy, params, spec, collective.rank, size, dtype)

    return [work(SingleRank())] if size == 1 else run_threads(size, work, deadline=60)


def check_alike(parts: list[Trained], one: Trained, tolerance: float) -> None:
    for part in parts:
        np.testing.assert_allclose(part.progress.flat, one.progress.flat, rtol=0, atol=tolerance)
        for mine, theirs in zip(part.progress.moments, one.progress.moments, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance)
        np.testing.assert_allclose(part.losses, one.losses, rtol=tolerance)
        assert part.progress.step == one.progress.step
        assert part.progress.rows == one.progress.rows
        np.testing.assert_array_equal(part.progress.flat, parts[0].progress.flat)  # the same bits on all ranks
        assert part.losses == parts[0].losses
    outputs = {number: row for part in parts for number, row in part.outputs.items()}
    assert sorted(outputs) == sorted(one.outputs)
    for number, row in outputs.items():
        np.testing.assert_allclose(row, one.outputs[number], rtol=0, atol=10 * tolerance)


def params_of(kind: str, model_ranks: int = 0, **other: Any) -> TrainParams:
    strategy = StrategyParams(kind, model_ranks=model_ranks, micro_batches=3)
    return TrainParams(
        **{"alpha": 0.1, "learning_rate_init": 0.01, "precision": "float64", "strategy": strategy, **other}
    )


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(("kind", "size", "model_ranks"), WAYS)
def test_shared_network_is_that_of_one_rank(kind: str, size: int, model_ranks: int, name: str) -> None:
    params = params_of(kind, model_ranks)
    check_alike(trained(SPECS[name], params, size), trained(SPECS[name], params, 1)[0], 1e-9)


@pytest.mark.parametrize(("kind", "size", "model_ranks"), WAYS)
def test_float32_is_within_its_rounding(kind: str, size: int, model_ranks: int) -> None:
    params = params_of(kind, model_ranks, precision="float32", solver="sgd", momentum=0.9)
    check_alike(trained(PLAIN, params, size), trained(PLAIN, params, 1)[0], 1e-5)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize(("kind", "size"), [("pipeline", 2), ("tensor", 2)])
def test_lower_precision_is_within_its_rounding(kind: str, size: int, precision: str) -> None:
    params = params_of(kind, precision=precision, solver="sgd", momentum=0.9, batch_size=BATCH_ROWS)
    parts, one = trained(PLAIN, params, size), trained(PLAIN, params, 1)[0]
    check_alike(parts, one, {"fp16": 1e-3, "bf16": 1e-2}[precision])
    assert parts[0].progress.scale == one.progress.scale


@pytest.mark.parametrize(("kind", "size", "model_ranks"), [("pipeline", 4, 2), ("tensor", 4, 2)])
def test_run_repeats_bit_for_bit(kind: str, size: int, model_ranks: int) -> None:
    params = params_of(kind, model_ranks, precision="float32")
    first, again = (trained(SPECS["residual and dropout"], params, size) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.progress.flat, other.progress.flat)
        assert one.losses == other.losses
        assert one.outputs == other.outputs


def test_what_one_part_cannot_say_no_part_says() -> None:
    def work(collective: Collective) -> list[list[float]]:
        group = collective.subset([0, 1]) if collective.rank < 2 else collective.subset([2, 3])
        peers = collective.subset([collective.rank % 2, collective.rank % 2 + 2])
        exchange = AgreedSums(Exact(peers), group)
        message = np.array([1.0, 2.0, np.inf], np.float32)  # numbers behind the gradient do not count
        fine = exchange.sum(message, 1).tolist()
        if collective.rank == 2:
            message[1] = np.inf
        return [fine, exchange.sum(message, 1).tolist()]

    for rank, (fine, overflown) in enumerate(run_threads(4, work, deadline=20)):
        assert fine == [2.0, 4.0, np.inf]
        assert np.isfinite(overflown[:2]).all() == False  # noqa: E712  # of every part
        assert overflown[1:] == ([np.inf, np.inf] if rank % 2 == 0 else [4.0, np.inf])


@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
def test_pause_of_one_rank_pauses_all_and_the_run_goes_on_from_there(kind: str) -> None:
    spec, params = SPECS["dropout"], params_of(kind, 2)
    rows, owner = rows_of(spec, np.float64, weighted=True), owners(4)

    def steps(strategy: Strategy, collective: Collective, numbers: range, pause_at: int = -1) -> None:
        for number in numbers:
            which = np.arange(number * 10, number * 10 + 10)
            mine = rows.some(which[owner[which] == collective.rank])
            strategy.step(mine, 0.01, Noise(7, number), pause=number == pause_at and collective.rank == 3)
            assert strategy.settled == strategy.paused == (number == pause_at)

    def started(collective: Collective) -> Strategy:
        strategy = strategy_of_parts(Network(spec, "float64"), params, collective, Exact)
        strategy.begin(Progress(Network(spec).initial(3)))
        strategy.begin_epoch()
        return strategy

    def whole(collective: Collective) -> Progress:
        strategy = started(collective)
        steps(strategy, collective, range(4))
        strategy.end_epoch()
        return strategy.progress()

    def in_two(collective: Collective) -> Progress:
        strategy = started(collective)
        steps(strategy, collective, range(2), pause_at=1)
        left = strategy.held()
        assert left is strategy.progress()
        after = strategy_of_parts(Network(spec, "float64"), params, collective, Exact)
        after.begin(left.copied())
        steps(after, collective, range(2, 4))
        after.end_epoch()
        return after.progress()

    for one, other in zip(run_threads(4, whole, deadline=30), run_threads(4, in_two, deadline=30), strict=True):
        np.testing.assert_array_equal(one.flat, other.flat)
        np.testing.assert_allclose(one.loss_sum, other.loss_sum, rtol=1e-12)
        assert (one.step, one.rows) == (other.step, other.rows) == (4, 40)


@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
@pytest.mark.parametrize("messages", [6, 30, 41])
def test_rank_lost_within_an_epoch_leaves_the_others_the_last_one(kind: str, messages: int) -> None:
    left: dict[int, tuple[int, Progress | None]] = {}
    params = params_of(kind, 2)

    def fault(rank: int, to: int, number: int) -> bool:
        if rank == 1 and number == messages:
            raise OSError("injected")
        return True

    def work(collective: Collective) -> None:
        strategy = strategy_of_parts(Network(PLAIN, "float64"), params, collective, Exact)
        strategy.begin(Progress(Network(PLAIN).initial(3)))
        done = 0
        try:
            while True:
                epochs_of_one(strategy, collective)
                done += 1
        except (PeerLost, OSError):
            left[collective.rank] = done, strategy.held()
            raise

    def epochs_of_one(strategy: Strategy, collective: Collective) -> None:
        rows, owner = rows_of(PLAIN, np.float64, weighted=False), owners(4)
        strategy.begin_epoch()
        for first in range(0, 24, BATCH_ROWS):
            which = np.arange(first, first + BATCH_ROWS)
            strategy.step(rows.some(which[owner[which] == collective.rank]), 0.01, None, False)
        strategy.end_epoch()

    with pytest.raises(OSError, match="injected"):
        run_threads(4, work, fault=fault, deadline=30)
    assert sorted(left) == [0, 1, 2, 3]
    for done, held in left.values():
        assert held is not None
        assert held.step == 2 * done  # what is left belongs to the end of an epoch
        assert held.flat.size == Network(PLAIN).n_parameters


def test_gang_that_cannot_be_cut_trains_as_sync() -> None:
    def work(collective: Collective) -> bool:
        strategy = strategy_of_parts(Network(PLAIN), params_of("tensor", 2), collective, Exact)
        return isinstance(strategy, Sync)

    assert run_threads(3, work, deadline=20) == [True] * 3
    assert work(SingleRank())


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
def test_parts_are_the_whole(kind: str, name: str) -> None:
    network = Network(SPECS[name], "float64")
    flat = np.arange(network.n_parameters, dtype=np.float64)

    def work(collective: Collective) -> tuple[int, int, int]:
        learner = Pipeline(network, collective, 2) if kind == "pipeline" else Tensor(network, collective)
        part = learner.part(flat)
        assert part.size == learner.n_parameters == learner.penalized.size
        assert not np.shares_memory(part, flat)
        np.testing.assert_array_equal(learner.whole(part), flat)
        np.testing.assert_array_equal(network.penalized[part.astype(int)], learner.penalized)
        told = learner.penalized & learner.answers_for
        return part.size, int(part[told].sum()), int(told.sum())

    sizes, sums, counts = zip(*run_threads(2, work, deadline=20), strict=True)
    assert sum(sums) == int(flat[network.penalized].sum())  # each penalized parameter is told of once
    assert sum(counts) == network.penalized.sum()
    assert max(sizes) < network.n_parameters
    if kind == "pipeline":
        assert sum(sizes) == network.n_parameters


def test_stages_are_cut_by_what_they_compute() -> None:
    network = Network(NetworkSpec(28, (256, 128), 1, "squared_error", categories=(5000,), category_sizes=(16,)))
    # The table of categories is looked up; of the inputs nobody wants derivatives.
    assert costs_of(network) == [0.0, 3.0 * (44 * 256 + 256), 3.0 * (256 * 128 + 128), 3.0 * (128 + 1)]


@pytest.mark.parametrize("precision", ["float64", "fp16"])
@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
@pytest.mark.parametrize("name", ["residual and dropout", "categories"])
def test_parts_in_another_memory_are_those_of_this_one(name: str, kind: str, precision: str) -> None:
    spec = SPECS[name]
    rows = rows_of(spec, np.float64 if precision == "float64" else np.float32, weighted=True)

    def work(collective: Collective) -> Any:
        found = []
        for arrays in (NUMPY, OTHER):
            network = Network(spec, precision, arrays)
            learner = Pipeline(network, collective, 3) if kind == "pipeline" else Tensor(network, collective)
            flat = learner.part(network.initial(3).astype(network.dtype))
            gradient = np.empty_like(flat)
            learner.loss_and_gradient(flat, rows, gradient, Noise(7, 1))
            found.append((gradient, learner.outputs(flat, rows)))
        return found

    tolerance = TOLERANCES[precision]
    for (gradient, outputs), (there, seen) in run_threads(2, work, deadline=30):
        np.testing.assert_allclose(there, gradient, rtol=0, atol=tolerance * np.abs(gradient).max())
        np.testing.assert_allclose(seen, outputs, rtol=0, atol=tolerance * np.abs(outputs).max())
