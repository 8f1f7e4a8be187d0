"""Rows of a table, whatever library it comes from: count them, slice them, take a column apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.quantize.raw import RawColumn

#: What X may be, for error texts.
KINDS = "a Dask DataFrame or Array, a DaskPool, a pandas or polars DataFrame, a NumPy array, a PyArrow table or a scipy matrix"

_LIBRARIES = frozenset({"pandas", "polars", "pyarrow", "scipy", "numpy"})


def library_of(table: Any) -> str:
    """Name of the library that the table's type comes from, found without importing it; "" for none of ours."""
    roots = (base.__module__.partition(".")[0] for base in type(table).__mro__)
    return next((root for root in roots if root in _LIBRARIES), "")


def is_frame(table: Any) -> bool:
    """Whether the table names its columns."""
    return library_of(table) in {"pandas", "polars", "pyarrow"}


def count_rows(table: Any) -> int:
    """Number of rows."""
    return int(table.num_rows) if library_of(table) == "pyarrow" and hasattr(table, "num_rows") else _length(table)


def _length(values: Any) -> int:
    """Length along the first axis; scipy matrices have no ``len``."""
    return int(values.shape[0]) if hasattr(values, "shape") else len(values)


def count_columns(table: Any) -> int:
    """Number of columns."""
    return int(table.num_columns) if library_of(table) == "pyarrow" else int(table.shape[1])


def bytes_of(table: Any) -> int:
    """Bytes that the table holds, roughly."""
    match library_of(table):
        case "pandas":
            return int(np.sum(table.memory_usage(index=False)))
        case "polars":
            return int(table.estimated_size())
        case "scipy":
            return int(table.data.nbytes + table.indices.nbytes + table.indptr.nbytes)
        case _:
            return int(table.nbytes)


def slice_rows(table: Any, start: int, stop: int) -> Any:
    """Rows ``start … stop−1`` of a table or vector, without a copy where the library can."""
    if start == 0 and stop == count_rows(table):
        return table
    match library_of(table):
        case "pandas":
            return table.iloc[start:stop]
        case "polars" | "pyarrow":
            return table.slice(start, stop - start)
        case _:
            return table[start:stop]


def take_rows(table: Any, mask: NDArray[np.bool_]) -> Any:
    """Rows of a table or vector where ``mask`` is true; a copy."""
    match library_of(table):
        case "pandas":
            return table.iloc[np.flatnonzero(mask)]
        case "polars":
            return table.filter(mask)
        case "pyarrow":
            import pyarrow as pa

            return table.filter(pa.array(mask))
        case _:
            return table[np.flatnonzero(mask)]


def column_labels(table: Any) -> list[Any]:
    """Labels of the columns of a frame, in order."""
    return list(table.column_names) if library_of(table) == "pyarrow" else list(table.columns)


def take_apart(
    features: Any, unbinned: Sequence[tuple[int, str]], number: int, cat_nan: str | None = None
) -> tuple[Any, tuple[RawColumn, ...]]:
    """The columns of a table that are binned, and those that are not, given by position and kind.

    ``cat_nan`` is the text that stands for missing values in categorical columns, if any.
    """
    if not unbinned:
        return features, ()
    if library_of(features) == "scipy":
        fix = "Pass a DataFrame, or an array of objects."
        raise DataError(f"X of partition {number}", "a sparse matrix", "a table that can hold strings", fix)
    positions = [position for position, _ in unbinned]
    names = column_labels(features) if is_frame(features) else range(count_columns(features))
    columns = [RawColumn(at, str(names[at]), kind, _column_at(features, at), cat_nan) for at, kind in unbinned]
    return _columns_at(features, [i for i in range(len(names)) if i not in positions]), tuple(columns)


def _columns_at(table: Any, positions: list[int]) -> Any:
    """The columns of a table at some positions, in that order; the number of rows stays where there are none."""
    match library_of(table):
        case "pandas":
            return table.iloc[:, positions]
        case "polars" if not positions:  # polars' frame without columns has no rows
            return pd.DataFrame(index=pd.RangeIndex(table.height))
        case "polars" | "pyarrow":
            labels = column_labels(table)
            return table.select([labels[i] for i in positions])
        case _:
            return table[:, positions]


