"""A categorical column of one partition: its distinct values as CatBoost spells them, and which of them each row has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from gbdist.categories.hashing import category_hashes
from gbdist.errors import DataError
from gbdist.quantize.raw import is_arrow_text
from gbdist.quantize.vectors import as_series

#: More distinct values than these are not listed: one more than one-hot features take (CatBoost's limit on GPUs).
MOST_LISTED = 256
#: Hashes of so many distinct texts are more than ``MOST_LISTED`` however they collide.
_SURELY_MORE = 4 * MOST_LISTED
_SIMPLE_OBJECTS = frozenset({"string", "integer", "boolean", "empty"})
_SHOWN = 40


@dataclass(frozen=True, eq=False)
class Categories:
    """Categories of some rows.

    Parameters
    ----------
    codes : intp [n_rows]
        Which of ``texts`` each row has.
    texts : list of str
        Distinct, each of them in some row. CatBoost sees an integer as its digits, and True as 1.
    """

    codes: NDArray[np.intp]
    texts: list[str]

    def strings(self) -> Any:
        """An Arrow array of strings [n_rows]."""
        return pa.array(self.texts, pa.large_string()).take(pa.array(self.codes))

    def hashes(self) -> NDArray[np.uint32]:
        """CatBoost's hash of each row's category, uint32 [n_rows]."""
        return category_hashes(self.texts)[self.codes]

    def distinct(self) -> tuple[int, ...] | None:
        """Distinct hashes, ascending; None for more than ``MOST_LISTED``."""
        if len(self.texts) > _SURELY_MORE:
            return None
        return listed(category_hashes(self.texts).tolist())


def listed(hashes: Iterable[int]) -> tuple[int, ...] | None:
    """Distinct ones of some hashes, ascending; None for more than ``MOST_LISTED``."""
    found = sorted(set(hashes))
    return tuple(found) if len(found) <= MOST_LISTED else None


def read_categories(values: object, place: str, missing: str | None) -> Categories:
    """Read a column; ``missing`` is the text that stands for missing values.

    ``DataError`` at ``place`` for what CatBoost does not take as a category: fractions, and missing values without ``missing``.
    """
    codes, found = _factorized(values, place)
    texts = [_text(value, place) for value in found]
    n_missing = int((codes < 0).sum())
    if n_missing:
        if missing is None:
            raise missing_values(
                n_missing, place, "a category in every row", 'Fill them first, or set cat_nan="missing".'
            )
        codes = np.where(codes < 0, len(texts), codes)
        texts.append(missing)
    _require_unicode(texts, place)
    if len(set(texts)) < len(texts):  # "1" beside 1
        numbers, distinct = pd.factorize(np.array(texts, dtype=object))
        codes, texts = numbers[codes], distinct.tolist()
    return Categories(codes, texts)


def missing_values(count: int, place: str, expected: str, fix: str) -> DataError:
    """The error for missing values."""
    return DataError(place, f"{count} missing value(s)", f"{expected}: CatBoost takes none without", fix)


def other_value(value: object, place: str, expected: str, fix: str) -> DataError:
    """The error for a value that CatBoost does not take."""
    shown = repr(value)
    return DataError(place, shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…", expected, fix)


def bytes_of_column(values: object, place: str) -> int:
    """About how many bytes a column takes as the user gave it."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return int(values.nbytes)
    if type(values).__module__.startswith("polars"):
        return int(cast(Any, values).estimated_size())
    return int(as_series(values, place).memory_usage(index=False, deep=True))


def _factorized(values: object, place: str) -> tuple[NDArray[np.intp], list[Any]]:
    """Number of each row's value, −1 where it is missing, and the values that occur."""
    column = cast(Any, values).to_arrow() if type(values).__module__.startswith("polars") else values
    if isinstance(column, pa.Array | pa.ChunkedArray):
        column = column.dictionary_encode() if is_arrow_text(column.type) else column
        if pa.types.is_dictionary(column.type):
            return _of_dictionary(column)
    series = as_series(column, place)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _used(series.cat.codes.to_numpy().astype(np.intp), dtype.categories.tolist())
    if isinstance(dtype, pd.SparseDtype):
        series = pd.Series(np.asarray(series))
    if dtype == np.dtype(object):
        _require_simple_objects(series, place)
    codes, found = pd.factorize(series)
    return codes, found.tolist()


def _of_dictionary(values: Any) -> tuple[NDArray[np.intp], list[Any]]:
    """The same of Arrow's dictionaries, whose codes pandas does not take if they have no sign."""
    if isinstance(values, pa.ChunkedArray):
        values = values.unify_dictionaries().combine_chunks()
    codes = values.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    found = values.dictionary.to_pylist()
    if None in found:
        codes = np.where(codes == found.index(None), -1, codes)
    return _used(codes, found)


def _used(codes: NDArray[np.intp], values: list[Any]) -> tuple[NDArray[np.intp], list[Any]]:
    """Codes (−1: missing) and values without those that no row has."""
    used = np.unique(codes[codes >= 0])
    number_of = np.full(len(values) + 1, -1, dtype=np.intp)  # the last one is of −1
    number_of[used] = np.arange(used.shape[0])
    return number_of[codes], [values[code] for code in used.tolist()]


def _require_simple_objects(series: Any, place: str) -> None:
    """Look at every object: 1.0, which is no category, would be taken for the 1 that it equals."""
    values = series.to_numpy()
    if pd.api.types.infer_dtype(values, skipna=True) in _SIMPLE_OBJECTS:
        return
    values = values[~series.isna().to_numpy()]
    odd = {kind for kind in set(map(type, values)) if not issubclass(kind, str | int | np.integer | np.bool_)}
    if odd:
        _text(next(value for value in values if type(value) in odd), place)


def _text(value: object, place: str) -> str:
    if isinstance(value, str):
        return value if type(value) is str else str.__str__(value)  # of an enumeration the text, and not its name
    if isinstance(value, int | np.integer | np.bool_):
        return str(int(value))
    raise other_value(
        value,
        place,
        "strings or integers",
        'Convert the column first: to integers (pandas: "Int64" where some are missing), or to text.',
    )


def _require_unicode(texts: list[str], place: str) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as problem:
        found = f"text with {problem.object[problem.start]!r}"
        raise DataError(place, found, "text that UTF-8 can hold", "Repair the text, or drop those rows.") from None


def is_categorical(values: Any, *, look: bool) -> bool:
    """Whether a column of a frame is categorical by its type: categories or strings.

    A column of objects is if all that are not missing are strings, which takes a ``look`` at them.
    """
    if isinstance(values, pa.ChunkedArray):
        return _is_arrow_category(values.type)
    if not isinstance(values, pd.Series):  # polars
        kind = str(values.dtype)
        return kind == "String" or kind.startswith(("Categorical", "Enum"))
    dtype = values.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _is_arrow_category(dtype.pyarrow_dtype)
    if look and dtype == np.dtype(object):
        return bool(pd.api.types.infer_dtype(values, skipna=True) == "string")
    return isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)


def _is_arrow_category(kind: Any) -> bool:
    return is_arrow_text(kind) or bool(pa.types.is_dictionary(kind))
