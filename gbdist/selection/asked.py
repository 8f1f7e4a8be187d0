"""Folds that a caller asks for, whichever way: as the ranks of a run in lock-step find them among their own rows."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from numbers import Integral
from typing import Any
from warnings import catch_warnings, filterwarnings

import numpy as np

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.clusters import resolve_client
from gbdist.estimators.folds import AnyFolds, CodedFolds, FoldsByNumber, FoldsOfEstimator, FoldsOfGroups, FoldsWanted
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.setup import ordered
from gbdist.estimators.sources import Given
from gbdist.selection.base import NumberSplitter, Plan, Splitter
from gbdist.selection.checks import integer
from gbdist.selection.inputs import Given as GivenRows
from gbdist.selection.inputs import given_rows, vector_beside
from gbdist.selection.kfold import KFold, StratifiedKFold
from gbdist.selection.listed import coded_pairs
from gbdist.selection.overlapping import OverlappingSplit
from gbdist.selection.rules.predefined import one_fold_each
from gbdist.selection.rules.stratified import StratifiedFolds
from gbdist.selection.timed import TimeSeriesSplit

_ASKED = "a splitter, a number of folds, or pairs of row numbers (train, test)"


def folds_from(
    asked: Any,
    given: Given,
    *,
    classifier: bool,
    groups: Any = None,
    name: str = "cv",
    inverted: bool = False,
    strict: bool = False,
    client: Any = None,
) -> tuple[AnyFolds, Given]:
    """The folds of a data set that somebody asked for, and the data set with what the folds need beside it.

    Parameters
    ----------
    asked : a splitter of ``gbdist.selection``; a number of folds; of data in memory also scikit-learn's splitter, or an iterable
        of pairs of arrays (train, test) of row numbers
        A number: of ``StratifiedKFold`` for classes, of whole groups where data have ``group_id``, else of ``KFold``.
    given : the data set, which may be a DaskPool for folds that look at nothing but row numbers and classes
    classifier : whether labels are classes
    groups : for splitters that look at groups, one value a row or the name of a column of X; left out: ``group_id``
    name : what errors call ``asked``
    inverted : whether what tests is to train, and the other way round
    strict : whether partitions must be able to tell the folds, before labels have been counted
    client : whose workers compute what the rule needs to know of collections; see ``train``

    Raises
    ------
    ParameterError, DataError
        For what is none of these, and for rows that cannot be split so. What the rule needs of the rows (groups, numbers of
        folds, times) is computed here, on the cluster where they are.
    """
    groups = given.group_id if groups is None else groups
    if isinstance(asked, OverlappingSplit) and asked.kind == "bootstrap":
        fix = "Use kind='overlapping', or fit each split with the weights of OverlappingSplit.weights."
        raise ParameterError(
            f"{name}, kind", asked.kind, "splits without repeated rows, which folds on shared bins cannot have", fix
        )
    if isinstance(asked, Integral) and not isinstance(asked, bool):
        n_folds = integer(name, asked, 2)
        if given.group_id is not None:
            return FoldsOfGroups(n_folds, None, inverted), given
        if not strict and not inverted:
            return FoldsOfEstimator(n_folds, classifier), given
        asked = StratifiedKFold(n_folds) if classifier else KFold(n_folds)
    if isinstance(asked, NumberSplitter):
        if isinstance(asked, TimeSeriesSplit) and asked.time is not None:
            _planned(asked, _rows_of(given, name, asked), None, None, client)  # for its errors
        return FoldsByNumber(asked.get_n_splits(), asked.rule_for, inverted), given
    if isinstance(asked, StratifiedKFold) and classifier and not strict:
        return FoldsWanted(asked.n_splits, asked.seed, stratified=True, inverted=inverted, by_first_rows=True), given
    if isinstance(asked, Splitter):
        rows = _rows_of(given, name, asked)
        folds, fold = _coded(_planned(asked, rows, given.y, groups, client), rows)
    else:
        folds, fold = _listed(asked, given, groups, name)
    return replace(folds, inverted=inverted), replace(given, fold=fold)


def stratified_from(
    n_folds: int, seed: int | None, given: Given, order: tuple[object, ...] | None, *, inverted: bool, client: Any
) -> tuple[AnyFolds, Given]:
    """What ``FoldsWanted`` is with ``stratified``, for partitions that are to tell folds by themselves.

    ``order`` is that of the classes, if they are to have another than their own.
    """
    rows = _rows_of(given, "stratified", True)
    splitter = StratifiedKFold(n_folds, shuffle=seed is not None, random_state=seed)
    plan = _planned(splitter, rows, given.y, None, client)
    rule, before = plan.rule, plan.before
    if not isinstance(rule, StratifiedFolds) or before is None:
        raise TypeError("folds by class were asked for")
    labels = rule.classes.labels.tolist()
    places = np.array([labels.index(label) for label in ordered(tuple(sorted(labels)), order)], np.int64)
    plan = replace(plan, rule=rule.in_order(places), before=before[:, places])
    folds, fold = _coded(plan, rows)
    return replace(folds, inverted=inverted), replace(given, fold=fold)


def _planned(asked: Splitter, rows: GivenRows, y: Any, groups: Any, client: Any) -> Plan:
    """A splitter's plan, made where the rows are."""
    with resolve_client(client).as_current() if rows.lazy else nullcontext():
        return asked.plan(rows, y, groups)


