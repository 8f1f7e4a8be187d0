"""Preparation costs few tasks, keeps no raw rows, and sends none through the scheduler."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import dask.array as da
import dask.dataframe as dd
import pandas as pd
import pytest
from dask.utils import key_split
from distributed import Client, wait

from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation import futures
from gbdist.estimators.preparation.stages import share_edges
from gbdist.estimators.preparation.stored import futures_of


@pytest.mark.parametrize(
    ("n_features", "n_workers", "n_threads", "n_shares"),
    [(28, 2, 2, 2), (28, 2, 16, 16), (3, 8, 8, 3), (500, 4, 400, 64), (500, 100, 100, 100), (1, 1, 1, 1)],
)
def test_features_are_shared_out_evenly(n_features: int, n_workers: int, n_threads: int, n_shares: int) -> None:
    edges = share_edges(n_features, n_workers, n_threads)
    widths = [stop - start for start, stop in itertools.pairwise(edges)]
    assert (len(widths), sum(widths)) == (n_shares, n_features)
    assert max(widths) - min(widths) <= 1
    assert min(widths) >= 1


@pytest.mark.parametrize("n_parts", [5, 20])
@pytest.mark.parametrize("state", ["large", "small", "small and persisted"])
def test_tasks_are_partitions_and_workers_squared(
    client: Client, table: pd.DataFrame, n_parts: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if state == "large":
        monkeypatch.setattr(futures, "_BATCH_BYTES", 1)
    X = da.from_array(table[list("abcdef")].to_numpy(), chunks=(5_000 // n_parts, 6))
    if state == "small and persisted":
        X = client.persist(X)
        with client.as_current():
            wait(X)
    before = _keys_seen(client)
    with DaskPool(X, client=client) as pool:
        pieces = sum(
            len(handle.shard) for of_rank in pool.data.shards for handle in client.gather(futures_of([of_rank]))
        )
    steps = Counter(key_split(key) for key in _keys_seen(client) - before)
    assert n_parts <= pieces <= n_parts + 2  # at most one cut a worker
    assert steps == {
        "gbdist-survey": 3 if state == "small and persisted" else n_parts,
        "gbdist-sample": n_parts if state == "large" else 3,
        "gbdist-cut": 9,
        "gbdist-choose": 3,
        "gbdist-encodings": 1,
        "gbdist-quantize": pieces if state == "large" else 3,
    }


def test_batches_do_not_change_what_a_pool_holds(
    client: Client, table: pd.DataFrame, held_by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = dd.from_pandas(table, npartitions=40, sort=False)
    held = []
    for n_bytes in (1, 10_000, 4 << 20):
        monkeypatch.setattr(futures, "_BATCH_BYTES", n_bytes)
        with DaskPool(X, "y", sample_weight="w", client=client) as pool:
            held.append(held_by(pool))
    assert held[0] == held[1] == held[2]


def _keys_seen(client: Client) -> set[str]:
    """Our tasks among the latest transitions, of which the scheduler remembers a thousand or more."""

    def keys(dask_scheduler: Any) -> list[str]:
        return sorted({str(entry[0]) for entry in dask_scheduler.transition_log if str(entry[0]).startswith("gbdist-")})

    return set(client.run_on_scheduler(keys))


@pytest.mark.parametrize("lazy", [False, True])
def test_raw_rows_are_let_go(client: Client, table: pd.DataFrame, lazy: bool) -> None:
    async def in_memory(dask_scheduler: Any) -> list[str]:
        for _ in range(500):
            kept = sorted({key_split(ts.key) for ts in dask_scheduler.tasks.values() if ts.state == "memory"})
            if kept == ["gbdist-quantize"]:
                break
            await asyncio.sleep(0.01)
        return kept

    X = dd.from_pandas(table, npartitions=7, sort=False) if lazy else table
    with DaskPool(X, "y", client=client):
        assert client.run_on_scheduler(in_memory) == ["gbdist-quantize"]


def test_rows_in_memory_do_not_pass_the_scheduler(
    client: Client, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    scattered: list[dict[str, Any]] = []
    scatter = client._scatter

    def watched(data: Any, **how: Any) -> Any:
        scattered.append(how)
        return scatter(data, **how)

    monkeypatch.setattr(client, "_scatter", watched)
    with DaskPool(table, "y", client=client):
        assert [how["direct"] for how in scattered] == [True] * 3
        assert sorted(at for how in scattered for at in how["workers"]) == sorted(client.nthreads())
