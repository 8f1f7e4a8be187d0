"""Folds that keep the rows of a group together."""

from typing import Any

import numpy as np
import pandas as pd

from gbdist.errors import DataError
from gbdist.selection.base import Plan
from gbdist.selection.checks import enough_groups, enough_members
from gbdist.selection.facts import groups_by_class, groups_of, merged_groups, survey
from gbdist.selection.inputs import Given, vector_beside
from gbdist.selection.kfold import FoldSplitter
from gbdist.selection.rules.grouped import GroupFolds, by_classes, by_number, by_size


class GroupSplitter(FoldSplitter):
    """Splitters that need ``groups``, and say so to scikit-learn's metadata routing."""

    __metadata_request__split = {"groups": True}  # noqa: RUF012  # scikit-learn looks for it in the class

    def _groups(self, rows: Given, groups: Any) -> Any:
        if groups is None:
            fix = "Pass groups=, one value a row or the name of a column of X."
            raise DataError("groups", "None", "a group for each row", fix)
        return vector_beside(rows, groups, "groups")


class GroupKFold(GroupSplitter):
    """Folds of whole groups.

    The client gets a table of all groups, and so does each worker that makes masks.

    Parameters
    ----------
    n_splits : int, at least 2
    shuffle : bool
        False: the largest group goes to the lightest fold, and so on, as in scikit-learn. Any two folds differ by the rows
        of the largest group at most. True: groups are dealt out by hash of their place among all of them, sorted; folds
        have the same number of groups, to one, and may differ by any number of rows.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out; only with ``shuffle``.
    """

    def _plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        beside = self._groups(rows, groups)
        facts = survey(rows, {"groups": beside}, groups_of, merged_groups)
        table = _sorted(facts.found[0])
        enough_groups(len(table), self.n_splits)
        if self._seed is None:
            folds = by_size(table["rows"].to_numpy(np.int64), self.n_splits)
        else:
            folds = by_number(len(table), self.n_splits, self._seed)
        return Plan(GroupFolds(self.n_splits, table.index, folds), facts, beside, "groups")


class StratifiedGroupKFold(GroupSplitter):
    """Folds of whole groups that have about the same share of each class of y.

    With sₖᶜ the share of class c that is in fold k, Σ (sₖᶜ − 1 / n_splits)² over folds and classes is at most
    (1 − 1 / n_splits) Σ (share of class c that is in group g)² over groups and classes: folds are about even where no group
    has much of a class. scikit-learn's rule is another, for which no bound is known, and so are its folds. The client gets
    a table of all groups by classes, and each worker that makes masks one of all groups.

    Parameters
    ----------
    n_splits : int, at least 2
    shuffle : bool
        Whether groups whose classes are equally even come in an order by hash.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out; only with ``shuffle``.
    """

    def _plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        beside, labels = self._groups(rows, groups), vector_beside(rows, y, "y")
        facts = survey(rows, {"groups": beside, "y": labels}, groups_by_class, merged_groups)
        table = _sorted(facts.found[0])
        enough_groups(len(table), self.n_splits)
        by_class = table.to_numpy(np.int64)
        enough_members(table.columns.tolist(), by_class.sum(axis=0), self.n_splits)
        folds = by_classes(by_class, self.n_splits, self._seed)
        return Plan(GroupFolds(self.n_splits, table.index, folds), facts, beside, "groups")


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """A table in the order of its groups, and its columns in that of the labels; DataError for what has no order."""
    try:
        return table.sort_index().sort_index(axis=1)
    except TypeError as error:
        fix = "Convert them to strings first."
        raise DataError("groups or y", f"values of several types ({error})", "one type", fix) from None
