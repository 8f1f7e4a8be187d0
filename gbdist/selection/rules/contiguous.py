"""Rules by the number of a row alone: folds of neighbouring rows, and windows that train before those that test."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gbdist.selection.rules.base import FoldRule, Mask, Run


def fold_ends(n_rows: int, n_folds: int) -> NDArray[np.int64]:
    """Where each of some folds of neighbours ends, int64 [n_folds]; the first ``n_rows % n_folds`` have one row more."""
    sizes = np.full(n_folds, n_rows // n_folds, np.int64)
    sizes[: n_rows % n_folds] += 1
    return np.cumsum(sizes)


@dataclass(frozen=True, slots=True)
class ContiguousFolds(FoldRule):
    """``n_splits`` folds of neighbours: scikit-learn's ``KFold`` without ``shuffle``."""

    n_splits: int
    n_rows: int

    def folds(self, run: Run) -> NDArray[np.int64]:
        """See ``FoldRule``."""
        return np.searchsorted(fold_ends(self.n_rows, self.n_splits), run.rows, side="right").astype(np.int64)


@dataclass(frozen=True, slots=True)
class Windows:
    """Each split trains on rows ``[start, stop)`` and tests on others, both by number.

    ``train`` and ``test`` have a pair (start, stop) for each split.
    """

    train: tuple[tuple[int, int], ...]
    test: tuple[tuple[int, int], ...]

    @property
    def n_splits(self) -> int:
        """See ``Rule``."""
        return len(self.test)

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """See ``SizedRule``."""
        train, test = (sum(stop - start for start, stop in windows) for windows in (self.train, self.test))
        return train // self.n_splits, test // self.n_splits

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        return _within(run, self.train[split]), _within(run, self.test[split])


def _within(run: Run, window: tuple[int, int]) -> Mask:
    start, stop = window
    rows = run.rows
    return np.asarray((rows >= start) & (rows < stop))


def series_windows(n_folds: int, n_rows: int) -> Windows:
    """Windows of CatBoost's ``cv(type="TimeSeries")``: of ``n_folds + 1`` parts, all up to one train, and the next one tests.

    Parts differ by one row, larger ones first.
    """
    ends = fold_ends(n_rows, n_folds + 1).tolist()
    return Windows(tuple((0, end) for end in ends[:-1]), tuple(pairwise(ends)))


def time_windows(n_rows: int, n_splits: int, test_size: int, gap: int, max_train_size: int | None) -> Windows:
    """Windows of scikit-learn's ``TimeSeriesSplit``: tests are the last rows, each after all that its split trains on.

    Training begins with the first row, or ``max_train_size`` rows before its end; ``gap`` rows before the test are left out.
    """
    first = n_rows - n_splits * test_size
    tests = [(start, start + test_size) for start in range(first, n_rows, test_size)]
    ends = [start - gap for start, _ in tests]
    longest = n_rows if max_train_size is None else max_train_size
    return Windows(tuple((max(0, end - longest), end) for end in ends), tuple(tests))
