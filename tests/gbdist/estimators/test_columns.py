"""Which columns are categorical: those that are named, else those whose type says so; nothing is computed for it."""

from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.columns import ColumnRules, Columns, unbinned_of, with_columns_of
from gbdist.estimators.preparation.inputs import collect

FRAME = pd.DataFrame(
    {
        "number": [1.5, 2.5, np.nan],
        "category": pd.Categorical(["a", "b", None]),
        "python": pd.array(["a", None, "b"], dtype="string[python]"),
        "arrow": pd.array(["a", None, "b"], dtype="string[pyarrow]"),
        "object": pd.Series(["a", None, "b"], dtype=object),
        "own": pd.Series(["a", None, "b"], dtype=pd.ArrowDtype(pa.large_string())),
        "dictionary": pd.Series(["a", None, "b"], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        "numbers": pd.Categorical([1, 2, 1]),
        "integer": [1, 2, 3],
        "boolean": [True, False, True],
        "mixed": pd.Series(["a", 1, "b"], dtype=object),
        "empty": pd.Series([None, None, None], dtype=object),
        "objects": pd.Series([1, 2.5, None], dtype=object),
        "date": pd.to_datetime(["2020-01-01"] * 3),
    }
)
BY_TYPE = ["category", "python", "arrow", "object", "own", "dictionary", "numbers"]


def found(X: Any, **named: Any) -> list[str]:
    parts = collect(X)
    columns = unbinned_of(parts, ColumnRules(named))
    assert {kind for _, kind in columns} <= {"hash"}
    return [parts.feature_names[position] for position, _ in columns]


def test_types_of_pandas() -> None:
    assert found(FRAME) == BY_TYPE
    assert found(FRAME[["number", "integer"]]) == []


def test_types_that_a_collection_announces_without_computing_it() -> None:
    def refuse(part: pd.DataFrame) -> pd.DataFrame:
        raise AssertionError("computed")

    with dask.config.set({"dataframe.convert-string": False}):
        frame = dd.from_pandas(FRAME, npartitions=2).map_partitions(refuse, meta=FRAME.iloc[:0])
    # Objects may be anything: whether they are strings would have to be computed.
    assert found(frame) == [name for name in BY_TYPE if name != "object"]
    converted = dd.from_pandas(FRAME[["number", "object"]], npartitions=2)
    assert found(converted) == ["object"]


def test_types_of_arrow_and_polars() -> None:
    table = pa.table(
        {
            "text": ["a", "b"],
            "number": [1.5, 2.5],
            "large": pa.array(["a", "b"], pa.large_string()),
            "dictionary": pa.array([1, 2]).dictionary_encode(),
            "boolean": [True, False],
        }
    )
    assert found(table) == ["text", "large", "dictionary"]
    frame = pl.DataFrame(
        {"text": ["a"], "number": [1.5], "date": [None]},
        schema_overrides={"date": pl.Date},
    ).with_columns(
        pl.Series("category", ["a"], dtype=pl.Categorical), pl.Series("enum", ["a"], dtype=pl.Enum(["a", "b"]))
    )
    assert found(frame) == found(frame.lazy()) == ["text", "category", "enum"]


def test_arrays_have_no_types_of_columns() -> None:
    values = np.array([["a", 1.5], ["b", 2.5]], dtype=object)
    for X in (values, da.from_array(values, chunks=(1, 2))):
        assert found(X) == []
        assert found(X, cat_features=(0,)) == ["0"]


def test_label_and_weight_are_no_features() -> None:
    parts = collect(FRAME[["category", "number", "object"]].assign(y="yes"), "y", "number")
    assert unbinned_of(parts, ColumnRules()) == ((0, "hash"), (1, "hash"))


@pytest.mark.parametrize(
    ("named", "columns"),
    [
        (("number", "object"), ["number", "object"]),
        ((8, "category", 1), ["category", "integer"]),
        ((), []),
    ],
)
def test_named_columns_alone(named: tuple[Any, ...], columns: list[str]) -> None:
    assert found(FRAME, cat_features=named) == columns


def test_catboost_is_given_what_is_named_as_it_is() -> None:
    parts = collect(FRAME)
    named = {"cat_features": ("category",), "text_features": ("object",)}
    assert unbinned_of(parts, ColumnRules(named, hashed=False)) == ((1, "cat"), (4, "text"))
    assert unbinned_of(parts, ColumnRules({}, hashed=False)) == ()


@pytest.mark.parametrize(
    ("X", "named", "words"),
    [
        (
            FRAME.iloc[:, :2],
            ("colour",),
            "['colour'] cannot be used: expected names of features. X has: number, category.",
        ),
        (FRAME.iloc[:, :2], (0, 2), "[0, 2] cannot be used: expected positions from 0 to 1. X has: number, category."),
        (FRAME.iloc[:, :2], (-1,), "[-1] cannot be used: expected positions from 0 to 1. X has: number, category."),
        (
            np.zeros((2, 3)),
            ("1",),
            "['1'] cannot be used: expected positions, as X has no column names. X has 3 columns.",
        ),
    ],
)
def test_a_column_that_is_not_there(X: Any, named: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        found(X, cat_features=named)
    assert str(caught.value) == f"cat_features={words}"


TRAIN = Columns(("a", "b", "c"), True, ((1, "hash"),))


def test_an_eval_set_has_the_columns_of_the_training_set() -> None:
    # Whatever their types: 3 is the category "3".
    eval_set = pd.DataFrame({"a": [1.5], "b": [3], "c": [2.5]})
    parts = with_columns_of(TRAIN, collect(eval_set), "none", "eval_set")
    assert (parts.unbinned, parts.cat_nan) == (((1, "hash"),), "none")
    assert with_columns_of(TRAIN, collect(eval_set.to_numpy()), None, "eval_set").unbinned == ((1, "hash"),)
    numbers = Columns(("a", "b", "c"), True, ())
    assert with_columns_of(numbers, collect(eval_set.iloc[:, ::-1]), None, "eval_set").unbinned == ()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            ["a", "c", "b"],
            "found column 'c' at position 1, expected 'b' there. Give every part its columns in the same order.",
        ),
        (["a", "b"], "found 2 columns, missing 'c', expected 3 columns. Give every part the same columns."),
    ],
)
def test_an_eval_set_of_other_columns(columns: list[str], words: str) -> None:
    with pytest.raises(DataError) as caught:
        with_columns_of(TRAIN, collect(pd.DataFrame(0, index=[0], columns=columns)), None, "eval_set[1]")
    assert str(caught.value) == f"eval_set[1]: {words}"
