"""Rows that are like others: copies in which some cells are those of other rows, for a student to ask its teacher about."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.compression.passes.sizes import is_number
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.preparation.inputs import is_lazy, is_lazy_frame
from gbdist.estimators.preparation.tables import as_table, library_of
from gbdist.kernels.hashing import hash_numbers, stream_key, unit_draws

#: Share of the cells of a copy that are another row's.
SWAPPED: Final = 0.25
#: What draws are for: whether a cell is swapped, and with which row's.
_WHETHER, _WITH = 1, 2


def with_copies(X: Any, copies: int, seed: int) -> Any:
    """X, and after the rows of each partition so many copies of them in which cells of a column have changed places.

    Each cell of a copy is, with probability 1/4, that of another row of the partition: so that every value is one that there is,
    and values of several columns are combined that were not. Which ones is drawn by hash of seed, copy, column, partition and
    row, so that workers change nothing; other partitions give other copies.

    Parameters
    ----------
    X : Dask DataFrame or Array, or a table in memory
        The result is one of the same kind; of polars and PyArrow a pandas DataFrame.
    copies : int
        At least 0; with 0 the result is X.

    Raises
    ------
    ParameterError
        ``copies`` or ``seed`` is no such number.
    DataError
        X is a sparse matrix.
    """
    for name, value in (("copies", copies), ("seed", seed)):
        if not (is_number(value, int) and value >= 0):
            fix = "Each copy is as many rows more." if name == "copies" else "Use 0, or another one for other copies."
            raise ParameterError(name, value, "a whole number of at least 0", fix)
    if copies == 0:
        return X
    if not is_lazy(X):
        return _with_copies(as_table(X), copies, seed, 0)
    if is_lazy_frame(X):
        return X.map_partitions(_partition, copies, seed, meta=X._meta, clear_divisions=True)
    chunks = (tuple(size * (1 + copies) for size in X.chunks[0]), X.chunks[1])
    return X.map_blocks(_block, copies=copies, seed=seed, chunks=chunks, dtype=X.dtype, meta=X._meta)


def _partition(part: Any, copies: int, seed: int, partition_info: Any = None) -> Any:
    # Dask fills it in by its name.
    return _with_copies(part, copies, seed, 0 if partition_info is None else partition_info["number"])


def _block(block: Any, copies: int, seed: int, block_id: Any = None) -> Any:
    return _with_copies(block, copies, seed, 0 if block_id is None else block_id[0])


def _with_copies(table: Any, copies: int, seed: int, part: int) -> Any:
    library = library_of(table)
    if library == "scipy":
        raise DataError("X", "a sparse matrix", "a table whose cells can change places", "Pass copies=0.")
    if library in ("polars", "pyarrow"):
        table = table.to_pandas()
    made = [_swapped(table, stream_key(seed, part, copy)) for copy in range(copies)]
    if isinstance(table, pd.DataFrame):
        return pd.concat([table, *made])
    return np.concatenate([table, *made])


def _swapped(table: Any, key: np.uint64) -> Any:
    """One copy."""
    frame = isinstance(table, pd.DataFrame)
    n_rows, n_columns = table.shape
    columns = []
    for column in range(n_columns):
        donors = _donors(stream_key(int(key), column), n_rows)
        columns.append(table.iloc[donors, column].set_axis(table.index) if frame else table[donors, column])
    if frame:
        return pd.concat(columns, axis=1) if columns else table
    return np.stack(columns, axis=1) if columns else table


def _donors(key: np.uint64, n_rows: int) -> NDArray[np.intp]:
    """The row whose cell each row of a copy has, intp [n_rows]: mostly its own."""
    rows = np.arange(n_rows, dtype=np.uint64)
    others = hash_numbers(stream_key(int(key), _WITH), rows) % np.uint64(max(n_rows, 1))
    return np.where(unit_draws(stream_key(int(key), _WHETHER), rows) < SWAPPED, others, rows).astype(np.intp)
