"""Rules by the number of a row within its class, which keep the proportions of classes to one row."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import GOLDEN, hash_numbers, mixed, stream_key
from gbdist.permutation import permuted
from gbdist.selection.rules.base import FoldRule, Mask, Run
from gbdist.selection.rules.classes import Classes

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

    def in_order(self, order: NDArray[np.int64]) -> "StratifiedFolds":
        """The rule for the same classes in another order, int64 [n_classes]."""
        return replace(self, classes=Classes(self.classes.labels[order], self.classes.counts[order]))

    def folds(self, run: Run) -> NDArray[np.int64]:
        """See ``FoldRule``."""
        codes, numbers = self.classes.ordinals(run)
        counts, k = self.classes.counts, self.n_splits
        begins = np.cumsum(counts) - counts
        if self.seed is not None:
            keys = hash_numbers(stream_key(_FOLDS, self.seed, k), np.arange(counts.shape[0], dtype=np.uint64))
            return (begins[codes] + _ranks(keys[codes], k, numbers, counts[codes])) % k
        # Of the places begin … begin+count−1 every k-th is a fold's.
        folds, begins = np.arange(k), begins[:, None]
        sizes = (begins + counts[:, None] - folds + k - 1) // k - (begins - folds + k - 1) // k
        ends = np.cumsum(sizes, axis=1)
        found = np.zeros(run.n_rows, np.int64)
        for fold in range(k - 1):
            found += numbers >= ends[codes, fold]
        return found


def _ranks(
    keys: NDArray[np.uint64], length: int, numbers: NDArray[np.int64], n_all: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ranks of ``numbers`` by hash among those of their run of ``length`` neighbours, all int64 [n] but ``keys``, uint64 [n].

    Runs are as in ``Folds``; each number has a key, and ``n_all`` numbers beside it, of its own.
    """
    first = numbers // length * length
    own, ranks = mixed(keys + numbers.astype(np.uint64) * GOLDEN), np.zeros(numbers.shape[0], np.int64)
    for place in range(length):
        other = first + place
        draw = mixed(keys + other.astype(np.uint64) * GOLDEN)
        ranks += (other < n_all) & ((draw < own) | ((draw == own) & (other < numbers)))
    return ranks


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
        codes, numbers = self.classes.ordinals(run)
        order = np.argsort(codes, kind="stable")
        for at in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            if at.size:
                code = int(codes[at[0]])
                places = permuted(stream_key(_SETS, self.seed, code), int(self.classes.counts[code]), numbers[at])
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
