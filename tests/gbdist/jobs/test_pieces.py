"""Pieces cover every row once, in order, and are as large as asked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gbdist.errors import DataError
from gbdist.jobs.files import DataFile
from gbdist.jobs.pieces import cut_into_pieces, read_batches


@pytest.fixture
def grouped(tmp_path: Path) -> DataFile:
    """A hundred rows in row groups of ten."""
    path = tmp_path / "grouped.parquet"
    table = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0) * 2, "text": ["x"] * 100})
    table.to_parquet(path, row_group_size=10)
    return DataFile(str(path), "parquet")


@pytest.mark.parametrize(
    ("piece_rows", "rows"), [(1, [10] * 10), (25, [20] * 5), (30, [30, 30, 30, 10]), (1000, [100])]
)
def test_small_row_groups_share_a_piece(grouped: DataFile, piece_rows: int, rows: list[int]) -> None:
    pieces = cut_into_pieces([grouped], ["a", "b"], piece_bytes=piece_rows * 4 * 2)
    assert [piece.rows for piece in pieces] == rows
    read = [value for piece in pieces for batch in read_batches(piece, ["a"], 7) for value in batch["a"].to_pylist()]
    assert read == list(range(100))


def test_batches_are_bounded(grouped: DataFile) -> None:
    (piece,) = cut_into_pieces([grouped], ["a"])
    assert max(batch.num_rows for batch in read_batches(piece, ["a"], 7)) == 7


def test_file_without_rows_is_a_piece(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    pd.DataFrame({"a": np.zeros(0)}).to_parquet(path)
    (piece,) = cut_into_pieces([DataFile(str(path), "parquet")], ["a"])
    assert piece.rows == 0
    assert sum(batch.num_rows for batch in read_batches(piece, ["a"], 7)) == 0


def test_csv_column_that_begins_with_whole_numbers_may_have_points_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    # Longer than a block of the reader, so that the types of the first block would not fit the last.
    path.write_text("a\n" + "1\n" * (9 << 20) + "2.5\nNA\n")
    (piece,) = cut_into_pieces([DataFile(str(path), "csv")], ["a"])
    last = [batch["a"].to_pylist()[-2:] for batch in read_batches(piece, ["a"], 7)][-1]
    assert last == [2.5, None]


def test_missing_column_is_named_with_the_file_and_the_nearest_one(grouped: DataFile) -> None:
    with pytest.raises(DataError) as caught:
        cut_into_pieces([grouped], ["a", "tex"])
    assert str(caught.value) == (
        f"{grouped.path}: found no column 'tex', expected every column that is asked for. "
        "Did you mean 'text'? Its columns: 'a', 'b', 'text'."
    )