def _column_at(table: Any, position: int) -> Any:
    """One column of a table."""
    match library_of(table):
        case "pandas":
            return table.iloc[:, position]
        case "polars":
            return table.to_series(position)
        case "pyarrow":
            return table.column(position)
        case _:
            return table[:, position]


def column(table: Any, label: Any) -> Any:
    """One column of a frame."""
    return table.column(label) if library_of(table) == "pyarrow" else table[label]


def label_of(table: Any, labels: Sequence[Any]) -> Any:
    """The label of each row of a frame, or several as a frame: its columns of these names."""
    return column(table, labels[0]) if len(labels) == 1 else select_columns(table, list(labels))


def select_columns(table: Any, labels: list[Any]) -> Any:
    """The named columns of a frame, in that order, without a copy where they are neighbours or the library can."""
    if library_of(table) in {"polars", "pyarrow"}:
        return table.select(labels)
    every = list(table.columns)
    first = every.index(labels[0])
    if every[first : first + len(labels)] == labels:
        return table.iloc[:, first : first + len(labels)]
    return table[labels]


def as_table(table: Any) -> Any:
    """Turn what the user gave in memory into a two-dimensional table of a known library, or refuse it."""
    library, kind = library_of(table), type(table).__name__
    if kind == "LazyFrame" and library == "polars":
        return table.collect()
    if kind == "RecordBatch" and library == "pyarrow":
        import pyarrow as pa

        return pa.Table.from_batches([table])
    if library == "scipy":
        return table.tocsr()  # rows can be sliced
    if library in {"pandas", "polars"} and kind.endswith("Series"):
        raise DataError("X", f"a {library} Series", "a table with columns", "Pass a DataFrame, e.g. series.to_frame().")
    if library in {"pandas", "polars", "pyarrow"}:
        return table
    array = _as_array(table)
    if array.ndim != 2:
        raise DataError(
            "X", f"an array of shape {array.shape}", "a 2D array [n_rows, n_features]", _reshape_hint(array)
        )
    return array


def _as_array(table: Any) -> NDArray[Any]:
    if isinstance(table, str | bytes | dict | set) or table is None:
        raise DataError("X", type(table).__name__, KINDS, "Load the data into one of these first.")
    try:
        array = np.asarray(table)
        # NumPy would make texts of the numbers beside a text.
        return np.asarray(table, dtype=object) if array.dtype.kind == "U" and isinstance(table, list | tuple) else array
    except ValueError as error:  # rows of different lengths
        raise DataError(
            "X", f"a {type(table).__name__} ({error})", KINDS, "Give every row one value a column."
        ) from None


def _reshape_hint(array: NDArray[Any]) -> str:
    if array.ndim == 1:
        return "Reshape your data: X.reshape(-1, 1) for a single feature, X.reshape(1, -1) for a single row."
    return "Reshape your data to one row a line."


def as_vector(values: Any, name: str) -> NDArray[Any]:
    """One value a row, as a one-dimensional NumPy array; ``name`` says what it is in errors."""
    library = library_of(values)
    if library == "pyarrow" and hasattr(values, "column_names"):
        values = values.to_pandas()  # a table
    array = np.asarray(values.to_pandas() if library == "pyarrow" and hasattr(values, "to_pandas") else values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(name, f"an array of shape {array.shape}", "one value a row", f"Pass {name} as a 1d array.")
    return array


def as_matrix(values: Any, name: str) -> NDArray[np.float64]:
    """One or several numbers a row as float64 [n_rows, n_columns] (a vector is one column)."""
    try:
        plain = values.to_pandas() if library_of(values) == "pyarrow" else values
        array = np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(name, f"values that are not numbers ({error})", "numbers", f"Convert {name} first.") from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(name, f"an array of shape {array.shape}", "[n_rows] or [n_rows, dimension]", f"Reshape {name}.")
    return array
