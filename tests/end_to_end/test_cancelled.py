"""A fit that nobody wants any more: its ranks stop within two seconds, and the cluster can be used at once."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client

from gbdist import DaskCatBoostRegressor
from gbdist.errors import ClusterError
from gbdist_cluster.launch.local import LocalWorkers, start_local

BOUND_SECONDS = 2.0


@pytest.fixture(scope="module")
def local() -> Iterator[LocalWorkers]:
    with start_local(workers=2, threads=1, dashboard=False) as made:
        yield made


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(40_000, 6)).astype(np.float32)
    return da.from_array(X, chunks=(5_000, 6)), da.from_array(X[:, 0] * X[:, 1], chunks=5_000)


class At:
    """A callback that does something after the fourth tree."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.began = 0.0
        self._work = work

    def after_iteration(self, info: Any) -> bool:
        if info.iteration == 4:
            self.began = time.monotonic()
            self._work()
        return True


def endless(client: Client, rows: tuple[Any, Any], callback: At) -> None:
    DaskCatBoostRegressor(iterations=100_000, depth=4, client=client).fit(*rows, callbacks=[callback])


def until_nothing_runs(client: Client) -> float:
    """When no rank runs on any worker any more, and nobody has a lease."""

    def running() -> int:
        from gbdist_cluster import ranks

        return len(ranks._runs)

    def leases(dask_scheduler: Any) -> int:
        return len(dask_scheduler.plugins["gbdist"]._table.held())

    while any(client.run(running).values()) or client.run_on_scheduler(leases):
        pass
    return time.monotonic()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_ctrl_c(local: LocalWorkers, rows: tuple[Any, Any]) -> None:
    callback = At(interrupt)
    with pytest.raises(KeyboardInterrupt):
        endless(local.client, rows, callback)
    assert until_nothing_runs(local.client) - callback.began < BOUND_SECONDS
    assert trains(local.client, rows)


def test_tasks_of_the_ranks_cancelled(local: LocalWorkers, rows: tuple[Any, Any]) -> None:
    # By somebody else, for example on the dashboard: the run is not gone on with behind their back.
    def cancel() -> None:
        def keys(dask_scheduler: Any) -> list[str]:
            return [key for key in dask_scheduler.tasks if str(key).startswith("gbdist-rank-")]

        ranks = other.run_on_scheduler(keys)
        assert len(ranks) == 2
        told = {"reason": "not wanted any more", "msg": "by a test"}
        other._send_to_scheduler({"op": "cancel-keys", "keys": ranks, "force": True, **told})

    with Client(local.client.scheduler.address, set_as_default=False) as other:
        callback = At(cancel)
        with pytest.raises(ClusterError, match="cancelled"):
            endless(local.client, rows, callback)
        assert until_nothing_runs(other) - callback.began < BOUND_SECONDS
    assert trains(local.client, rows)


def test_client_closed(local: LocalWorkers, rows: tuple[Any, Any]) -> None:
    closed = Client(local.client.scheduler.address, set_as_default=False)
    callback = At(lambda: threading.Thread(target=closed.close).start())
    with pytest.raises(ClusterError):
        endless(closed, rows, callback)
    assert until_nothing_runs(local.client) - callback.began < BOUND_SECONDS
    assert trains(local.client, rows)


def trains(client: Client, rows: tuple[Any, Any]) -> bool:
    """Whether the cluster is of use at once."""
    return bool(DaskCatBoostRegressor(iterations=3, depth=2, client=client).fit(*rows).tree_count_ == 3)
