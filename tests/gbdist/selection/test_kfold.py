"""Folds that each test once."""

import re
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs
from hypothesis import given
from hypothesis import strategies as st

from gbdist.errors import DataError, ParameterError
from gbdist.selection import KFold, RepeatedKFold, StratifiedKFold
from gbdist.selection.folds import Folds

from .conftest import as_frame, as_unknown_frame


def test_folds_are_scikit_learns(table: pd.DataFrame) -> None:
    for ours, other in zip(KFold(7).split(table), theirs.KFold(7).split(table), strict=True):
        np.testing.assert_array_equal(ours[0], other[0])
        np.testing.assert_array_equal(ours[1], other[1])


def test_stratified_folds_are_scikit_learns(table: pd.DataFrame) -> None:
    pairs = zip(
        StratifiedKFold(4).split(table, "label"),
        theirs.StratifiedKFold(4).split(table, table["label"]),
        strict=True,
    )
    for ours, other in pairs:
        np.testing.assert_array_equal(ours[1], other[1])


def test_shuffled_folds_are_those_of_stacks(table: pd.DataFrame) -> None:
    folds = Folds(5, seed=8).of_rows(0, len(table))
    for split, (_, test) in enumerate(KFold(5, shuffle=True, random_state=8).split(table)):
        np.testing.assert_array_equal(test, np.flatnonzero(folds == split))


def test_every_row_tests_once_a_repeat(table: pd.DataFrame) -> None:
    tests = [test for _, test in RepeatedKFold(n_splits=4, n_repeats=3).split(table)]
    for repeat in range(3):
        np.testing.assert_array_equal(
            np.sort(np.concatenate(tests[4 * repeat : 4 * repeat + 4])), np.arange(len(table))
        )


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_each_fold_has_its_share_of_each_class_to_one_row(n_splits: int, seed: int) -> None:
    labels = np.random.default_rng(seed % 100).choice([0, 1, 2], 200, p=[0.7, 0.2, 0.1])
    folds = [test for _, test in StratifiedKFold(n_splits, shuffle=True, random_state=seed).split(labels, labels)]
    for label in range(3):
        found = [(labels[test] == label).sum() for test in folds]
        assert max(found) - min(found) <= 1
    sizes = [len(test) for test in folds]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("labels", [[True, False] * 5, list("ab") * 5, [1.0, 2.0] * 5, [b"x", b"y"] * 5])
def test_labels_may_be_of_any_type(labels: list[Any]) -> None:
    for _, test in StratifiedKFold(5, shuffle=True).split(labels, labels):
        assert sorted(labels[row] for row in test) == sorted(labels[:2])


@pytest.mark.parametrize("collection", [lambda table: table, lambda table: as_unknown_frame(table, 3)])
def test_a_class_with_fewer_rows_than_folds_is_named(collection: Any) -> None:
    table = pd.DataFrame({"number": range(10), "label": [*"aaaabbbbcc"]})
    with pytest.raises(DataError) as raised:
        StratifiedKFold(3).split(collection(table), "label")
    assert str(raised.value) == (
        "y: found 2 row(s) of class 'c', expected at least as many as folds, n_splits=3. "
        "Use fewer folds, or drop or merge such classes."
    )


@pytest.mark.parametrize("splitter", [KFold(11), KFold(11, shuffle=True), RepeatedKFold(n_splits=11)])
@pytest.mark.parametrize("collection", [lambda table: table, lambda table: as_frame(table, 2)])
def test_more_folds_than_rows_are_refused(splitter: Any, collection: Any) -> None:
    with pytest.raises(DataError) as raised:
        splitter.split(collection(pd.DataFrame({"number": range(10)})))
    assert str(raised.value) == "X: found 10 rows, expected at least as many as folds, n_splits=11. Use fewer folds."


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (
            ["a", None] * 3,
            "y: found missing values (NaN), expected a label for each row. Drop those rows, or fill them in.",
        ),
        (
            [0.5, 1.0] * 3,
            "y: found the number 0.5, expected classes. Split without regard to y: KFold or ShuffleSplit.",
        ),
        (
            range(10_001),
            "y: found more than 10,000 different labels, expected classes. "
            "Split without regard to y: KFold or ShuffleSplit.",
        ),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: Any, text: str) -> None:
    with pytest.raises(DataError, match=re.escape(text)):
        StratifiedKFold(2).split(labels, labels)


def test_many_labels_are_refused_also_where_no_partition_has_many() -> None:
    labels = da.arange(12_000, chunks=4_000)
    with pytest.raises(DataError, match="y: found more than 10,000 different labels, expected classes"):
        StratifiedKFold(2).split(labels, labels)


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        (KFold, {"n_splits": 1}, "n_splits=1 cannot be used: expected an integer of at least 2. Change it."),
        (KFold, {"n_splits": 2.5}, "n_splits=2.5 cannot be used: expected an integer of at least 2. Change it."),
        (KFold, {"n_splits": True}, "n_splits=True cannot be used: expected an integer of at least 2. Change it."),
        (KFold, {"shuffle": 1}, "shuffle=1 cannot be used: expected True or False. Change it."),
        (
            StratifiedKFold,
            {"random_state": 3},
            "random_state=3 cannot be used: expected None, as shuffle=False draws nothing. "
            "Leave it out, or set shuffle=True.",
        ),
        (
            KFold,
            {"shuffle": True, "random_state": -1},
            "random_state=-1 cannot be used: expected an integer from 0 to 2**32 - 1, or None. "
            "Rows are drawn by hash, which has no state; leave it out for 0.",
        ),
        (RepeatedKFold, {"n_repeats": 0}, "n_repeats=0 cannot be used: expected an integer of at least 1. Change it."),
    ],
)
def test_bad_parameters_are_refused_when_they_are_given(kind: Any, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterError) as raised:
        kind(**arguments)
    assert str(raised.value) == text
