"""Folds that keep the rows of a group together."""

from typing import Any

from gbdist.errors import DataError
from gbdist.selection.base import Plan
from gbdist.selection.checks import enough_groups, enough_members
from gbdist.selection.facts import groups_by_class, groups_of, merged_groups, sorted_table, survey
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

    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """See ``Splitter``."""
        beside = self._groups(rows, groups)
        facts = survey(rows, {"groups": beside}, groups_of, merged_groups)
        different, _, by_class = sorted_table(facts.found[0])
        enough_groups(len(different), self.n_splits)
        if self.seed is None:
            folds = by_size(by_class[:, 0], self.n_splits)
        else:
            folds = by_number(len(different), self.n_splits, self.seed)
        return Plan(GroupFolds(self.n_splits, different, folds), facts, beside, "groups")


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

    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """See ``Splitter``."""
        beside, labels = self._groups(rows, groups), vector_beside(rows, y, "y")
        facts = survey(rows, {"groups": beside, "y": labels}, groups_by_class, merged_groups)
        different, classes, by_class = sorted_table(facts.found[0])
        enough_groups(len(different), self.n_splits)
        enough_members(classes.tolist(), by_class.sum(axis=0), self.n_splits)
        folds = by_classes(by_class, self.n_splits, self.seed)
        return Plan(GroupFolds(self.n_splits, different, folds), facts, beside, "groups")
