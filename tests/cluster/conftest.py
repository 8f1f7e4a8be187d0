"""One cluster of two worker processes for all tests of the Dask side; tests that break workers start their own."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client, Event, Future

from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare


@pytest.fixture(scope="session")
def session_client() -> Iterator[Client]:
    with start_local(workers=2, threads=1, dashboard=False) as local:
        prepare(local.client)
        yield local.client


@pytest.fixture
def client(session_client: Client) -> Iterator[Client]:
    """The client of two workers; the test fails if it leaves tasks or data on them."""
    yield session_client
    gc.collect()  # an ExceptionInfo of pytest refers to its test's frame, and that to its futures

    async def tasks_left(dask_scheduler: Any) -> list[str]:
        # Releases travel as messages of their own, so they may arrive after the test has ended.
        for _ in range(500):
            if not dask_scheduler.tasks:
                return []
            await asyncio.sleep(0.01)
        return [str(key) for key in dask_scheduler.tasks]

    assert session_client.run_on_scheduler(tasks_left) == []


@pytest.fixture
def workers(client: Client) -> list[str]:
    """Addresses of the two workers."""
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


@pytest.fixture
def occupy(client: Client) -> Iterator[Callable[[str], tuple[Future, Event]]]:
    """Fill a worker's only thread with the task ``somebody-else``, until the event that comes back is set."""
    gates = []

    def fill(address: str) -> tuple[Future, Event]:
        name = f"gate-{len(gates)}-{address}"
        gate, begun = Event(name, client=client), Event(f"begun-{name}", client=client)
        gates.append(gate)

        def wait(name: str) -> None:
            Event(f"begun-{name}").set()
            Event(name).wait(timeout=60)

        future = client.submit(wait, name, key="somebody-else", workers=[address], pure=False)
        assert begun.wait(timeout=30)
        begun.clear()
        return future, gate

    yield fill
    for gate in gates:
        gate.clear()
