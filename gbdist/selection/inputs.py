"""What ``split`` was given, looked at without computing anything: rows in memory, or a Dask collection, and vectors beside it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.estimators.preparation.tables import as_vector, column, column_labels, count_rows, is_frame
from gbdist.selection.frames import have_same_partitions
from gbdist.selection.masks import is_frame_or_series

#: What rows may be in, for error texts.
_KINDS = "a Dask DataFrame or Array, or a table, vector or list in memory"


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Rows: a Dask collection if ``lazy``; ``frame``: one with an index. ``name`` is what errors call them."""

    data: Any
    name: str
    lazy: bool
    frame: bool

    @property
    def n_parts(self) -> int:
        """Partitions; 1 in memory."""
        if not self.lazy:
            return 1
        return int(self.data.npartitions) if self.frame else len(self.data.chunks[0])

    @property
    def known_lengths(self) -> tuple[int, ...] | None:
        """Rows of each partition, or None where that has to be computed."""
        if not self.lazy:
            return (count_rows(self.data),)
        if self.frame or any(length != length for length in self.data.chunks[0]):
            return None
        return tuple(int(length) for length in self.data.chunks[0])

    @property
    def narrow(self) -> Any:
        """One column of a collection: all that is read to count its rows."""
        if self.data.ndim == 1:
            return self.data
        if self.frame:
            return self.data.index if not len(self.data.columns) else self.data[self.data.columns[0]]
        return self.data[(slice(None), *(0,) * (self.data.ndim - 1))]


def given_rows(data: Any, name: str = "X") -> Given:
    """Rows that a splitter is to split; DataError for what has none."""
    if is_lazy(data):
        frame = is_frame_or_series(data)
        if not frame and data.ndim == 0:
            raise DataError(name, "a Dask Array of no dimensions", _KINDS, "Pass one with a row for each example.")
        return Given(data, name, lazy=True, frame=frame)
    shape = getattr(data, "shape", None)
    if data is None or isinstance(data, str | bytes | dict | set) or shape == () or not _has_length(data):
        raise DataError(name, type(data).__name__, _KINDS, "Pass the rows that are to be split.")
    return Given(data, name, lazy=False, frame=is_frame(data))


def _has_length(data: Any) -> bool:
    return hasattr(data, "shape") or hasattr(data, "__len__")


def vector_beside(rows: Given, given: Any, name: str) -> Any:
    """One value a row: a NumPy array in memory, a Dask Series beside frames, a Dask Array with the chunks of X beside arrays.

    ``given`` may be the name of a column of X. DataError, which calls it ``name``, for what does not go with the rows.
    """
    if isinstance(given, str):
        given = _named_column(rows, given, name)
    if not rows.lazy:
        return _in_memory(rows, given, name)
    if not is_lazy(given):
        kind, fix = f"a {type(given).__name__} in memory beside a Dask collection", f"Pass {name} as a Dask collection"
        more = ", e.g. the name of a column of X." if rows.frame else f": dask.array.from_array({name}, X.chunks[0])."
        raise DataError(name, kind, "both of one kind", fix + more)
    return _beside_frame(rows, given, name) if rows.frame else _beside_array(rows, given, name)


def _named_column(rows: Given, label: str, name: str) -> Any:
    if not rows.frame or getattr(rows.data, "ndim", 2) == 1:
        raise DataError(name, f"the column name {label!r}", "a vector", f"X has no column names; pass {name} itself.")
    known = column_labels(rows.data)
    if label not in known:
        shown = ", ".join(str(each) for each in known[:20])
        raise DataError(name, f"the column name {label!r}", "a column of X", f"X has: {shown}.")
    return column(rows.data, label)


def _in_memory(rows: Given, given: Any, name: str) -> NDArray[Any]:
    if is_lazy(given):
        found, fix = "a Dask collection beside X in memory", f"Pass {name}.compute(), or X as a Dask collection."
        raise DataError(name, found, "both of one kind", fix)
    values, n_rows = as_vector(given, name), count_rows(rows.data)
    if values.shape[0] != n_rows:
        raise _lengths_differ(name, values.shape[0], n_rows)
    return values


def _lengths_differ(name: str, found: int, n_rows: int) -> DataError:
    return DataError(name, f"{found} rows", f"as many as X, {n_rows}", f"Pass one value of {name} for each row of X.")


def _beside_frame(rows: Given, given: Any, name: str) -> Any:
    if not is_frame_or_series(given):
        fix = f"Pass {name} as a column of X, or make a Series of it: dask.dataframe.from_dask_array({name}, index=X.index)."
        raise DataError(name, "a Dask Array beside a Dask DataFrame", "a Dask Series", fix)
    if given.ndim == 2:
        if len(given.columns) != 1:
            raise DataError(
                name, f"a Dask DataFrame of {len(given.columns)} columns", "one column", f"Pass {name}['…']."
            )
        given = given[given.columns[0]]
    if not have_same_partitions(rows.data, given):
        fix = f"Take {name} from the same frame as X, or give both the same known divisions."
        raise DataError(name, f"partitions of another frame ({given.npartitions})", f"X's ({rows.n_parts})", fix)
    return given


def _beside_array(rows: Given, given: Any, name: str) -> Any:
    if is_frame_or_series(given):
        given = given.map_partitions(np.asarray, meta=np.empty(0, object))
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1:
        raise DataError(name, f"a {given.ndim}D Dask array", "one value a row", f"Pass {name} as a vector.")
    theirs, ours = given.chunks[0], rows.data.chunks[0]
    if not np.isnan((sum(theirs), sum(ours))).any():
        if sum(theirs) != sum(ours):
            raise _lengths_differ(name, sum(theirs), sum(ours))
        return given if theirs == ours else given.rechunk({0: ours})
    if len(theirs) != len(ours):
        fix = f"Take {name} from the same collection as X, or give both known chunk sizes (compute_chunk_sizes())."
        raise DataError(name, f"{len(theirs)} partitions", f"X's {len(ours)}, with the same rows in each", fix)
    return given
