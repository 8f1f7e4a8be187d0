"""Pieces of files: what one task reads, small enough that a worker holds many, in the order of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gbdist.errors import DataError
from gbdist.jobs.files import DataFile, read_schema

PIECE_BYTES = 32 << 20
"""Size that pieces aim at, as float32: large enough that a task's overhead does not count, small enough to hold several."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Row groups of one Parquet file, or a whole CSV file (``row_groups`` is empty then, ``rows`` unknown: −1)."""

    file: DataFile
    row_groups: tuple[int, ...]
    rows: int


def cut_into_pieces(files: Sequence[DataFile], columns: Sequence[str], piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """Pieces in row order; neighbouring small row groups of a file share one. Reads footers only.

    Raises
    ------
    DataError
        A file lacks one of ``columns``.
    """
    found: list[Piece] = []
    rows_a_piece = max(1, piece_bytes // (4 * max(1, len(columns))))
    for file in files:
        require_columns(file.path, read_schema(file).names, columns)
        found += _cut_parquet(file, rows_a_piece) if file.format == "parquet" else [Piece(file, (), -1)]
    return found


def require_columns(where: str, present: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise a ``DataError`` that names the columns of ``wanted`` that are not ``present``, and the nearest there is."""
    missing = [name for name in wanted if name not in present]
    if missing:
        raise DataError(
            where, f"no column {_few(missing)}", "every column that is asked for", _nearest(missing[0], present)
        )


def _cut_parquet(file: DataFile, rows_a_piece: int) -> list[Piece]:
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file.path)
    found: list[Piece] = []
    groups: list[int] = []
    rows = 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if groups and rows + count > rows_a_piece:
            found.append(Piece(file, tuple(groups), rows))
            groups, rows = [], 0
        groups.append(group)
        rows += count
    if groups or not found:  # a file without rows still is a piece: it has columns
        found.append(Piece(file, tuple(groups), rows))
    return found


def _few(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _nearest(name: str, present: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, present, n=1)
    known = f"Its columns: {_few(present, 20)}."
    return f"Did you mean {near[0]!r}? {known}" if near else known


def read_batches(piece: Piece, columns: Sequence[str], batch_rows: int) -> Any:
    """Yield a piece as ``pyarrow.RecordBatch``es of at most ``batch_rows`` rows; one thread, memory of a batch."""
    if piece.file.format == "parquet":
        yield from _parquet_batches(piece, columns, batch_rows)
    else:
        yield from _csv_batches(piece, columns)


def _parquet_batches(piece: Piece, columns: Sequence[str], batch_rows: int) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(piece.file.path) as file:
        yield from file.iter_batches(
            batch_size=batch_rows, row_groups=list(piece.row_groups), columns=list(columns), use_threads=False
        )


def _csv_batches(piece: Piece, columns: Sequence[str]) -> Any:
    from pyarrow import csv

    # Without the types pyarrow fixes them from the first block, and fails where a later one has a point or a gap.
    options = csv.ConvertOptions(include_columns=list(columns), column_types=dict.fromkeys(columns, "float64"))
    with csv.open_csv(
        piece.file.path, read_options=csv.ReadOptions(use_threads=False, block_size=16 << 20), convert_options=options
    ) as reader:
        yield from reader
