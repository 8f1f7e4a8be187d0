"""Every container gives the same float32 columns, and what is no number is named."""

import decimal
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from catboost import Pool

from gbdist.errors import DataError
from gbdist.quantize.raw import open_features

NAN = float("nan")


def feature_block(features: Any, feature: int) -> np.ndarray:
    return open_features(features).column(feature)


def check(features: Any, expected: list[list[float]]) -> None:
    """Compare every column, bytes included (so that −0.0 would be told from 0.0)."""
    for f, column in enumerate(expected):
        block = feature_block(features, f)
        assert block.dtype == np.float32
        assert block.flags.c_contiguous
        np.testing.assert_array_equal(block, np.array(column, dtype=np.float32))
        assert not np.signbit(block[block == 0]).any()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_of_any_number_type(dtype: str, order: Any) -> None:
    values = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype, order=order)
    check(values, values.T.astype(float).tolist())
    assert open_features(values).names == ("0", "1", "2")


def test_numbers_become_float32_as_in_catboost() -> None:
    # 2**60 + 2**36 + 1 rounds to another float32 when it goes through float64.
    whole = np.array([[2**60 + 2**36 + 1], [16_777_217], [-3]], dtype=np.int64)
    wide = np.array([[1e300], [-1e300], [1e-50], [0.1]])
    for values in (whole, wide):
        expected = Pool(values).get_features()[:, 0]
        np.testing.assert_array_equal(feature_block(values, 0), expected)
        np.testing.assert_array_equal(feature_block(pd.DataFrame({"a": values[:, 0]}), 0), expected)
        np.testing.assert_array_equal(feature_block(pa.table({"a": values[:, 0]}), 0), expected)
        np.testing.assert_array_equal(feature_block(pl.DataFrame({"a": values[:, 0]}), 0), expected)


def test_pandas_of_any_type() -> None:
    frame = pd.DataFrame(
        {
            "float": [1.5, NAN, -0.0],
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "nullable float": pd.array([1.5, None, 3], dtype="Float32"),
            "boolean": pd.array([True, None, False], dtype="boolean"),
            "arrow": pd.array([1, None, 3], dtype="int64[pyarrow]"),
            "arrow bool": pd.array([True, None, False], dtype="bool[pyarrow]"),
            "objects": pd.Series([1, None, 2.5], dtype=object),
            "objects with NA": pd.Series([True, pd.NA, False], dtype=object),
            "decimals": [decimal.Decimal("1.5"), None, decimal.Decimal(3)],
            "sparse": pd.arrays.SparseArray([0.0, 1.0, NAN]),
            7: np.array([1, 2, 3], dtype=np.uint8),
        }
    )
    check(
        frame,
        [
            [1.5, NAN, 0.0],
            [1, NAN, 3],
            [1.5, NAN, 3],
            [1, NAN, 0],
            [1, NAN, 3],
            [1, NAN, 0],
            [1, NAN, 2.5],
            [1, NAN, 0],
            [1.5, NAN, 3],
            [0, 1, NAN],
            [1, 2, 3],
        ],
    )
    assert open_features(frame).names[-2:] == ("sparse", "7")


def test_arrow_of_any_type() -> None:
    table = pa.table(
        {
            "whole": pa.array([1, None, 3]),
            "bool": pa.array([True, None, False]),
            "nothing": pa.nulls(3),
            "half": pa.array(np.array([1, 2, 3], dtype=np.float16)),
            "decimal": pa.array([decimal.Decimal("1.5"), None, None]),
            "chunks": pa.chunked_array([[1.0], [None, -0.0]]),
        }
    )
    check(table, [[1, NAN, 3], [1, NAN, 0], [NAN] * 3, [1, 2, 3], [1.5, NAN, NAN], [1, NAN, 0]])


def test_polars_of_any_type() -> None:
    frame = pl.DataFrame(
        {"whole": [1, None, 3], "bool": [True, None, False], "nothing": [None] * 3, "float": [1e300, None, -0.0]}
    )
    check(frame, [[1, NAN, 3], [1, NAN, 0], [NAN] * 3, [np.inf, NAN, 0]])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr"])
def test_sparse_of_any_form(form: str) -> None:
    dense = np.array([[0, 2.5, 0], [NAN, 0, 0], [0, -1, 0], [0, 0, 0]])
    check(sp.coo_matrix(dense).asformat(form), dense.T.tolist())
    check(sp.coo_array(dense).asformat(form), dense.T.tolist())


