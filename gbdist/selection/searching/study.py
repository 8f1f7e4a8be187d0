"""The study of a search, in any storage of Optuna's: which trials there are, asked for and told by one thread at a time.

Trials of a search are numbered. One that was cut off, because its client was killed or gave it up, is a failed one without an
error in Optuna's words: its parameters are tried again, under its number.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from gbdist.errors import ParameterError
from gbdist.selection.searching.claim import Claim
from gbdist.selection.searching.events import COMPLETE, FAILED, PRUNED
from gbdist.selection.searching.opening import Where, opened, quiet
from gbdist.selection.searching.samplers import NUMBER, Search
from gbdist.selection.searching.spaces import Space

#: Attributes of a trial: scores and times of its folds, what went wrong, and that it is from an earlier study.
RESULT: Final = "gbdist:result"
ERROR: Final = "gbdist:error"
_EARLIER: Final = "gbdist:earlier"
_STATES = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A trial that is to run, or runs: its number, its parameters, and Optuna's side of it."""

    number: int
    params: Mapping[str, Any]
    trial: Trial


@dataclass(frozen=True, eq=False)
class Record:
    """A trial that has ended; ``state`` as in ``TrialEnded``. ``result`` has what ``result_of`` writes, if there are scores."""

    number: int
    params: Mapping[str, Any]
    state: str
    score: float | None
    result: Mapping[str, Any]
    error: str


class Ledger:
    """The trials of one search; safe to use from several threads. ``close`` when nothing runs any more."""

    def __init__(
        self, where: Where, search: Search, space: Space, n_trials: int | None, identity: Mapping[str, Any]
    ) -> None:
        self._search, self._space, self._lock = search, space, threading.RLock()
        self.study = opened(where, search, identity)
        self._claim = Claim(self.study)
        try:
            self._again = self._cut_off()
        except BaseException:
            self._claim.release()
            raise
        self._waiting = len(self._trials(TrialState.WAITING))
        self._n_trials = search.trials(n_trials)
        ended = self.records()
        if ended and search.begun is not None:
            self.study.sampler = search.begun(len(ended))
        self._ended = {record.number for record in ended}
        self._asked = set(self._ended)
        self._best = max((one.score for one in ended if one.state == COMPLETE and one.score is not None), default=None)

    @property
    def n_trials(self) -> int | None:
        """How many trials the search has in all; None for any number."""
        return self._n_trials

    @property
    def n_ended(self) -> int:
        """How many have ended."""
        return len(self._ended)

    @property
    def more(self) -> bool:
        """Whether there are trials that nobody has asked for."""
        with self._lock:
            return next(self._free(), None) is not None

    def learn_from(self, earlier: Sequence[FrozenTrial]) -> None:
        """Add trials of earlier studies, which are not counted, to what the sampler knows; a second time does nothing."""
        with self._lock:
            if not any(_EARLIER in trial.user_attrs for trial in self.study.get_trials(deepcopy=False)):
                self.study.add_trials(earlier)

    def next(self) -> Drawn | None:
        """The next trial to run; None if all have been asked for."""
        with self._lock, quiet():
            number = next(self._free(), None)
            if number is None:
                return None
            if self._waiting:  # the user's, or those of a client that was killed before it ran them
                self._waiting -= 1
            else:
                self.study.enqueue_trial(self._fixed(number), user_attrs={NUMBER: number})
            trial = self.study.ask()
            if NUMBER in trial.user_attrs:
                number = trial.user_attrs[NUMBER]
            else:
                trial.set_user_attr(NUMBER, number)
            self._asked.add(number)
            grid, known = self._search.grid, self._space.distributions
            names = known if grid is None else grid[number]
            stored = {name: _suggested(trial, name, known[name]) for name in names}
            return Drawn(number, self._space.meant(stored), trial)

    def complete(self, drawn: Drawn, score: float, result: Mapping[str, Any]) -> None:
        """A trial has ended, with this mean score; one that is no number is a failure."""
        if np.isnan(score):
            self.fail(drawn, "its score is not a number", result)
            return
        self._tell(drawn, TrialState.COMPLETE, result, score)
        with self._lock:
            self._best = score if self._best is None else max(self._best, score)

    def prune(self, drawn: Drawn, result: Mapping[str, Any]) -> None:
        """A trial was ended by the pruner; Optuna takes the last score that it was told."""
        self._tell(drawn, TrialState.PRUNED, result)

    def fail(self, drawn: Drawn, error: str, result: Mapping[str, Any] | None = None) -> None:
        """A trial has failed."""
        with self._lock:
            drawn.trial.set_user_attr(ERROR, error)
            self._tell(drawn, TrialState.FAIL, result or {})

    def cut_off(self, drawn: Drawn) -> None:
        """A trial was given up; it is free to be run again."""
        with self._lock:
            self._again[drawn.number] = self._space.stored(drawn.params)
            self.study.tell(drawn.trial, state=TrialState.FAIL)
            self._asked.discard(drawn.number)

    def beat(self) -> None:
        """Say now and then that this client lives; see ``Claim``."""
        with self._lock:
            self._claim.beat()

    def records(self) -> list[Record]:
        """All trials that have ended, by number."""
        return [self._record(trial) for trial in trials_of(self.study, *_STATES).values()]

    @property
    def best(self) -> float | None:
        """The best score so far; None if none has ended well."""
        return self._best

    def close(self) -> None:
        """Let others have the study."""
        with self._lock:
            self._claim.release()

    def _free(self) -> Iterator[int]:
        number = 0
        while self._n_trials is None or number < self._n_trials:
            if number not in self._asked:
                yield number
            number += 1

    def _fixed(self, number: int) -> dict[str, Any]:
        """What is known already of a trial's parameters, as Optuna stores them."""
        if number in self._again:
            return self._again[number]
        return {} if self._search.grid is None else self._space.stored(self._search.grid[number])

    def _tell(self, drawn: Drawn, state: TrialState, result: Mapping[str, Any], score: float | None = None) -> None:
        with self._lock, quiet():
            drawn.trial.set_user_attr(RESULT, dict(result))
            self.study.tell(drawn.trial, score, state=state)
            self._ended.add(drawn.number)

    def _cut_off(self) -> dict[int, dict[str, Any]]:
        """End what a client that is gone has left running; the parameters of these trials, and of others that were cut off."""
        for trial in self._trials(TrialState.RUNNING):
            self.study.tell(trial.number, state=TrialState.FAIL)
        cut_off = [trial for trial in self._trials(TrialState.FAIL) if ERROR not in trial.user_attrs]
        return {trial.user_attrs[NUMBER]: trial.params for trial in cut_off if NUMBER in trial.user_attrs}

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states)

    def _record(self, trial: FrozenTrial) -> Record:
        told = trial.user_attrs
        params = self._space.meant(trial.params)
        score = trial.value if trial.state == TrialState.COMPLETE else None
        return Record(told[NUMBER], params, _STATES[trial.state], score, told.get(RESULT, {}), told.get(ERROR, ""))


