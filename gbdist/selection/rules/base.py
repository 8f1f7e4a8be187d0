"""What every rule answers, and about what: a run of neighbouring rows."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Neighbouring rows of a data set.

    Parameters
    ----------
    first_row : int
        Global number of the first one.
    n_rows : int
    values : array [n_rows] or None
        Label, group or test fold of each row, where the rule asks for one.
    before : int64 [n_classes]
        Rows of each class before ``first_row``, in the order of the rule's classes; of rules by class only.
    """

    first_row: int
    n_rows: int
    values: NDArray[Any] | None = None
    before: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Global numbers of the rows, int64 [n_rows]."""
        return np.arange(self.first_row, self.first_row + self.n_rows)


class Rule(Protocol):
    """Says of each split which rows train and which test; the same of a row, whatever run it is asked in."""

    @property
    def n_splits(self) -> int:
        """How many pairs of masks there are."""
        ...

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """Rows of a run that train and those that test in a split, each bool [n_rows]; no row does both."""
        ...


class SizedRule(Rule, Protocol):
    """A rule by the number of a row alone, which knows how many rows train."""

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """Rows that train and rows that test in a split, of ``n_rows``: in the mean, rounded down, if splits differ."""
        ...


@runtime_checkable
class SharingRule(Rule, Protocol):
    """A rule whose splits share what is costly to find."""

    def every(self, run: Run) -> Iterator[tuple[Mask, Mask]]:
        """The masks of all splits, in their order, for which that is found once."""
        ...


class FoldRule(ABC):
    """A rule that puts each row into one fold: a split tests one, and trains on all others."""

    n_splits: int

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """See ``SizedRule``; to one row, where folds are even."""
        return n_rows - n_rows // self.n_splits, n_rows // self.n_splits

    @abstractmethod
    def folds(self, run: Run) -> NDArray[np.int64]:
        """Fold of each row of a run, int64 [n_rows]."""

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        return _masks_of(self.folds(run), split)

    def every(self, run: Run) -> Iterator[tuple[Mask, Mask]]:
        """See ``SharingRule``."""
        folds = self.folds(run)
        return (_masks_of(folds, split) for split in range(self.n_splits))

    def places(self, run: Run) -> NDArray[np.int64]:
        """The split that each row tests in, int64 [n_rows]."""
        return self.folds(run)


def every_split(rule: Rule, run: Run) -> Iterator[tuple[Mask, Mask]]:
    """The masks of all splits, in their order."""
    if isinstance(rule, SharingRule):
        return rule.every(run)
    return (rule.masks(split, run) for split in range(rule.n_splits))


def _masks_of(folds: NDArray[np.int64], split: int) -> tuple[Mask, Mask]:
    test = folds == split
    return ~test, test
