"""A file, a folder or a pattern becomes a list of files in a fixed order."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gbdist.errors import DataError
from gbdist.jobs.files import DataFile, find_files, read_schema


def write(path: Path, **columns: list[float]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(columns or {"a": [1.0, 2.0]})
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


def test_folder_is_sorted_with_numbers_as_numbers_and_hidden_files_left_out(tmp_path: Path) -> None:
    for name in ("part-10.parquet", "part-9.parquet", "_delta/x.parquet", ".part.parquet", "sub/part-1.parquet"):
        write(tmp_path / name)
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "README.md").write_text("")
    names = [Path(file.path).relative_to(tmp_path).as_posix() for file in find_files([str(tmp_path)])]
    assert names == ["part-9.parquet", "part-10.parquet", "sub/part-1.parquet"]


def test_arguments_keep_their_order_and_patterns_are_sorted(tmp_path: Path) -> None:
    for name in ("b2.csv", "b10.csv", "a.csv"):
        write(tmp_path / name)
    found = find_files([str(tmp_path / "b*.csv"), str(tmp_path / "a.csv")])
    assert found == [DataFile(str(tmp_path / name), "csv") for name in ("b2.csv", "b10.csv", "a.csv")]


def test_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "sales.parquet")
    with pytest.raises(DataError) as caught:
        find_files([str(tmp_path / "sale.parquet")])
    assert str(caught.value) == (
        f"{tmp_path}/sale.parquet: found no such file, expected Parquet (.parquet, .pq) or CSV (.csv, .csv.gz) files, "
        f"a folder of them, or a pattern. Did you mean '{tmp_path}/sales.parquet'?"
    )


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a.xlsx"], "the ending '.xlsx'"),
        (["a.csv", "a.parquet"], "both Parquet and CSV files"),
        (["empty"], "a folder without data files"),
        (["nowhere/a.csv"], "no such file"),
        ([], "no files named"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, names: list[str], found: str) -> None:
    write(tmp_path / "a.csv")
    write(tmp_path / "a.parquet")
    (tmp_path / "a.xlsx").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        find_files([str(tmp_path / name) for name in names])
    assert caught.value.args[1] == found


def test_index_that_pandas_stored_is_not_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"a": [1, 2]}, index=["x", "y"]).to_parquet(path)
    assert "__index_level_0__" in pq.read_schema(path).names
    assert read_schema(DataFile(str(path), "parquet")).names == ["a"]


def test_file_that_is_not_what_its_ending_says_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=f"^{path}: found something that cannot be read"):
        read_schema(DataFile(str(path), "parquet"))


def test_repeated_column_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(DataError, match="several columns called 'a'"):
        read_schema(DataFile(str(path), "parquet"))
