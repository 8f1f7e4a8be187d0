"""Folds that a caller asks for, whichever way: as the ranks of a run in lock-step find them among their own rows."""

from numbers import Integral
from typing import Any

from gbdist.errors import ParameterError
from gbdist.estimators.folds import AnyFolds, FoldsByNumber, FoldsOfEstimator, FoldsOfGroups, FoldsWanted
from gbdist.estimators.sources import Given
from gbdist.selection.base import NumberSplitter
from gbdist.selection.checks import integer
from gbdist.selection.kfold import StratifiedKFold


def folds_from(asked: Any, given: Given, *, classifier: bool) -> tuple[AnyFolds, Given]:
    """The folds of a data set that somebody asked for, and the data set with what the folds need beside it.

    Parameters
    ----------
    asked : a splitter of ``gbdist.selection``, or a number of folds
        A number: of ``StratifiedKFold`` for classes, of whole groups where there are any, else of ``KFold``.
    classifier : whether labels are classes

    Raises ParameterError for what is none of these.
    """
    if isinstance(asked, Integral) and not isinstance(asked, bool):
        n_folds = integer("cv", asked, 2)
        return (
            FoldsOfEstimator(n_folds, classifier) if given.group_id is None else FoldsOfGroups(n_folds, None)
        ), given
    if isinstance(asked, NumberSplitter):
        return FoldsByNumber(asked.get_n_splits(), asked.rule_for), given
    if isinstance(asked, StratifiedKFold) and classifier:
        return FoldsWanted(asked.n_splits, asked.seed, stratified=True, by_first_rows=True), given
    fix = "Pass one, e.g. KFold(5, shuffle=True)."
    raise ParameterError("cv", asked, "a splitter of gbdist.selection or a number of folds", fix)
