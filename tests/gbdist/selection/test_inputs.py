"""What goes beside the rows that are split."""

from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from dask import delayed

from gbdist.errors import DataError
from gbdist.selection import GroupKFold, KFold, StratifiedKFold
from gbdist.selection.inputs import given_rows

from .conftest import as_frame, as_unknown_frame, make_table

TABLE = make_table(60)
FRAME, UNKNOWN = as_frame(TABLE, 2), as_unknown_frame(TABLE, 2)
ARRAY = da.from_array(TABLE[["number", "time"]].to_numpy(), chunks=(30, 2))


@pytest.mark.parametrize(
    "X",
    [
        TABLE,
        pl.from_pandas(TABLE),
        pa.Table.from_pandas(TABLE),
        TABLE.to_numpy(),
        list(range(60)),
        FRAME["label"],
        da.ones(60, chunks=7),
        da.ones((60, 3, 4), chunks=(7, 2, 2)),
    ],
    ids=lambda X: f"{type(X).__module__}.{type(X).__name__}",
)
def test_rows_may_be_in_anything_with_a_length(X: Any) -> None:
    tests = [test for _, test in KFold(2).split(X)]
    rows = [np.flatnonzero(test.compute()) if hasattr(test, "compute") else test for test in tests]
    np.testing.assert_array_equal(rows, np.arange(60).reshape(2, 30))


@pytest.mark.parametrize("X", [FRAME[["number"]], FRAME[[]], FRAME["label"], ARRAY, ARRAY[:, 0]])
def test_one_column_is_read_to_count_rows(X: Any) -> None:
    assert given_rows(X).narrow.ndim == 1
    assert len(given_rows(X).narrow.compute()) == 60


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (FRAME, FRAME["code"]),
        (FRAME, FRAME[["code"]]),
        (UNKNOWN, UNKNOWN["code"]),
        (FRAME[["number"]], as_frame(TABLE, 2)["code"]),
        (FRAME, dd.from_pandas(TABLE["code"], npartitions=2)),
        (ARRAY, da.from_array(TABLE["code"].to_numpy(), chunks=7)),
        (ARRAY, da.from_array(TABLE[["code"]].to_numpy(), chunks=(30, 1))),
        (ARRAY, FRAME["code"]),
        (ARRAY, FRAME["code"].astype("string")),
    ],
)
def test_labels_beside_the_rows(X: Any, y: Any) -> None:
    want = [test for _, test in StratifiedKFold(2).split(TABLE, "code")]
    for (_, test), rows in zip(StratifiedKFold(2).split(X, y), want, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(test.compute()), rows)


@pytest.mark.parametrize(
    ("X", "y", "text"),
    [
        (
            TABLE,
            "price",
            "y: found the column name 'price', expected a column of X. X has: number, time, label, code, group, fold.",
        ),
        (
            ARRAY,
            "label",
            "y: found the column name 'label', expected a vector. X has no column names; pass y itself.",
        ),
        (
            TABLE["label"],
            "label",
            "y: found the column name 'label', expected a vector. X has no column names; pass y itself.",
        ),
        (TABLE, [0, 1], "y: found 2 rows, expected as many as X, 60. Pass one value of y for each row of X."),
        (
            TABLE,
            FRAME["code"],
            "y: found a Dask collection beside X in memory, expected both of one kind. "
            "Pass y.compute(), or X as a Dask collection.",
        ),
        (
            FRAME,
            TABLE["code"],
            "y: found a Series in memory beside a Dask collection, expected both of one kind. "
            "Pass y as a Dask collection, e.g. the name of a column of X.",
        ),
        (
            ARRAY,
            TABLE["code"].to_numpy(),
            "y: found a ndarray in memory beside a Dask collection, expected both of one kind. "
            "Pass y as a Dask collection: dask.array.from_array(y, X.chunks[0]).",
        ),
        (
            FRAME,
            ARRAY[:, 0],
            "y: found a Dask Array beside a Dask DataFrame, expected a Dask Series. Pass y as a column of X, "
            "or make a Series of it: dask.dataframe.from_dask_array(y, index=X.index).",
        ),
        (
            FRAME,
            FRAME[["code", "label"]],
            "y: found a Dask DataFrame of 2 columns, expected one column. Pass y['…'].",
        ),
        (
            FRAME,
            as_frame(TABLE, 4)["code"],
            "y: found partitions of another frame (4), expected X's (2). "
            "Take y from the same frame as X, or give both the same known divisions.",
        ),
        (
            UNKNOWN,
            as_unknown_frame(TABLE[::-1], 2)["code"],
            "y: found partitions of another frame (3), expected X's (3). "
            "Take y from the same frame as X, or give both the same known divisions.",
        ),
        (ARRAY, ARRAY, "y: found a 2D Dask array, expected one value a row. Pass y as a vector."),
        (
            ARRAY,
            da.ones(59, chunks=5),
            "y: found 59 rows, expected as many as X, 60. Pass one value of y for each row of X.",
        ),
        (
            ARRAY,
            UNKNOWN["code"],
            "y: found 3 partitions, expected X's 2, with the same rows in each. "
            "Take y from the same collection as X, or give both known chunk sizes (compute_chunk_sizes()).",
        ),
    ],
)
def test_labels_that_do_not_go_with_the_rows_are_refused(X: Any, y: Any, text: str) -> None:
    with pytest.raises(DataError) as raised:
        StratifiedKFold(2).split(X, y)
    assert str(raised.value) == text


@pytest.mark.parametrize("X", [da.ones(()), delayed(TABLE)])
def test_collections_without_rows_are_refused(X: Any) -> None:
    with pytest.raises(DataError):
        KFold(2).split(X)


def test_none_beside_the_rows_is_refused() -> None:
    with pytest.raises(DataError, match="y: found"):
        StratifiedKFold(2).split(FRAME)
    with pytest.raises(DataError, match="groups: found None"):
        GroupKFold(2).split(FRAME)
