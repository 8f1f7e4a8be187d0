"""Running the trials of a study, several side by side: each is drawn, trained where there is a place for it, and told.

Every place has a thread of this process. The thread that searches waits, looks after the study and the places, and is the one
that Ctrl-C reaches: what runs then is ended after its iteration, and is free to be run again.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sklearn.base import clone

from gbdist.boosting.events import IterationDone
from gbdist.errors import ClusterError
from gbdist.estimators.kept_parameters import KeptParameters
from gbdist.estimators.listeners import told_to
from gbdist.estimators.parameters.talk import TALK
from gbdist.models.history import HELD_OUT
from gbdist.selection.evaluating.result import AskedAfter
from gbdist.selection.searching.events import (
    COMPLETE,
    FAILED,
    PRUNED,
    SearchEvent,
    SearchListener,
    SearchStarted,
    TrialAdvanced,
    TrialEnded,
    TrialStarted,
)
from gbdist.selection.searching.hearing import Hearer, is_told
from gbdist.selection.searching.results import best_of, result_of
from gbdist.selection.searching.study import Drawn, Ledger
from gbdist.selection.searching.workers import Place, Places, Trained

#: A trial that has lost so many workers has failed: most likely it is what kills them.
_MOST_LOSSES: Final = 3
#: How long workers are waited for when there are none.
_WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 1.0
_NEWCOMERS_SECONDS: Final = 5.0


class _Stopped(Exception):
    """The search has ended, and with it the trial."""


@dataclass(frozen=True, eq=False)
class Course:
    """How trials are run and judged.

    Parameters
    ----------
    estimator : a copy of it is given the parameters of each trial
    scorers : of the evaluation; trials are judged by the first one
    asked_after : after which iterations Optuna is asked to end the trial; None: it is not
    iterations_of : the most iterations that an estimator has
    raises : whether the first trial that fails ends the search with its error
    timeout : seconds after which no trial begins and those that run are ended; None for none
    """

    estimator: Any
    scorers: Any
    asked_after: AskedAfter | None
    iterations_of: Callable[[Any], int]
    train_scores: bool
    raises: bool
    timeout: float | None
    listeners: tuple[SearchListener, ...]


@dataclass(eq=False)
class _Running:
    """A trial that runs: since when, how far it is, how it came there (iterations and scores), how often its worker was lost, and
    whether the pruner has ended it."""

    drawn: Drawn
    started: float = 0.0
    iteration: int = 0
    score: float | None = None
    curve: list[tuple[int, float]] = field(default_factory=list)
    losses: int = 0
    pruned: bool = False


class Trials:
    """Runs the trials that a study lacks."""

    def __init__(self, ledger: Ledger, places: Places, course: Course) -> None:
        self._ledger, self._places, self._course = ledger, places, course
        self._stop = threading.Event()
        self._over: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._again: deque[_Running] = deque()
        self._problem: BaseException | None = None
        self._lock, self._telling = threading.Lock(), threading.RLock()
        self.first_error: BaseException | None = None

    def run(self) -> None:
        """Until all have ended, or the time is over. Raises what ends a search: no workers, or KeyboardInterrupt."""
        self._tell(self._as_it_starts())
        end = None if self._course.timeout is None else time.monotonic() + self._course.timeout
        looked = time.monotonic()
        try:
            self._begin_threads(_WAIT_SECONDS)
            while self._threads:
                ended = self._wait_for_one()
                self._ledger.beat()
                if end is not None and time.monotonic() >= end:
                    self._stop.set()
                if self._stop.is_set():
                    continue
                if not self._threads:  # and yet there may be trials, if all places were lost
                    self._begin_threads(_WAIT_SECONDS)
                elif ended or time.monotonic() - looked > _NEWCOMERS_SECONDS:
                    self._begin_threads()
                    looked = time.monotonic()
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
            for running in self._again:
                self._ledger.cut_off(running.drawn)
        if self._problem is not None:
            raise self._problem

    def _as_it_starts(self) -> SearchStarted:
        name, done, earlier = self._ledger.study.study_name, self._ledger.n_ended, self._ledger.records()
        told = (name, self._ledger.n_trials, done, self._places.side_by_side)
        at = best_of(earlier)
        return SearchStarted(*told) if at is None else SearchStarted(*told, earlier[at].score, earlier[at].number)

    def _begin_threads(self, wait: float = 0.0) -> None:
        """One for each place that there is, as long as trials may be left; the first place is waited for."""
        while len(self._threads) < self._places.most and (self._again or self._ledger.more):
            place = self._places.another(wait if not self._threads else 0.0)
            if place is None:
                return
            thread = threading.Thread(
                target=copy_context().run, args=(self._serve, place), name="gbdist-trials", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _wait_for_one(self) -> bool:
        """Wait a moment for a thread to end; whether one has."""
        try:
            thread = self._over.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            return False
        thread.join()
        self._threads.remove(thread)
        return True

    # ---- in a place's thread

    def _serve(self, place: Place) -> None:
        """Run one trial after the other in a place, until there are none, the search ends, or the place is lost."""
        try:
            try:
                while not self._stop.is_set():
                    running = self._next()
                    if running is None or not self._ran(running, place):
                        break
            finally:
                self._places.give_back(place)
        except BaseException as problem:
            with self._lock:
                self._problem = self._problem or problem
            self._stop.set()
        finally:
            self._over.put(threading.current_thread())  # whatever has happened: it is waited for

    def _next(self) -> _Running | None:
        with self._lock:
            if self._again:
                return self._again.popleft()
        drawn = self._ledger.next()
        return None if drawn is None else _Running(drawn)

    def _ran(self, running: _Running, place: Place) -> bool:
        """Run a trial, and tell how it ended; False if the place is lost, and the trial is to run elsewhere."""
        drawn = running.drawn
        running.started, running.pruned, running.curve = time.monotonic(), False, []
        try:
            self._tell(TrialStarted(drawn.number, drawn.params, self._ledger.best))
            estimator = clone(self._course.estimator).set_params(**drawn.params)
            if isinstance(estimator, KeptParameters):
                given = estimator.get_params(deep=False)
                # Progress is told by the search, not by each trial.
                estimator.set_params(**{name: None for name in TALK if given.get(name) is not None})
            most = self._course.iterations_of(estimator)

            def watch(iteration: int, score: float) -> bool:
                return self._goes_on(running, iteration, score, most)

            trained = Trained(estimator, watch, self._course.asked_after, self._course.train_scores)
            with told_to(Hearer(lambda event: self._heard(running, event))):
                scores = place.run(trained)
        except _Stopped:
            self._ledger.cut_off(drawn)
        except (KeyboardInterrupt, SystemExit):
            self._ledger.cut_off(drawn)
            raise
        except Exception as error:
            return self._went_wrong(running, place, error)
        else:
            self._ended(running, scores)
        return True

    def _ended(self, running: _Running, scores: Any) -> None:
        drawn, first = running.drawn, self._course.scorers[0].name
        running.iteration = scores.iterations
        running.score = float(np.mean(scores.test[first]))
        result = result_of(scores, running.curve)
        if running.pruned:
            self._ledger.prune(drawn, result)
            self._tell_end(running, PRUNED)
            return
        self._ledger.complete(drawn, running.score, result)
        if np.isnan(running.score):
            self._tell_end(running, FAILED, "its score is not a number")
        else:
            self._tell_end(running, COMPLETE)

    def _went_wrong(self, running: _Running, place: Place, error: Exception) -> bool:
        """A trial has raised: whether its place is still of use. Raises what ends the search."""
        if self._stop.is_set():
            self._ledger.cut_off(running.drawn)
            return True
        lost = bool(place.lost)
        running.losses += lost
        if lost and running.losses < _MOST_LOSSES:
            with self._lock:
                self._again.append(running)
            return False
        if isinstance(error, ClusterError) and not lost:  # it is about the cluster, so all other trials would fail too
            self._ledger.cut_off(running.drawn)
            raise error
        self.first_error = self.first_error or error
        self._ledger.fail(running.drawn, f"{type(error).__name__}: {error}")
        running.score = None
        self._tell_end(running, FAILED, (str(error).splitlines() or [type(error).__name__])[0])
        if self._course.raises:
            raise error
        return not lost

    # ---- while a trial trains

    def _heard(self, running: _Running, event: IterationDone) -> None:
        """An iteration is done, of a fit that nobody is asked about."""
        if self._stop.is_set():
            raise _Stopped
        scorer = self._course.scorers[0]
        if self._course.asked_after is not None or not scorer.in_training:
            return
        if event.metrics.get(HELD_OUT):
            self._advance(running, event.iteration + 1, scorer.of(event.metrics[HELD_OUT]))

    def _goes_on(self, running: _Running, iteration: int, score: float, most: int) -> bool:
        """Report an iteration to Optuna, and ask whether it is enough; the last one ends the trial by itself."""
        if self._stop.is_set():
            raise _Stopped
        self._advance(running, iteration, score)
        asked_after = self._course.asked_after
        if asked_after is None or iteration >= most or not asked_after(iteration):
            return True
        trial = running.drawn.trial
        trial.report(score, iteration)
        running.pruned = bool(trial.should_prune())
        return not running.pruned

    def _advance(self, running: _Running, iteration: int, score: float) -> None:
        running.iteration, running.score = iteration, score
        if not is_told(iteration):
            return
        running.curve.append((iteration, score))
        if self._course.listeners:
            drawn = running.drawn
            self._tell(TrialAdvanced(drawn.number, drawn.params, iteration, score, self._ledger.best))

    def _tell_end(self, running: _Running, state: str, error: str = "") -> None:
        drawn, seconds = running.drawn, time.monotonic() - running.started
        score, best = running.score, self._ledger.best
        self._tell(TrialEnded(drawn.number, drawn.params, running.iteration, score, state, best, seconds, error))

    def _tell(self, event: SearchEvent) -> None:
        with self._telling:
            for listener in self._course.listeners:
                listener(event)
