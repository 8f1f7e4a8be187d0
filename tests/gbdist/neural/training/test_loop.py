"""Ranks do not change a run; it can be ended anywhere and gone on with; what it tells, keeps and refuses."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.events import IterationDone, RunFinished, RunStarted
from gbdist.errors import ParameterError
from gbdist.metrics import make_metrics
from gbdist.neural.network.network import Network
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.start import agreed_state
from gbdist.neural.training.state import Progress, TrainState, decode_state, encode_state
from gbdist_cluster.collective.threads import run_threads

from .tables import Course, Ear, Interruption, NetworkTable, fitted, fitted_on, make_table, same_bits

PARAMS = TrainParams(max_iter=4, batch_size=16, learning_rate_init=0.01, seed=3)
#: Steps of such a run on 90 rows.
STEPS = 4 * 6
LOGLOSS = make_metrics("Logloss", 2, "Logloss") + make_metrics("AUC", 2, "Logloss")


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regressions"])
def test_ranks_do_not_change_the_run(task: str, precision: str) -> None:
    table = make_table(task, weighted=True, dropout=0.2)
    params = replace(PARAMS, precision=precision)
    whole = fitted(table, params)
    for n_ranks in (2, 4, 7):
        for state in fitted_on(n_ranks, table, params):
            close = {"rtol": 0, "atol": 1e-12 if precision == "float64" else 1e-5}
            np.testing.assert_allclose(state.progress.flat, whole.progress.flat, **close)
            np.testing.assert_allclose(state.loss_curve, whole.loss_curve, **close)
            assert state.progress.flat.dtype == np.dtype(precision)


@pytest.mark.parametrize(
    "more", [{}, {"solver": "sgd", "precision": "float64"}, {"strategy": StrategyParams(compression="fp16")}]
)
def test_runs_on_the_same_ranks_are_the_same_bit_for_bit_and_all_ranks_end_alike(more: dict[str, Any]) -> None:
    table, params = make_table(weighted=True), replace(PARAMS, **more)
    first = fitted_on(3, table, params)
    for state in [*first[1:], *fitted_on(3, table, params)]:
        assert same_bits(state, first[0])


def test_epochs_are_shuffled_by_the_seed_or_not_at_all() -> None:
    table = make_table()
    found = {seed: fitted(table, replace(PARAMS, seed=seed)).loss_curve for seed in (3, 4)}
    ordered = fitted(table, replace(PARAMS, shuffle=False)).loss_curve
    assert len({found[3][1:], found[4][1:], ordered[1:]}) == 3


@pytest.mark.parametrize(
    "more",
    [
        {"solver": "sgd", "schedule": "adaptive", "n_iter_no_change": 1, "tol": 1.0},
        {"precision": "fp16", "schedule": "cosine", "warm_up": 1.5},
        {"early_stopping": True, "metrics": LOGLOSS, "precision": "float64"},
    ],
)
@pytest.mark.parametrize("step", [1, 5, 6, 15, STEPS])
def test_a_run_that_is_interrupted_at_any_batch_ends_with_the_same_bits(step: int, more: dict[str, Any]) -> None:
    table, params = make_table(dropout=0.2), replace(PARAMS, **more)
    evals = [make_table(n=40, seed=1).rows]
    whole = train(table.rows, evals, table.spec, params, SingleRank())
    assert whole is not None
    for course in [Course(pause=step - 1), *([Course(end=step)] if step < STEPS else [])]:
        kept: list[bytes] = []

        def run(start: TrainState | None, course: Course | None = None, kept: list[bytes] = kept) -> TrainState | None:
            more = {} if course is None else {"control": course}

            def keep(state: TrainState) -> None:
                kept.append(encode_state(state))

            return train(table.rows, evals, table.spec, params, SingleRank(), start=start, keep=keep, **more)

        with suppress(Interruption):
            assert run(None, course) is None
        left = decode_state(kept[-1])
        assert left.epoch * 6 + left.batch == step
        again = run(left)
        assert again is not None
        assert same_bits(again, whole)


def test_a_run_that_is_over_goes_on_for_more_epochs() -> None:
    table = make_table()
    whole = fitted(table, replace(PARAMS, max_iter=6))
    first = fitted(table, PARAMS)
    assert same_bits(fitted(table, replace(PARAMS, max_iter=6), start=replace(first, stopped="")), whole)
    assert same_bits(fitted(table, replace(PARAMS, max_iter=6), start=first), first)


def test_a_pause_of_one_rank_is_one_of_all_after_the_step_in_hand() -> None:
    table, kept = make_table(), {}

    def work(rows: NetworkRows, collective: Collective) -> Any:
        course = Course(pause=8) if collective.rank == 1 else Course()
        return train(
            rows,
            [],
            table.spec,
            PARAMS,
            collective,
            control=course,
            keep=lambda state: kept.update({collective.rank: state}),
        )

    assert fitted_on(3, table, PARAMS, work) == [None] * 3
    assert {state.reached for state in kept.values()} == {(1, 3)}

    def go_on(rows: NetworkRows, collective: Collective) -> Any:
        # One rank has nothing, and another one an older state: the furthest counts.
        start = [None, kept[1], TrainState(kept[2].progress, epoch=1)][collective.rank]
        return train(rows, [], table.spec, PARAMS, collective, start=start)

    whole = fitted_on(3, table, PARAMS)[0]
    for state in fitted_on(3, table, PARAMS, go_on):
        assert same_bits(state, whole)


@pytest.mark.parametrize("message", [9, 10, 15, 24])
def test_a_peer_lost_in_a_step_leaves_survivors_with_the_last_whole_step(message: int) -> None:
    table, kept = make_table(), {}
    params = replace(PARAMS, precision="float64")

    def work(rows: NetworkRows, collective: Collective) -> Any:
        return train(
            rows,
            [],
            table.spec,
            params,
            collective,
            keep=lambda state: kept.update({collective.rank: encode_state(state)}),
        )

    def fault(rank: int, to: int, number: int) -> bool:
        if rank == 2 and number == message:
            raise Interruption
        return True

    with pytest.raises(Interruption):
        fitted_on(3, table, params, work, fault=fault)
    states = {rank: decode_state(state) for rank, state in kept.items()}
    reached = [states[rank].reached for rank in (0, 1)]
    assert max(reached) > (0, 0)

    # The two that are left go on, on all rows, from the furthest of both.
    parts = table.cut(2)
    rows_of = lambda collective: parts[collective.rank]  # noqa: E731
    found = run_threads(
        2,
        lambda collective: train(
            rows_of(collective), [], table.spec, params, collective, start=states[collective.rank]
        ),
    )
    whole = fitted(table, params)
    assert same_bits(found[0], found[1])
    np.testing.assert_allclose(found[0].progress.flat, whole.progress.flat, rtol=0, atol=1e-12)
    assert found[0].loss_curve == pytest.approx(whole.loss_curve, abs=1e-12)


def test_states_that_are_as_far_but_differ_are_made_the_lowest_ranks() -> None:
    states = [TrainState(Progress(np.full(3, rank, np.float32)), epoch=2, batch=1) for rank in range(3)]

    def agree(starts: list[TrainState | None]) -> list[float]:
        found = run_threads(3, lambda collective: agreed_state(starts[collective.rank], collective))
        return [-1.0 if state is None else float(state.progress.flat[0]) for state in found]

    assert agree(list(states)) == [0.0] * 3
    assert agree([None, *states[1:]]) == [1.0] * 3
    assert agree([states[0], states[1], replace(states[2], batch=2)]) == [2.0] * 3
    assert agree([None] * 3) == [-1.0] * 3


def test_agreed_states_that_are_alike_do_not_travel() -> None:
    state = TrainState(Progress(np.zeros(10_000, np.float32)), epoch=2)

    def sent(collective: Any) -> int:
        agreed_state(state, collective)
        return int(collective.traffic.bytes_sent)

    assert max(run_threads(2, sent)) < 100


def test_what_a_run_tells() -> None:
    table, ear = make_table(), Ear()
    evals = [make_table(n=n, seed=1).rows for n in (40, 30)]
    state = train(table.rows, evals, table.spec, replace(PARAMS, metrics=LOGLOSS), SingleRank(), [ear])
    assert state is not None
    started, *epochs, finished = ear.events
    assert started == RunStarted(4, 90, 5, 1, counted="epochs")
    assert [event.iteration for event in epochs if isinstance(event, IterationDone)] == [0, 1, 2, 3]
    for event, loss in zip(epochs, state.loss_curve, strict=True):
        assert isinstance(event, IterationDone)
        assert event.metrics["learn"] == {"loss": loss}
        assert list(event.metrics) == ["learn", "validation_0", "validation_1"]
    last = epochs[-1]
    assert isinstance(last, IterationDone)
    assert same_bits(last.step, state)  # type: ignore[arg-type]
    assert last.best == int(np.argmin(state.loss_curve))
    assert finished == RunFinished(4, "iterations")
    assert state.history["validation_1"]["Logloss"] == [e.metrics["validation_1"]["Logloss"] for e in epochs]


def test_a_listener_stops_all_ranks_where_it_may() -> None:
    table = make_table()

    def work(may: bool) -> list[TrainState]:
        params = replace(PARAMS, listeners_may_stop=may)
        return fitted_on(
            2,
            table,
            params,
            lambda rows, collective: train(
                rows, [], table.spec, params, collective, [Ear(stop=2 if collective.rank == 0 else -1)]
            ),
        )

    assert [(state.epoch, state.stopped) for state in work(True)] == [(2, "callback")] * 2
    assert [(state.epoch, state.stopped) for state in work(False)] == [(4, "iterations")] * 2


def test_early_stopping_follows_the_first_metric_of_the_last_set_and_keeps_the_best() -> None:
    table = make_table(n=60, hidden=(20,))
    params = replace(
        PARAMS, max_iter=300, metrics=LOGLOSS, early_stopping=True, n_iter_no_change=4, learning_rate_init=0.05, tol=0.0
    )
    kept: list[TrainState] = []
    evals = [table.rows, make_table(n=50, seed=9).rows]
    state = train(table.rows, evals, table.spec, params, SingleRank(), keep=kept.append)
    assert state is not None
    values = state.history["validation_1"]["Logloss"]
    assert state.stopped == "early_stopping"
    assert (state.best, state.best_epoch) == (min(values), int(np.argmin(values)))
    assert state.epoch == state.best_epoch + 1 + 5
    assert state.best_flat is not None
    np.testing.assert_array_equal(state.best_flat, kept[state.best_epoch].progress.flat)


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_metrics_are_those_of_the_raw_outputs(n_ranks: int) -> None:
    table, held = make_table("regressions"), make_table("regressions", n=47, seed=4, weighted=True)
    scale = ((2.0, 3.0), (-1.0, 0.5))
    params = replace(
        PARAMS, max_iter=1, metrics=make_metrics("MultiRMSE", 2, "MultiRMSE"), target_scale=scale, precision="float64"
    )
    evals = held.cut(n_ranks)
    state = fitted_on(n_ranks, table, params, lambda rows, c: train(rows, [evals[c.rank]], table.spec, params, c))[0]
    batch = held.rows.batch(np.arange(47), held.rows.numbers())
    outputs = Network(table.spec, "float64").outputs(state.progress.flat, batch)
    squares = (outputs - held.rows.target) ** 2 * np.array([3.0, 0.5]) ** 2
    expected = np.sqrt(np.average(squares, axis=0, weights=held.weight).sum())
    assert state.history["validation"]["MultiRMSE"] == pytest.approx([expected], rel=1e-6)


def test_a_rank_without_rows_and_a_batch_without_weight_take_part() -> None:
    table = make_table(weighted=True)
    weight = table.rows.weight.copy()  # type: ignore[union-attr]
    weight[:32] = 0.0
    table = replace(table, rows=replace(table.rows, weight=weight))
    params = replace(PARAMS, shuffle=False, precision="float64")
    whole = fitted(table, params)
    assert whole.progress.step == STEPS - 2 * 4
    for state in fitted_on(4, table, params):
        np.testing.assert_allclose(state.progress.flat, whole.progress.flat, rtol=0, atol=1e-12)


def test_half_precision_skips_steps_that_overflow_on_all_ranks_alike() -> None:
    table = make_table("regression")
    rows = replace(table.rows, target=table.rows.target * np.float32(3e3))
    table = replace(table, rows=rows)
    params = replace(PARAMS, precision="fp16", max_iter=6)
    whole = fitted(table, params)
    assert 0 < whole.progress.skipped < 36
    assert whole.progress.scale < 1024.0
    assert whole.progress.step + whole.progress.skipped == 36
    for state in fitted_on(2, table, params):
        assert (state.progress.skipped, state.progress.scale) == (whole.progress.skipped, whole.progress.scale)


def test_a_loss_that_is_no_number_is_an_error_on_every_rank() -> None:
    table: NetworkTable = make_table("regression", activation="identity")
    params = replace(PARAMS, solver="sgd", learning_rate_init=1e6, max_iter=50, precision="float64")
    with pytest.raises(ParameterError, match=r"^learning_rate_init=1000000.0 cannot be used: expected steps that keep"):
        fitted_on(2, table, params)


@pytest.mark.parametrize(
    ("evals", "metrics", "missing"), [(0, LOGLOSS, "an eval set"), (1, (), "a metric of the eval sets")]
)
def test_early_stopping_needs_something_to_go_by(evals: int, metrics: Any, missing: str) -> None:
    table = make_table()
    params = replace(PARAMS, early_stopping=True, metrics=metrics)
    with pytest.raises(ParameterError) as caught:
        train(table.rows, [table.rows] * evals, table.spec, params, SingleRank())
    assert str(caught.value) == (
        f"early_stopping=True cannot be used: expected {missing}. Give one, or set early_stopping=False."
    )
