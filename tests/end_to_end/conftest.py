"""Two worker processes for tests of the whole and a look at what they are left with; and clusters of several sizes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster

from gbdist_cluster.launch.local import start_local


@pytest.fixture(scope="session")
def two_processes() -> Iterator[Client]:
    with start_local(workers=2, threads=1, dashboard=False) as local:
        yield local.client


@pytest.fixture
def client(two_processes: Client) -> Iterator[Client]:
    """The client of two workers; the test fails if it leaves tasks, data or leases on them."""
    yield two_processes
    assert two_processes.run_on_scheduler(_left) == ([], [])


# One rank and two workers are what tests of this process and of two processes have; `pytest -m soak` looks at them here too.
CLUSTERS = [pytest.param((1, 1), marks=pytest.mark.soak), (1, 2), pytest.param((2, 1), marks=pytest.mark.soak), (3, 1)]


@pytest.fixture(scope="module", params=CLUSTERS, ids=lambda p: f"{p[0]}x{p[1]}")
def cluster(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Workers × threads, in this process."""
    workers, threads = request.param
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=threads, processes=False, dashboard_address=":0", memory_limit=0
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        yield client


async def _left(dask_scheduler: Any) -> tuple[list[str], list[str]]:
    # Releases travel as messages of their own, so they may arrive after the test has ended.
    plugin = dask_scheduler.plugins.get("gbdist")
    for _ in range(500):
        leases = [] if plugin is None else [*plugin._table._held, *plugin._table._queue]
        if not dask_scheduler.tasks and not leases:
            return [], []
        await asyncio.sleep(0.01)
    return [str(key) for key in dask_scheduler.tasks], leases
