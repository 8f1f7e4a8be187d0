"""One split into rows to train and rows to test, of as many tables as belong together."""

from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from gbdist.errors import DataError, ParameterError
from gbdist.selection.base import Plan
from gbdist.selection.checks import seed_of, sizes, train_and_test, true_or_false, two_members
from gbdist.selection.facts import Facts, classes_of, count, labels_of, survey
from gbdist.selection.inputs import Given, given_rows, vector_beside
from gbdist.selection.rules.base import Rule
from gbdist.selection.rules.contiguous import Windows
from gbdist.selection.rules.shuffled import ShuffledSets
from gbdist.selection.rules.stratified import stratified_sets

_DEFAULT_TEST = 0.25


def train_test_split(
    *arrays: Any,
    test_size: Any = None,
    train_size: Any = None,
    random_state: int | None = None,
    shuffle: bool = True,
    stratify: Any = None,
) -> list[Any]:
    """Split tables, vectors and Dask collections with the same rows in two; sizes are scikit-learn's.

    Parameters
    ----------
    arrays : Dask DataFrames, Series and Arrays, or anything with a length in memory; all of one kind
        Collections need the same rows in each partition.
    test_size, train_size : float or int, optional
        A share of the rows, or how many. What is left out is the rest; both left out, a quarter of the rows tests.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out; only with ``shuffle``.
    shuffle : bool
        Whether rows are drawn by hash; else the first ones train, and the next ones test. Rows stay in their order either way.
    stratify : vector, Dask collection or str, optional
        Labels, or the name of a column of the first table: each class is split in the same shares, to one row.

    Returns
    -------
    list
        Of each of ``arrays`` what trains and what tests, in its kind; collections are lazy.

    Raises
    ------
    DataError, ParameterError
        For what cannot be split so, before anything is.
    """
    if not arrays:
        raise ParameterError("arrays", arrays, "at least one table or vector", "Pass what is to be split.")
    sizes(train_size, test_size)
    true_or_false("shuffle", shuffle)
    seed = seed_of(random_state)
    if stratify is not None and not shuffle:
        raise ParameterError("shuffle", shuffle, "True, as stratify draws rows", "Leave one of the two out.")
    given = [given_rows(one, "X" if number == 0 else f"array {number}") for number, one in enumerate(arrays)]
    facts = _same_rows(given)
    if stratify is None:
        n_train, n_test = train_and_test(facts.n_rows, train_size, test_size, _DEFAULT_TEST)
        rule: Rule = Windows(((0, n_train),), ((n_train, n_train + n_test),))
        if shuffle:
            rule = ShuffledSets(1, facts.n_rows, n_train, n_test, seed)
        plan = Plan(rule, facts)
    else:
        plan = _stratified(given[0], stratify, (train_size, test_size), seed)
    return [part for one in given for part in _parts(one, given[0], plan, stratify)]


def _same_rows(given: list[Given]) -> Facts:
    """Rows of the first one's partitions; DataError unless all have them."""
    first, *others = given
    facts = count(first)
    for one in others:
        if one.lazy != first.lazy:
            fix = "Pass Dask collections alone, or none."
            raise DataError(one.name, "not of X's kind", "all in memory, or all Dask collections", fix)
        theirs = count(one)
        if theirs.n_rows != facts.n_rows:
            fix = "Pass what has the same rows."
            raise DataError(one.name, f"{theirs.n_rows} rows", f"as many as X, {facts.n_rows}", fix)
        if not np.array_equal(theirs.lengths, facts.lengths):
            fix = "Take all of them from one collection, or rechunk them alike."
            raise DataError(one.name, "the same rows in other partitions", "X's partitions", fix)
    return facts


def _stratified(rows: Given, stratify: Any, sizes: tuple[Any, Any], seed: int) -> Plan:
    labels = vector_beside(rows, stratify, "stratify")
    facts = survey(rows, {"stratify": labels}, labels_of)
    classes, before = classes_of(facts, "stratify")
    n_train, n_test = train_and_test(facts.n_rows, *sizes, _DEFAULT_TEST)
    two_members(classes.labels.tolist(), classes.counts)
    for name, n in (("train", n_train), ("test", n_test)):
        if n < len(classes.labels):
            expected = f"at least one of each of the {len(classes.labels)} classes"
            raise DataError("X", f"{n} rows to {name}", expected, f"Set a larger {name}_size.")
    return Plan(stratified_sets(classes, n_train, n_test, seed), facts, labels, "stratify", before)


def _parts(one: Given, first: Given, plan: Plan, stratify: Any) -> tuple[Any, Any]:
    if not one.lazy:
        train, test = plan.rule.masks(0, plan.run())
        return _safe_indexing(one.data, np.flatnonzero(train)), _safe_indexing(one.data, np.flatnonzero(test))
    labels = None
    if stratify is not None:
        labels = vector_beside(one, first.data[stratify] if isinstance(stratify, str) else stratify, "stratify")
    train, test = (plan.lazy(one.data, what, 0, labels) for what in ("train", "test"))
    return one.data[train], one.data[test]
