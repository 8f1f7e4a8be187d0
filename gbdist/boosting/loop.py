"""The boosting loop: what every rank runs on its own rows; ``run`` has what a tree takes."""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.control import FREE, Control
from gbdist.boosting.events import Listener, RunFinished
from gbdist.boosting.params import BoostParams
from gbdist.boosting.progress import Step
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.boosting.run import Run
from gbdist.boosting.start import crew_for


@overload
def boost(
    train: Rows,
    evals: Sequence[Rows],
    n_bins: NDArray[np.int64],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener] = ...,
    steps: Sequence[Step] = ...,
) -> BoostResult: ...
@overload
def boost(
    train: Rows,
    evals: Sequence[Rows],
    n_bins: NDArray[np.int64],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener] = ...,
    steps: Sequence[Step] = ...,
    control: Control = ...,
) -> BoostResult | None: ...
def boost(
    train: Rows,
    evals: Sequence[Rows],
    n_bins: NDArray[np.int64],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener] = (),
    steps: Sequence[Step] = (),
    control: Control = FREE,
) -> BoostResult | None:
    """Grow trees until ``params`` or a listener says stop; None if it ends before, because a rank's control wanted a pause.

    Parameters
    ----------
    train, evals : this rank's rows of the training set and of each eval set
    n_bins : int64 [n_features]
        Bins of each feature: its number of borders + 1.
    listeners : heard on this rank; a True answer to ``IterationDone`` ends the run on all ranks.
    steps : all trees so far of a run of the same data and parameters, on any ranks
        They are replayed, nobody hears of them again, and the run goes on.
    control : asked on this rank; what its ``check`` raises comes out of here.
    """
    with crew_for(params, train, collective, control) as crew:
        with crew.stage("start"):
            run = Run(train, evals, n_bins, params, collective, crew, control)
        return _add_trees(run, listeners, steps)


def _add_trees(run: Run, listeners: Sequence[Listener], steps: Sequence[Step]) -> BoostResult | None:
    """The loop itself. The run's arrays are let go at its end, before the crew gives back the memory they lay in."""
    run.tell(listeners, run.started(len(steps)))
    run.resume(steps)
    while run.goes_on:
        run.add_tree()
        wants_stop = run.tell(listeners, run.grown())
        run.decide(wants_stop)
    if run.stopped is None:
        return None
    run.tell(listeners, RunFinished(len(run.state.trees), run.stopped))
    return run.result()
