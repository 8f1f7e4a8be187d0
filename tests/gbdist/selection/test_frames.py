"""Columns beside Dask frames keep to their partitions, whatever Dask's optimizer makes of these."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gbdist.selection.frames import frame_column, have_same_partitions

from .conftest import as_frame, as_unknown_frame

N_PARTS = 8

Frames = dict[str, Callable[[pd.DataFrame, Path], Any]]


def fewer_columns(files: Path, **how: Any) -> Any:
    """Files that Dask joins, as few of their columns are read."""
    return dd.read_parquet(files, **how)[["number", "time", "code"]]


FRAMES: Frames = {
    "known divisions": lambda table, files: as_frame(table, N_PARTS),
    "unknown divisions": lambda table, files: as_unknown_frame(table, N_PARTS - 1),
    "all columns of files": lambda table, files: dd.read_parquet(files),
    "joined files": lambda table, files: fewer_columns(files),
    "joined files, more done": lambda table, files: fewer_columns(files).assign(more=lambda one: one["time"] + 1),
    "joined files, a new index": lambda table, files: fewer_columns(files).reset_index(drop=True),
    "joined files, by Arrow": lambda table, files: fewer_columns(files, filesystem="arrow"),
    "held": lambda table, files: dd.read_parquet(files).persist(),
    "delayed": lambda table, files: dd.from_delayed(dd.read_parquet(files).to_delayed()),
}


@pytest.fixture(params=FRAMES)
def frame(request: pytest.FixtureRequest, table: pd.DataFrame, files: Callable[[int], Path]) -> Any:
    return FRAMES[request.param](table, files(N_PARTS).absolute())


def partition_of_rows(facts: NDArray[np.int64], rule: str, values: Any, n_rows: int) -> NDArray[np.int64]:
    """The partition of each row, which is the first of the facts; what else comes is what it should be."""
    assert rule == "a rule"
    assert n_rows == facts[:, 1].sum()
    assert values is None or len(values) == n_rows
    return np.repeat(facts[:, 0], facts[:, 1])


def partitions(frame: Any) -> list[pd.DataFrame]:
    return list(dask.compute(*frame.to_delayed(optimize_graph=False)))


def column_of(frame: Any, values: Any = None) -> tuple[Any, list[pd.DataFrame]]:
    pieces = partitions(frame)
    facts = np.array([(number, len(piece)) for number, piece in enumerate(pieces)])
    return frame_column(frame, facts, "a rule", partition_of_rows, np.int64, values), pieces


def test_each_row_gets_the_facts_of_its_partition(frame: Any) -> None:
    column, pieces = column_of(frame)
    assert column.npartitions == frame.npartitions == N_PARTS
    assert column.divisions == frame.divisions
    want = np.repeat(range(N_PARTS), [len(piece) for piece in pieces])
    np.testing.assert_array_equal(column.compute(), want)


def test_rows_are_chosen_by_it(frame: Any) -> None:
    column, pieces = column_of(frame)
    mask = column == 3
    for chosen in (frame[mask], frame[["code", "number"]][mask], frame.loc[mask]):
        assert chosen["number"].compute().tolist() == pieces[3]["number"].tolist()
    assert frame["code"][mask].compute().tolist() == pieces[3]["code"].tolist()
    assert (
        frame[~mask]["number"].sum().compute()
        == sum(piece["number"].sum() for piece in pieces) - pieces[3]["number"].sum()
    )


def test_some_partitions_keep_their_facts(frame: Any) -> None:
    column, pieces = column_of(frame)
    assert sorted(column.partitions[[2, 5, 6]].unique().compute()) == [2, 5, 6]
    chosen = frame[column == 5].partitions[4:7]
    assert chosen["number"].compute().tolist() == pieces[5]["number"].tolist()
    assert [len(piece) for piece in partitions(chosen)] == [0, len(pieces[5]), 0]


def test_values_come_with_their_partitions(frame: Any) -> None:
    column, pieces = column_of(frame, values=frame["code"])
    assert frame[column == 6]["number"].compute().tolist() == pieces[6]["number"].tolist()


def test_a_frame_without_columns_has_partitions(table: pd.DataFrame) -> None:
    column, _ = column_of(as_frame(table, N_PARTS)[[]])
    assert column.nunique().compute() == N_PARTS


def test_frames_with_the_same_partitions(table: pd.DataFrame) -> None:
    known, unknown = as_frame(table, 4), as_unknown_frame(table, 4)
    assert have_same_partitions(known, known["code"])
    assert have_same_partitions(known, as_frame(table, 4)["code"])
    assert have_same_partitions(unknown, unknown["code"] + 1)
    assert not have_same_partitions(unknown, as_unknown_frame(table[::-1], 4)["code"])
    assert not have_same_partitions(known, as_frame(table, 5)["code"])
