"""Folds of whole groups."""

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs
from dask import delayed

from gbdist.errors import DataError
from gbdist.selection import GroupKFold, StratifiedGroupKFold

from .conftest import as_frame, as_unknown_frame

BOTH = [GroupKFold(3), GroupKFold(3, shuffle=True), StratifiedGroupKFold(3), StratifiedGroupKFold(3, shuffle=True)]


def test_folds_are_scikit_learns() -> None:
    # Groups of as many rows scikit-learn's older releases take in no order.
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(13), np.arange(13) * 5 % 13 + 1))
    splitters = GroupKFold(4), theirs.GroupKFold(4)
    for ours, other in zip(*(splitter.split(groups, groups=groups) for splitter in splitters), strict=True):
        np.testing.assert_array_equal(ours[0], other[0])
        np.testing.assert_array_equal(ours[1], other[1])


@pytest.mark.parametrize("splitter", BOTH)
def test_no_group_is_torn(splitter: Any, table: pd.DataFrame) -> None:
    tests = [test for _, test in splitter.split(table, "label", "group")]
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(len(table)))
    groups = [set(table["group"].iloc[test]) for test in tests]
    assert sum(map(len, groups)) == table["group"].nunique()


@pytest.mark.parametrize("splitter", [StratifiedGroupKFold(3), StratifiedGroupKFold(3, shuffle=True, random_state=6)])
def test_classes_are_spread_within_the_bound_that_is_stated(splitter: Any, table: pd.DataFrame) -> None:
    shares = pd.crosstab(table["group"], table["label"], normalize="columns")
    bound = (1 - 1 / 3) * (shares**2).to_numpy().sum()
    spread = 0.0
    for _, test in splitter.split(table, "label", "group"):
        in_fold = table.iloc[test]["label"].value_counts() / table["label"].value_counts()
        spread += ((in_fold.fillna(0) - 1 / 3) ** 2).sum()
    assert spread <= bound


def test_folds_differ_by_the_largest_group_at_most(table: pd.DataFrame) -> None:
    sizes = [len(test) for _, test in GroupKFold(3).split(table, groups="group")]
    assert max(sizes) - min(sizes) <= table["group"].value_counts().max()


@pytest.mark.parametrize("groups", ["text", "number", "date"])
@pytest.mark.parametrize("splitter", BOTH)
def test_groups_may_be_of_any_type(groups: str, splitter: Any, table: pd.DataFrame) -> None:
    day = pd.to_datetime("2024-01-01") + pd.to_timedelta(table["group"], unit="D")
    text = "group " + (table["group"] + 100).astype(str)
    X = table.assign(date=day, text=text, number=table["group"] * 10)
    want = [test.tolist() for _, test in splitter.split(X, "label", "group")]
    assert [test.tolist() for _, test in splitter.split(X, "label", groups)] == want
    lazy = as_frame(X.assign(at=table["number"]), 3)
    assert [lazy[test].compute()["at"].tolist() for _, test in splitter.split(lazy, "label", groups)] == want


def test_more_partitions_than_are_merged_at_once(table: pd.DataFrame) -> None:
    X = as_unknown_frame(table, 40)
    want = [test.tolist() for _, test in StratifiedGroupKFold(3).split(table, "label", "group")]
    assert [
        X[test].compute()["number"].tolist() for _, test in StratifiedGroupKFold(3).split(X, "label", "group")
    ] == want


@pytest.mark.parametrize("splitter", BOTH)
@pytest.mark.parametrize("collection", [lambda table: table, lambda table: as_frame(table, 2)])
def test_fewer_groups_than_folds_are_refused(splitter: Any, collection: Any) -> None:
    table = pd.DataFrame({"number": range(12), "label": [0, 1] * 6, "group": [5, 6, 6] * 4})
    with pytest.raises(DataError) as raised:
        splitter.split(collection(table), "label", "group")
    assert str(raised.value) == (
        "groups: found 2 different groups, expected at least as many as folds, n_splits=3. Use fewer folds."
    )


@pytest.mark.parametrize("splitter", BOTH)
def test_groups_are_needed(splitter: Any) -> None:
    with pytest.raises(DataError) as raised:
        splitter.split(range(9), [0, 1, 2] * 3)
    assert str(raised.value) == (
        "groups: found None, expected a group for each row. Pass groups=, one value a row or the name of a column of X."
    )


@pytest.mark.parametrize(
    ("groups", "labels", "text"),
    [
        (
            [1, None, 2, 3],
            [0, 1, 0, 1],
            "groups: found missing values (NaN), expected a group for each row. Drop those rows, or fill them in.",
        ),
        (
            [1, 2, 2, 3],
            [0, 0, 0, 1],
            "y: found 1 row(s) of class 1, expected at least as many as folds, n_splits=2. "
            "Use fewer folds, or drop or merge such classes.",
        ),
        (
            np.array([1, "a", 2, 3], dtype=object),
            [0, 1, 0, 1],
            "groups: found values of several types ('<' not supported between instances of 'str' and 'int'), "
            "expected one type. Convert groups to strings first.",
        ),
    ],
)
def test_groups_and_labels_that_will_not_do_are_refused(groups: Any, labels: Any, text: str) -> None:
    with pytest.raises(DataError) as raised:
        StratifiedGroupKFold(2).split(range(4), labels, groups)
    assert str(raised.value) == text


def test_groups_of_other_lengths_are_found_when_they_are_counted() -> None:
    X = da.ones((10, 2), chunks=(5, 2))
    groups = da.from_delayed(delayed(np.arange)(4), (np.nan,), int)
    with pytest.raises(DataError) as raised:
        GroupKFold(2).split(X, groups=da.concatenate([groups, groups], allow_unknown_chunksizes=True))
    assert str(raised.value) == (
        "groups of a partition: found 4 rows, expected as many as X has there, 5. "
        "Give X and groups the same rows in each partition; take both from one collection if you can."
    )
