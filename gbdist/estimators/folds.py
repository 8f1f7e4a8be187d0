"""Folds of a training set as they are asked for, and the rule that follows once its rows and classes have been counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from gbdist.errors import DataError
from gbdist.estimators.rank_folds import ClassesAsked, FoldsAsked, GroupsAsked, RuleAsked
from gbdist.quantize.survey import LabelFacts
from gbdist.selection.checks import enough_groups, enough_members, enough_rows
from gbdist.selection.rules.base import Rule, SizedRule
from gbdist.selection.rules.classes import Classes
from gbdist.selection.rules.predefined import Patterns
from gbdist.selection.rules.shuffled import even_folds
from gbdist.selection.rules.stratified import StratifiedFolds


class AnyFolds(Protocol):
    """Folds of a data set that has not been looked at yet."""

    @property
    def n_folds(self) -> int:
        """How many there are."""
        ...

    def trained_rows(self, n_rows: int) -> int:
        """Rows that each fold trains on, of ``n_rows``: in the mean, rounded down, if folds differ by more than one."""
        ...

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """What the ranks are asked about these rows; ``classes`` are those of the trainer, in its order, None without.

        Raises DataError for rows that cannot be split so.
        """
        ...


@dataclass(frozen=True, slots=True)
class FoldsWanted:
    """Some number of folds; ``seed`` is None where folds are neighbouring rows, ``stratified`` keeps shares of classes.

    ``by_first_rows``: stratified folds are those of ``StratifiedKFold``, whose classes come in the order of their first rows.
    """

    n_folds: int
    seed: int | None
    stratified: bool
    inverted: bool = False
    by_first_rows: bool = False

    def trained_rows(self, n_rows: int) -> int:
        """See ``AnyFolds``."""
        return _trained(n_rows, self.n_folds, inverted=self.inverted)

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """See ``AnyFolds``.

        Raises DataError for fewer rows, or rows of a class, than folds, and for stratified folds of labels that are no classes.
        """
        enough_rows(n_rows, self.n_folds)
        if not self.stratified:
            return RuleAsked(even_folds(self.n_folds, self.seed, n_rows), self.inverted)
        if label is None or classes is None:
            raise DataError("y", "numbers", "classes with stratified=True", "Leave stratified out.")
        rows_of = dict(zip(label.values or (), label.rows_of_value, strict=True))
        counts = np.array([rows_of[one] for one in classes], np.int64)
        enough_members(classes, counts, self.n_folds)
        known = Classes(pd.Index(np.arange(len(classes), dtype=np.float32)), counts)
        return ClassesAsked(StratifiedFolds(self.n_folds, known, self.seed), self.inverted, self.by_first_rows)


@dataclass(frozen=True, slots=True)
class FoldsOfEstimator:
    """What scikit-learn makes of a number of folds: ``StratifiedKFold`` where labels are classes, else ``KFold``."""

    n_folds: int
    classifier: bool

    def trained_rows(self, n_rows: int) -> int:
        """See ``AnyFolds``."""
        return _trained(n_rows, self.n_folds, inverted=False)

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """See ``AnyFolds``."""
        stratified = self.classifier and classes is not None
        return FoldsWanted(self.n_folds, None, stratified, by_first_rows=True).of_data(n_rows, label, classes)


@dataclass(frozen=True, slots=True)
class FoldsByNumber:
    """Folds by a rule that needs nothing but the number of a row; ``rule_of`` makes it for so many rows, or raises DataError."""

    n_folds: int
    rule_of: Callable[[int], SizedRule]
    inverted: bool = False

    def trained_rows(self, n_rows: int) -> int:
        """See ``AnyFolds``."""
        return self.rule_of(n_rows).sizes(n_rows)[self.inverted]

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """See ``AnyFolds``."""
        return RuleAsked(self.rule_of(n_rows), self.inverted)


@dataclass(frozen=True, slots=True)
class FoldsOfGroups:
    """Folds of as many whole groups each, to one, for data that are ranked; ``seed`` is None where they are neighbours."""

    n_folds: int
    seed: int | None
    inverted: bool = False

    def trained_rows(self, n_rows: int) -> int:
        """See ``AnyFolds``; as if groups had as many rows each."""
        return _trained(n_rows, self.n_folds, inverted=self.inverted)

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """See ``AnyFolds``; the ranks raise DataError for fewer groups than folds, before anything is trained."""
        enough_rows(n_rows, self.n_folds)
        return GroupsAsked(self.n_folds, self._rule, self.inverted)

    def _rule(self, n_groups: int) -> Rule:
        enough_groups(n_groups, self.n_folds)
        return even_folds(self.n_folds, self.seed, n_groups)


@dataclass(frozen=True, eq=False)
class CodedFolds:
    """Folds that rows know by a number that travels with them; ``sizes``: rows that train and rows that test, of all folds."""

    patterns: Patterns
    sizes: tuple[int, int]
    inverted: bool = False

    @property
    def n_folds(self) -> int:
        """See ``AnyFolds``."""
        return self.patterns.n_splits

    def trained_rows(self, n_rows: int) -> int:
        """See ``AnyFolds``."""
        return self.sizes[self.inverted] // self.n_folds

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """See ``AnyFolds``."""
        return RuleAsked(self.patterns, self.inverted)


def _trained(n_rows: int, n_folds: int, *, inverted: bool) -> int:
    held_out = n_rows // n_folds
    return held_out if inverted else n_rows - held_out
