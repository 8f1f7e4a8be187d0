"""A batch of rows of a file as CatBoost reads it fastest: a matrix of numbers, or a pool where a model has other features too."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.jobs.categories import with_categories
from gbdist.jobs.columns import ColumnKinds
from gbdist.jobs.files import DataFile


def catboost_input(batch: Any, kinds: ColumnKinds, cat_nan: str | None, file: DataFile) -> Any:
    """The columns of a ``pyarrow.RecordBatch``, which are a model's features in its order, for CatBoost's ``predict``.

    Raises
    ------
    DataError
        A column of ``file`` holds something else than the model was trained on.
    """
    if not kinds.names:
        return feature_matrix(batch, file.path)
    from catboost import Pool

    frame = feature_frame(batch, kinds, cat_nan, file)
    return Pool(frame, cat_features=list(kinds.categorical), text_features=list(kinds.text))


def feature_frame(batch: Any, kinds: ColumnKinds, cat_nan: str | None, file: DataFile) -> Any:
    """The same as a ``pandas.DataFrame``: numbers in float32, categories as pandas' categories of texts, texts as objects.

    Raises
    ------
    DataError
        A column of ``file`` holds something else than the model was trained on.
    """
    from pandas import Categorical, DataFrame, Index

    batch = with_categories(batch, kinds.categorical, cat_nan, file)
    numeric = [name for name in batch.schema.names if name not in kinds.names]
    columns: dict[str, Any] = dict(zip(numeric, feature_matrix(batch.select(numeric), file.path).T, strict=True))
    for name in kinds.categorical:
        column = batch.column(name)
        # CatBoost reads categories once each, one by one, which Arrow's strings are slow at.
        texts = Index(column.dictionary.to_pylist(), dtype=object)
        columns[name] = Categorical.from_codes(column.indices.to_numpy(), texts)
    columns |= {name: _strings(batch.column(name), f"column {name!r} of {file.path}") for name in kinds.text}
    return DataFrame({name: columns[name] for name in batch.schema.names}, copy=False)


def feature_matrix(batch: Any, path: str) -> NDArray[np.float32]:
    """Columns of a ``pyarrow.RecordBatch`` as float32 [n_rows, n_features], column-major; null becomes NaN.

    Raises
    ------
    DataError
        A column of the file at ``path`` is neither number nor boolean.
    """
    import pyarrow as pa

    matrix = np.empty((batch.num_columns, batch.num_rows), np.float32)
    for number, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        kind = column.type
        if pa.types.is_decimal(kind):
            column = column.cast(pa.float64())
        elif not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_null(kind)
        ):
            fix = "Give the column that the model was trained on."
            raise DataError(f"column {name!r} of {path}", f"the type {kind}", "numbers", fix)
        with np.errstate(over="ignore"):  # a float64 beyond float32 is infinite to CatBoost too
            matrix[number] = np.nan if pa.types.is_null(kind) else column.to_numpy(zero_copy_only=False)
    return matrix.T


def _strings(column: Any, place: str) -> NDArray[Any]:
    """A text feature as objects [n_rows]."""
    import pyarrow as pa

    from gbdist.quantize.raw import is_arrow_text

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not is_arrow_text(column.type):
        fix = "Give the column that the model was trained on."
        raise DataError(place, f"the type {column.type}", "texts", fix)
    if column.null_count:
        found = f"{column.null_count:,} missing value(s)"
        raise DataError(place, found, "a text in every row: CatBoost takes none without", "Fill them first.")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)
