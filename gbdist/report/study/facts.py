"""What the page about a search for parameters is made of: its trials and its space, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

State = Literal["complete", "pruned", "failed", "running"]
Kind = Literal["number", "integer", "category"]
STATES: tuple[State, ...] = ("complete", "pruned", "failed", "running")

#: How far beyond the better three quarters of all values the axes of values reach, in units of their spread.
_REACH = 3.0


@dataclass(frozen=True, eq=False, slots=True)
class TrialFacts:
    """One trial.

    Parameters
    ----------
    number : int
        From 0, in the order in which trials were begun.
    value : float or None
        Its score; of a trial that has not ended well, the last one that is known.
    params : name → number, or text for a category; names that this trial had no value for are left out
    curve : (iteration, score), iterations ascending
    seconds : float or None
        How long it took.
    error : str
        Why it failed.
    """

    number: int
    state: State
    value: float | None
    params: Mapping[str, Any]
    curve: tuple[tuple[int, float], ...] = ()
    seconds: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A parameter that was searched for: its range, ``low`` to ``high``, or its ``choices`` in words."""

    name: str
    kind: Kind
    low: float = np.nan
    high: float = np.nan
    log: bool = False
    choices: tuple[str, ...] = ()

    def places(self, values: list[Any]) -> NDArray[np.float64]:
        """Numbers as they are, categories by their place among the choices; float64 [n], NaN for None and what is unknown."""
        if self.kind == "category":
            known = {choice: float(place) for place, choice in enumerate(self.choices)}
            return np.array([known.get(value, np.nan) for value in values], dtype=np.float64)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """A search.

    Parameters
    ----------
    name : what the page is called
    scoring : what a trial's value is
    greater_is_better : bool
    trials : all of them, by number
    space : parameters in the order in which the page shows them
    importances : parameter → share of 1; or a sentence that says why there are none
    details : more lines for the table on top: (name, value)
    """

    name: str
    scoring: str
    greater_is_better: bool
    trials: tuple[TrialFacts, ...]
    space: tuple[Dimension, ...]
    importances: Mapping[str, float] | str
    details: tuple[tuple[str, str], ...] = ()

    @cached_property
    def best(self) -> TrialFacts | None:
        """The complete trial with the best value, the first of equal ones; None where there is none."""
        ended = [trial for trial in self.trials if trial.state == "complete" and known(trial)]
        sign = -1.0 if self.greater_is_better else 1.0
        return min(ended, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)

    def count(self, state: State) -> int:
        """How many trials are in this state."""
        return sum(trial.state == state for trial in self.trials)

    @cached_property
    def edge(self) -> float | None:
        """The worst value that axes reach to: worse ones, of trials that went astray, would press all others into a line."""
        values = np.array([trial.value for trial in self.trials if known(trial)], dtype=np.float64)
        if not values.size:
            return None
        sign = -1.0 if self.greater_is_better else 1.0
        costs = np.sort(sign * values)
        edge = float(np.quantile(costs, 0.75))
        edge += _REACH * (edge - costs[0])
        return sign * edge if costs[-1] > edge else None

    def shown(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values as charts draw them: those beyond ``edge`` at it."""
        if self.edge is None:
            return values
        return np.maximum(values, self.edge) if self.greater_is_better else np.minimum(values, self.edge)

    @property
    def direction(self) -> str:
        """Which values are better, in words."""
        return "greater is better" if self.greater_is_better else "smaller is better"


def known(trial: TrialFacts) -> bool:
    """Whether the trial has a value that can be drawn."""
    return trial.value is not None and bool(np.isfinite(trial.value))


def in_short(value: Any) -> str:
    """A value of a parameter, or a score, in few letters."""
    return f"{value:.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
