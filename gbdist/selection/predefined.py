"""Splits that the user has made."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from gbdist.errors import DataError
from gbdist.selection.base import Plan, Splitter
from gbdist.selection.facts import folds_of, survey
from gbdist.selection.inputs import Given, given_rows, vector_beside
from gbdist.selection.rules.predefined import PredefinedFolds

_NEVER = -1


class PredefinedSplit(Splitter):
    """A split for each fold that the user names: its rows test, all others train.

    Parameters
    ----------
    test_fold : vector, Dask Series or Array, or str
        The fold of each row, a whole number; rows at −1 always train. On collections it has the partitions of X, or is the
        name of a column of X.
    """

    def __init__(self, test_fold: Any) -> None:
        self.test_fold = test_fold

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """See ``Splitter.split``. X may be left out where ``test_fold`` is no column of it."""
        return super().split(self.test_fold if X is None else X, y, groups)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many pairs ``split`` yields; X is needed where ``test_fold`` is a column of it, and computed if it is lazy."""
        return self.plan(given_rows(self.test_fold if X is None else X), y, groups).rule.n_splits

    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """See ``Splitter``."""
        values = vector_beside(rows, self.test_fold, "test_fold")
        facts = survey(rows, {"test_fold": values}, folds_of)
        rows_of = sum(map(Counter, facts.found), Counter[int]())
        folds = tuple(sorted(set(rows_of) - {_NEVER}))
        if not folds:
            raise DataError("test_fold", "-1 in each row", "a fold that tests", "Number the folds 0, 1, ….")
        tested = sum(rows_of[fold] for fold in folds)
        return Plan(PredefinedFolds(folds), facts, values, "test_fold", tested=tested)
