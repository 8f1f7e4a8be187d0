"""Dask's profiler looks less often while a rank runs, and as often as before afterwards."""

from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client, get_worker

from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.profiling import SLOWER, seldom_profiled


class Timer:
    """A periodic callback."""

    callback_time = 10.0


def timers_of(client: Client) -> list[float]:
    """Milliseconds between two looks, of each worker."""

    def look(dask_worker: Any) -> float:
        return float(dask_worker.periodic_callbacks["profile"].callback_time)

    return list(client.run(look).values())


def test_the_profiler_looks_less_often_while_a_rank_runs(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> float:
        return float(get_worker().periodic_callbacks["profile"].callback_time)

    usual = timers_of(client)
    found = run_on_gang(client, routine, members=[Member(address) for address in workers])
    assert found == [SLOWER * time for time in usual]
    assert timers_of(client) == usual


def test_it_does_so_until_the_last_rank_has_ended() -> None:
    worker = SimpleNamespace(periodic_callbacks={"profile": Timer()})
    first, second = seldom_profiled(worker), seldom_profiled(worker)
    first.__enter__()
    second.__enter__()
    assert worker.periodic_callbacks["profile"].callback_time == 100.0
    first.__exit__(None, None, None)
    assert worker.periodic_callbacks["profile"].callback_time == 100.0
    second.__exit__(None, None, None)
    assert worker.periodic_callbacks["profile"].callback_time == 10.0
    with pytest.raises(KeyError), seldom_profiled(worker):
        raise KeyError("in a routine")
    assert worker.periodic_callbacks["profile"].callback_time == 10.0


def test_a_worker_without_a_profiler_is_left_alone() -> None:
    with seldom_profiled(SimpleNamespace(periodic_callbacks={})):
        pass
