"""What may be given to fit, and what is refused before anything is computed."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from gbdist.errors import DataError
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.tables import slice_rows, take_rows


@pytest.fixture
def frame(table: pd.DataFrame) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=4, sort=False)


@pytest.fixture
def array(table: pd.DataFrame) -> da.Array:
    return da.from_array(table[list("abcdef")].to_numpy(), chunks=(1_300, 6))


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as refused:
        call()
    return str(refused.value)


def test_column_names_stand_for_label_and_weight(frame: dd.DataFrame, table: pd.DataFrame) -> None:
    for X in (frame, table, pl.from_pandas(table), pa.Table.from_pandas(table)):
        parts = collect(X, "y", "w")
        assert parts.feature_names == tuple("abcdef")
        assert (parts.label_columns, parts.weight_column) == (("y",), "w")
        assert parts.has_label
        assert parts.has_weight


def test_array_columns_are_numbered(array: da.Array) -> None:
    parts = collect(array)
    assert parts.feature_names == tuple("012345")
    assert (parts.n_rows, parts.n_parts, parts.labels) == (5_000, 4, None)


def test_array_label_is_rechunked_like_x(array: da.Array, table: pd.DataFrame) -> None:
    label = da.from_array(table["y"].to_numpy(), chunks=999)
    assert collect(array, label).label.chunks == (array.chunks[0],)


def test_label_in_memory_is_cut_like_an_array(array: da.Array, table: pd.DataFrame) -> None:
    pieces = collect(array, table["y"]).label
    assert [len(piece) for piece in pieces] == list(array.chunks[0])


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame, sp.csr_matrix, sp.coo_matrix, list])
def test_tables_in_memory(make: Callable[[Any], Any]) -> None:
    parts = collect(make(np.arange(12.0).reshape(4, 3)), [0, 1, 0, 1])
    assert (parts.n_rows, len(parts.feature_names), parts.lazy) == (4, 3, False)


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame, sp.csr_matrix, pa.Table.from_pandas])
def test_rows_of_any_table(make: Callable[[Any], Any]) -> None:
    values = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc"))
    X = collect(make(values)).features

    def as_numpy(table: Any) -> Any:
        return (
            table.toarray()
            if hasattr(table, "toarray")
            else np.asarray(table.to_pandas() if isinstance(table, pa.Table) else table)
        )

    assert np.array_equal(as_numpy(slice_rows(X, 1, 3)), values.to_numpy()[1:3])
    mask = np.array([True, False, False, True])
    assert np.array_equal(as_numpy(take_rows(X, mask)), values.to_numpy()[mask])


def test_array_chunked_over_columns() -> None:
    assert refusal(lambda: collect(da.zeros((10, 4), chunks=(5, 2)))) == (
        "X: found a Dask array in 2 chunks along its columns, expected chunks over rows only. Call X.rechunk({1: -1})."
    )


def test_lengths_differ(array: da.Array) -> None:
    expected = (
        "y: found 7 rows, expected as many as X, 5000. X and y have inconsistent numbers of samples; pass one value of y for "
        "each row of X."
    )
    assert refusal(lambda: collect(array, da.zeros(7))) == expected
    assert refusal(lambda: collect(array, np.zeros(7))) == expected
    assert refusal(lambda: collect(np.zeros((5_000, 2)), np.zeros(7))) == expected


def test_partitions_differ(frame: dd.DataFrame, table: pd.DataFrame) -> None:
    other = dd.from_pandas(table["y"], npartitions=3, sort=False)
    assert refusal(lambda: collect(frame[["a"]], other)) == (
        "y: found 3 partitions, expected X's 4, with the same rows in each. Take y from the same collection as X, or give both "
        "known chunk sizes (compute_chunk_sizes())."
    )


def test_partitions_begin_elsewhere(table: pd.DataFrame) -> None:
    X = dd.from_pandas(table[["a"]], npartitions=4)
    y = dd.from_pandas(table["y"], npartitions=4).repartition(divisions=(0, 10, 20, 30, 4_999))
    assert refusal(lambda: collect(X, y)) == (
        "y: found partitions that begin at 0, 10, 20, 30, …, expected X's, which begin at 0, 1250, 2500, 3750, …. Take y from "
        "the same frame as X, or repartition it with divisions=X.divisions."
    )


def test_label_in_memory_beside_partitions_of_unknown_length(frame: dd.DataFrame) -> None:
    assert refusal(lambda: collect(frame, np.zeros(5_000))) == (
        "y: found a ndarray in memory beside a Dask collection whose partition lengths are not known, expected a Dask collection "
        "with the partitions of X. Pass y as a column of X, or turn X into an array of known chunks: "
        "X.to_dask_array(lengths=True)."
    )


def test_lazy_label_beside_a_table_in_memory(array: da.Array) -> None:
    assert refusal(lambda: collect(np.zeros((4, 2)), da.zeros(4))) == (
        "y: found a Dask collection beside X in memory, expected both of one kind. Pass y.compute(), or X as a Dask collection."
    )


def test_column_that_is_not_there(frame: dd.DataFrame, array: da.Array) -> None:
    assert refusal(lambda: collect(frame, "z")) == (
        "y: found the column name 'z', expected a column of X. X has: a, b, c, d, e, f, y, w."
    )
    assert refusal(lambda: collect(array, "z")) == (
        "y: found the column name 'z', expected a vector. X has no column names; pass y itself."
    )


def test_column_of_several_that_is_not_there(frame: dd.DataFrame, table: pd.DataFrame) -> None:
    expected = "y: found the column name 'z', expected a column of X. X has: a, b, c, d, e, f, y, w."
    assert refusal(lambda: collect(table, ["y", "z"])) == expected
    assert refusal(lambda: collect(frame, ["y", "z"])) == expected
    assert collect(table, ["y"]).label_columns == ("y",)
    assert collect(table.head(2), ["y", "z"]).label.tolist() == ["y", "z"]  # a label for each row


def test_names_that_are_the_same(table: pd.DataFrame) -> None:
    twice = pd.DataFrame(np.zeros((3, 2)), columns=["a", "a"])
    assert refusal(lambda: collect(twice)) == (
        "column 'a': found the same name more than once, expected distinct column names. Rename one."
    )
    alike = pd.DataFrame(np.zeros((3, 2)), columns=["1", 1])
    assert refusal(lambda: collect(alike)) == (
        "column '1': found two labels with this text, expected distinct column names. Rename one."
    )


def test_what_is_no_table() -> None:
    assert "Reshape your data" in refusal(lambda: collect([1.0, 2.0]))
    assert refusal(lambda: collect("data.csv")).startswith(
        "X: found str, expected a Dask DataFrame or Array, a DaskPool"
    )
    assert refusal(lambda: collect(pd.Series([1.0]))) == (
        "X: found a pandas Series, expected a table with columns. Pass a DataFrame, e.g. series.to_frame()."
    )
    assert "0 feature(s)" in refusal(lambda: collect(np.zeros((3, 0))))
    assert refusal(lambda: collect(da.zeros(4))) == (
        "X: found a 1D Dask array, expected 2D array [n_rows, n_features]. Reshape your data."
    )


def test_one_column_is_no_table(frame: dd.DataFrame, table: pd.DataFrame) -> None:
    rest = "found a {} Series, expected a table with columns. Pass a DataFrame, e.g. series.to_frame()."
    assert refusal(lambda: collect(frame["a"], frame["y"])) == "X: " + rest.format("Dask")
    assert refusal(lambda: collect(table["a"], table["y"])) == "X: " + rest.format("pandas")
