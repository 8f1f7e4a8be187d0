"""Rows as users have them, column by column, as float32: CatBoost compares borders in that precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PredictorError


class Rows:
    """Some of the columns of an array, of a mapping or of a frame.

    Parameters
    ----------
    given : array-like [n_rows, n_features], or a mapping or a frame (pandas, polars, …) from names to columns
        Columns of a mapping or a frame are found by name, in whatever order, others beside them are passed over, and those that
        no tree tests may be missing.
    names : of the model's features
    used : numbers of those that trees test
    """

    def __init__(self, given: Any, names: Sequence[str], used: Sequence[int]) -> None:
        self._names = [names[number] for number in used]
        self._table: NDArray[Any] | None = None
        if hasattr(given, "keys") or hasattr(given, "columns"):
            self._columns = [_vector(column, name) for column, name in _named(given, self._names)]
            self.n_rows = _common_length(given, self._columns, self._names)
        else:
            self._table, self._used = _table(given, len(names)), list(used)
            self._columns = [self._table[:, number] for number in used]
            self.n_rows = int(self._table.shape[0])

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows ``start`` to ``stop`` of all used columns, float32 [n_columns, n_rows], which is the caller's own."""
        if self._table is not None and self._table.dtype.kind != "O":
            with np.errstate(over="ignore"):
                return self._table[start:stop, self._used].T.astype(np.float32)
        values = np.empty((len(self._columns), stop - start), dtype=np.float32)
        for number in range(len(self._columns)):
            values[number] = self.column(number, start, stop)
        return values

    def column(self, number: int, start: int, stop: int) -> NDArray[np.float32]:
        """Rows ``start`` to ``stop`` of the used column of this number, float32, one after the other in memory."""
        try:
            with np.errstate(over="ignore"):  # beyond float32 is infinite, as to CatBoost
                return np.ascontiguousarray(self._columns[number][start:stop], dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise _no_numbers(self._names[number], str(error)) from error


def _named(given: Any, names: Sequence[str]) -> list[tuple[Any, str]]:
    there = {
        str(key): key for key in _keys(given)
    }  # a frame's columns may be numbers, which models name by their digits
    missing = [name for name in names if name not in there]
    if missing:
        raise PredictorError(
            f"columns {missing} are missing; found {list(there)}. Name the columns as the model does (feature_names)."
        )
    return [(given[there[name]], name) for name in names]


def _keys(given: Any) -> list[Any]:
    return list(given.keys() if hasattr(given, "keys") else given.columns)


def _vector(column: Any, name: str) -> Any:
    found = column if isinstance(column, np.ndarray) else np.asarray(column)
    if found.ndim != 1:
        raise PredictorError(
            f"column {name!r} has {found.ndim} dimensions, expected 1: one value a row. Pass a list or an array of them."
        )
    if found.dtype.kind not in "biufO":
        raise _no_numbers(name, f"its type is {found.dtype}")
    return found


def _common_length(given: Any, columns: Sequence[Any], names: Sequence[str]) -> int:
    if not columns:  # no tree tests anything: every row is predicted alike
        there = _keys(given)
        return len(given[there[0]]) if there else 0
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        found = {name: len(column) for name, column in zip(names, columns, strict=True)}
        raise PredictorError(f"columns have different lengths: {found}. Pass as many values of each.")
    return lengths.pop()


def _table(given: Any, n_features: int) -> NDArray[Any]:
    if hasattr(given, "toarray") and hasattr(given, "nnz"):
        raise PredictorError("rows are a sparse matrix, expected a dense one. Pass rows.toarray().")
    table = np.asarray(given)
    if table.ndim != 2 or table.shape[1] != n_features:
        one = " For one row, pass [row]." if table.ndim == 1 else ""
        raise PredictorError(
            f"rows have shape {table.shape}, expected (number of rows, {n_features}): "
            f"a column for each of the model's features (feature_names), used or not.{one}"
        )
    if table.dtype.kind not in "biufO":
        raise PredictorError(
            f"rows are of type {table.dtype}, expected numbers. Convert them, for instance to float32."
        )
    return table


def _no_numbers(name: str, why: str) -> PredictorError:
    return PredictorError(
        f"column {name!r} has values that are no numbers ({why}). Convert it, with NaN for what is missing."
    )
