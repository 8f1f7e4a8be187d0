"""Categorical columns of files are the texts that ``fit`` takes them for, whatever their types."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gbdist.errors import DataError
from gbdist.jobs.categories import require_categories, with_categories
from gbdist.jobs.columns import ColumnKinds
from gbdist.jobs.files import DataFile, find_files
from gbdist.jobs.pieces import cut_into_pieces, read_batches
from gbdist.quantize.categories import read_categories

PARQUET, CSV = DataFile("/data/a.parquet", "parquet"), DataFile("/data/a.csv", "csv")
COLUMNS = {
    "string": pa.array(["b", "01", "é", "b", None]),
    "large_string": pa.array(["b", "", "NA", "b", None], pa.large_string()),
    "int8": pa.array([3, -7, 0, 3, None], pa.int8()),
    "uint64": pa.array([1, 2**64 - 1, 0, 1, None], pa.uint64()),
    "boolean": pa.array([True, False, True, True, None]),
    "null": pa.nulls(5),
    "dictionary": pa.array(["b", "a", "b", "b", None]).dictionary_encode(),
    "dictionary of numbers": pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, 1, None], pa.int8()), pa.array([30, 7])),
}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("whole", [True, False])
def test_texts_are_those_of_a_fit(kind: str, whole: bool) -> None:
    column = COLUMNS[kind]
    table = pa.table({"x": pa.array(range(5)), "c": column})
    found = with_categories(table if whole else table.to_batches()[0], ["c"], "none", PARQUET)
    assert found.schema.names == ["x", "c"]
    assert found.column("x").to_pylist() == list(range(5))
    assert pa.types.is_dictionary(found.schema.field("c").type)
    # Integers with gaps have a type of their own in pandas: as floats they would be no categories.
    series = column.to_pandas(types_mapper={pa.int8(): pd.Int8Dtype(), pa.uint64(): pd.UInt64Dtype()}.get)
    expected = read_categories(pd.Series(series), "column 'c'", "none").strings()
    assert found.column("c").to_pylist() == expected.to_pylist()


def test_types_without_categories_are_named() -> None:
    schema = pa.schema(
        [(name, COLUMNS[name].type) for name in COLUMNS]
        + [("float", pa.float64()), ("fractions", pa.dictionary(pa.int8(), pa.float64())), ("day", pa.date32())]
    )
    require_categories(schema, list(COLUMNS), "a.parquet")
    with pytest.raises(DataError) as caught:
        require_categories(schema, ["string", "float"], "a.parquet")
    assert str(caught.value) == (
        "column 'float' of a.parquet: found the type double, expected categories: texts or whole numbers. "
        "Convert it to whole numbers or to text, or leave it out of the categorical columns."
    )
    for name in ("fractions", "day"):
        with pytest.raises(DataError, match=f"^column '{name}' of a.parquet: found the type d"):
            require_categories(schema, [name], "a.parquet")


def test_type_of_a_later_file_is_looked_at_too(tmp_path: Path) -> None:
    for number, codes in enumerate(([1, 2], [1.0, None])):
        pd.DataFrame({"c": codes}).to_parquet(tmp_path / f"{number}.parquet")
    with pytest.raises(DataError, match=r"^column 'c' of .*/1.parquet: found the type double, expected categories"):
        cut_into_pieces(find_files([str(tmp_path)]), ["c"], kinds=ColumnKinds(("c",)))


def test_missing_values_are_named_with_their_file_unless_something_stands_for_them() -> None:
    table = pa.table({"c": pa.array(["a", None, None])})
    with pytest.raises(DataError) as caught:
        with_categories(table, ["c"], None, PARQUET)
    assert str(caught.value) == (
        "column 'c' of /data/a.parquet: found 2 missing value(s), expected a category in every row: CatBoost takes none "
        "without. Fill them first, or say what stands for them, for example: --cat-nan missing"
    )
    assert with_categories(table, ["c"], "a", PARQUET).column("c").to_pylist() == ["a", "a", "a"]


def test_empty_fields_are_missing_in_csv_and_texts_in_parquet() -> None:
    table = pa.table({"c": pa.array(["a", "", "NA"])})
    assert with_categories(table, ["c"], None, PARQUET).column("c").to_pylist() == ["a", "", "NA"]
    assert with_categories(table, ["c"], "none", CSV).column("c").to_pylist() == ["a", "none", "NA"]
    with pytest.raises(DataError, match=r"^column 'c' of /data/a.csv: found 1 missing value"):
        with_categories(table, ["c"], None, CSV)


@pytest.mark.parametrize("piece_bytes", [16, 10_000])
def test_csv_columns_are_read_as_they_are_written(tmp_path: Path, piece_bytes: int) -> None:
    written = ["01", "1", "1.0", "true", "2024-01-01", '"a, b"', '"1"', "NA", "-"]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["c,x", *(f"{text},{row}" for row, text in enumerate(written)), ""]))
    pieces = cut_into_pieces([DataFile(str(path), "csv")], ["c", "x"], piece_bytes, kinds=ColumnKinds(("c",)))
    read: list[Any] = []
    for piece in pieces:
        for batch in read_batches(piece, ["c", "x"], 7):
            read += with_categories(batch, ["c"], None, piece.file).column("c").to_pylist()
    assert read == [text.strip('"') for text in written]


def test_dictionaries_of_several_row_groups_are_one_column(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 50, 400).astype(str).astype(object)
    pq.write_table(pa.table({"c": pa.array(codes).dictionary_encode()}), tmp_path / "a.parquet", row_group_size=20)
    table = pq.read_table(tmp_path / "a.parquet")
    found = with_categories(table, ["c"], None, PARQUET).to_pandas()["c"]
    assert found.tolist() == codes.tolist()
    assert found.dtype.categories.is_unique
