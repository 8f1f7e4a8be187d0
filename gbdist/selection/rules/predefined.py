"""Folds that the user has given each row."""

from dataclasses import dataclass

import numpy as np

from gbdist.selection.rules.base import Mask, Run


@dataclass(frozen=True, slots=True)
class PredefinedFolds:
    """A split for each of ``folds``: rows with that number test, all others train."""

    folds: tuple[int, ...]

    @property
    def n_splits(self) -> int:
        """See ``Rule``."""
        return len(self.folds)

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        test = np.asarray(run.values) == self.folds[split]
        return ~test, test
