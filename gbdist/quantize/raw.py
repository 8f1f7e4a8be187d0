"""One raw partition, whatever its container: names of its columns, and each column as float32."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gbdist.errors import DataError

_NUMBERS_OF_OBJECTS = frozenset({"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"})
_CATEGORIES_OF_OBJECTS = frozenset({"string", "mixed-integer"})
_ENCODE_OR_DROP = "Encode it as numbers or drop it."
_CATEGORY_FIX = "Name it in cat_features, encode it as numbers, or drop it."


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column that is not binned, as the user gave it; see ``boosting.rows.UnbinnedColumn``.

    ``missing`` is the text that stands for missing values in a categorical column; None: there may be none.
    """

    position: int
    name: str
    kind: str
    values: object
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class RawPart:
    """Features, label, weight and baseline of the same rows, as the user's containers.

    Parameters
    ----------
    features : pandas or polars DataFrame, pyarrow Table, NumPy array [n_rows, n_features] or scipy sparse matrix
    label, weight, baseline : vector-like or None
        One value a row; a baseline may have one column for each raw value.
    number : int
        Number of the partition, for messages.
    group : vector-like or None
        Which rows are ranked together.
    unbinned : tuple of RawColumn
        Columns that are not binned; ``features`` are without them.
    fold : whole numbers or None
        What folds go by.
    """

    features: object
    label: object | None
    weight: object | None
    baseline: object | None
    number: int
    group: object | None = None
    unbinned: tuple[RawColumn, ...] = ()
    fold: Any = None

    def open(self) -> "FeatureTable":
        """View the columns that are binned; see ``open_features``."""
        return open_features(self.features, self.number, [column.position for column in self.unbinned])

    def open_for(self, n_columns: int) -> "FeatureTable":
        """The same; DataError unless there are so many columns."""
        table = self.open()
        if len(table.names) != n_columns:
            raise DataError(
                f"X of partition {self.number}",
                f"{len(table.names)} columns",
                f"{n_columns} columns",
                "Give every part the same columns.",
            )
        return table


class FeatureTable(Protocol):
    """What every container of features can tell. Opening one costs nothing but a sparse matrix's conversion to columns.

    ``names`` are the columns' names as CatBoost would call them (numbers as text where there are none); ``named`` says
    whether the container had names of its own. ``dense`` is the whole as one numeric matrix where it is one already.
    """

    names: tuple[str, ...]
    named: bool
    n_rows: int
    nbytes: int
    dense: NDArray[Any] | None

    def column(self, feature: int) -> NDArray[np.float32]:
        """Column as contiguous float32 [n_rows]: NaN where missing, −0.0 as 0.0, ±inf kept; ``DataError`` if no number."""
        ...


def open_features(features: object, number: int = 0, without: Sequence[int] = ()) -> FeatureTable:
    """View the features of partition ``number``; ``DataError`` for a container that is none of the supported ones.

    ``without`` are positions of columns that were taken out of it: those of an array are called by their positions before.
    """
    where = f"X of partition {number}"
    if isinstance(features, pd.DataFrame):
        return _ColumnTable(
            [str(name) for name in features.columns],
            (len(features), int(features.memory_usage(index=False).sum())),
            lambda f, place: numbers_of_series(features.iloc[:, f], place),
            number,
        )
    if isinstance(features, pa.Table):
        return _ColumnTable(
            list(features.column_names),
            (features.num_rows, features.nbytes),
            lambda f, place: _arrow_column(features.column(f), place),
            number,
        )
    if _comes_from(features, "polars"):
        frame = cast(Any, features)
        return _ColumnTable(
            list(frame.columns),
            (frame.height, int(frame.estimated_size())),
            lambda f, place: _polars_column(frame.to_series(f), place),
            number,
        )
    if _comes_from(features, "scipy") and hasattr(features, "tocsc"):
        return _SparseTable(features, where)
    if isinstance(features, np.ndarray):
        return _ArrayTable(features, number, without)
    raise DataError(
        where,
        f"a {type(features).__module__}.{type(features).__qualname__}",
        "a pandas or polars DataFrame, a pyarrow Table, a NumPy array or a scipy sparse matrix",
        "Convert it to one of these.",
    )


