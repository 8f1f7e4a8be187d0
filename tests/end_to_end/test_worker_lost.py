"""A worker that dies before the trees begin costs its partitions' computation, not the model."""

import os
from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier
from gbdist.errors import ClusterError
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cluster.launch.local import start_local


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(4_000, 4)).astype(np.float32)
    return pd.DataFrame(values, columns=list("abcd")).assign(y=(values[:, 0] > values[:, 1]).astype(np.int64))


def fit(client: Client | None, X: object) -> bytes:
    return fixed_cbm_bytes(DaskCatBoostClassifier(iterations=5, depth=3, client=client).fit(X, "y").model_)


def test_worker_killed_while_it_computes_a_partition(table: pd.DataFrame, tmp_path: Path) -> None:
    flag = tmp_path / "died"

    def die_once(part: pd.DataFrame, partition_info: dict[str, int] | None = None) -> pd.DataFrame:
        if partition_info and partition_info["number"] == 2 and not flag.exists():
            flag.touch()
            os._exit(1)
        return part

    frame = dd.from_pandas(table, npartitions=4, sort=False).map_partitions(die_once, meta=table.iloc[:0])
    with start_local(workers=2, threads=1, dashboard=False) as local:
        assert fit(local.client, frame) == fit(None, table)
    assert flag.exists()


def test_partition_that_kills_every_worker_is_named(table: pd.DataFrame) -> None:
    def die(part: pd.DataFrame, partition_info: dict[str, int] | None = None) -> pd.DataFrame:
        if partition_info and partition_info["number"] == 1:
            os._exit(1)
        return part

    frame = dd.from_pandas(table, npartitions=2, sort=False).map_partitions(die, meta=table.iloc[:0])
    with start_local(workers=2, threads=1, dashboard=False) as local:
        with pytest.raises(ClusterError) as refused:
            fit(local.client, frame)
        assert str(refused.value).startswith("Workers died again and again while they ran ")
        assert str(refused.value).endswith(
            "Give workers more memory, or the data smaller partitions, and look at the workers' logs."
        )
