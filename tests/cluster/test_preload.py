"""A scheduler that is started with the preload has gbdist's plugins before anybody connects, and its workers as they join."""

import gc
from typing import Any

from distributed import Client

from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.plugin import prepare


def test_plugins_are_there_before_a_run(outside: str) -> None:
    def look(dask_scheduler: Any) -> tuple[list[str], int, bool]:
        """Names of plugins, how many things of ours have been made, and whether our handlers are there."""
        from gbdist_cluster.plugin import GbdistSchedulerPlugin
        from gbdist_cluster.watch import Watch

        ours = [thing for thing in gc.get_objects() if type(thing) in (GbdistSchedulerPlugin, Watch)]
        return sorted(dask_scheduler.plugins), len(ours), "gbdist_lease" in dask_scheduler.handlers

    with Client(outside, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        names, made, answers = client.run_on_scheduler(look)
        assert names.count("gbdist") == 1
        assert (made, answers) == (2, True)  # one plugin, started once
        installed = client.run(lambda dask_worker: "gbdist-tell" in dask_worker.stream_handlers)
        assert list(installed.values()) == [True]


def test_a_run_uses_the_plugins_that_are_there(outside: str) -> None:
    def rank_of(context: RankContext) -> int:
        return context.rank

    with Client(outside, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        before = client.run_on_scheduler(lambda dask_scheduler: id(dask_scheduler.plugins["gbdist"]))
        prepare(client)
        assert client.run_on_scheduler(lambda dask_scheduler: id(dask_scheduler.plugins["gbdist"])) == before
        (worker,) = client.scheduler_info(n_workers=-1)["workers"]
        assert run_on_gang(client, rank_of, members=[Member(worker)]) == [0]
