"""The training loop of networks: what every rank runs on its own rows, and all there is to one run.

``collective`` is the only way in which ranks influence each other. Batches are those of all rows together, whichever rank has
them: see ``order``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.boosting.control import FREE, Control
from gbdist.boosting.events import Event, IterationDone, Listener, RunFinished, RunStarted, tell
from gbdist.counted import EPOCHS
from gbdist.errors import ParameterError
from gbdist.models.history import LEARN, MetricTable, add_to_history
from gbdist.neural.network.blocks import Noise
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.order import BatchOrder
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.schedules import Schedule
from gbdist.neural.training.scoring import EvalSets
from gbdist.neural.training.start import agreed_rows, agreed_state
from gbdist.neural.training.state import TrainState
from gbdist.neural.training.stopping import judged
from gbdist.neural.training.strategies.make import initial_progress, strategy_of
from gbdist.neural.training.threads import blas_threads

Keep = Callable[[TrainState], object]


def train(
    rows: NetworkRows,
    evals: Sequence[NetworkRows],
    spec: NetworkSpec,
    params: TrainParams,
    collective: Collective,
    listeners: Sequence[Listener] = (),
    start: TrainState | None = None,
    control: Control = FREE,
    keep: Keep | None = None,
) -> TrainState | None:
    """Train until ``params`` or a listener says stop; None if it ends before, because a rank's control wanted a pause.

    The same on every rank, parameters too. Repeats bit for bit on the same ranks and rows, also where it is gone on with.

    Parameters
    ----------
    rows, evals : this rank's rows of the training set and of each eval set
    listeners : heard on this rank; a True answer to ``IterationDone`` ends the run where ``listeners_may_stop``.
    start : where this rank can go on from, if anywhere; the furthest of all ranks counts.
    control : asked on this rank before each step; what its ``check`` raises comes out of here.
    keep : given the state after each epoch, and when the run pauses or an error ends it: after the last step that all ranks
        agree on, where the strategy has it here. Its arrays are the receiver's.

    Raises
    ------
    ParameterError
        ``early_stopping`` without what decides; or the loss is no number any more.
    """
    check_deciding(params, evals)
    with blas_threads(params.threads):
        run = _Run(rows, evals, spec, params, collective, control, keep)
        run.begin(start)
        try:
            return run.train(listeners)
        except BaseException:
            run.leave()
            raise


def check_deciding(params: TrainParams, evals: Sequence[object]) -> None:
    """ParameterError where ``early_stopping`` has nothing to go by."""
    if params.early_stopping and not (evals and params.metrics):
        missing = "an eval set" if params.metrics else "a metric of the eval sets"
        raise ParameterError("early_stopping", True, missing, "Give one, or set early_stopping=False.")


class _Run:
    """One run on one rank."""

    def __init__(
        self,
        rows: NetworkRows,
        evals: Sequence[NetworkRows],
        spec: NetworkSpec,
        params: TrainParams,
        collective: Collective,
        control: Control,
        keep: Keep | None,
    ) -> None:
        self._rows, self._spec, self._params, self._collective = rows, spec, params, collective
        self._control, self._keep = control, keep
        self._n_rows = agreed_rows(rows, collective)
        self._numbers = rows.numbers()
        size = min(params.batch_size, self._n_rows)
        self._order = BatchOrder(self._numbers, self._n_rows, size, params.seed, shuffle=params.shuffle)
        self._schedule = Schedule(params, self._n_rows, self._order.n_batches)
        self._evals = EvalSets(evals, spec.n_outputs, params, collective)
        self._strategy = strategy_of(params, collective, spec, rows.n_rows / self._n_rows)
        self._state: TrainState

    def begin(self, start: TrainState | None) -> None:
        """Agree where to begin."""
        state = agreed_state(start, self._collective)
        self._state = TrainState(initial_progress(self._spec, self._params)) if state is None else state
        self._strategy.begin(self._state.progress)

    def train(self, listeners: Sequence[Listener]) -> TrainState | None:
        """The loop itself."""
        self._tell(listeners, self._started())
        while not self._state.stopped:
            with self._control.watch.stage("epoch", self._state.epoch):
                metrics = self._epoch()
                if metrics is None:
                    return None
                wants_stop = self._tell(listeners, self._done(metrics))
                self._stop_if(wants_stop)
            if self._strategy.paused and not self._state.stopped:
                return None
        self._tell(listeners, RunFinished(self._state.epoch, self._state.stopped))
        return self._state

    def _epoch(self) -> MetricTable | None:
        """The batches of an epoch that are left, then its end; None where a rank wanted a pause."""
        state, strategy, stage = self._state, self._strategy, self._control.watch.stage
        if state.batch == 0:
            strategy.begin_epoch()
        with stage("batches"):
            order = self._order.epoch(state.epoch)
        rate_of = self._schedule.of_epoch(state.epoch, state.rate_factor)
        for number in range(state.batch, self._order.n_batches):
            self._control.check()
            with stage("batches"):
                batch = self._rows.batch(order.of(number), self._numbers)
            with stage("steps"):
                strategy.step(batch, rate_of(number), self._noise(number), self._control.wants_pause)
            if strategy.settled:
                self._state = replace(self._state, batch=number + 1)
                if strategy.paused:
                    self.leave()
                    return None
        return self._end_epoch()

    def _noise(self, batch: int) -> Noise | None:
        """Where the draws of a step come from; None where nothing is dropped."""
        if self._spec.dropout == 0.0:
            return None
        return Noise(self._params.seed, self._state.epoch * self._order.n_batches + batch)

    def _end_epoch(self) -> MetricTable:
        """Score, decide whether to go on, keep the state; all metrics of the epoch."""
        params, strategy, stage = self._params, self._strategy, self._control.watch.stage
        with stage("steps"):
            loss = strategy.end_epoch()
        self._state = replace(self._state, batch=self._order.n_batches)
        # With "fp16" parameters stay finite, the scale of losses says when to give up, and an epoch of skipped steps has no loss.
        if params.precision != "fp16" and not math.isfinite(loss):
            expected = f"steps that keep the training loss a number; after epoch {self._state.epoch} it is {loss}"
            raise ParameterError(
                "learning_rate_init", params.learning_rate_init, expected, "Lower it, or scale the numeric features."
            )
        with stage("metrics"):
            metrics = self._evals.score(strategy)
        before = self._state
        history = {name: {key: list(values) for key, values in of.items()} for name, of in before.history.items()}
        add_to_history(history, metrics)
        progress = strategy.progress().copied()
        state = replace(
            before,
            progress=progress,
            epoch=before.epoch + 1,
            batch=0,
            loss_curve=(*before.loss_curve, loss),
            history=history,
        )
        if params.early_stopping:
            deciding = params.metrics[0]
            value, larger = list(metrics.values())[-1][deciding.name], deciding.is_max_optimal
        else:
            value, larger = loss, False
        state = judged(state, value, params, self._schedule, larger_is_better=larger)
        if params.early_stopping and state.best_epoch == before.epoch:
            state = replace(state, best_flat=progress.flat)
        self._state = state
        self._give(state)
        return {LEARN: {"loss": loss}, **metrics}

    def leave(self) -> None:
        """Give away where the run is, if the strategy has it here."""
        held = self._strategy.held()
        if held is not None:
            self._give(replace(self._state, batch=self._state.batch + self._strategy.beyond, progress=held))

    def _give(self, state: TrainState) -> None:
        if self._keep is not None:
            self._keep(state)

    def _stop_if(self, wanted: bool) -> None:
        """Agree whether a listener ends the run; a round of its own only where one may."""
        if self._params.listeners_may_stop:
            answers = self._collective.all_reduce(np.array([wanted], np.int64))
            if int(answers[0]) > 0 and not self._state.stopped:
                self._state = replace(self._state, stopped="callback")

    def _started(self) -> RunStarted:
        spec, params = self._spec, self._params
        features = spec.n_numeric + len(spec.categories)
        epoch = self._state.epoch
        return RunStarted(params.max_iter, self._n_rows, features, self._collective.size, resumed=epoch, counted=EPOCHS)

    def _done(self, metrics: MetricTable) -> IterationDone:
        state = self._state
        return IterationDone(state.epoch - 1, metrics, state.best_epoch, state.best, state)

    def _tell(self, listeners: Sequence[Listener], event: Event) -> bool:
        with self._control.watch.stage("callbacks"):
            return tell(listeners, event)