def test_objects_in_an_array_are_numbers_or_not() -> None:
    check(np.array([[1, None], [2.5, True]], dtype=object), [[1, 2.5], [NAN, 1]])


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (np.array(["2020", "2021"], dtype="datetime64[ns]"), "datetime64[ns] values"),
        (np.array([1, 2], dtype="timedelta64[ns]"), "timedelta64[ns] values"),
        (np.array([1j, 2]), "complex128 values"),
        (pd.Series([b"a", b"b"], dtype=object), "objects of kind bytes such as b'a'"),
        (pd.Series([1.5, "x"], dtype=object), "objects of kind mixed such as 'x'"),
        (pd.Series([[1], [2]], dtype=object), "objects of kind mixed"),
    ],
)
def test_a_column_that_is_no_number_is_named(column: Any, found: str) -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0], "odd": column})
    with pytest.raises(DataError) as caught:
        open_features(frame, 4).column(1)
    assert caught.value.args == ("column 'odd' of partition 4", found, "numbers", "Encode it as numbers or drop it.")


@pytest.mark.parametrize(
    ("features", "found"),
    [
        (pd.DataFrame({"kind": pd.Series(["a", "b"], dtype=object)}), "objects of kind string such as 'a'"),
        (pd.DataFrame({"kind": pd.Series([1, "x"], dtype=object)}), "objects of kind mixed-integer such as 'x'"),
        (pd.DataFrame({"kind": pd.array(["a", None], dtype="string")}), "string values"),
        (pd.DataFrame({"kind": pd.Series(["a"], dtype=pd.ArrowDtype(pa.string()))}), "string values"),
        (pa.table({"kind": ["a"]}), "string values"),
        (pa.table({"kind": pa.array(["a"], pa.large_string())}), "large_string values"),
        (pl.DataFrame({"kind": ["a"]}), "String values"),
        (np.array([["a"]]), "<U1 values"),
    ],
)
def test_strings_are_said_to_need_a_name(features: Any, found: str) -> None:
    with pytest.raises(DataError) as caught:
        open_features(features, 2).column(0)
    place = f"column {open_features(features).names[0]!r} of partition 2"
    assert caught.value.args == (
        place,
        found,
        "numbers",
        "Name it in cat_features, encode it as numbers, or drop it.",
    )


@pytest.mark.parametrize(
    "features",
    [
        pd.DataFrame({"kind": pd.Categorical(["a", "b"])}),
        pa.table({"kind": pa.array(["a", "b"]).dictionary_encode()}),
        pl.DataFrame({"kind": pl.Series(["a", "b"], dtype=pl.Categorical)}),
        pl.DataFrame({"kind": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"]))}),
    ],
    ids=["pandas", "arrow", "polars", "polars enum"],
)
def test_categories_are_said_to_need_a_name(features: Any) -> None:
    with pytest.raises(DataError) as caught:
        open_features(features, 2).column(0)
    assert str(caught.value) == (
        "column 'kind' of partition 2: found categories, expected numbers. "
        "Name it in cat_features, encode it as numbers, or drop it."
    )


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            np.zeros(3),
            "X of partition 1: found an array of 1 dimension(s), expected a 2D array. Reshape your data: X.reshape(-1, 1) "
            "if it is a single feature, X.reshape(1, -1) if it is a single row.",
        ),
        (
            np.zeros((2, 2), dtype=complex),
            "X of partition 1: found complex128 values, expected real numbers. "
            "Complex data not supported: use two real columns.",
        ),
        (
            [[1, 2]],
            "X of partition 1: found a builtins.list, expected a pandas or polars DataFrame, a pyarrow Table, a NumPy array "
            "or a scipy sparse matrix. Convert it to one of these.",
        ),
        (
            sp.csr_matrix(np.ones((2, 2)) * 1j),
            "X of partition 1: found a sparse matrix of 2 dimension(s) and complex128 values, expected a 2D matrix of real "
            "numbers. Complex data not supported: use two real columns.",
        ),
    ],
    ids=["1D", "complex", "list", "complex sparse"],
)
def test_a_container_that_cannot_be_read_is_refused(features: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        open_features(features, 1)
    assert str(caught.value) == message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_bytes_are_counted() -> None:
    dense = np.zeros((10, 3), dtype=np.float32)
    for features in (dense, pd.DataFrame(dense), pa.table(dict.fromkeys("abc", dense[:, 0])), pl.DataFrame(dense)):
        assert open_features(features).nbytes == 120
    assert open_features(sp.csr_matrix(dense)).nbytes < 120
