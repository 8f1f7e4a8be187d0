"""Shards live outside Dask's accounts, move when their handle moves, and are freed with it."""

import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import pytest
from dask.sizeof import sizeof
from distributed import Client, LocalCluster
from distributed.protocol import deserialize, serialize
from distributed.protocol.serialize import deserialize_bytes, serialize_bytelist

from gbdist_cluster import shards
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.plugin import GbdistWorkerPlugin, prepare
from gbdist_cluster.shards import ShardHandle, ShardStore, keep, stored_bytes, wait_for_shards

SIZE = 4_000_000


def stored(client: Client) -> dict[str, int]:
    """Bytes that each worker stores."""

    def ask() -> int:
        from gbdist_cluster import shards

        return shards.stored_bytes()

    return dict(client.run(ask))


def until(condition: Callable[[], bool]) -> bool:
    """Look again and again for 30 s; whether the condition came true."""
    end = time.monotonic() + 30
    while not (met := condition()) and time.monotonic() < end:
        pass
    return met


def make(size: int) -> Callable[[], ShardHandle]:
    """A task that keeps ``size`` bytes."""
    return lambda: keep(np.ones(size, dtype=np.uint8))


def test_a_handle_pickles_its_shard_and_shares_its_buffer() -> None:
    handle = keep(np.arange(1000))
    buffers: list[pickle.PickleBuffer] = []
    header = pickle.dumps(handle, protocol=5, buffer_callback=buffers.append)
    assert len(header) < 1000
    assert np.shares_memory(np.frombuffer(buffers[0].raw(), dtype=np.int64), handle.shard)
    copy = pickle.loads(header, buffers=buffers)
    assert np.shares_memory(copy.shard, handle.shard)
    assert copy.nbytes == 8000
    assert repr(copy) == "<ShardHandle of 8,000 bytes>"


def test_dask_is_told_that_a_handle_is_small() -> None:
    assert sizeof(keep(np.ones(SIZE))) < 1000


def test_a_handle_on_the_wire_carries_its_shard() -> None:
    handle = keep(np.arange(1000))
    header, frames = serialize(handle, context={"sender": {}, "recipient": {}})
    assert np.array_equal(deserialize(header, frames).shard, np.arange(1000))


def test_a_held_handle_on_disk_is_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    store, handle = ShardStore(), keep(np.ones(SIZE, dtype=np.uint8))
    store.hold("key", handle)
    monkeypatch.setitem(shards._stores, store, store)  # any key will do, and none must stay
    spilled = b"".join(serialize_bytelist(handle, on_error="raise"))
    assert len(spilled) < 1000
    assert deserialize_bytes(spilled).shard is handle.shard
    del handle
    assert deserialize_bytes(spilled).nbytes == SIZE  # the store holds it
    store.release("key")
    with pytest.raises(ClusterError, match="A shard was read in a process that does not hold it"):
        deserialize_bytes(spilled)


def test_a_handle_that_nobody_holds_goes_to_disk_whole() -> None:
    spilled = b"".join(serialize_bytelist(keep(np.arange(1000)), on_error="raise"))
    assert np.array_equal(deserialize_bytes(spilled).shard, np.arange(1000))


def test_stored_bytes_count_a_shard_once_and_end_with_its_handles() -> None:
    before = stored_bytes()
    shard = np.ones(1000, dtype=np.uint8)
    first, second = keep(shard), keep(shard)
    assert stored_bytes() == before + 1000
    del first
    assert stored_bytes() == before + 1000
    del second
    assert stored_bytes() == before


def test_a_shard_stays_where_it_was_made_until_its_future_goes(client: Client, workers: list[str]) -> None:
    future = client.submit(make(SIZE), workers=[workers[0]], pure=False)
    assert until(future.done)
    assert stored(client) == {workers[0]: SIZE, workers[1]: 0}
    assert client.nbytes(summary=False)[future.key] < 1000
    del future
    assert until(lambda: stored(client) == {workers[0]: 0, workers[1]: 0})


