"""The plugins arrive everywhere, once."""

import importlib
import time
from typing import Any

import pytest
from distributed import Client, LocalCluster, WorkerPlugin

from gbdist_cluster import plugin
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.plugin import prepare


def handlers_of(client: Client) -> list[bool]:
    """Whether each worker listens to our letters."""

    def look(dask_worker: Any) -> bool:
        return "gbdist-tell" in dask_worker.stream_handlers and "gbdist" in dask_worker.plugins

    return list(client.run(look).values())


def test_the_second_time_costs_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(client)
    monkeypatch.setattr(plugin, "_register", lambda *args: pytest.fail("registered again"))
    begin = time.perf_counter()
    prepare(client)
    assert time.perf_counter() - begin < 0.01


def test_a_second_client_leaves_the_leases_alone(client: Client) -> None:
    def plugin_id(dask_scheduler: Any) -> int:
        return id(dask_scheduler.plugins["gbdist"])

    before = client.run_on_scheduler(plugin_id)
    with Client(client.scheduler.address, set_as_default=False) as second:
        prepare(second)
        assert second.run_on_scheduler(plugin_id) == before
        assert handlers_of(second) == [True, True]


def test_a_second_client_waits_for_workers_that_the_first_has_not_reached(client: Client) -> None:
    def forget(dask_worker: Any) -> None:
        dask_worker.kept_handler = dask_worker.stream_handlers.pop("gbdist-tell")

    def remember(dask_worker: Any) -> None:
        dask_worker.stream_handlers["gbdist-tell"] = dask_worker.kept_handler

    with Client(client.scheduler.address, set_as_default=False) as second:
        client.run(forget)
        try:
            with pytest.raises(ClusterError, match=r"did not take gbdist's plugins within 0\.2 s"):
                prepare(second, timeout=0.2)
        finally:
            client.run(remember)
        prepare(second)


def test_a_cluster_that_refuses_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfAnotherMachine(WorkerPlugin):  # type: ignore[misc]
        """Cannot be read where its module is missing."""

        name = "gbdist"
        idempotent = True

        def __reduce__(self) -> tuple[object, tuple[str]]:
            return importlib.import_module, ("gbdist_that_is_not_installed",)

    monkeypatch.setattr(plugin, "GbdistWorkerPlugin", OfAnotherMachine)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(ClusterError) as caught,
    ):
        prepare(client)
    problem, fix = caught.value.args
    assert "refused gbdist's plugins" in problem
    assert "ModuleNotFoundError" in problem
    assert fix == "Install the same gbdist on the scheduler and all workers, and restart them."


def test_workers_that_come_later_have_it_too() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        prepare(client)
        cluster.scale(2)
        client.wait_for_workers(2, timeout=30)
        assert handlers_of(client) == [True, True]

        def routine(context: RankContext) -> list[bytes]:
            return context.collective.all_gather(str(context.rank).encode())

        members = [Member(address) for address in sorted(client.scheduler_info(n_workers=-1)["workers"])]
        # Two workers in one process: their ranks must not be taken for one another.
        assert run_on_gang(client, routine, members=members) == [[b"0", b"1"]] * 2


def test_what_a_nanny_says_when_it_kills_its_worker_is_heard(client: Client) -> None:
    def full(dask_scheduler: Any) -> list[str]:
        watch = dask_scheduler.plugins["gbdist"]._watch
        heard = sorted(watch._full)
        for address in heard:
            watch.left(address, [])
        return heard

    client.log_event(
        "worker-restart-memory", {"worker": "tcp://full:1", "pid": 1, "rss": 2}
    )  # distributed's worker_memory.py
    client.log_event("another topic", {"worker": "tcp://other:1"})
    assert client.run_on_scheduler(full) == ["tcp://full:1"]
    assert client.run_on_scheduler(full) == []
