"""Files as one Dask DataFrame: workers read it piece by piece, the client sees names and types only."""

import shlex
from collections.abc import Sequence
from typing import Any

from gbdist.errors import DataError
from gbdist.jobs.categories import with_categories
from gbdist.jobs.columns import ColumnKinds
from gbdist.jobs.files import find_files, read_schema
from gbdist.jobs.pieces import Piece, cut_into_pieces, read_batches, require_columns

PARTITION_BYTES = 32 << 20
_ALL_NUMBERS = ColumnKinds()


def open_table(
    data: Sequence[str],
    required: Sequence[str],
    columns: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    kinds: ColumnKinds = _ALL_NUMBERS,
    cat_nan: str | None = None,
) -> Any:
    """The rows of files, folders and patterns as a ``dask.dataframe.DataFrame``, in order; nothing is read but schemas.

    ``required`` columns, which are no features, must be there; ``columns`` (default: those of the first file) are what the
    table has, in this order; ``ignore`` are left out of the first file's. ``kinds`` says which features are no numbers;
    categorical ones become pandas' categories of texts, with ``cat_nan`` for missing values.

    Raises
    ------
    DataError
        Files or columns are missing, a file cannot be read, or another feature is a text, a date or a category.
    """
    import dask.dataframe as dd

    files = find_files(data)
    schema = read_schema(files[0])
    require_columns(files[0].path, schema.names, [*required, *ignore, *kinds.names, *(columns or ())])
    names = list(columns) if columns is not None else [name for name in schema.names if name not in ignore]
    pieces = cut_into_pieces(files, names, PARTITION_BYTES, exact=required, kinds=kinds)
    types = schema if files[0].format == "parquet" else pieces[0].types
    require_numbers(types, [name for name in names if name not in (*required, *kinds.names)])
    # Not dd.read_parquet: it joins small files once columns are dropped, and then X and y have other partitions.
    return dd.from_map(
        read_piece,
        pieces,
        columns=names,
        categorical=kinds.categorical,
        cat_nan=cat_nan,
        meta=_meta(types, names, kinds.categorical),
        enforce_metadata=False,
        label="read-piece",
    )


def _meta(types: Any, names: Sequence[str], categorical: Sequence[str]) -> Any:
    """No rows of what ``read_piece`` gives."""
    import pyarrow as pa

    categories = pa.dictionary(pa.int32(), pa.large_string())
    fields = [pa.field(name, categories if name in categorical else types.field(name).type) for name in names]
    return pa.schema(fields).empty_table().to_pandas(ignore_metadata=True)


def require_numbers(types: Any, features: Sequence[str]) -> None:
    """Raise a ``DataError`` that names all ``features`` which a ``pyarrow.Schema`` shows to be texts, dates or categories.

    Other columns are looked at value by value where they are read: objects may be numbers, and a gap has no type.
    """
    import pyarrow.types as of

    words = {
        of.is_string: "text",
        of.is_large_string: "text",
        of.is_dictionary: "categories",
        of.is_temporal: "dates or times",
    }
    found = {name: word for name in features for test, word in words.items() if test(types.field(name).type)}
    if found:
        where = ("columns " if len(found) > 1 else "column ") + ", ".join(map(repr, found))
        options = " ".join(f"--ignore {shlex.quote(name)}" for name in found)
        kinds = " and ".join(dict.fromkeys(found.values()))
        categories = set(found.values()) - {words[of.is_temporal]}
        encode = "Name categories with --cat, encode others as numbers" if categories else "Encode as numbers"
        raise DataError(where, kinds, "numbers", f"{encode}, or leave out with: {options}")


def read_piece(
    piece: Piece, columns: Sequence[str], categorical: Sequence[str] = (), cat_nan: str | None = None
) -> Any:
    """Columns of one piece as a pandas DataFrame; raises ``DataError`` with the file if it cannot be read.

    Those of them that are ``categorical`` become pandas' categories of texts, with ``cat_nan`` for missing values.
    """
    import pyarrow as pa

    names = list(columns)
    try:
        table = _parquet_table(piece, names) if piece.file.format == "parquet" else _csv_table(piece, names)
    except (pa.ArrowException, OSError) as error:
        found = f"something that cannot be read ({type(error).__name__}: {error})"
        raise DataError(
            piece.file.path, found, "a file that every worker sees", "Check the file and the mount."
        ) from None
    categories = [name for name in names if name in categorical]
    return with_categories(table.select(names), categories, cat_nan, piece.file).to_pandas(ignore_metadata=True)


def _parquet_table(piece: Piece, names: list[str]) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(piece.file.path) as file:
        return file.read_row_groups(list(piece.row_groups), columns=names, use_threads=False)


def _csv_table(piece: Piece, names: list[str]) -> Any:
    import pyarrow as pa

    schema = pa.schema([piece.types.field(name) for name in names])
    return pa.Table.from_batches(read_batches(piece, names, batch_rows=0), schema)
