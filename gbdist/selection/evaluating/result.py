"""What a run of an evaluation is asked for, and what it ends with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Scores by name, float64 [n_folds] each; the greater the better.
Scores = dict[str, NDArray[np.float64]]
#: What is called on the client after an iteration: its number from 1, and the mean score. False ends the run.
Watch = Callable[[int, float], bool]
#: After which iterations, counted from 1, what ``Watch`` answers counts; it can be pickled.
AskedAfter = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for; see ``Evaluation.run``."""

    watch: Watch | None = None
    asked_after: AskedAfter | None = None
    return_models: bool = False
    train_scores: bool = False
    error_score: Any = "raise"


@dataclass(frozen=True)
class FoldScores:
    """Scores of all folds.

    Parameters
    ----------
    test : of the rows that each fold held out
    train : of those that it trained on, or None
    fit_time, score_time : float64 [n_folds], seconds
        Of folds in lock-step each has the same share, and scores come with the fit.
    models : fitted estimators, or None
    iterations : trees of each fold that the scores are of; of folds one after another the mean, rounded, 0 where nothing tells
    stopped : "iterations", "overfitting" or "callback"
    """

    test: Scores
    train: Scores | None
    fit_time: NDArray[np.float64]
    score_time: NDArray[np.float64]
    models: list[Any] | None = field(repr=False)
    iterations: int
    stopped: str
