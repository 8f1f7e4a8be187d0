"""Pieces cover every row once, in order, and are as large as asked."""

import gzip
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


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("piece_bytes", [3, 7, 10, 64, 10_000])
def test_every_line_of_a_csv_file_is_read_once(tmp_path: Path, piece_bytes: int, end: str) -> None:
    path = tmp_path / "a.csv"
    newline = end or "\n"
    # Lines of many lengths, so that every way for a line to lie across an edge occurs.
    path.write_bytes((newline.join(["a,b", *(f"{row},{10 ** (row % 7)}" for row in range(200))]) + end).encode())
    pieces = cut_into_pieces([DataFile(str(path), "csv")], ["a"], piece_bytes)
    read = [value for piece in pieces for batch in read_batches(piece, ["a"], 7) for value in batch["a"].to_pylist()]
    assert read == list(range(200))


def test_csv_column_that_begins_with_whole_numbers_may_have_points_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    # Longer than the first block of the reader, from which types are guessed.
    path.write_text("a\n" + "1\n" * (2 << 20) + "2.5\nNA\n")
    pieces = cut_into_pieces([DataFile(str(path), "csv")], ["a"])
    last = [batch["a"].to_pylist()[-2:] for piece in pieces for batch in read_batches(piece, ["a"], 7)][-1]
    assert last == [2.5, None]


def test_packed_csv_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"".join(f"{row},x\n".encode() for row in range(50))))
    (piece,) = cut_into_pieces([DataFile(str(path), "csv")], ["a"], piece_bytes=10)
    assert [value for batch in read_batches(piece, ["a"], 7) for value in batch["a"].to_pylist()] == list(range(50))


def test_value_that_does_not_fit_is_named_with_its_file_and_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * (1 << 18) + "1,oops\n")
    (piece,) = cut_into_pieces([DataFile(str(path), "csv")], ["b"])
    with pytest.raises(DataError) as caught:
        list(read_batches(piece, ["b"], 7))
    assert str(caught.value) == (
        f"{path}: found invalid value 'oops' in the column 'b', which began as double, expected lines like the first ones. "
        "Repair the line, leave the column out, or write the data as Parquet, which has types; if it is one of categories, "
        "train with it named in --cat."
    )


def test_missing_column_is_named_with_the_file_and_the_nearest_one(grouped: DataFile) -> None:
    with pytest.raises(DataError) as caught:
        cut_into_pieces([grouped], ["a", "tex", "tex"])
    assert str(caught.value) == (
        f"{grouped.path}: found no column 'tex', expected every column that is asked for. "
        "Did you mean 'text'? Its columns: 'a', 'b', 'text'."
    )
