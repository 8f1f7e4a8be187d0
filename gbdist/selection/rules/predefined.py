"""Folds that the user has given each row: by a number of the fold, or by a number of what the row is in all splits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.selection.rules.base import Mask, Run

#: What a row is in a split, beside neither, which is 0.
TRAINS, TESTS = 1, 2


@dataclass(frozen=True, slots=True)
class PredefinedFolds:
    """A split for each of ``folds``, ascending: rows with that number test, all others train."""

    folds: tuple[int, ...]

    @property
    def n_splits(self) -> int:
        """See ``Rule``."""
        return len(self.folds)

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        test = np.asarray(run.values) == self.folds[split]
        return ~test, test

    def places(self, run: Run) -> NDArray[np.int64]:
        """The split that each row tests in, int64 [n_rows]; ``n_splits`` for rows that always train."""
        known, values = np.array(self.folds), np.asarray(run.values)
        places = np.searchsorted(known, values)
        found = known[np.minimum(places, self.n_splits - 1)] == values
        return np.where(found, places, self.n_splits).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """What rows are in all splits, by a number that each row has: uint8 [n_patterns, n_splits], ``TRAINS``, ``TESTS`` or 0."""

    sides: NDArray[np.uint8]

    @property
    def n_splits(self) -> int:
        """See ``Rule``."""
        return int(self.sides.shape[1])

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        side = self.sides[np.asarray(run.values), split]
        return side == TRAINS, side == TESTS

    def sizes(self, codes: NDArray[np.uint32]) -> tuple[int, int]:
        """Rows that train and that test, in all splits together, of rows with these numbers."""
        train, test = (np.count_nonzero(self.sides == side, axis=1)[codes].sum() for side in (TRAINS, TESTS))
        return int(train), int(test)


def one_fold_each(n_splits: int) -> Patterns:
    """Patterns 0, 1, … of rows that test in that split and train in all others, and one of rows that always train."""
    sides = np.full((n_splits + 1, n_splits), TRAINS, np.uint8)
    np.fill_diagonal(sides, TESTS)
    return Patterns(sides)
