"""Pieces of files: what one task reads, small enough that a worker holds many, in the order of the rows."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gbdist.errors import DataError
from gbdist.jobs.categories import require_categories
from gbdist.jobs.columns import ColumnKinds
from gbdist.jobs.files import DataFile, read_schema

PIECE_BYTES = 32 << 20
"""Size that pieces aim at, as float32: large enough that a task's overhead does not count, small enough to hold several."""

_CSV_FIX = (
    "Repair the line, leave the column out, or write the data as Parquet, which has types; if it is one of categories, train "
    "with it named in --cat."
)
_ALL_NUMBERS = ColumnKinds()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file: row groups of a Parquet file, or lines of a CSV file.

    Parameters
    ----------
    file : DataFile
    row_groups : tuple of int
        Of a Parquet file; empty for CSV.
    rows : int
        −1 for CSV, where nobody has counted them.
    start, stop : int
        Bytes of a CSV file; lines that begin there belong to the piece. ``stop`` is −1 for a packed file, read whole.
    types : pyarrow.Schema or None
        All columns of the CSV file, with the types that they are read as.
    """

    file: DataFile
    row_groups: tuple[int, ...]
    rows: int
    start: int = 0
    stop: int = -1
    types: Any = None


def cut_into_pieces(
    files: Sequence[DataFile],
    columns: Sequence[str],
    piece_bytes: int = PIECE_BYTES,
    exact: Sequence[str] = (),
    kinds: ColumnKinds = _ALL_NUMBERS,
) -> list[Piece]:
    """Pieces in row order; neighbouring small row groups of a file share one. Reads footers and first blocks only.

    ``exact`` are columns of a CSV file that keep the type which the first file suggests; others that look like whole numbers
    are read as float64, because a later line may have a point or a gap. ``kinds`` says which of ``columns`` are no numbers.

    Raises
    ------
    DataError
        A file lacks one of ``columns``, or a categorical one has a type without categories.
    """
    found: list[Piece] = []
    first: Any = None
    rows_a_piece = max(1, piece_bytes // (4 * max(1, len(columns))))
    for file in files:
        schema = read_schema(file)
        first = schema if first is None else first
        require_columns(file.path, schema.names, columns)
        if file.format == "parquet":
            require_categories(schema, kinds.categorical, file.path)
            found += _cut_parquet(file, rows_a_piece)
        else:
            found += _cut_csv(
                file, _csv_types(schema, first, [*exact, *kinds.embedding], kinds.as_written), piece_bytes
            )
    return found


def require_columns(where: str, present: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise a ``DataError`` that names the columns of ``wanted`` that are not ``present``, and the nearest there is."""
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
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


def _cut_csv(file: DataFile, types: Any, piece_bytes: int) -> list[Piece]:
    if file.path.endswith(".gz"):
        return [Piece(file, (), -1, types=types)]
    size = os.path.getsize(file.path)
    return [Piece(file, (), -1, start, min(start + piece_bytes, size), types) for start in range(0, size, piece_bytes)]


def _csv_types(schema: Any, first: Any, exact: Sequence[str], as_written: Sequence[str]) -> Any:
    """Types to read the columns of a CSV file with, from those of its first block and of the first file's."""
    import pyarrow as pa

    fields = []
    for field in schema:
        name, kind = field.name, field.type
        if name in as_written:
            fields.append(pa.field(name, pa.string()))
            continue
        if name in exact and name in first.names:
            kind = first.field(name).type
        may_have_gaps = pa.types.is_integer(kind) and name not in exact
        fields.append(pa.field(name, pa.float64() if may_have_gaps or pa.types.is_null(kind) else kind))
    return pa.schema(fields)


def _csv_batches(piece: Piece, columns: Sequence[str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    packed = piece.stop < 0
    lines = b"" if packed else _lines_of(piece)
    if not packed and not lines:
        return
    source = piece.file.path if packed else pa.BufferReader(lines)
    names = piece.types.names
    reading = csv.ReadOptions(use_threads=False, block_size=1 << 20, column_names=names, skip_rows=int(packed))
    types = {name: piece.types.field(name).type for name in columns}
    try:
        with csv.open_csv(
            source, reading, convert_options=csv.ConvertOptions(column_types=types, include_columns=columns)
        ) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        raise DataError(
            piece.file.path, _csv_problem(str(error), names), "lines like the first ones", _CSV_FIX
        ) from None


def _lines_of(piece: Piece) -> bytes:
    """The lines that begin in the piece, without the header."""
    with open(piece.file.path, "rb") as file:
        if piece.start:
            # From one byte before: where a line begins at ``start``, that is its predecessor's end alone.
            file.seek(piece.start - 1)
        file.readline()
        length = piece.stop - file.tell()
        if length <= 0:
            return b""
        lines = file.read(length)
        return lines if lines.endswith(b"\n") else lines + file.readline()


def _csv_problem(text: str, names: Sequence[str]) -> str:
    """pyarrow's words, with the name of the column in place of its number."""
    first = text.splitlines()[0]
    match = re.match(r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error to (\w+): (.*)", first)
    if match is None:
        return first
    return f"{match[3]} in the column {names[int(match[1])]!r}, which began as {match[2]}"


def _few(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _nearest(name: str, present: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, present, n=1)
    known = f"Its columns: {_few(present, 20)}."
    return f"Did you mean {near[0]!r}? {known}" if near else known
