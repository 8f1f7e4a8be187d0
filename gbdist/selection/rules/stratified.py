"""Rules by the number of a row within its class, which keep the proportions of classes to one row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers, stream_key
from gbdist.selection.folds import ranks_in_runs
from gbdist.selection.rules.base import FoldRule, Mask, Run
from gbdist.selection.rules.classes import Classes
from gbdist.selection.rules.permutation import permuted

_FOLDS, _SETS, _TIES = 0x73747266, 0x73747273, 0x74696573


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedFolds(FoldRule):
    """Folds that differ by one row of each class at most, and by one row in all.

    The rows that a class has beyond a multiple of the folds go to the folds after those where the class before it left off,
    which is scikit-learn's ``StratifiedKFold``. Without a ``seed`` a fold gets neighbours of a class, as there; with one,
    each fold gets one of each run of ``n_splits`` rows of a class, by hash.
    """

    n_splits: int
    classes: Classes
    seed: int | None

    def folds(self, run: Run) -> NDArray[np.int64]:
        """See ``FoldRule``."""
        folds = np.empty(run.n_rows, np.int64)
        begins = np.cumsum(self.classes.counts) - self.classes.counts
        for code, places, numbers in self.classes.of_run(run):
            folds[places] = self._of_class(code, int(begins[code]), numbers)
        return folds

    def _of_class(self, code: int, begin: int, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Folds of neighbouring rows of a class, by their numbers in it; ``begin`` rows are of classes before it."""
        k, n_all = self.n_splits, int(self.classes.counts[code])
        if self.seed is not None:
            key = stream_key(_FOLDS, self.seed, k, code)
            ranks = ranks_in_runs(key, k, int(numbers[0]), numbers.shape[0], n_all)
            return (begin + ranks) % k
        # Of the places begin … begin+n_all−1 every k-th is a fold's.
        folds = np.arange(k)
        sizes = (begin + n_all - folds + k - 1) // k - (begin - folds + k - 1) // k
        return np.searchsorted(np.cumsum(sizes), numbers, side="right").astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedSets:
    """Of each class the first ``n_train`` rows of a permutation train, the next ``n_test`` test, int64 [n_classes] both."""

    classes: Classes
    n_train: NDArray[np.int64]
    n_test: NDArray[np.int64]
    seed: int

    @property
    def n_splits(self) -> int:
        """See ``Rule``."""
        return 1

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        train, test = np.zeros(run.n_rows, bool), np.zeros(run.n_rows, bool)
        for code, at, numbers in self.classes.of_run(run):
            key = stream_key(_SETS, self.seed, code)
            places = permuted(key, int(self.classes.counts[code]), numbers)
            first, both = self.n_train[code], self.n_train[code] + self.n_test[code]
            train[at] = places < first
            test[at] = (places >= first) & (places < both)
        return train, test


def stratified_sets(classes: Classes, n_train: int, n_test: int, seed: int) -> StratifiedSets:
    """Sets of exact sizes in which each class has its share to one row, as scikit-learn's ``_approximate_mode`` has it."""
    train = _shares(classes.counts, n_train, seed)
    return StratifiedSets(classes, train, _shares(classes.counts - train, n_test, seed), seed)


def _shares(counts: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64]:
    """``n`` rows cut like ``counts``, int64 [n_classes]: rounded down, and one more where most was cut off, ties by hash."""
    exact = counts / counts.sum() * n
    shares: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    ties = hash_numbers(stream_key(_TIES, seed), np.arange(counts.shape[0], dtype=np.uint64))
    order = np.lexsort((ties, shares - exact))
    shares[order[: n - int(shares.sum())]] += 1
    return shares
