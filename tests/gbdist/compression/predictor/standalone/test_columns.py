"""Rows in every form that users have them in, and in forms that will not do."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array

from gbdist.compression.predictor.standalone.columns import Rows
from gbdist.compression.predictor.standalone.errors import PredictorError

NAMES, USED = ("a", "b", "c"), (0, 2)
TABLE = np.array([[0.1, 7.0, np.nan], [-3.0, 8.0, 16_777_217.0]])
FRAME = pd.DataFrame(TABLE, columns=list(NAMES))


def columns_of(given: Any) -> list[np.ndarray]:
    rows = Rows(given, NAMES, USED)
    return [rows.column(number, 0, rows.n_rows) for number in range(len(USED))]


@pytest.mark.parametrize(
    "given",
    [
        TABLE,
        TABLE.tolist(),
        np.asfortranarray(TABLE),
        TABLE.astype(object),
        FRAME,
        FRAME[["c", "a"]].assign(other="text"),
        FRAME.convert_dtypes(),
        pl.DataFrame({name: TABLE[:, at] for at, name in enumerate(NAMES)}),
        {"c": TABLE[:, 2].tolist(), "a": TABLE[:, 0]},
        {"a": TABLE[:, 0], "c": np.array([None, 16_777_217], dtype=object)},
    ],
    ids=["array", "lists", "fortran", "objects", "frame", "other columns", "nullable", "polars", "dict", "none"],
)
def test_every_form_gives_the_same_columns(given: Any) -> None:
    for found, expected in zip(columns_of(given), (TABLE[:, 0], TABLE[:, 2]), strict=True):
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_columns_of_a_frame_may_be_numbers() -> None:
    rows = Rows(pd.DataFrame(TABLE), ("0", "1", "2"), (1,))
    assert rows.column(0, 0, 2).tolist() == [7.0, 8.0]


def test_a_block_of_rows_is_read() -> None:
    assert Rows(TABLE, NAMES, USED).column(0, 1, 2).tolist() == [-3.0]


def test_numbers_beyond_float32_are_infinite() -> None:
    assert columns_of([[1e300, 0.0, -1e300]]) == [np.inf, -np.inf]


@pytest.mark.parametrize("given", [np.empty((0, 3)), {"a": [], "c": []}, FRAME[:0]])
def test_no_rows_are_no_error(given: Any) -> None:
    assert Rows(given, NAMES, USED).n_rows == 0


def test_rows_are_counted_where_no_tree_tests_anything() -> None:
    assert Rows(FRAME, NAMES, ()).n_rows == 2
    assert Rows(TABLE, NAMES, ()).n_rows == 2
    assert Rows({}, NAMES, ()).n_rows == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            TABLE[:, :2],
            "rows have shape (2, 2), expected (number of rows, 3): a column for each of the model's features (feature_names), "
            "used or not.",
        ),
        (
            TABLE[0],
            "rows have shape (3,), expected (number of rows, 3): a column for each of the model's features (feature_names), "
            "used or not. For one row, pass [row].",
        ),
        (csr_array(np.eye(3)), "rows are a sparse matrix, expected a dense one. Pass rows.toarray()."),
        (
            [["1", "2", "3"]],
            "rows are of type <U1, expected numbers. Convert them, for instance to float32.",
        ),
        (
            FRAME[["a", "b"]],
            "columns ['c'] are missing; found ['a', 'b']. Name the columns as the model does (feature_names).",
        ),
        (
            {"a": [1.0, 2.0], "c": [1.0]},
            "columns have different lengths: {'a': 2, 'c': 1}. Pass as many values of each.",
        ),
        (
            {"a": np.eye(2), "c": [1.0, 2.0]},
            "column 'a' has 2 dimensions, expected 1: one value a row. Pass a list or an array of them.",
        ),
        (
            {"a": ["x"], "c": [1.0]},
            "column 'a' has values that are no numbers (its type is <U1). Convert it, with NaN for what is missing.",
        ),
        (
            FRAME.assign(a=["x", 1]),
            "column 'a' has values that are no numbers (could not convert string to float: 'x'). "
            "Convert it, with NaN for what is missing.",
        ),
        (
            {"a": [1.0], "c": np.array(["2024-01-01"], dtype="datetime64[D]")},
            "column 'c' has values that are no numbers (its type is datetime64[D]). Convert it, with NaN for what is missing.",
        ),
    ],
)
def test_what_will_not_do_is_told(given: Any, message: str) -> None:
    with pytest.raises(PredictorError) as caught:
        columns_of(given)
    assert str(caught.value) == message
