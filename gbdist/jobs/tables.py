"""Files as one Dask DataFrame: workers read it piece by piece, the client sees names and types only."""

from collections.abc import Sequence
from typing import Any

from gbdist.errors import DataError
from gbdist.jobs.files import DataFile, find_files, read_schema
from gbdist.jobs.pieces import Piece, cut_into_pieces, require_columns

PARTITION_BYTES = 32 << 20


def open_table(data: Sequence[str], required: Sequence[str], columns: Sequence[str] | None = None) -> Any:
    """The rows of files, folders and patterns as a ``dask.dataframe.DataFrame``, in order; nothing is read but schemas.

    ``required`` columns must be there; ``columns`` (default: those of the first file) are what the table has, in this order.

    Raises
    ------
    DataError
        Files or columns are missing, or a file cannot be read.
    """
    files = find_files(data)
    schema = read_schema(files[0])
    names = list(schema.names if columns is None else columns)
    require_columns(files[0].path, schema.names, [*required, *names])
    return _open_parquet(files, names, schema) if files[0].format == "parquet" else _open_csv(files, names, required)


def _open_parquet(files: Sequence[DataFile], names: list[str], schema: Any) -> Any:
    import dask.dataframe as dd

    pieces = cut_into_pieces(files, names, PARTITION_BYTES)
    meta = schema.empty_table().select(names).to_pandas(ignore_metadata=True)
    # Not dd.read_parquet: it joins small files once columns are dropped, and then X and y have other partitions.
    return dd.from_map(read_piece, pieces, columns=names, meta=meta, enforce_metadata=False, label="read-piece")


def read_piece(piece: Piece, columns: Sequence[str]) -> Any:
    """Columns of one Parquet piece as a pandas DataFrame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(piece.file.path) as file:
            table = file.read_row_groups(list(piece.row_groups), columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        found = f"row groups that cannot be read ({type(error).__name__}: {error})"
        raise DataError(
            piece.file.path, found, "a Parquet file that every worker sees", "Check the file and the mount."
        ) from None
    return table.select(list(columns)).to_pandas(ignore_metadata=True)


def _open_csv(files: Sequence[DataFile], names: list[str], whole: Sequence[str]) -> Any:
    import dask.dataframe as dd
    import pyarrow as pa

    for file in files:
        schema = read_schema(file)
        require_columns(file.path, schema.names, names)
    # A feature that looks like whole numbers in the first block may have points or gaps in a later one.
    may_have_gaps = {
        field.name: "float64"
        for field in read_schema(files[0])
        if field.name not in whole and (pa.types.is_integer(field.type) or pa.types.is_null(field.type))
    }
    paths = [file.path for file in files]
    packed = any(path.endswith(".gz") for path in paths)
    table = dd.read_csv(
        paths, blocksize=None if packed else PARTITION_BYTES, compression="infer", dtype=may_have_gaps, usecols=names
    )
    return table[names]
