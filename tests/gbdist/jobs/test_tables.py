"""Files become one Dask DataFrame with their rows in order; nothing but schemas is read for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gbdist.errors import DataError
from gbdist.jobs import tables
from gbdist.jobs.columns import ColumnKinds
from gbdist.jobs.tables import open_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rows 0 … 59 in three files of two row groups; the second file has its columns in another order."""
    found = tmp_path / "data"
    found.mkdir()
    for number in range(3):
        rows = np.arange(number * 20, (number + 1) * 20)
        table = pd.DataFrame({"row": rows, "half": rows / 2, "y": rows % 2})
        table[["y", "half", "row"] if number == 1 else ["row", "half", "y"]].to_parquet(
            found / f"part-{number}.parquet", row_group_size=10
        )
    return found


def test_rows_and_columns_are_in_order(folder: Path) -> None:
    table = open_table([str(folder)], required=["y"])
    assert list(table.columns) == ["row", "half", "y"]
    assert table.npartitions == 3
    computed = table.compute(scheduler="sync")
    assert computed["row"].tolist() == list(range(60))
    assert computed["half"].dtype == np.float64


def test_large_files_are_several_partitions_and_columns_have_the_same_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PARTITION_BYTES", 10 * 3 * 4)
    table = open_table([str(folder)], required=["y"])
    assert table.npartitions == 6
    # Dask may join files once columns are dropped; then X and y would not fit together any more.
    assert len(table["y"].to_delayed()) == len(table.drop(columns="y").to_delayed()) == 6
    assert table["y"].compute(scheduler="sync").tolist() == [row % 2 for row in range(60)]


def test_csv_gives_the_same_rows_and_features_may_have_gaps(tmp_path: Path) -> None:
    rows = [f"{row},{row / 2},{row % 2}" for row in range(59)]
    (tmp_path / "data.csv").write_text("\n".join(["row,half,y", *rows, ",29.5,1", ""]))
    table = open_table([str(tmp_path / "data.csv")], required=["y"])
    computed = table.compute(scheduler="sync")
    assert computed["row"].tolist()[:59] == list(range(59))
    assert np.isnan(computed["row"].iloc[59])
    assert computed["y"].dtype == np.int64  # labels stay whole numbers
    assert computed["half"].tolist() == [row / 2 for row in range(60)]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_features_that_are_no_numbers_are_named_before_a_row_is_read(tmp_path: Path, ending: str) -> None:
    table = pd.DataFrame({"the city": ["Oslo", "Rome"], "day": pd.to_datetime(["2024-01-01"] * 2), "y": ["a", "b"]})
    path = tmp_path / f"data.{ending}"
    table.to_parquet(path) if ending == "parquet" else table.to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        open_table([str(path)], required=["y"])
    assert str(caught.value) == (
        "columns 'the city', 'day': found text and dates or times, expected numbers. "
        "Name categories with --cat, encode others as numbers, or leave out with: --ignore 'the city' --ignore day"
    )
    with pytest.raises(DataError, match=r"numbers. Encode as numbers, or leave out with: --ignore day$"):
        open_table([str(path)], required=["y"], ignore=["the city"])


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_categories_are_texts_whatever_their_partition_looks_like(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for number, codes in enumerate((["a", "b", None], [3, 1, 3])):
        part = pd.DataFrame({"code": codes, "row": np.arange(3) + 3 * number, "y": [0, 1, 0]})
        path = folder / f"part-{number}.{ending}"
        part.to_parquet(path, index=False) if ending == "parquet" else part.to_csv(path, index=False)
    table = open_table([str(folder)], required=["y"], kinds=ColumnKinds(("code",)), cat_nan="none")
    assert isinstance(table.dtypes["code"], pd.CategoricalDtype)
    parts = [part.compute(scheduler="sync") for part in table.to_delayed()]
    assert all(isinstance(part["code"].dtype, pd.CategoricalDtype) for part in parts)
    assert [part["code"].tolist() for part in parts] == [["a", "b", "none"], ["3", "1", "3"]]
    assert table["row"].compute(scheduler="sync").tolist() == list(range(6))


def test_text_features_of_a_csv_file_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("note,y\n01,0\n,1\n")
    table = open_table([str(path)], required=["y"], kinds=ColumnKinds(text=("note",)))
    assert table["note"].compute(scheduler="sync").tolist() == ["01", ""]


def test_file_that_lacks_a_column_is_named(folder: Path) -> None:
    pd.DataFrame({"row": [1], "y": [0]}).to_parquet(folder / "part-3.parquet")
    with pytest.raises(DataError, match=r"^.*/part-3.parquet: found no column 'half'"):
        open_table([str(folder)], required=["y"])


def test_broken_row_groups_are_named_with_their_file(folder: Path) -> None:
    path = folder / "part-1.parquet"
    table = open_table([str(folder)], required=["y"])
    path.write_bytes(b"PAR1" + b"\0" * 40 + path.read_bytes()[44:])
    with pytest.raises(DataError, match=r"^.*/part-1.parquet: found something that cannot be read"):
        table.compute(scheduler="sync")
