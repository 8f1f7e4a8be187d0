"""Folds and sets in which classes have their shares to one row."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from gbdist.errors import DataError
from gbdist.selection.rules.base import Run
from gbdist.selection.rules.classes import Classes
from gbdist.selection.rules.stratified import StratifiedFolds, stratified_sets

labels_of_rows = st.lists(st.sampled_from("abcd"), min_size=1, max_size=120).map(np.array)


def classes_of(labels: NDArray[np.str_]) -> Classes:
    unique = pd.unique(pd.Series(labels, dtype=object))
    return Classes(pd.Index(unique), np.array([(labels == one).sum() for one in unique]))


def runs(labels: NDArray[np.str_], classes: Classes, edges: list[int]) -> list[Run]:
    """Rows cut at some places."""
    before = [np.array([(labels[:edge] == one).sum() for one in classes.labels]) for edge in edges]
    return [
        Run(start, stop - start, labels[start:stop], seen)
        for (start, stop), seen in zip(pairwise(edges), before, strict=False)
    ]


@given(labels_of_rows, st.integers(2, 5), st.sampled_from([None, 0, 4]))
def test_folds_differ_by_one_row_of_each_class_and_in_all(
    labels: NDArray[np.str_], n_splits: int, seed: int | None
) -> None:
    classes = classes_of(labels)
    (run,) = runs(labels, classes, [0, len(labels)])
    folds = StratifiedFolds(n_splits, classes, seed).folds(run)
    for chosen in (np.ones(len(labels), bool), *(labels == one for one in classes.labels)):
        sizes = np.bincount(folds[chosen], minlength=n_splits)
        assert sizes.max() - sizes.min() <= 1


@given(labels_of_rows, st.integers(2, 5))
def test_folds_without_a_seed_are_scikit_learns(labels: NDArray[np.str_], n_splits: int) -> None:
    labels = np.concatenate((labels, np.tile(np.unique(labels), n_splits)))  # scikit-learn warns of small classes
    classes = classes_of(labels)
    (run,) = runs(labels, classes, [0, len(labels)])
    folds = StratifiedFolds(n_splits, classes, None).folds(run)
    for split, (_, test) in enumerate(StratifiedKFold(n_splits).split(labels, labels)):
        np.testing.assert_array_equal(np.flatnonzero(folds == split), test)


@given(labels_of_rows, st.sampled_from([None, 1]), st.lists(st.integers(0, 120), max_size=5))
def test_partitioning_does_not_change_folds(labels: NDArray[np.str_], seed: int | None, inner: list[int]) -> None:
    classes = classes_of(labels)
    rule = StratifiedFolds(3, classes, seed)
    (whole,) = runs(labels, classes, [0, len(labels)])
    edges = [0, *sorted(min(one, len(labels)) for one in inner), len(labels)]
    pieces = [rule.folds(run) for run in runs(labels, classes, edges)]
    np.testing.assert_array_equal(np.concatenate(pieces), rule.folds(whole))


def test_rows_of_a_class_have_no_pattern() -> None:
    labels = np.array(["a", "b", "a"] * 20_000)
    classes = classes_of(labels)
    (run,) = runs(labels, classes, [0, len(labels)])
    folds = StratifiedFolds(4, classes, 0).folds(run)[labels == "a"]
    by_place = np.bincount(folds * 4 + np.arange(40_000) % 4, minlength=16) / 40_000
    np.testing.assert_allclose(by_place, 1 / 16, atol=0.005)


@given(labels_of_rows, st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.lists(st.integers(0, 120), max_size=4))
def test_sets_have_their_sizes_and_shares(
    labels: NDArray[np.str_], first: float, second: float, inner: list[int]
) -> None:
    classes, n = classes_of(labels), len(labels)
    n_train = int(first * n)
    n_test = int(second * (n - n_train))
    assume(n_train < n)
    rule = stratified_sets(classes, n_train, n_test, seed=3)
    edges = [0, *sorted(min(one, n) for one in inner), n]
    masks = [rule.masks(0, run) for run in runs(labels, classes, edges)]
    train, test = (np.concatenate(pieces) for pieces in zip(*masks, strict=True))
    assert not (train & test).any()
    assert (train.sum(), test.sum()) == (n_train, n_test)
    for one, count in zip(classes.labels, classes.counts, strict=True):
        mine = labels == one
        assert abs(train[mine].sum() - count * n_train / n) < 1
        left = count - train[mine].sum()
        assert abs(test[mine].sum() - left * n_test / (n - n_train)) < 1


def test_a_label_that_was_not_counted_is_an_error() -> None:
    rule = StratifiedFolds(2, Classes(pd.Index(["a"]), np.array([4])), 0)
    with pytest.raises(DataError) as raised:
        rule.folds(Run(0, 2, np.array(["a", "z"], dtype=object), np.zeros(1, np.int64)))
    assert str(raised.value) == (
        "y: found 'z', which was not there when rows were counted, expected the same rows whenever they are computed. "
        "Persist X, or write it to files first."
    )
