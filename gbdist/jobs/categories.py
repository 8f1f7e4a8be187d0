"""Categorical columns of files as texts: the same ones for training and for scoring, so that categories meet their own.

A Parquet file has types: texts are taken as they are, integers as their digits, true as 1 and false as 0, and dictionaries are
what they hold, as CatBoost sees a pandas frame. A CSV file has none: whatever is written is the text, so ``01`` is not ``1``, and
an empty field is a missing value.
"""

from collections.abc import Sequence
from typing import Any

from gbdist.errors import DataError
from gbdist.jobs.files import DataFile

_EXPECTED = "categories: texts or whole numbers"


def require_categories(schema: Any, names: Sequence[str], path: str) -> None:
    """Raise a ``DataError`` that names the column of a Parquet file whose type, in its ``pyarrow.Schema``, has no categories."""
    for name in names:
        kind = schema.field(name).type
        if not _has_categories(kind):
            fix = "Convert it to whole numbers or to text, or leave it out of the categorical columns."
            raise DataError(f"column {name!r} of {path}", f"the type {kind}", _EXPECTED, fix)


def with_categories(table: Any, names: Sequence[str], missing: str | None, file: DataFile) -> Any:
    """A ``pyarrow.Table`` or ``RecordBatch`` of a file with its columns ``names`` as dictionaries of texts, without gaps.

    ``missing`` is the text that stands for missing values; None: there may be none, ``DataError``.
    """
    for name in names:
        position = table.schema.get_field_index(name)
        texts = _texts(table.column(position), file)
        if texts.null_count:
            texts = _filled(texts, missing, f"column {name!r} of {file.path}")
        table = table.set_column(position, name, texts.dictionary_encode())
    return table


def _has_categories(kind: Any) -> bool:
    import pyarrow.types as of

    from gbdist.quantize.raw import is_arrow_text

    if of.is_dictionary(kind):
        kind = kind.value_type
    return bool(is_arrow_text(kind) or of.is_integer(kind) or of.is_boolean(kind) or of.is_null(kind))


def _texts(column: Any, file: DataFile) -> Any:
    """A column as large strings, null where a value is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    texts = pc.cast(column, pa.large_string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts) if file.format == "csv" else texts


def _filled(texts: Any, missing: str | None, place: str) -> Any:
    import pyarrow.compute as pc

    if missing is not None:
        return pc.fill_null(texts, missing)
    fix = "Fill them first, or say what stands for them, for example: --cat-nan missing"
    found = f"{texts.null_count:,} missing value(s)"
    raise DataError(place, found, "a category in every row: CatBoost takes none without", fix)
