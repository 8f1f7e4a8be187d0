"""A pool holds the same bins however its rows were given, cut, placed or saved."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from distributed import Client

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation import raw_parts

FEATURES = list("abcdef")
HeldBy = Callable[[DaskPool], Any]


@pytest.fixture
def expected(client: Client, table: pd.DataFrame, held_by: HeldBy) -> Iterator[Any]:
    with DaskPool(table, "y", sample_weight="w", client=client) as pool:
        yield held_by(pool)


def test_bins_are_catboosts_own(client: Client, table: pd.DataFrame, held_by: HeldBy) -> None:
    from catboost import Pool

    quantized = Pool(table[FEATURES], table["y"])
    quantized.quantize(border_count=32)
    with DaskPool(table[FEATURES], table["y"], client=client, border_count=32) as pool:
        values = table[FEATURES].to_numpy()
        bins = held_by(pool).bins
        for feature, borders in enumerate(pool.borders):
            column = values[:, feature]
            below = np.where(np.isnan(column), -np.inf, column)[:, None] > borders.values
            assert np.array_equal(bins[feature], below.sum(axis=1))


@pytest.mark.parametrize("n_parts", [1, 4, 13])
def test_partitions_do_not_matter(
    client: Client, table: pd.DataFrame, expected: Any, held_by: HeldBy, n_parts: int
) -> None:
    frame = dd.from_pandas(table, npartitions=n_parts, sort=False)
    array = da.from_array(table[FEATURES].to_numpy(), chunks=(-(-5_000 // n_parts), 6))
    for X, y, weight in (
        (frame, "y", "w"),
        (frame[FEATURES], frame["y"], frame["w"]),
        (client.persist(frame), "y", "w"),
        (array, table["y"], table["w"]),
        (array, da.from_array(table["y"].to_numpy(), chunks=999), frame["w"].to_dask_array(lengths=True)),
    ):
        with DaskPool(X, y, sample_weight=weight, client=client) as pool:
            assert held_by(pool) == expected


def test_tables_in_memory(client: Client, table: pd.DataFrame, expected: Any, held_by: HeldBy) -> None:
    for X in (pl.from_pandas(table), pa.Table.from_pandas(table), table.astype("float64")):
        with DaskPool(X, "y", sample_weight="w", client=client) as pool:
            assert held_by(pool).bins.tobytes() == expected.bins.tobytes()


def test_sparse_matrix(client: Client, table: pd.DataFrame, held_by: HeldBy) -> None:
    dense = table[FEATURES].to_numpy() * (np.arange(30_000).reshape(5_000, 6) % 3 == 0)
    dense = np.nan_to_num(dense)
    with (
        DaskPool(sp.csr_matrix(dense), client=client) as sparse,
        DaskPool(dense, client=client) as plain,
    ):
        assert held_by(sparse) == held_by(plain)


def test_many_small_blocks(
    client: Client, table: pd.DataFrame, expected: Any, held_by: HeldBy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_parts, "BLOCK_BYTES", 10_000)
    with DaskPool(table, "y", sample_weight="w", client=client) as pool:
        assert held_by(pool) == expected


def test_partitions_without_rows(client: Client, table: pd.DataFrame, expected: Any, held_by: HeldBy) -> None:
    parts = [table.iloc[:0], table.iloc[:2_000], table.iloc[2_000:2_000], table.iloc[2_000:], table.iloc[:0]]
    frame = dd.from_map(lambda i: parts[i], range(5), meta=table.iloc[:0])
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        assert held_by(pool) == expected


def test_partitions_of_other_types_and_column_orders(
    client: Client, table: pd.DataFrame, expected: Any, held_by: HeldBy
) -> None:
    parts = [
        table.iloc[:1_000].astype({"a": "float64", "y": "int8"}),
        table.iloc[1_000:2_000].astype({"y": "uint16"}),
        table.iloc[2_000:][["y", "f", "e", "w", "d", "c", "b", "a"]],
    ]
    frame = dd.from_map(lambda i: parts[i], range(3), meta=table.iloc[:0])
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        assert held_by(pool) == expected


def test_borders_of_another_pool(client: Client, table: pd.DataFrame, held_by: HeldBy) -> None:
    with DaskPool(table, "y", sample_weight="w", client=client) as pool:
        frame = dd.from_pandas(table.iloc[1_000:3_000], npartitions=3, sort=False)
        with DaskPool(frame, "y", sample_weight="w", borders_of=pool) as other:
            assert other.data.members == pool.data.members
            assert np.array_equal(held_by(other).bins, held_by(pool).bins[:, 1_000:3_000])


def test_borders_of_beside_border_count(client: Client, table: pd.DataFrame) -> None:
    with DaskPool(table, "y", client=client) as pool, pytest.raises(ParameterError) as refused:
        DaskPool(table, "y", borders_of=pool, border_count=7)
    assert str(refused.value) == (
        "border_count=7 cannot be used: expected it to be left out beside borders_of. The other pool's borders are used."
    )


def test_more_than_255_borders_take_two_bytes(client: Client, table: pd.DataFrame, held_by: HeldBy) -> None:
    with DaskPool(table[["a"]], client=client, border_count=600) as pool:
        bins = held_by(pool).bins
        assert bins.dtype == np.uint16
        assert bins.max() == 600
        assert pool.nbytes == 5_000 * (2 + 4)


def test_facts(client: Client, table: pd.DataFrame) -> None:
    with DaskPool(table[[*FEATURES, "y"]], "y", client=client) as pool:
        assert pool.shape == (5_000, 6)
        assert pool.feature_names == tuple(FEATURES)
        assert pool.nbytes == 5_000 * (6 + 4)
        assert repr(pool) == "<DaskPool of 5,000 rows × 6 features on 3 worker(s)>"
    assert repr(pool) == "<DaskPool, closed>"
    with pytest.raises(DataError, match="a closed pool"):
        pool.shape  # noqa: B018


def test_saved_pool_is_loaded_onto_fewer_workers(
    client: Client, table: pd.DataFrame, held_by: HeldBy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline = np.random.default_rng(3).normal(size=(5_000, 2))
    with DaskPool(table, "y", sample_weight="w", baseline=baseline, client=client) as pool:
        pool.save(str(tmp_path / "pool"))
        pool.save(str(tmp_path / "pool"))  # replaces itself
        assert len(list((tmp_path / "pool").iterdir())) == 1 + sum(len(futures) for futures in pool.data.shards)
        with DaskPool.load(str(tmp_path / "pool"), client) as loaded:
            assert held_by(loaded) == held_by(pool)
            assert loaded.data.survey == pool.data.survey
            assert loaded.feature_names == pool.feature_names
        from gbdist.estimators.placing import any_run, choice
        from gbdist.estimators.preparation import pool_files
        from gbdist_cluster.versions import WorkerFacts

        two = [WorkerFacts(address, 1, 0, address) for address in pool.data.members[:2]]
        data, _ = pool_files.load_pool(client, two, str(tmp_path / "pool"), partial(choice, None, any_run))
        assert data.members == pool.data.members[:2]
        data.release()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "found no pool.json, expected a folder that DaskPool.save wrote. Check the path."),
        (
            '{"format": "gbdist-pool", "version": 99}',
            "found format 'gbdist-pool' version 99, expected 'gbdist-pool' version 1 or 2 or 3.",
        ),
        ("[]", "found format None version None, expected 'gbdist-pool' version 1 or 2 or 3."),
    ],
)
def test_folder_that_is_no_pool(client: Client, tmp_path: Path, header: str | None, message: str) -> None:
    if header is not None:
        (tmp_path / "pool.json").write_text(header)
    with pytest.raises(DataError) as refused:
        DaskPool.load(str(tmp_path), client)
    assert message in str(refused.value)
