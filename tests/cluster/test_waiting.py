"""Waiting for tasks ends, whatever becomes of them and of the workers."""

import operator
import time
from typing import Any

import pytest
from distributed import Client, LocalCluster

from gbdist_cluster import waiting
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.plugin import prepare
from gbdist_cluster.waiting import attended, completed


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


def attending(client: Client) -> list[str]:
    """Whose work the scheduler attends to."""

    def ask(dask_scheduler: Any) -> list[str]:
        return list(dask_scheduler.plugins["gbdist"]._watch._attended.values())

    return list(client.run_on_scheduler(ask))


def test_workers_are_watched_while_a_block_runs_however_it_ends(client: Client) -> None:
    prepare(client)
    with attended(client):
        with attended(client):  # of two fits at once, each has its own
            assert attending(client) == [client.id] * 2
        assert attending(client) == [client.id]
    with pytest.raises(KeyError), attended(client):
        raise KeyError
    assert attending(client) == []


def test_nobody_watches_for_a_client_that_left(client: Client, cluster: LocalCluster) -> None:
    prepare(client)
    other = Client(cluster, set_as_default=False)
    with attended(other):
        assert attending(client) == [other.id]
        other.close()
    assert attending(client) == []


def test_a_scheduler_that_does_not_answer_is_told_of_at_the_beginning_alone(cluster: LocalCluster) -> None:
    other = Client(cluster, set_as_default=False)
    other.close()
    with pytest.raises(ClusterError, match="The Dask client is closed"), attended(other):
        pytest.fail("nobody watches")