def test_a_shard_moves_with_its_handle(client: Client, workers: list[str]) -> None:
    future = client.submit(make(SIZE), workers=[workers[0]], pure=False)
    total = client.submit(lambda handle: int(handle.shard.sum()), future, workers=[workers[1]], pure=False)
    assert total.result() == SIZE
    assert stored(client)[workers[0]] == SIZE
    del total, future
    assert until(lambda: stored(client) == {workers[0]: 0, workers[1]: 0})


def test_a_task_that_fails_keeps_nothing(client: Client, workers: list[str]) -> None:
    def task() -> None:
        keep(np.ones(SIZE, dtype=np.uint8))
        raise ValueError("no")

    future = client.submit(task, workers=[workers[0]], pure=False)
    assert isinstance(future.exception(), ValueError)
    del future
    assert until(lambda: stored(client) == {workers[0]: 0, workers[1]: 0})


def test_a_shard_outlives_being_spilled(client: Client, workers: list[str]) -> None:
    future = client.submit(make(SIZE), workers=[workers[0]], pure=False)
    assert until(future.done)
    key = future.key

    def spill(dask_worker: Any) -> tuple[int, bool]:
        data = dask_worker.data
        while data.evict() >= 0 and data.fast:
            pass
        return sum(size.disk for size in [data.spilled_total]), key in data.disk

    on_disk, is_spilled = client.run(spill, workers=[workers[0]])[workers[0]]
    assert is_spilled
    assert on_disk < 2000
    assert stored(client)[workers[0]] == SIZE
    total = client.submit(lambda handle: int(handle.shard.sum()), future, workers=[workers[0]], pure=False)
    assert total.result() == SIZE
    del total, future
    assert until(lambda: stored(client) == {workers[0]: 0, workers[1]: 0})


def test_what_dask_lets_go_while_a_worker_closes_goes() -> None:
    before = stored_bytes()
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", memory_limit=0
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        prepare(client)
        future = client.submit(make(SIZE), pure=False)
        assert until(future.done)
        worker = cluster.workers[0]
        assert stored_bytes() == before + SIZE
        cluster.sync(worker.close)
        assert list(worker.data) == [future.key]
        worker.data.clear()  # as where the scheduler's word comes when our plugin has ended; Dask never frees the worker itself
        assert stored_bytes() == before


def test_a_plugin_that_is_put_in_anew_finds_what_its_worker_keeps(client: Client, workers: list[str]) -> None:
    future = client.submit(make(SIZE), workers=[workers[0]], pure=False)
    assert until(future.done)

    async def again(dask_worker: Any) -> bool:
        store = shards.open_store(dask_worker)
        await dask_worker.plugin_add(GbdistWorkerPlugin(), name="gbdist")
        return shards.open_store(dask_worker) is store and future_key in store._by_key

    future_key = future.key
    assert client.run(again, workers=[workers[0]]) == {workers[0]: True}
    del future
    assert until(lambda: stored(client) == {workers[0]: 0, workers[1]: 0})


def test_shards_that_were_released_are_not_waited_for(client: Client, workers: list[str]) -> None:
    future = client.submit(make(10), workers=[workers[0]], pure=False)
    future.cancel()
    with pytest.raises(ClusterError, match=r"Shards are gone: .*\. Make the data set anew"):
        wait_for_shards(client, [future])


def test_shards_whose_workers_all_left_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(shards, "NO_WORKERS_SECONDS", 0.2)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        future = client.submit(make(10), pure=False)
        wait_for_shards(client, [future])
        cluster.scale(0)
        assert until(lambda: not client.scheduler_info(n_workers=-1)["workers"])
        assert until(lambda: future.status != "finished")  # the client hears of the loss in a message of its own
        with pytest.raises(ClusterError, match=r"has no workers after 0\.2 s"):
            wait_for_shards(client, [future])


def test_waiting_in_several_threads_leaves_dasks_scheduler_alone(client: Client) -> None:
    before = dask.config.get("scheduler", None)
    future = client.submit(make(10), pure=False)
    threads = [threading.Thread(target=wait_for_shards, args=(client, [future])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert dask.config.get("scheduler", None) == before
