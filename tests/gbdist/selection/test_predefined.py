"""Splits that the user has made."""

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs

from gbdist.errors import DataError
from gbdist.selection import PredefinedSplit

from .conftest import as_frame

FOLDS = [3, -1, 0, 3, 0, -1, 7]


def test_splits_are_scikit_learns() -> None:
    ours, other = PredefinedSplit(FOLDS), theirs.PredefinedSplit(FOLDS)
    assert ours.get_n_splits() == other.get_n_splits() == 3
    for pair, their_pair in zip(ours.split(), other.split(), strict=True):
        np.testing.assert_array_equal(pair[0], their_pair[0])
        np.testing.assert_array_equal(pair[1], their_pair[1])


@pytest.mark.parametrize("of", [lambda X: "fold", lambda X: X["fold"]], ids=["name", "series"])
def test_folds_may_be_a_column_or_beside_it(of: Any, table: pd.DataFrame) -> None:
    X = as_frame(table, 4)
    splitter = PredefinedSplit(of(X))
    assert splitter.get_n_splits(X) == 3
    for (_, test), fold in zip(splitter.split(X), range(3), strict=True):
        assert X[test].compute()["fold"].unique().tolist() == [fold]


def test_a_collection_of_folds_splits_itself() -> None:
    folds = da.from_array(np.array(FOLDS), chunks=3)
    splitter = PredefinedSplit(folds)
    assert splitter.get_n_splits() == 3
    assert [folds[test].compute().tolist() for _, test in splitter.split()] == [[0, 0], [3, 3], [7]]


@pytest.mark.parametrize(
    ("folds", "text"),
    [
        ([-1, -1], "test_fold: found -1 in each row, expected a fold that tests. Number the folds 0, 1, …."),
        (
            [0.5, 1],
            "test_fold: found values of type float64, expected whole numbers. "
            "Number the folds 0, 1, …, and -1 for none.",
        ),
        (
            ["a", "b"],
            "test_fold: found values of type <U1, expected whole numbers. Number the folds 0, 1, …, and -1 for none.",
        ),
        (
            [0, np.nan],
            "test_fold: found missing values (NaN), expected a fold for each row. Drop those rows, or fill them in.",
        ),
        (
            [0, 1, 1],
            "test_fold: found 3 rows, expected as many as X, 2. Pass one value of test_fold for each row of X.",
        ),
    ],
)
def test_folds_that_are_none_are_refused(folds: Any, text: str) -> None:
    with pytest.raises(DataError) as raised:
        PredefinedSplit(folds).split(["x", "y"])
    assert str(raised.value) == text


def test_folds_in_memory_beside_a_collection_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(DataError) as raised:
        PredefinedSplit(FOLDS).split(as_frame(table, 2))
    assert str(raised.value) == (
        "test_fold: found a list in memory beside a Dask collection, expected both of one kind. "
        "Pass test_fold as a Dask collection, e.g. the name of a column of X."
    )
