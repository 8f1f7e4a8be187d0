"""What a training run ends with."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gbdist.models.history import History, MetricTable, history_of
from gbdist.models.statistics import CategoricalPart
from gbdist.models.tree import Tree


@dataclass(frozen=True)
class BoostResult:
    """What a run ends with; the same on every rank but for ``predictions``.

    Parameters
    ----------
    trees : tuple of ObliviousTree or of NonSymmetricTree
        Cut after the best iteration where ``use_best_model`` asks for it.
    bias : float64 [dimension]
    scores : metrics after each tree that was grown, empty where none were computed
    best_iteration : int
        −1 without an eval set.
    best_value : float
        Eval metric of the best iteration, NaN without an eval set.
    stopped : "iterations", "overfitting" or "callback"
    predictions : float64 [dimension, n]
        The trainer's own raw predictions of this rank's training rows, after all trees that were grown.
    eval_predictions : float64 [dimension, n] of each eval set
        As the finished model predicts, if all its trees are kept.
    categories : CategoricalPart
        What the model has beside binned columns; tables are there on rank 0 alone.
    left_out : int
        Combinations of categorical columns that did not compete, because a level had too many.
    """

    trees: tuple[Tree, ...]
    bias: NDArray[np.float64]
    scores: tuple[MetricTable, ...]
    best_iteration: int
    best_value: float
    stopped: str
    predictions: NDArray[np.float64] = field(repr=False)
    eval_predictions: tuple[NDArray[np.float64], ...] = field(repr=False)
    categories: CategoricalPart
    left_out: int

    @property
    def history(self) -> History:
        """Data set → metric → one value for each time it was evaluated."""
        return history_of(self.scores)
