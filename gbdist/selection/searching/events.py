"""What a search tells its listeners: functions that are called with each of these, one after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

RUNNING: Final = "running"
COMPLETE: Final = "complete"
PRUNED: Final = "pruned"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class SearchStarted:
    """Trials are about to run: ``trials`` in all, None for as many as time allows, of which ``done`` ended in an earlier call.

    ``side_by_side``: how many run at once. ``study`` is the name of the study; of what ended earlier ``best`` is the best score
    and ``best_trial`` the number of the trial that has it, None where none has ended well.
    """

    study: str
    trials: int | None
    done: int
    side_by_side: int
    best: float | None = None
    best_trial: int | None = None

    @property
    def nothing_left(self) -> bool:
        """Whether all trials have ended before."""
        return self.trials is not None and self.done >= self.trials


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial is about to train. ``number`` counts trials from 0, in the order of ``cv_results_``.

    ``best`` is the best score so far, None before the first; greater is better, here and below.
    """

    number: int
    params: Mapping[str, Any]
    best: float | None = None
    state: str = field(default=RUNNING, init=False)


@dataclass(frozen=True, slots=True)
class TrialAdvanced:
    """A trial has done ``iteration`` trees or epochs, and its mean score over the folds is ``score``."""

    number: int
    params: Mapping[str, Any]
    iteration: int
    score: float
    best: float | None = None
    state: str = field(default=RUNNING, init=False)


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is over, after ``iteration`` trees or epochs and ``seconds``.

    ``state`` is "complete", "pruned" or "failed"; ``score`` is None where there is none, ``best`` includes this trial, and
    ``error`` is the first line of what went wrong.
    """

    number: int
    params: Mapping[str, Any]
    iteration: int
    score: float | None
    state: str
    best: float | None = None
    seconds: float = 0.0
    error: str = ""


SearchEvent = SearchStarted | TrialStarted | TrialAdvanced | TrialEnded
#: Called in a thread of the search, never by two at once; what it returns does not matter.
SearchListener = Callable[[SearchEvent], object]
