"""Rules by hash of the row's number: folds, sets of exact sizes, and folds that overlap by a known share."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import stream_key
from gbdist.permutation import permuted
from gbdist.selection.folds import Folds
from gbdist.selection.rules.base import FoldRule, Mask, Run, SizedRule, every_split
from gbdist.selection.rules.contiguous import ContiguousFolds

_SETS, _CIRCLE, _REPEAT = 0x73657473, 0x63697263, 0x72657065


@dataclass(frozen=True, slots=True)
class HashedFolds(FoldRule):
    """``Folds`` as a rule."""

    n_splits: int
    seed: int

    def folds(self, run: Run) -> NDArray[np.int64]:
        """See ``FoldRule``."""
        return Folds(self.n_splits, self.seed).of_rows(run.first_row, run.n_rows)


def even_folds(n_splits: int, seed: int | None, n_rows: int) -> SizedRule:
    """Folds that differ by one row at most: neighbours without a ``seed``, else by hash."""
    return ContiguousFolds(n_splits, n_rows) if seed is None else HashedFolds(n_splits, seed)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The splits of several rules, one rule after the other."""

    rules: tuple[SizedRule, ...]

    @property
    def n_splits(self) -> int:
        """See ``Rule``."""
        return sum(rule.n_splits for rule in self.rules)

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """See ``SizedRule``."""
        each = [(rule.n_splits, rule.sizes(n_rows)) for rule in self.rules]
        train, test = (sum(n * sizes[side] for n, sizes in each) for side in range(2))
        return train // self.n_splits, test // self.n_splits

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        for rule in self.rules:
            if split < rule.n_splits:
                return rule.masks(split, run)
            split -= rule.n_splits
        raise IndexError(split)

    def every(self, run: Run) -> Iterator[tuple[Mask, Mask]]:
        """See ``SharingRule``."""
        return (masks for rule in self.rules for masks in every_split(rule, run))


def repeated_folds(n_splits: int, n_repeats: int, seed: int) -> Repeated:
    """Other folds by hash for each repeat."""
    seeds = [int(stream_key(_REPEAT, seed, repeat)) for repeat in range(n_repeats)]
    return Repeated(tuple(HashedFolds(n_splits, one) for one in seeds))


@dataclass(frozen=True, slots=True)
class ShuffledSets:
    """The first ``n_test`` rows of a permutation test, the next ``n_train`` train; another permutation for each split."""

    n_splits: int
    n_rows: int
    n_train: int
    n_test: int
    seed: int

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """See ``SizedRule``."""
        return self.n_train, self.n_test

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        places = permuted(stream_key(_SETS, self.seed, split), self.n_rows, run.rows)
        test = places < self.n_test
        return np.asarray(~test & (places < self.n_test + self.n_train)), np.asarray(test)


@dataclass(frozen=True, slots=True)
class Arcs:
    """Rows lie on a circle in the order of one permutation; each split trains on ``n_train`` from its own beginning on.

    Beginnings are evenly spaced, so that any two rows train in as many splits, to one.
    """

    n_splits: int
    n_rows: int
    n_train: int
    seed: int

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """See ``SizedRule``."""
        return self.n_train, n_rows - self.n_train

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        return self._arc(split, self._places(run))

    def every(self, run: Run) -> Iterator[tuple[Mask, Mask]]:
        """See ``SharingRule``."""
        places = self._places(run)
        return (self._arc(split, places) for split in range(self.n_splits))

    def _places(self, run: Run) -> NDArray[np.int64]:
        return permuted(stream_key(_CIRCLE, self.seed), self.n_rows, run.rows)

    def _arc(self, split: int, places: NDArray[np.int64]) -> tuple[Mask, Mask]:
        begin = self.n_rows * split // self.n_splits
        train = (places - begin) % self.n_rows < self.n_train
        return np.asarray(train), np.asarray(~train)
