"""When a run is over, and which epoch was the best: scikit-learn's rules, its way of counting included."""

import math
from dataclasses import replace

from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.schedules import Schedule
from gbdist.neural.training.state import TrainState


def judged(
    state: TrainState, value: float, params: TrainParams, schedule: Schedule, *, larger_is_better: bool
) -> TrainState:
    """The state after an epoch whose deciding value is this one: ``state.epoch`` counts it already.

    The rules are those of scikit-learn's ``_update_no_improvement_count`` and ``_fit_stochastic``:

    * an epoch improves if its value is not worse than the best one so far by less than ``tol`` better; NaN is no failure to;
    * once more than ``n_iter_no_change`` epochs in a row have not, the run is over; or, with "sgd" and "adaptive", the learning
      rate is divided by five and they are counted anew, until it is 1e-6 or less.
    """
    sign = 1.0 if larger_is_better else -1.0
    best = -math.inf if state.best_epoch < 0 else sign * state.best
    unimproved = state.unimproved + 1 if sign * value < best + params.tol else 0
    if sign * value > best:
        state = replace(state, best=value, best_epoch=state.epoch - 1)
    stopped, rate_factor = "", state.rate_factor
    if unimproved > params.n_iter_no_change:
        lowered = schedule.lowered(rate_factor)
        if lowered is None:
            stopped = "early_stopping" if params.early_stopping else "converged"
        else:
            rate_factor, unimproved = lowered, 0
    if not stopped and state.epoch >= params.max_iter:
        stopped = "iterations"
    return replace(state, unimproved=unimproved, rate_factor=rate_factor, stopped=stopped)
