"""Whole runs of ranks that share a network: the same run as on one rank, also after a loss or a pause."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.metrics import make_metrics
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.state import TrainState, decode_state, encode_state
from gbdist_cluster.collective.threads import run_threads

from .tables import Course, Interruption, fitted, fitted_on, make_table, same_bits

PARAMS = TrainParams(max_iter=4, batch_size=16, learning_rate_init=0.01, seed=3, alpha=0.01, precision="float64")
TABLE = make_table("multiclass", weighted=True, hidden=(36, 36, 32), residual=True, dropout=0.2)
EVAL = make_table("multiclass", n=41, seed=1).rows
EVALS = [EVAL, *([NetworkRows(EVAL.numeric[:0], EVAL.codes[:0], EVAL.target[:0], None, ())] * 3)]


def shared(kind: str, model_ranks: int = 0, **more: Any) -> TrainParams:
    return replace(PARAMS, strategy=StrategyParams(kind, model_ranks=model_ranks, micro_batches=2), **more)


def check_close(state: TrainState, whole: TrainState) -> None:
    close = {"rtol": 0, "atol": 1e-11}
    np.testing.assert_allclose(state.progress.flat, whole.progress.flat, **close)
    np.testing.assert_allclose(state.loss_curve, whole.loss_curve, **close)
    assert (state.epoch, state.stopped, state.best_epoch) == (whole.epoch, whole.stopped, whole.best_epoch)


@pytest.mark.parametrize(("n_ranks", "model_ranks"), [(2, 0), (4, 0), (4, 2)])
@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
def test_ranks_that_share_a_network_do_not_change_the_run(kind: str, n_ranks: int, model_ranks: int) -> None:
    metrics = make_metrics("MultiClass", 3, "MultiClass")
    params = shared(kind, model_ranks, early_stopping=True, metrics=metrics)
    whole = train(TABLE.rows, [EVAL], TABLE.spec, replace(params, strategy=StrategyParams()), SingleRank())
    assert whole is not None

    def work(rows: NetworkRows, collective: Collective) -> Any:
        # The eval set is where there is room for it: on one rank.
        return train(rows, [EVALS[collective.rank]], TABLE.spec, params, collective)

    states = fitted_on(n_ranks, TABLE, params, work)
    for state in states:
        assert same_bits(state, states[0])
        check_close(state, whole)
        np.testing.assert_allclose(state.best_flat, whole.best_flat, rtol=0, atol=1e-11)
        assert state.history["validation"].keys() == whole.history["validation"].keys()
        for name, values in state.history["validation"].items():
            np.testing.assert_allclose(values, whole.history["validation"][name], rtol=1e-9)


@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
def test_a_pause_is_one_of_all_groups_within_the_epoch(kind: str) -> None:
    params, kept = shared(kind, 2), {}

    def work(rows: NetworkRows, collective: Collective) -> Any:
        course = Course(pause=8) if collective.rank == 3 else Course()
        keep = lambda state: kept.update({collective.rank: encode_state(state)})  # noqa: E731
        return train(rows, [], TABLE.spec, params, collective, control=course, keep=keep)

    assert fitted_on(4, TABLE, params, work) == [None] * 4
    left = {rank: decode_state(state) for rank, state in kept.items()}
    assert {state.reached for state in left.values()} == {(1, 3)}
    # Another gang goes on from it, one that cannot be cut in two.
    parts = TABLE.cut(3)
    found = run_threads(3, lambda c: train(parts[c.rank], [], TABLE.spec, params, c, start=left[c.rank]))
    for state in found:
        check_close(state, fitted(TABLE, PARAMS))


@pytest.mark.parametrize("message", [25, 60])
@pytest.mark.parametrize("kind", ["pipeline", "tensor"])
def test_a_peer_lost_in_a_step_takes_the_others_back_to_the_last_epoch(kind: str, message: int) -> None:
    params, kept = shared(kind, 2), {}

    def work(rows: NetworkRows, collective: Collective) -> Any:
        keep = lambda state: kept.update({collective.rank: encode_state(state)})  # noqa: E731
        return train(rows, [], TABLE.spec, params, collective, keep=keep)

    def fault(rank: int, to: int, number: int) -> bool:
        if rank == 2 and number == message:
            raise Interruption
        return True

    with pytest.raises(Interruption):
        fitted_on(4, TABLE, params, work, fault=fault)
    left = {rank: decode_state(kept[rank]) for rank in (0, 1)}
    assert all(state.batch in (0, 6) for state in left.values())  # of six; ranks may have ended an epoch, or not
    assert max(state.reached for state in left.values()) > (0, 0) or message == 25
    parts = TABLE.cut(2)
    found = run_threads(2, lambda c: train(parts[c.rank], [], TABLE.spec, params, c, start=left[c.rank]))
    assert same_bits(found[0], found[1])
    check_close(found[0], fitted(TABLE, PARAMS))
