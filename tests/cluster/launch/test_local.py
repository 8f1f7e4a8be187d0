"""Local clusters: what they listen on, that they end, and the one that is there without asking."""

import asyncio
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import dask.config
import psutil
import pytest
from distributed import Client, Status

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.launch import local
from gbdist_cluster.launch.local import default_client, start_local


@pytest.fixture(autouse=True)
def as_users_have_them() -> Iterator[None]:
    """Processes are started anew, and not forked as in other tests."""
    with dask.config.set({"distributed.worker.multiprocessing-method": "spawn"}):
        yield


def test_workers_and_dashboard_on_the_loopback() -> None:
    with start_local(workers=1, threads=2, memory_limit="1 GiB") as started:
        client = started.client
        assert client.submit(lambda: 6 * 7).result() == 42
        (worker,) = client.scheduler_info(n_workers=-1)["workers"].values()
        assert worker["nthreads"] == 2
        assert worker["memory_limit"] == 2**30
        assert client.scheduler.address.startswith("tcp://127.0.0.1:")
        assert started.dashboard_link is not None
        assert started.dashboard_link.startswith("http://127.0.0.1:")
    assert client.status == "closed"
    started.close()


def test_ctrl_c_in_a_terminal_does_not_reach_the_workers() -> None:
    def blocked() -> bool:
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    with start_local(workers=2, dashboard=False) as started:
        assert list(started.client.run(blocked).values()) == [True, True]
        assert not blocked()  # here it still stops what runs


def test_without_a_dashboard() -> None:
    with start_local(workers=1, dashboard=False, processes=False) as started:
        assert started.dashboard_link is None


def test_workers_that_cannot_start() -> None:
    with pytest.raises(ClusterError, match="1 local workers could not be started"):
        start_local(workers=1, memory_limit="many bytes")


def test_workers_that_dask_does_not_stop_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: object, **options: object) -> None:
        await asyncio.sleep(3600.0)

    monkeypatch.setattr(local, "_CLOSE_SECONDS", 0.5)
    workers = start_local(1, dashboard=False)
    pids = [nanny.pid for nanny in workers.cluster.workers.values()]
    processes = [psutil.Process(pid) for pid in pids]
    for nanny in workers.cluster.workers.values():
        monkeypatch.setattr(nanny, "close", never)
    workers.close()
    workers.close()
    gone, alive = psutil.wait_procs(processes, timeout=30)
    assert (len(gone), alive) == (1, [])


def test_the_current_client_is_the_default(client: Client) -> None:
    with client.as_current():
        assert default_client() is client


def test_a_default_client_that_was_closed_is_replaced_with_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_default", None)
    monkeypatch.setattr(local, "_can_spawn", lambda: False)
    try:
        first = default_client()
        cluster = first.cluster
        first.close()
        assert default_client().submit(lambda: 6 * 7).result() == 42
        assert cluster.status == Status.closed
    finally:
        local._close_default()


SCRIPT = """
from gbdist_cluster.launch.local import default_client
client = default_client()
assert default_client() is client
print(client.submit(lambda: 6 * 7).result(), client.cluster.scheduler.address.split(":")[0])
"""


@pytest.mark.parametrize(
    ("script", "transport"),
    [
        pytest.param(SCRIPT, "inproc", id="without a guard"),
        pytest.param("if __name__ == '__main__':\n" + SCRIPT.replace("\n", "\n    "), "tcp", id="with a guard"),
    ],
)
def test_a_script_without_a_client_just_works_and_ends_quietly(tmp_path: Path, script: str, transport: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(script)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout == f"42 {transport}\n"


@pytest.mark.parametrize(
    ("source", "can"),
    [
        ("import x\nx.fit()\n", False),
        ("def main(): ...\nif __name__ == '__main__':\n    main()\n", True),
        (None, True),  # a prompt or a notebook
    ],
)
def test_who_may_start_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, can: bool
) -> None:
    main = types.ModuleType("__main__")
    if source is not None:
        path = tmp_path / "main.py"
        path.write_text(source)
        main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert local._can_spawn() is can
