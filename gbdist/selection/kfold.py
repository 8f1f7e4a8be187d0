"""Folds that each test once: by row number, and by row number within a class."""

from typing import Any

from gbdist.selection.base import NumberSplitter, Plan, Splitter
from gbdist.selection.checks import enough_members, enough_rows, integer, seed_of, shuffle_and_seed
from gbdist.selection.facts import classes_of, labels_of, survey
from gbdist.selection.inputs import Given, vector_beside
from gbdist.selection.rules.base import SizedRule
from gbdist.selection.rules.shuffled import even_folds, repeated_folds
from gbdist.selection.rules.stratified import StratifiedFolds


class FoldSplitter(Splitter):
    """Splitters with folds that may be shuffled."""

    def __init__(self, n_splits: int = 5, *, shuffle: bool = False, random_state: int | None = None) -> None:
        integer("n_splits", n_splits, 2)
        shuffle_and_seed(shuffle, random_state)
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    @property
    def seed(self) -> int | None:
        """Of the hashes; None where nothing is shuffled."""
        return seed_of(self.random_state) if self.shuffle else None


class KFold(NumberSplitter, FoldSplitter):
    """``n_splits`` folds whose sizes differ by one row at most.

    Parameters
    ----------
    n_splits : int, at least 2
    shuffle : bool
        False: folds of neighbouring rows, scikit-learn's own. True: of each run of ``n_splits`` neighbours every fold gets
        one, in an order by hash of the row number, so that data sorted by class or time are stratified by it.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out; only with ``shuffle``.
    """

    def rule_for(self, n_rows: int) -> SizedRule:
        """See ``NumberSplitter``."""
        enough_rows(n_rows, self.n_splits)
        return even_folds(self.n_splits, self.seed, n_rows)


class RepeatedKFold(NumberSplitter):
    """``KFold(n_splits, shuffle=True)`` ``n_repeats`` times, each time with other folds.

    Parameters
    ----------
    n_splits : int, at least 2
    n_repeats : int, at least 1
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out.
    """

    def __init__(self, *, n_splits: int = 5, n_repeats: int = 10, random_state: int | None = None) -> None:
        integer("n_splits", n_splits, 2)
        integer("n_repeats", n_repeats, 1)
        seed_of(random_state)
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many pairs ``split`` yields."""
        return self.n_splits * self.n_repeats

    def rule_for(self, n_rows: int) -> SizedRule:
        """See ``NumberSplitter``."""
        enough_rows(n_rows, self.n_splits)
        return repeated_folds(self.n_splits, self.n_repeats, seed_of(self.random_state))


class StratifiedKFold(FoldSplitter):
    """Folds that have the same share of each class of y: they differ by one row of each class at most, and by one row in all.

    A class with fewer rows than folds is an error. Without ``shuffle`` the folds are scikit-learn's.

    Parameters
    ----------
    n_splits : int, at least 2
    shuffle : bool
        False: folds get neighbouring rows of a class. True: of each run of ``n_splits`` rows of a class every fold gets
        one, in an order by hash.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out; only with ``shuffle``.
    """

    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """See ``Splitter``."""
        labels = vector_beside(rows, y, "y")
        facts = survey(rows, {"y": labels}, labels_of)
        enough_rows(facts.n_rows, self.n_splits)
        classes, before = classes_of(facts, "y")
        enough_members(classes.labels.tolist(), classes.counts, self.n_splits)
        return Plan(StratifiedFolds(self.n_splits, classes, self.seed), facts, labels, "y", before)