def column_place(name: str, number: int) -> str:
    """How messages call a column of a partition."""
    return f"column {name!r} of partition {number}"


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers as contiguous float32 the way CatBoost casts them: nearest, too large becomes ±inf, −0.0 becomes 0.0."""
    with np.errstate(over="ignore"):
        narrow = np.array(values, dtype=np.float32, order="C")
    narrow += np.float32(0.0)
    return narrow


class _ColumnTable:
    """A container that is a list of columns."""

    dense: NDArray[Any] | None = None
    named = True

    def __init__(
        self,
        names: list[str],
        size: tuple[int, int],
        read: Callable[[int, str], NDArray[np.float32]],
        number: int,
    ) -> None:
        self.names = tuple(names)
        self.n_rows, self.nbytes = size
        self._read, self._number = read, number

    def column(self, feature: int) -> NDArray[np.float32]:
        return self._read(feature, column_place(self.names[feature], self._number))


class _ArrayTable:
    """A NumPy matrix of numbers or of objects that are numbers."""

    named = False

    def __init__(self, values: NDArray[Any], number: int, without: Sequence[int]) -> None:
        where = f"X of partition {number}"
        if values.ndim != 2:
            raise DataError(
                where,
                f"an array of {values.ndim} dimension(s)",
                "a 2D array",
                "Reshape your data: X.reshape(-1, 1) if it is a single feature, X.reshape(1, -1) if it is a single row.",
            )
        if values.dtype.kind == "c":
            raise DataError(
                where, f"{values.dtype} values", "real numbers", "Complex data not supported: use two real columns."
            )
        self.n_rows, n_features = values.shape
        self.names = tuple(str(f) for f in range(n_features + len(without)) if f not in without)
        self.nbytes = values.nbytes
        self.dense = values if values.dtype.kind in "fiub" else None
        self._values, self._number = values, number

    def column(self, feature: int) -> NDArray[np.float32]:
        return numbers_of_array(self._values[:, feature], column_place(self.names[feature], self._number))


class _SparseTable:
    """A scipy sparse matrix; what is not stored is 0."""

    named = False
    dense: NDArray[Any] | None = None

    def __init__(self, matrix: Any, where: str) -> None:
        if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
            raise DataError(
                where,
                f"a sparse matrix of {matrix.ndim} dimension(s) and {matrix.dtype} values",
                "a 2D matrix of real numbers",
                _ENCODE_OR_DROP if matrix.dtype.kind != "c" else "Complex data not supported: use two real columns.",
            )
        self.n_rows, n_features = matrix.shape
        self.names = tuple(str(f) for f in range(n_features))
        self._columns = matrix.tocsc()
        self._columns.sum_duplicates()
        parts = (self._columns.data, self._columns.indices, self._columns.indptr)
        self.nbytes = int(sum(part.nbytes for part in parts))

    def column(self, feature: int) -> NDArray[np.float32]:
        start, stop = self._columns.indptr[feature : feature + 2]
        values = np.zeros(self.n_rows, dtype=np.float32)
        values[self._columns.indices[start:stop]] = as_float32(self._columns.data[start:stop])
        return values


def numbers_of_array(values: NDArray[Any], where: str) -> NDArray[np.float32]:
    """A NumPy vector as float32; ``DataError`` at ``where`` if its values are not numbers."""
    if values.dtype.kind in "fiub":
        return as_float32(values)
    if values.dtype.kind == "O":
        return _numbers_of_objects(values, where)
    raise _not_numbers(where, f"{values.dtype} values", categories=values.dtype.kind == "U")


def numbers_of_series(column: Any, where: str) -> NDArray[np.float32]:
    """A pandas Series of any type as float32; ``DataError`` at ``where`` if its values are not numbers."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return numbers_of_array(column.to_numpy(), where)
    if isinstance(dtype, pd.CategoricalDtype):
        raise _not_numbers(where, "categories", categories=True)
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow_column(pa.chunked_array([pa.array(column.array, from_pandas=False)]), where)
    if isinstance(dtype, pd.SparseDtype):
        return numbers_of_array(np.asarray(column), where)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        with np.errstate(over="ignore"):
            return as_float32(column.to_numpy(dtype=np.float32, na_value=np.nan))
    raise _not_numbers(where, f"{dtype} values", categories=isinstance(dtype, pd.StringDtype))


def _numbers_of_objects(values: NDArray[Any], where: str) -> NDArray[np.float32]:
    content = pd.api.types.infer_dtype(values, skipna=True)
    if content not in _NUMBERS_OF_OBJECTS:
        other = next((value for value in values if isinstance(value, str | bytes)), None)
        found = f"objects of kind {content}" + ("" if other is None else f" such as {other!r}")
        raise _not_numbers(where, found, categories=content in _CATEGORIES_OF_OBJECTS)
    missing = np.asarray(pd.isna(values))
    numbers = np.full(values.shape, np.nan, dtype=np.float64)
    try:
        numbers[~missing] = values[~missing].astype(np.float64)
    except OverflowError:
        raise _not_numbers(where, "integers beyond the range of float64") from None
    return as_float32(numbers)


def _not_numbers(where: str, found: str, *, categories: bool = False) -> DataError:
    return DataError(where, found, "numbers", _CATEGORY_FIX if categories else _ENCODE_OR_DROP)


def is_arrow_text(kind: Any) -> bool:
    """Whether an Arrow type is one of strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _arrow_column(column: Any, where: str) -> NDArray[np.float32]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        raise _not_numbers(where, "categories", categories=True)
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        raise _not_numbers(where, f"{kind} values", categories=is_arrow_text(kind))
    narrow = pc.cast(column, pa.float32(), safe=False)
    return as_float32(narrow.to_numpy())


def _polars_column(column: Any, where: str) -> NDArray[np.float32]:
    kind = str(column.dtype)
    if kind.startswith(("Categorical", "Enum")):
        raise _not_numbers(where, "categories", categories=True)
    if not (column.dtype.is_numeric() or kind in ("Boolean", "Null")):
        raise _not_numbers(where, f"{kind} values", categories=kind == "String")
    import polars as pl  # an extra: only who passes polars data has it

    return as_float32(column.cast(pl.Float32, strict=False).to_numpy())


def _comes_from(value: object, package: str) -> bool:
    # By name, so that a package that the user does not use need not be installed.
    return type(value).__module__.split(".", 1)[0] == package
