"""When a run is over: the same epoch as with scikit-learn's rules, for the loss and for a metric."""

import math

import pytest

from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.schedules import Schedule
from gbdist.neural.training.state import Progress, TrainState
from gbdist.neural.training.stopping import judged


def after(values: list[float], *, larger: bool = False, **more: object) -> list[TrainState]:
    params = TrainParams(tol=0.1, n_iter_no_change=2, max_iter=50, **more)  # type: ignore[arg-type]
    schedule = Schedule(params, 10, 1)
    state, states = TrainState(Progress(flat=None)), []  # type: ignore[arg-type]
    for epoch, value in enumerate(values):
        state = TrainState(
            state.progress,
            epoch=epoch + 1,
            best=state.best,
            best_epoch=state.best_epoch,
            unimproved=state.unimproved,
            rate_factor=state.rate_factor,
        )
        state = judged(state, value, params, schedule, larger_is_better=larger)
        states.append(state)
    return states


def test_a_loss_that_does_not_fall_by_tol_for_more_than_so_many_epochs_has_converged() -> None:
    states = after([1.0, 0.95, 0.91, 0.905])
    assert [state.unimproved for state in states] == [0, 1, 2, 3]
    assert [state.stopped for state in states] == ["", "", "", "converged"]
    assert (states[-1].best, states[-1].best_epoch) == (0.905, 3)


def test_a_fall_by_exactly_tol_is_an_improvement_and_counts_anew() -> None:
    # 0.5 and 0.125 are exact, and so is what is compared.
    params = {"tol": 0.125}
    schedule = Schedule(TrainParams(**params), 10, 1)  # type: ignore[arg-type]
    state = TrainState(Progress(flat=None), epoch=2, best=0.5, best_epoch=0, unimproved=4)  # type: ignore[arg-type]
    found = judged(state, 0.375, TrainParams(**params), schedule, larger_is_better=False)  # type: ignore[arg-type]
    assert (found.unimproved, found.best, found.best_epoch) == (0, 0.375, 1)


def test_a_metric_that_should_rise_is_followed_upwards() -> None:
    states = after([0.5, 0.7, 0.65, 0.75, 0.3], larger=True, early_stopping=True)
    assert [state.unimproved for state in states] == [0, 0, 1, 2, 3]
    assert states[-1].stopped == "early_stopping"
    assert (states[-1].best, states[-1].best_epoch) == (0.75, 3)


def test_a_value_that_is_no_number_counts_as_no_failure_and_is_never_the_best() -> None:
    states = after([1.0, 1.0, math.nan, 1.0])
    assert [state.unimproved for state in states] == [0, 1, 0, 1]
    assert states[-1].best_epoch == 0
    assert after([math.nan])[0].best_epoch == -1


def test_adaptive_lowers_the_rate_and_counts_anew_before_it_gives_up() -> None:
    states = after([1.0] * 13, solver="sgd", schedule="adaptive", learning_rate_init=1e-5)
    assert [state.rate_factor for state in states[3::3]] == pytest.approx([0.2, 0.04, 0.04, 0.04])
    assert [state.stopped for state in states].index("converged") == 9


def test_the_last_epoch_ends_a_run_unless_it_has_just_converged() -> None:
    assert after([float(-k) for k in range(50)])[-1].stopped == "iterations"
    assert after([1.0] * 4, solver="adam", schedule="constant")[-1].stopped == "converged"
