"""Rows of files are chosen by where they are: always the same ones, from everywhere, as many as asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gbdist.jobs import sampling
from gbdist.jobs.files import find_files
from gbdist.jobs.pieces import Piece, cut_into_pieces
from gbdist.jobs.sampling import sample_files

N_ROWS = 5_000


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame({"number": np.arange(N_ROWS), "other": np.arange(N_ROWS) % 7, "unread": 0})


def written(table: pd.DataFrame, folder: Path, ending: str) -> str:
    for part in range(3):
        rows = table.iloc[part * 2_000 : (part + 1) * 2_000]
        if ending == "csv":
            rows.to_csv(folder / f"{part}.csv", index=False)
        else:
            rows.to_parquet(folder / f"{part}.parquet", index=False, row_group_size=300)
    return str(folder)


def numbers(found: sampling.Sampled) -> list[int]:
    return [int(number) for batch, _ in found.tables for number in batch.column("number").to_pylist()]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_rows_are_chosen_by_hash_and_counted(table: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    files = find_files([written(table, tmp_path, ending)])
    pieces = cut_into_pieces(files, ["other", "number"], piece_bytes=8_000)
    assert len(pieces) > 5
    found = sample_files(pieces, ["other", "number"], 400)
    chosen = numbers(found)
    assert (found.n, found.among, found.counted) == (400, N_ROWS, True)
    assert len(set(chosen)) == 400
    assert chosen == sorted(chosen)  # in the order of the files
    assert np.mean(chosen) == pytest.approx(N_ROWS / 2, rel=0.08)
    assert all(batch.schema.names == ["other", "number"] for batch, _ in found.tables)
    assert chosen == numbers(sample_files(pieces, ["other", "number"], 400))
    assert set(numbers(sample_files(pieces, ["other", "number"], 100))) < set(chosen)


def test_all_rows_where_there_are_few(table: pd.DataFrame, tmp_path: Path) -> None:
    pieces = cut_into_pieces(find_files([written(table, tmp_path, "parquet")]), ["number"])
    found = sample_files(pieces, ["number"], N_ROWS)
    assert numbers(found) == list(range(N_ROWS))


@pytest.mark.parametrize(("ending", "counted"), [("parquet", True), ("csv", False)])
def test_only_some_pieces_of_large_data_are_read(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, counted: bool
) -> None:
    monkeypatch.setattr(sampling, "MOST_PIECES", 4)
    pieces = cut_into_pieces(find_files([written(table, tmp_path, ending)]), ["number"], piece_bytes=3_000)
    read: list[int] = []

    original = sampling.read_batches

    def noting(piece: Piece, columns: list[str], batch_rows: int) -> Any:
        read.append(pieces.index(piece))
        return original(piece, columns, batch_rows)

    monkeypatch.setattr(sampling, "read_batches", noting)
    found = sample_files(pieces, ["number"], 200)
    assert len(read) == 4 < len(pieces)
    assert (read[0], read[-1]) == (0, len(pieces) - 1)
    assert found.counted is counted
    assert found.among == pytest.approx(N_ROWS, rel=0.0 if counted else 0.15)
    assert found.n == 200


def test_files_without_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"number": pa.array([], pa.int64())}), tmp_path / "empty.parquet")
    pieces = cut_into_pieces(find_files([str(tmp_path)]), ["number"])
    assert sample_files(pieces, ["number"], 10).n == 0