def trials_of(study: optuna.Study, *states: TrialState) -> dict[int, FrozenTrial]:
    """Trials of a search that are in these states, in the order of their numbers; none that were cut off, or are of earlier
    studies."""
    found: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False, states=states):
        cut_off = trial.state == TrialState.FAIL and ERROR not in trial.user_attrs
        if NUMBER in trial.user_attrs and not cut_off:
            found.setdefault(trial.user_attrs[NUMBER], trial)
    return dict(sorted(found.items()))


def earlier_trials(given: Any, space: Space) -> list[FrozenTrial]:
    """Trials to learn from, of ``warm_start_from``: a study of Optuna's, something with ``study_``, or pairs (params, score).

    Trials of studies count if they have ended well and are in the space. Raises ParameterError if none does, and for a pair that
    is not in the space.
    """
    study = getattr(given, "study_", given)
    distributions = space.distributions
    if isinstance(study, optuna.Study):
        of_space = [
            (trial.params, trial.value)
            for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if trial.params.keys() == distributions.keys()
            and all(_in(distributions[name], value) for name, value in trial.params.items())
        ]
        if study.direction == StudyDirection.MINIMIZE:
            of_space = [(params, -value) for params, value in of_space if value is not None]
        if not of_space:
            expected = "a study with trials of the same parameters, within the space"
            raise ParameterError("warm_start_from", study.study_name, expected, "Leave it out.")
    else:
        of_space = [_pair(one, space) for one in _listed(given)]
    return [
        optuna.trial.create_trial(params=params, distributions=distributions, value=value, user_attrs={_EARLIER: True})
        for params, value in of_space
    ]


def _listed(given: Any) -> Sequence[Any]:
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        return given
    expected = "a study of Optuna's, a fitted DaskSearchCV, or a list of pairs (params, score)"
    raise ParameterError("warm_start_from", given, expected, 'As in [({"depth": 6}, 0.87)].')


def _pair(given: Any, space: Space) -> tuple[dict[str, Any], float]:
    try:
        params, score = given
        if params.keys() != space.dimensions.keys():
            raise ValueError(f"it is not of {', '.join(space.dimensions)}")
        return space.stored(params), float(score)
    except (TypeError, ValueError, AttributeError) as problem:
        expected = f"a pair (params, score) within the space; {problem}"
        raise ParameterError("warm_start_from", given, expected, 'As in [({"depth": 6}, 0.87)].') from None


def _in(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except ValueError:
        return False


def _suggested(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """A value as Optuna stores it."""
    match distribution:
        case CategoricalDistribution():
            return trial.suggest_categorical(name, distribution.choices)
        case IntDistribution():
            return trial.suggest_int(
                name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
            )
        case FloatDistribution():
            return trial.suggest_float(
                name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
            )
    raise TypeError(f"a distribution of an unknown kind: {distribution}")
