"""Label, weight and baseline of one raw partition as NumPy arrays, whatever their containers."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.quantize.raw import numbers_of_series

_KIND_OF_OBJECTS = {
    "string": "string",
    "boolean": "boolean",
    "integer": "integer",
    "floating": "float",
    "mixed-integer-float": "float",
    "decimal": "float",
    "empty": "empty",
}


@dataclass(frozen=True, eq=False)
class LabelVector:
    """Labels in their own type.

    ``kind`` is "integer", "float", "boolean", "string", "empty" (no value at all) or the name of a type that cannot be
    a label. ``values`` holds what is not missing: int64, float64, bool or object of str; ``n_rows`` counts all.
    """

    kind: str
    values: NDArray[Any]
    n_rows: int

    @property
    def n_missing(self) -> int:
        """Rows without a label."""
        return self.n_rows - int(self.values.shape[0])


@dataclass(frozen=True, slots=True)
class LabelCoding:
    """How labels become float32: the code of the value in ``values``, or where that is None the value itself.

    ``values`` are the sorted distinct labels as int, float, bool or str.
    """

    kind: str
    values: tuple[Any, ...] | None

    def label_values(self) -> NDArray[np.float32]:
        """Number behind each code, float32 [n_codes], for regression; ``DataError`` where labels are no numbers."""
        if self.kind == "string":
            raise DataError("y", "strings", "numbers", "Use a classifier, or convert y to numbers.")
        return np.asarray(self.values if self.values is not None else (), dtype=np.float32)


def label_vector(label: object, where: str) -> LabelVector:
    """Labels of one partition, missing ones left out; ``DataError`` for more than one column and for too large integers."""
    series = as_series(label, where)
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = pd.Series(np.asarray(series.array))
    n_rows = len(series)
    dtype = series.dtype
    if pd.api.types.is_float_dtype(dtype):  # pandas' nullable and Arrow types do not count NaN as missing
        missing = np.isnan(series.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        missing = series.isna().to_numpy()
    series = series[~missing]
    if n_rows == 0 or len(series) == 0:
        return LabelVector("empty", np.empty(0), n_rows)
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        return _of_objects(series.to_numpy(), n_rows, where)
    if pd.api.types.is_bool_dtype(dtype):
        return LabelVector("boolean", series.to_numpy(dtype=np.bool_), n_rows)
    if pd.api.types.is_integer_dtype(dtype):
        return LabelVector("integer", _as_int64(series.to_numpy(), where), n_rows)
    if pd.api.types.is_float_dtype(dtype) or _is_decimal(dtype):
        return LabelVector("float", series.to_numpy(dtype=np.float64) + 0.0, n_rows)
    if pd.api.types.is_string_dtype(dtype):
        return LabelVector("string", series.to_numpy(dtype=object), n_rows)
    return LabelVector(str(dtype), series.to_numpy(), n_rows)


def label_columns(label: object) -> list[object]:
    """The labels of all rows, one column for each that a row has."""
    if isinstance(label, pa.Table):
        label = label.to_pandas()
    elif type(label).__module__.startswith("polars") and getattr(label, "ndim", 1) == 2:
        table = cast(Any, label)
        label = pd.DataFrame({name: table.get_column(name).to_numpy() for name in table.columns})
    if isinstance(label, pd.DataFrame):
        return [label.iloc[:, k] for k in range(label.shape[1])]
    if isinstance(label, np.ndarray) and label.ndim == 2:
        return [label[:, k] for k in range(label.shape[1])]
    return [label]


def encode_label(label: object, coding: LabelCoding, where: str) -> NDArray[np.float32]:
    """Labels as float32 [n_rows] under ``coding``; ``DataError`` at ``where`` for a label that the coding lacks.

    Where a row has several labels they are [n_labels, n_rows], as they are, NaN where missing.
    """
    columns = label_columns(label)
    if len(columns) > 1:
        return np.stack([number_vector(column, where) for column in columns])
    vector = label_vector(label, where)
    if vector.kind == "empty":
        return np.empty(0, dtype=np.float32)
    if coding.values is None:
        with np.errstate(over="ignore"):
            return cast(NDArray[np.float32], vector.values.astype(np.float32))
    codes = _codes(vector, coding)
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        value = vector.values[unknown[:1]].tolist()[0]
        raise DataError(
            where,
            f"label {value!r}",
            f"one of the {len(coding.values)} training labels",
            "Add rows with that label to the training data or leave those rows out.",
        )
    return codes.astype(np.float32)


def number_vector(values: object, where: str) -> NDArray[np.float32]:
    """Weights as float32 [n_rows], NaN where missing; ``DataError`` at ``where`` if they are not numbers."""
    try:
        return numbers_of_series(as_series(values, where), where)
    except DataError as error:
        _, found, expected, _ = error.args  # whose way out is that of a feature
        raise DataError(where, found, expected, "Encode it as numbers or drop it.") from None


def baseline_matrix(baseline: object, where: str) -> NDArray[np.float64]:
    """Baseline as float64 [dimension, n_rows], C order; a vector has dimension 1."""
    if isinstance(baseline, pd.Series | pd.DataFrame):
        values = baseline.to_numpy(dtype=np.float64, na_value=np.nan)
    elif isinstance(baseline, pa.Table):
        values = baseline.to_pandas().to_numpy(dtype=np.float64, na_value=np.nan)
    elif hasattr(baseline, "to_numpy"):
        values = cast(Any, baseline).to_numpy()
    else:
        values = np.asarray(baseline)
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(where, f"{values.dtype} values", "numbers", "Convert the baseline to numbers.") from None
    if matrix.ndim > 2:
        raise DataError(where, f"an array of {matrix.ndim} dimensions", "1 or 2", "Give one column for each raw value.")
    return np.ascontiguousarray(matrix.reshape(matrix.shape[0], -1).T)


def _codes(vector: LabelVector, coding: LabelCoding) -> NDArray[np.int64]:
    known = coding.values or ()
    if vector.kind == "string" or coding.kind == "string":
        return np.asarray(pd.Index(list(known), dtype=object).get_indexer(vector.values.astype(object)), dtype=np.int64)
    ordered = np.asarray(known)
    codes = np.minimum(np.searchsorted(ordered, vector.values), len(known) - 1)
    return np.where(ordered[codes] == vector.values, codes, -1)


def _of_objects(values: NDArray[Any], n_rows: int, where: str) -> LabelVector:
    found = pd.api.types.infer_dtype(values, skipna=True)
    kind = _KIND_OF_OBJECTS.get(found, f"mixed objects ({found})")
    if kind == "integer":
        return LabelVector(kind, _as_int64(values, where), n_rows)
    if kind == "float":
        return LabelVector(kind, values.astype(np.float64) + 0.0, n_rows)
    return LabelVector(kind, values.astype(np.bool_) if kind == "boolean" else values, n_rows)


def _as_int64(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Integers of any type in the one type that all partitions share; a CatBoost model cannot name larger classes."""
    try:
        if values.dtype.kind == "u" and int(values.max()) >= 1 << 63:
            raise OverflowError
        return values.astype(np.int64)
    except OverflowError:
        raise DataError(
            where,
            "integers beyond 64 bits with a sign",
            "integers below 2⁶³",
            "Pass them as text; labels may be floats too.",
        ) from None


def as_series(values: object, where: str) -> Any:
    """One value a row as a pandas Series, whatever the container; ``DataError`` for more than one column."""
    if isinstance(values, pa.Table):
        values = values.to_pandas()
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return pd.Series(values.to_pandas())
    if type(values).__module__.startswith("polars"):
        arrow = cast(Any, values).to_arrow()
        return as_series(arrow, where)
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise _more_than_one_column(where, values.shape[1])
        return values.iloc[:, 0]
    if isinstance(values, pd.Series):
        return values
    array = values if isinstance(values, pd.api.extensions.ExtensionArray) else np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise _more_than_one_column(where, array.shape[1] if array.ndim == 2 else array.ndim)
    if isinstance(array, np.ndarray) and array.dtype.kind in "US":
        array = array.astype("U").astype(object)
    return pd.Series(array)


def _more_than_one_column(where: str, found: int) -> DataError:
    return DataError(where, f"{found} columns", "one column", "Give one value for each row.")


def _is_decimal(dtype: Any) -> bool:
    return isinstance(dtype, pd.ArrowDtype) and pa.types.is_decimal(dtype.pyarrow_dtype)
