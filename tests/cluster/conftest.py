"""One cluster of two worker processes for all tests of the Dask side; tests that break workers start their own."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client, Event, Future

from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

from ..processes import Processes


@pytest.fixture(scope="session")
def session_client() -> Iterator[Client]:
    with start_local(workers=2, threads=1, dashboard=False) as local:
        prepare(local.client)
        yield local.client


@pytest.fixture
def client(session_client: Client) -> Iterator[Client]:
    """The client of two workers; the test fails if it leaves tasks or data on them."""
    yield session_client

    async def tasks_left(dask_scheduler: Any, tries: int) -> list[str]:
        # Releases travel as messages of their own, so they may arrive after the test has ended.
        for _ in range(tries):
            if not dask_scheduler.tasks:
                return []
            await asyncio.sleep(0.01)
        return [str(key) for key in dask_scheduler.tasks]

    if session_client.run_on_scheduler(tasks_left, tries=10):
        gc.collect()  # an ExceptionInfo of pytest refers to its test's frame, and that to its futures
        assert session_client.run_on_scheduler(tasks_left, tries=500) == []


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a scheduler that is a process of its own, as its worker is; Dask's commands start both, with our preload."""
    folder = tmp_path_factory.mktemp("preload")
    found = folder / "scheduler.json"
    preload = ("--preload", "gbdist_cluster.preload")
    with Processes(folder) as processes:
        processes.start(
            "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", found, *preload
        )  # fmt: skip
        address = json.loads(processes.wait_for_text(found))["address"]
        # A worker takes the preload too, as it may come from one Dask configuration for both.
        processes.start(
            "dask", "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", folder, "--death-timeout", "60", *preload,
        )  # fmt: skip
        yield str(address)


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
