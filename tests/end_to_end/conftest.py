"""Two worker processes for tests of the whole, and a look at what they are left with."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client

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


async def _left(dask_scheduler: Any) -> tuple[list[str], list[str]]:
    # Releases travel as messages of their own, so they may arrive after the test has ended.
    plugin = dask_scheduler.plugins.get("gbdist")
    for _ in range(500):
        leases = [] if plugin is None else [*plugin._table._held, *plugin._table._queue]
        if not dask_scheduler.tasks and not leases:
            return [], []
        await asyncio.sleep(0.01)
    return [str(key) for key in dask_scheduler.tasks], leases
