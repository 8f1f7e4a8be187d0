"""Machines say what they are, and workers measure their connections."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster

from gbdist_cluster import checkup, clocks
from gbdist_cluster.checkup import PACKAGES, clock_skews, facts_here, facts_of_all, links_between, on_workers
from gbdist_cluster.clocks import follow_tasks, scheduler_offset, tasks_since
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.lease import lease


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    # Workers of this process have its memory, which other tests have filled: they would pause.
    memory = {f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause", "terminate")}
    with (
        dask.config.set(memory),
        LocalCluster(
            n_workers=3, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit="1 GiB",
            protocol="tcp://",
        ) as cluster,
        Client(cluster, set_as_default=False) as made,
    ):  # fmt: skip
        yield made


def workers_of(client: Client) -> list[str]:
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


def test_this_machine() -> None:
    facts = facts_here()
    assert set(facts.versions) == set(PACKAGES)
    assert facts.versions["gbdist"]
    assert facts.cores >= 1
    assert facts.memory > 0
    assert facts.disk_free > 0
    assert (facts.threads, facts.limit) == (0, 0)


def test_everybody_says_who_they_are(client: Client) -> None:
    scheduler, workers = facts_of_all(client)
    assert scheduler.versions == facts_here().versions
    assert list(workers) == workers_of(client)
    for facts in workers.values():
        assert (facts.threads, facts.limit) == (1, 1 << 30)
        assert facts.used > 0
        assert facts.folder != facts_here().folder


def test_an_answer_that_fails_is_told(client: Client) -> None:
    first, *_ = workers = workers_of(client)

    def fails(dask_worker: Any) -> str:
        if dask_worker.address == first:
            raise ZeroDivisionError
        return "well"

    found = on_workers(client, fails, workers)
    assert isinstance(found.pop(first), ZeroDivisionError)
    assert set(found.values()) == {"well"}


def test_one_that_hangs_keeps_the_answers_of_others_back_from_nobody(client: Client) -> None:
    first, *_ = workers = workers_of(client)

    async def hangs(dask_worker: Any) -> str:
        if dask_worker.address == first:
            await asyncio.Event().wait()
        return "well"

    found = on_workers(client, hangs, workers, seconds=1.0)
    assert list(found) == workers
    assert isinstance(found.pop(first), TimeoutError)
    assert set(found.values()) == {"well"}


def test_an_answer_that_does_not_come_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Client, "_run", never)
    found = on_workers(client, time.time, ["tcp://a:1", "tcp://b:1"])
    assert [type(one) for one in found.values()] == [TimeoutError, TimeoutError]


def test_clocks_of_one_machine_agree(client: Client) -> None:
    skews = clock_skews(client, workers_of(client))
    assert list(skews) == workers_of(client)
    assert all(skew == 0.0 for skew in skews.values())
    assert abs(scheduler_offset(client)) < 0.5


def test_a_clock_that_is_wrong_is_seen(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "on_workers", lambda *_: {"tcp://a:1": time.time() + 60, "tcp://b:1": OSError()})
    assert clock_skews(client, []) == {"tcp://a:1": pytest.approx(60, abs=0.5)}


def test_each_worker_is_measured_with_the_next(client: Client) -> None:
    workers = workers_of(client)
    found = links_between(client, workers)
    assert [(one.first, one.second) for one in found] == [(workers[0], workers[1]), (workers[1], workers[2])]
    for one in found:
        assert 0 < one.round_seconds < 1
        assert one.bytes_per_second > 1e6


def test_workers_that_are_busy_are_not_waited_for_long(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "_BUSY_SECONDS", 0.2)
    workers = workers_of(client)
    with (
        lease(client, workers, 5.0, lambda *_: None, lease_id="other", label="a run"),
        pytest.raises(ClusterError),
    ):
        links_between(client, workers)


def test_tasks_are_remembered_from_when_they_are_followed(client: Client) -> None:
    follow_tasks(client)
    start = time.time() + scheduler_offset(client)
    client.submit(sum, [1, 2], key="early-task").result()
    found = [one for one in tasks_since(client, start - 0.05) if one.action == "compute"]
    (one,) = [one for one in found if "sum" in one.name or "early-task" in one.name]
    assert one.worker in workers_of(client)
    assert start - 0.05 <= one.start <= one.stop <= start + 60
    assert clocks.tasks_since(client, time.time() + 60) == []
