"""Waiting for tasks ends, whatever becomes of them and of the workers."""

import operator
import time

import pytest
from distributed import Client, LocalCluster

from gbdist_cluster import waiting
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.waiting import completed


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> LocalCluster:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(waiting, "NO_WORKERS_SECONDS", 0.2)
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as made:
        yield made


@pytest.fixture
def client(cluster: LocalCluster) -> Client:
    with Client(cluster, set_as_default=False) as made:
        yield made


def test_each_comes_once_with_its_end(client: Client) -> None:
    good, bad = client.submit(operator.truediv, 1, 1), client.submit(operator.truediv, 1, 0)
    cancelled = client.submit(operator.truediv, good, bad)
    assert {future.key for future in completed(client, [good, bad, cancelled])} == {good.key, bad.key, cancelled.key}
    assert (good.status, bad.status, cancelled.status) == ("finished", "error", "error")
    assert list(completed(client, [])) == []


def test_cancelled_task_ends(client: Client) -> None:
    future = client.submit(operator.add, 1, 1)
    client.cancel([future])
    assert [one.status for one in completed(client, [future])] == ["cancelled"]


def test_worker_gone_before_its_task_is_done(client: Client, cluster: LocalCluster) -> None:
    client.sync(cluster.workers[0].close)
    future = client.submit(operator.add, 1, 1)
    with pytest.raises(ClusterError, match="has no workers"):
        list(completed(client, [future]))


def test_data_that_nobody_can_make_again(client: Client, cluster: LocalCluster) -> None:
    (data,) = client.scatter([1], hash=False)
    client.sync(cluster.workers[0].close)
    end = time.monotonic() + 60
    while data.status == "finished" and time.monotonic() < end:  # until the client has heard of it
        client.run_on_scheduler(lambda: None)  # a question, not a loop that keeps the client from hearing
    (ended,) = completed(client, [data])
    assert ended.status in ("lost", "cancelled")  # which of them depends on the version of Dask
