"""Categorical, text and embedding columns of one partition: read as CatBoost would see them in a pandas frame.

Histograms are counted of hashes of categories, which take 4 bytes a row; CatBoost itself is given the categories.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from gbdist.boosting.rows import UnbinnedColumn
from gbdist.errors import DataError
from gbdist.quantize.categories import bytes_of_column, listed, missing_values, other_value, read_categories
from gbdist.quantize.raw import RawColumn, column_place
from gbdist.quantize.vectors import as_series

#: Kinds of columns that are not binned, each with CatBoost's parameter that names such columns.
KINDS = {"cat": "cat_features", "text": "text_features", "embedding": "embedding_features"}
#: The kind of a categorical column that is kept as hashes.
HASHED = "hash"
#: … of this size each.
HASH_BYTES = 4


@dataclass(frozen=True, slots=True)
class UnbinnedFacts:
    """What one partition, or all, say of a column that is not binned.

    Parameters
    ----------
    position : int
        Place among all columns.
    name, kind : str
    dimension : int
        Of vectors, 0 without one.
    nbytes : int
        Bytes beside the bins.
    values : tuple of int or None
        Distinct hashes of a hashed column, ascending; None for more than ``categories.MOST_LISTED``, and for other kinds.
    """

    position: int
    name: str
    kind: str
    dimension: int
    nbytes: int
    values: tuple[int, ...] | None = None


def read_columns(columns: Sequence[RawColumn], number: int) -> tuple[UnbinnedColumn, ...]:
    """Columns of partition ``number``; ``DataError`` for a value that CatBoost does not take."""
    return tuple(read_column(column, number) for column in columns)


def read_column(column: RawColumn, number: int) -> UnbinnedColumn:
    """One column as strings, hashes or vectors.

    CatBoost sees an integer category as its digits and True as 1, and takes neither fractions nor missing values for categories,
    nothing but strings for text, and vectors of finite numbers of one length as embeddings.
    """
    place = column_place(column.name, number)
    if column.kind in ("cat", HASHED):
        categories = read_categories(column.values, place, column.missing)
        return UnbinnedColumn(
            column.position, column.kind, categories.strings() if column.kind == "cat" else categories.hashes()
        )
    read = {"text": _texts, "embedding": _vectors}[column.kind]
    return UnbinnedColumn(column.position, column.kind, read(as_series(column.values, place), place))


def survey_columns(columns: Sequence[RawColumn], number: int) -> tuple[tuple[UnbinnedFacts, ...], int]:
    """Facts of the columns of partition ``number``, and about how many bytes they take there; raises as ``read_columns``."""
    surveyed = [_survey_column(column, number) for column in columns]
    return tuple(facts for facts, _ in surveyed), sum(n_bytes for _, n_bytes in surveyed)


def _survey_column(column: RawColumn, number: int) -> tuple[UnbinnedFacts, int]:
    if column.kind == HASHED:
        place = column_place(column.name, number)
        categories = read_categories(column.values, place, column.missing)
        n_bytes = categories.codes.shape[0] * HASH_BYTES
        facts = UnbinnedFacts(column.position, column.name, HASHED, 0, n_bytes, categories.distinct())
        return facts, bytes_of_column(column.values, place)
    # Read for its checks: what is read is let go, and read again where it is kept.
    read = read_column(column, number)
    return UnbinnedFacts(column.position, column.name, column.kind, _dimension(read), read.nbytes), read.nbytes


def merge_unbinned(parts: Iterable[tuple[int, Sequence[UnbinnedFacts]]]) -> tuple[UnbinnedFacts, ...]:
    """Facts of all partitions, given with their numbers; ``DataError`` for vectors of another length than the first ones."""
    merged: list[UnbinnedFacts] = []
    for number, facts in parts:
        merged = [_both(mine, theirs, number) for mine, theirs in zip(merged or facts, facts, strict=True)]
    return tuple(merged)


def _both(mine: UnbinnedFacts, theirs: UnbinnedFacts, number: int) -> UnbinnedFacts:
    if mine is theirs:
        return mine
    if mine.dimension and theirs.dimension and mine.dimension != theirs.dimension:
        raise DataError(
            column_place(mine.name, number),
            f"vectors of {theirs.dimension} numbers",
            f"{mine.dimension}, as in the partitions before",
            "Give all vectors of a column the same length.",
        )
    return replace(
        mine,
        dimension=mine.dimension or theirs.dimension,
        nbytes=mine.nbytes + theirs.nbytes,
        values=None if mine.values is None or theirs.values is None else listed(mine.values + theirs.values),
    )


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


def _texts(series: Any, place: str) -> Any:
    _require_values(series, place, "a text in every row", "Fill them first, for example with ''.")
    values = series.to_numpy(dtype=object)
    for value in values:
        if not isinstance(value, str):
            raise other_value(value, place, "strings", "Convert the column to text.")
    return pa.array(values, pa.large_string())


def _vectors(series: Any, place: str) -> NDArray[np.float32]:
    _require_values(series, place, "a vector in every row", "Fill them first, or leave those rows out.")
    values = list(series)
    for value in values:
        if isinstance(value, str):  # what Dask makes of vectors in frames of objects
            fix = 'If Dask made text of them: dask.config.set({"dataframe.convert-string": False}) before X is made.'
            raise other_value(value, place, "vectors of numbers", fix)
    fix = "Give every row a list or array of as many numbers."
    try:
        matrix = np.array([np.asarray(value, dtype=np.float32) for value in values], dtype=np.float32)
    except (TypeError, ValueError):
        raise DataError(place, "vectors of different lengths, or none", "vectors of numbers", fix) from None
    if not values:
        return np.empty((0, 0), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise other_value(values[0], place, "vectors of numbers", fix)
    if not np.isfinite(matrix).all():
        raise DataError(
            place, "missing or infinite numbers", "finite ones", "Fill them first, or leave those rows out."
        )
    return matrix


def _require_values(series: Any, place: str, expected: str, fix: str) -> None:
    missing = int(series.isna().sum())
    if missing:
        raise missing_values(missing, place, expected, fix)
