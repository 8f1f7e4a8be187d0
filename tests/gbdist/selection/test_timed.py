"""Splits in the order of time."""

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs

from gbdist.errors import DataError
from gbdist.selection import TimeSeriesSplit

from .conftest import as_unknown_frame

WINDOWS = [{}, {"gap": 4}, {"max_train_size": 25}, {"test_size": 7}, {"max_train_size": 1, "test_size": 20, "gap": 2}]


@pytest.mark.parametrize("arguments", WINDOWS)
def test_windows_are_scikit_learns(arguments: dict[str, int], table: pd.DataFrame) -> None:
    pairs = zip(
        TimeSeriesSplit(4, **arguments).split(table), theirs.TimeSeriesSplit(4, **arguments).split(table), strict=True
    )
    for ours, other in pairs:
        np.testing.assert_array_equal(ours[0], other[0])
        np.testing.assert_array_equal(ours[1], other[1])


@pytest.mark.parametrize("arguments", WINDOWS)
@pytest.mark.parametrize("n_parts", [1, 4, 13])
def test_no_split_looks_ahead(arguments: dict[str, int], n_parts: int, table: pd.DataFrame) -> None:
    X = as_unknown_frame(table, n_parts)
    pairs = list(TimeSeriesSplit(4, time="time", **arguments).split(X))
    found = dask.compute([(X[train], X[test]) for train, test in pairs])[0]
    for train, test in found:
        assert train["time"].max() <= test["time"].min()
        assert train["number"].max() + arguments.get("gap", 0) < test["number"].min()


FALLS = np.array([1.0, 3.0, 3.0, 2.0, 9.0, 0.0])


@pytest.mark.parametrize("edges", [[0, 6], [0, 2, 6], [0, 3, 3, 6], [0, 1, 2, 3, 4, 6]])
def test_the_first_row_whose_time_falls_is_named(edges: list[int]) -> None:
    times = da.from_array(FALLS, chunks=(tuple(np.diff(edges).tolist()),))
    with pytest.raises(DataError) as raised:
        TimeSeriesSplit(2, time=times).split(times)
    assert str(raised.value) == (
        "time: found 2.0 in row 3, after 3.0, expected times that never fall. Sort the rows by time first."
    )


def test_a_column_that_falls_is_named() -> None:
    days = pd.DataFrame({"day": np.array(["2024-01-01", "2024-01-03", "2024-01-02"], dtype="datetime64[s]")})
    with pytest.raises(DataError) as raised:
        TimeSeriesSplit(2, time="day").split(days)
    assert str(raised.value) == (
        "day: found 2024-01-02T00:00:00 in row 2, after 2024-01-03T00:00:00, expected times that never fall. "
        "Sort the rows by day first."
    )


def test_times_that_are_missing_are_refused() -> None:
    with pytest.raises(DataError) as raised:
        TimeSeriesSplit(2, time=[1.0, np.nan, 3.0]).split(range(3))
    assert str(raised.value) == (
        "time: found missing values (NaN), expected a time for each row. Drop those rows, or fill them in."
    )


@pytest.mark.parametrize(
    ("n_rows", "arguments", "text"),
    [
        (3, {}, "X: found 3 rows, expected at least 4, one more than n_splits=3. Use fewer splits."),
        (
            12,
            {"gap": 3},
            "X: found 12 rows, expected at least the 13 of n_splits=3, test_size=3 and gap=3. "
            "Lower one of them: no row would be left for the first split to train on.",
        ),
        (
            12,
            {"test_size": 4},
            "X: found 12 rows, expected at least the 13 of n_splits=3, test_size=4 and gap=0. "
            "Lower one of them: no row would be left for the first split to train on.",
        ),
    ],
)
def test_empty_windows_are_refused(n_rows: int, arguments: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError):
        list(theirs.TimeSeriesSplit(3, **arguments).split(np.zeros(n_rows)))
    with pytest.raises(DataError) as raised:
        TimeSeriesSplit(3, **arguments).split(np.zeros(n_rows))
    assert str(raised.value) == text
