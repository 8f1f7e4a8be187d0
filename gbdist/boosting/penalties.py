"""What the columns of X cost where splits compete: CatBoost's feature_weights and first_feature_use_penalties."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Penalties:
    """By position of the column.

    Parameters
    ----------
    weights : tuple of float
        Factors of the gains of splits of the column.
    first_uses : tuple of float
        What is taken from the scores as long as no tree has used the column; penalties_coefficient is in them.
    """

    weights: tuple[float, ...]
    first_uses: tuple[float, ...]


class Costs:
    """The penalties of a run, and which columns its trees have used so far."""

    def __init__(self, penalties: Penalties | None) -> None:
        #: Whether scores are changed at all.
        self.change = penalties is not None
        self._penalties = penalties or Penalties((), ())
        self._used: set[int] = set()

    def first_uses(self, columns: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """What is to be taken from the scores of some splits, float64 [n]: the penalties of their columns not used yet."""
        penalties = self._penalties.first_uses
        return np.array([sum(penalties[column] for column in of if column not in self._used) for of in columns], float)

    def gains(
        self, scores: NDArray[np.float64], before: float, columns: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """What some splits compete with, float64 [n]: (score − that of the split before) × the weights of their columns.

        Both as CatBoost's (SelectBestCandidate, feature_penalties_calcer.cpp): a column that a split has twice counts twice.
        """
        weights = self._penalties.weights
        factors = np.array([math.prod(weights[column] for column in of) for of in columns], float)
        return np.asarray((scores - before) * factors)

    def note(self, columns: Sequence[int]) -> None:
        """Columns of a split that a tree has chosen."""
        self._used.update(columns)
