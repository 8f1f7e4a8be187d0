"""One split of tables that belong together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn.model_selection as theirs

from gbdist.errors import DataError, ParameterError
from gbdist.selection import train_test_split

from .conftest import as_frame, as_unknown_frame

WAYS: list[dict[str, Any]] = [
    {},
    {"test_size": 0.3, "random_state": 5},
    {"train_size": 20, "test_size": 30},
    {"shuffle": False},
    {"stratify": "label", "test_size": 0.4},
    {"stratify": "label", "train_size": 40, "test_size": 30, "random_state": 5},
]
each_way = pytest.mark.parametrize("way", WAYS, ids=repr)


@each_way
def test_sizes_are_scikit_learns(way: dict[str, Any], table: pd.DataFrame) -> None:
    ours = train_test_split(table, **way)
    other = theirs.train_test_split(table, **{**way, "stratify": table["label"] if "stratify" in way else None})
    for part, their_part in zip(ours, other, strict=True):
        assert len(part) == len(their_part)
        if "stratify" in way:
            assert part["label"].value_counts().to_dict() == their_part["label"].value_counts().to_dict()
    assert not set(ours[0]["number"]) & set(ours[1]["number"])


@each_way
@pytest.mark.parametrize(("collection", "n_parts"), [(as_unknown_frame, 1), (as_unknown_frame, 4), (as_frame, 13)])
def test_collections_have_the_rows_in_memory(
    way: dict[str, Any], n_parts: int, collection: Callable[..., Any], table: pd.DataFrame
) -> None:
    X = collection(table, n_parts)
    train, test, in_train, in_test = dask.compute(*train_test_split(X, X["number"], **way))
    want_train, want_test = train_test_split(table, **way)
    assert train["number"].tolist() == in_train.tolist() == want_train["number"].tolist()
    assert test["label"].tolist() == want_test["label"].tolist()
    assert in_test.tolist() == want_test["number"].tolist()


@each_way
def test_joined_files_have_the_rows_in_memory(
    way: dict[str, Any], table: pd.DataFrame, files: Callable[[int], Path]
) -> None:
    X = dd.read_parquet(files(8))[list(table.columns)]
    way = {**way, "stratify": X["label"]} if "stratify" in way else way
    train, _, _, in_test = dask.compute(*train_test_split(X.drop(columns="label"), X["label"], **way))
    want_train, want_test = train_test_split(table, **{**way, "stratify": "label" if "stratify" in way else None})
    assert train["number"].tolist() == want_train["number"].tolist()
    assert in_test.tolist() == want_test["label"].tolist()


@each_way
@pytest.mark.parametrize("lengths", [True, None])
def test_arrays_have_the_rows_in_memory(way: dict[str, Any], lengths: Any, table: pd.DataFrame) -> None:
    frame = as_frame(table, 4)
    X, code = frame[["number", "time"]].to_dask_array(lengths=lengths), frame["code"].to_dask_array(lengths=lengths)
    labels = {"stratify": code} if "stratify" in way else {}
    in_memory = {"stratify": "code"} if "stratify" in way else {}
    train, test, _, in_test = dask.compute(*train_test_split(X, code, **{**way, **labels}))
    want_train, want_test = train_test_split(table, **{**way, **in_memory})
    assert train[:, 0].tolist() == want_train["number"].tolist()
    assert test[:, 0].tolist() == want_test["number"].tolist()
    assert in_test.tolist() == want_test["code"].tolist()


def test_frames_and_arrays_may_be_split_together(table: pd.DataFrame) -> None:
    X = as_frame(table, 4)
    array = X["number"].to_dask_array(lengths=True)
    train, _, in_train, _ = train_test_split(X, array)
    assert train["number"].compute().tolist() == in_train.compute().tolist()


def test_kinds_in_memory_are_kept(table: pd.DataFrame) -> None:
    rows = list(range(len(table)))
    given = (
        table,
        table["number"],
        table["number"].to_numpy(),
        rows,
        pl.from_pandas(table),
        scipy.sparse.eye(len(table), format="csr"),
    )
    parts = train_test_split(*given)
    for number, one in enumerate(given):
        train, test = parts[2 * number], parts[2 * number + 1]
        assert type(train) is type(test) is type(one)
    np.testing.assert_array_equal(parts[0]["number"], parts[6])
    np.testing.assert_array_equal(parts[8]["number"], parts[4])
    np.testing.assert_array_equal(parts[10].indices, parts[2])


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (
            (np.zeros(4), np.zeros(5)),
            "array 1: found 5 rows, expected as many as X, 4. Pass what has the same rows.",
        ),
        (
            (da.zeros(4, chunks=2), np.zeros(4)),
            "array 1: found not of X's kind, expected all in memory, or all Dask collections. "
            "Pass Dask collections alone, or none.",
        ),
        (
            (da.zeros(4, chunks=2), da.zeros(4, chunks=3)),
            "array 1: found the same rows in other partitions, expected X's partitions. "
            "Take all of them from one collection, or rechunk them alike.",
        ),
    ],
)
def test_tables_that_do_not_go_together_are_refused(arrays: Any, text: str) -> None:
    with pytest.raises(DataError) as raised:
        train_test_split(*arrays)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("labels", "sizes", "text"),
    [
        (
            list("aaaab"),
            {},
            "stratify: found 1 row(s) of class 'b', expected one to train and one to test. "
            "Drop or merge such classes, or leave stratify out.",
        ),
        (
            list("aabbcc"),
            {"test_size": 2},
            "X: found 2 rows to test, expected at least one of each of the 3 classes. Set a larger test_size.",
        ),
        (
            list("aabbcc"),
            {"train_size": 2},
            "X: found 2 rows to train, expected at least one of each of the 3 classes. Set a larger train_size.",
        ),
    ],
)
def test_classes_that_cannot_be_split_are_refused(labels: list[str], sizes: dict[str, int], text: str) -> None:
    with pytest.raises(DataError) as raised:
        train_test_split(labels, stratify=labels, **sizes)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("arrays", "arguments", "text"),
    [
        ((), {}, "arrays=() cannot be used: expected at least one table or vector. Pass what is to be split."),
        (
            ([1, 2],),
            {"shuffle": False, "stratify": [1, 2]},
            "shuffle=False cannot be used: expected True, as stratify draws rows. Leave one of the two out.",
        ),
    ],
)
def test_bad_parameters_are_refused(arrays: Any, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterError) as raised:
        train_test_split(*arrays, **arguments)
    assert str(raised.value) == text
