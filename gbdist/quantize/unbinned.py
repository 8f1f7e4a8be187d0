"""Categorical, text and embedding columns of one partition: read as CatBoost would see them in a pandas frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from gbdist.boosting.rows import UnbinnedColumn
from gbdist.errors import DataError
from gbdist.quantize.raw import RawColumn, column_place
from gbdist.quantize.vectors import as_series

#: Kinds of columns that are not binned, each with CatBoost's parameter that names such columns.
KINDS = {"cat": "cat_features", "text": "text_features", "embedding": "embedding_features"}
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class UnbinnedFacts:
    """What one partition says of a column that is not binned; ``dimension`` is that of vectors, 0 without one."""

    name: str
    kind: str
    dimension: int
    nbytes: int


def read_columns(columns: Sequence[RawColumn], number: int) -> tuple[UnbinnedColumn, ...]:
    """Columns of partition ``number``; ``DataError`` for a value that CatBoost does not take."""
    return tuple(read_column(column, number) for column in columns)


def read_column(column: RawColumn, number: int) -> UnbinnedColumn:
    """One column as strings or vectors.

    CatBoost sees an integer category as its digits and True as 1, and takes neither fractions nor missing values for categories,
    nothing but strings for text, and vectors of finite numbers of one length as embeddings.
    """
    place = column_place(column.name, number)
    series = as_series(column.values, place)
    read = {"cat": _categories, "text": _texts, "embedding": _vectors}[column.kind]
    return UnbinnedColumn(column.position, column.kind, read(series, place))


def facts_of(columns: Sequence[RawColumn], read: Sequence[UnbinnedColumn]) -> tuple[UnbinnedFacts, ...]:
    """Facts of the columns of a partition."""
    return tuple(
        UnbinnedFacts(raw.name, raw.kind, _dimension(found), found.nbytes)
        for raw, found in zip(columns, read, strict=True)
    )


def merge_unbinned(parts: Iterable[tuple[int, Sequence[UnbinnedFacts]]]) -> tuple[UnbinnedFacts, ...]:
    """Facts of all partitions, given with their numbers; ``DataError`` for vectors of another length than the first ones."""
    merged: list[UnbinnedFacts] = []
    for number, facts in parts:
        merged = [_both(mine, theirs, number) for mine, theirs in zip(merged or facts, facts, strict=True)]
    return tuple(merged)


def _both(mine: UnbinnedFacts, theirs: UnbinnedFacts, number: int) -> UnbinnedFacts:
    if mine.dimension and theirs.dimension and mine.dimension != theirs.dimension:
        raise DataError(
            column_place(mine.name, number),
            f"vectors of {theirs.dimension} numbers",
            f"{mine.dimension}, as in the partitions before",
            "Give all vectors of a column the same length.",
        )
    total = mine.nbytes if mine is theirs else mine.nbytes + theirs.nbytes
    return UnbinnedFacts(mine.name, mine.kind, mine.dimension or theirs.dimension, total)


def joined(parts: Sequence[Sequence[UnbinnedColumn]]) -> tuple[UnbinnedColumn, ...]:
    """Columns of several runs of rows, one after the other; strings are not copied."""
    return tuple(
        UnbinnedColumn(of_column[0].position, of_column[0].kind, _concatenated([one.values for one in of_column]))
        for of_column in zip(*parts, strict=True)
    )


def _concatenated(values: list[Any]) -> Any:
    return np.concatenate(values) if isinstance(values[0], np.ndarray) else pa.chunked_array(values)


def frame_for_catboost(
    names: Sequence[str], binned: Sequence[NDArray[np.float32]], unbinned: Sequence[UnbinnedColumn]
) -> pd.DataFrame:
    """All columns in the user's order; ``binned`` are numbers [n_rows] each of those that are not in ``unbinned``."""
    columns: dict[int, Any] = {column.position: _as_objects(column) for column in unbinned}
    rest = iter(binned)
    return pd.DataFrame(
        {name: columns[position] if position in columns else next(rest) for position, name in enumerate(names)}
    )


def positions_by_parameter(kinds: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Positions as a ``catboost.Pool`` takes them: one list for each parameter that names columns."""
    listed = list(kinds)
    return {parameter: [at for at, kind in listed if kind == each] for each, parameter in KINDS.items()}


def _as_objects(column: UnbinnedColumn) -> Any:
    """Values as CatBoost reads them in a frame: object [n_rows] of strings, or of float32 vectors."""
    if column.kind != "embedding":
        return column.values.to_pandas().to_numpy(dtype=object)
    objects = np.empty(len(column.values), dtype=object)
    objects[:] = list(column.values)
    return objects


def _dimension(column: UnbinnedColumn) -> int:
    return int(column.values.shape[1]) if column.kind == "embedding" else 0


def _categories(series: Any, place: str) -> Any:
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = pd.Series(np.asarray(series.array))
    _require_values(series, place, "a category in every row", "Fill them first, for example with 'missing'.")
    values = series.to_numpy(dtype=object)
    return pa.array([_category(value, place) for value in values], pa.large_string())


def _category(value: object, place: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer | np.bool_):
        return str(int(value))
    raise _other(value, place, "strings or integers", "Convert the column first: to integers, or to text.")


def _texts(series: Any, place: str) -> Any:
    _require_values(series, place, "a text in every row", "Fill them first, for example with ''.")
    values = series.to_numpy(dtype=object)
    for value in values:
        if not isinstance(value, str):
            raise _other(value, place, "strings", "Convert the column to text.")
    return pa.array(values, pa.large_string())


def _vectors(series: Any, place: str) -> NDArray[np.float32]:
    _require_values(series, place, "a vector in every row", "Fill them first, or leave those rows out.")
    values = list(series)
    for value in values:
        if isinstance(value, str):  # what Dask makes of vectors in frames of objects
            fix = 'If Dask made text of them: dask.config.set({"dataframe.convert-string": False}) before X is made.'
            raise _other(value, place, "vectors of numbers", fix)
    fix = "Give every row a list or array of as many numbers."
    try:
        matrix = np.array([np.asarray(value, dtype=np.float32) for value in values], dtype=np.float32)
    except (TypeError, ValueError):
        raise DataError(place, "vectors of different lengths, or none", "vectors of numbers", fix) from None
    if not values:
        return np.empty((0, 0), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise _other(values[0], place, "vectors of numbers", fix)
    if not np.isfinite(matrix).all():
        raise DataError(
            place, "missing or infinite numbers", "finite ones", "Fill them first, or leave those rows out."
        )
    return matrix


def _require_values(series: Any, place: str, expected: str, fix: str) -> None:
    missing = int(series.isna().sum())
    if missing:
        raise DataError(place, f"{missing} missing value(s)", f"{expected}: CatBoost takes none without", fix)


def _other(value: object, place: str, expected: str, fix: str) -> DataError:
    shown = repr(value)
    return DataError(place, shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…", expected, fix)