def _coded(plan: Plan, rows: GivenRows) -> tuple[CodedFolds, Any]:
    """Folds of a splitter that looks at values of rows: each row gets the number of the split in which it tests."""
    n_splits, n_rows = plan.rule.n_splits, plan.facts.n_rows
    places = plan.lazy(rows.data, "places", 0) if rows.lazy else plan.places()
    tested = n_rows if plan.tested is None else plan.tested
    return CodedFolds(one_fold_each(n_splits), (n_splits * n_rows - tested, tested)), places


def _listed(asked: Any, given: Given, groups: Any, name: str) -> tuple[CodedFolds, Any]:
    """Folds of scikit-learn's splitters, and of pairs."""
    splits = is_splitter(name, asked)
    rows = _rows_of(given, name, asked)
    if rows.lazy:
        fix = "Pass a splitter of gbdist.selection; PredefinedSplit takes a column of folds."
        found = "a splitter of another library" if splits else "pairs of row numbers"
        if not splits and _are_masks(asked):
            found = "pairs of masks, as split yields them"
            fix = (
                f"Pass the splitter itself: {name}=GroupKFold(4), groups=…, in place of {name}=GroupKFold(4).split(…)."
            )
        raise DataError(name, found, "folds that partitions can tell by themselves", fix)
    if splits:
        y, beside = (
            vector_beside(rows, one, of) if isinstance(one, str) else one
            for one, of in ((given.y, "y"), (groups, "groups"))
        )
        with catch_warnings():
            filterwarnings("ignore", "The groups parameter is ignored")  # it may be group_id, which says more than that
            asked = list(asked.split(rows.data, y, beside))
    (n_rows,) = rows.known_lengths or (0,)
    patterns, codes = coded_pairs(asked, n_rows, name)
    return CodedFolds(patterns, patterns.sizes(codes)), codes


def _are_masks(pairs: Iterable[Any]) -> bool:
    """Whether the first of pairs (train, test) has masks of rows, lazy or not; takes it away from an iterator."""
    first = next(iter(pairs), None)
    sides = first if isinstance(first, tuple | list) else ()
    return any(getattr(side, "dtype", None) == np.bool_ for side in sides)


def is_splitter(name: str, asked: Any) -> bool:
    """Whether folds that are asked for are a splitter; else they are listed. ParameterError for what is neither."""
    splits = callable(getattr(asked, "split", None)) and callable(getattr(asked, "get_n_splits", None))
    if not splits and (not isinstance(asked, Iterable) or isinstance(asked, str | bytes | dict)):
        raise ParameterError(name, asked, _ASKED, "Pass one, e.g. KFold(5, shuffle=True) of gbdist.selection.")
    return splits


def _rows_of(given: Given, name: str, asked: Any) -> GivenRows:
    """The rows themselves; DataError for a pool, which keeps no values of them."""
    if isinstance(given.X, DaskPool):
        found = f"{asked!r} with a DaskPool, which keeps no values that it could look at"
        fix = "Pass the collection itself in place of the pool."
        raise DataError(name, found, "folds by row numbers or classes", fix)
    return given_rows(given.X)
