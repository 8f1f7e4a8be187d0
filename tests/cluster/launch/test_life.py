"""The life of a cluster that outlives its command: who may speak to it, and how it ends, whatever happens to its keeper."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, Security, Worker
from distributed.core import rpc

from gbdist.jobs import clusters
from gbdist.jobs.cluster import connect
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.launch import control, keeper, records, start, stop
from gbdist_cluster.launch.certificates import make_certificates, security_of
from gbdist_cluster.launch.config import configure
from gbdist_cluster.launch.facts import ClusterFacts
from gbdist_cluster.launch.records import ClusterRecord


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of state of this file's own."""
    folder = tmp_path_factory.mktemp("home")
    before = os.environ["GBDIST_HOME"]
    os.environ["GBDIST_HOME"] = str(folder)
    yield folder
    os.environ["GBDIST_HOME"] = before


@pytest.fixture(scope="module")
def certs(home: Path) -> dict[str, Path]:
    found = {name: home / name for name in ("ours", "foreign")}
    for folder in found.values():
        make_certificates(folder)
    return found


@pytest.fixture(scope="module")
def running(home: Path, certs: dict[str, Path]) -> Iterator[ClusterFacts]:
    """A cluster of two workers with certificates."""
    said: list[str] = []
    yield clusters.up(configure({"name": "shared", "workers": 2, "threads": 1, "tls": str(certs["ours"])}), said.append)
    clusters.down("shared", said.append)


@pytest.fixture
def up(home: Path) -> Iterator[Callable[..., ClusterFacts]]:
    """Start a cluster of one worker; whatever becomes of it, nothing of it is left after the test."""

    def start_it(**settings: Any) -> ClusterFacts:
        return clusters.up(configure({"name": "one", "workers": 1, "threads": 1, **settings}), lambda _: None)

    yield start_it
    if "one" in [record.name for record in records.all_records()]:
        clusters.down("one", lambda _: None)
    assert sessions(home) == []


def sessions(home: Path, name: str = "one") -> list[psutil.Process]:
    """All processes of a cluster."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(stop.MARK) == f"{home}:{name}":
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Poll; fails after ``seconds``."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(poll(), seconds))


def test_cluster_that_runs(running: ClusterFacts) -> None:
    assert (running.state, running.workers, running.wanted, running.threads) == ("running", 2, 2, 2)
    assert running.scheduler.startswith("tls://127.0.0.1:")
    assert running.dashboard.startswith("http://127.0.0.1:")
    (facts,) = clusters.status(None, lambda _: None)
    assert [replace(one, used=0) for one in facts.each] == [replace(one, used=0) for one in running.each]
    assert os.getsid(running.pid) == running.pid  # a terminal that closes does not reach it
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    ports = [one for member in family for one in member.net_connections() if one.status == psutil.CONN_LISTEN]
    assert {one.laddr.ip for one in ports} == {"127.0.0.1"}
    with connect("shared") as client:
        assert client.submit(lambda: 6 * 7).result() == 42


def test_gbdists_plugins_are_there_before_the_first_run(running: ClusterFacts) -> None:
    with connect("shared") as client:
        assert client.run_on_scheduler(lambda dask_scheduler: "gbdist" in dask_scheduler.plugins)


def test_second_cluster_of_the_name_is_refused(running: ClusterFacts) -> None:
    with pytest.raises(ClusterError, match=f"A cluster 'shared' runs at {running.scheduler}"):
        clusters.up(configure({"name": "shared"}), lambda _: None)
    assert clusters.status("shared", lambda _: None)[0].pid == running.pid


def test_workers_come_and_go(running: ClusterFacts) -> None:
    said: list[str] = []
    assert clusters.scale(3, "shared", said.append).workers == 3
    assert said == ["workers: 3 of 3"]
    assert clusters.scale(2, "shared", said.append).workers == 2


def test_logs_of_the_keeper_and_of_a_worker(running: ClusterFacts) -> None:
    assert any("Scheduler at" in line for line in clusters.logs("shared", None, 1000))
    assert len(clusters.logs(None, None, 3)) == 3
    for worker in clusters.status("shared", lambda _: None)[0].each:
        for name in (worker.name, worker.address):
            assert any("Registered to" in line for line in clusters.logs("shared", name, 100))
    with pytest.raises(ClusterError, match=r"^The cluster 'shared' has no worker '99'\. Its workers: "):
        clusters.logs("shared", "99", 10)


@pytest.mark.parametrize("stranger", ["plain", "foreign"])
def test_nobody_without_a_certificate_gets_past_the_handshake(
    running: ClusterFacts, certs: dict[str, Path], stranger: str, tmp_path: Path
) -> None:
    """Client, worker, and the keeper's own control port."""
    plain = stranger == "plain"
    security = Security() if plain else security_of(certs["foreign"])
    record = records.find("shared")

    def address(url: str) -> str:
        return url.replace("tls://", "tcp://") if plain else url

    with pytest.raises(OSError):
        Client(address(running.scheduler), security=security, timeout=0.5, set_as_default=False)

    async def work() -> None:
        async with Worker(
            address(running.scheduler), nthreads=1, security=security, death_timeout=0.5, local_directory=str(tmp_path)
        ):
            raise AssertionError("it was let in")

    with pytest.raises((TimeoutError, OSError, asyncio.CancelledError, RuntimeError)):
        asyncio.run(work())

    async def command(at: str) -> None:
        arguments = {} if plain else security.get_connection_args("client")
        async with rpc(address(at), connection_args=arguments, timeout=0.5) as remote:
            await remote.stop(token=record.token)
            raise AssertionError("it was let in")

    for at in (record.control, running.each[0].address):
        with pytest.raises(OSError):
            asyncio.run(command(at))
    assert clusters.status("shared", lambda _: None)[0].workers == 2


def test_nothing_is_done_for_whoever_does_not_know_the_token(running: ClusterFacts) -> None:
    stranger = replace(records.find("shared"), token="guessed")
    for operation, fields in (("stop", {}), ("scale", {"workers": 0}), ("describe", {})):
        refused = f"'shared' refuses to {operation}: the token of the cluster's record is missing"
        with pytest.raises(ClusterError, match=refused):
            control.call_keeper(stranger, operation, **fields)
    assert clusters.status("shared", lambda _: None)[0].state == "running"


def test_down_leaves_nothing(up: Callable[..., ClusterFacts], home: Path) -> None:
    facts = up()
    assert len(sessions(home)) >= 2
    stopped = clusters.down("one", lambda _: None)
    assert (stopped.was_running, stopped.killed) == (True, 0)
    assert sessions(home) == []
    assert "one" not in [record.name for record in records.all_records()]
    assert not psutil.pid_exists(facts.pid) or psutil.Process(facts.pid).status() == psutil.STATUS_ZOMBIE


def test_keeper_killed_while_workers_run(up: Callable[..., ClusterFacts], home: Path) -> None:
    facts = up()
    os.kill(facts.pid, signal.SIGKILL)
    wait_until(lambda: sessions(home) == [])  # workers notice, and end
    gone = f"'one' does not run any more: its keeper, process {facts.pid}, is gone"
    with pytest.raises(ClusterError, match=gone), connect("one"):
        pass
    said: list[str] = []
    assert clusters.status("one", said.append)[0].state == "gone"
    assert said == [f"one: its keeper, process {facts.pid}, is gone; forgotten. Why: {home}/clusters/one.log"]
    with pytest.raises(ClusterError, match="No cluster is named 'one'"):
        clusters.status("one", said.append)


@pytest.mark.soak
def test_keeper_killed_and_down_cleans_up(up: Callable[..., ClusterFacts], home: Path) -> None:
    facts = up()
    os.kill(facts.pid, signal.SIGKILL)
    wait_until(lambda: not records.is_alive(records.find("one")))
    said: list[str] = []
    assert not clusters.down("one", said.append).was_running
    assert said == [f"one: its keeper, process {facts.pid}, was gone already"]
    assert sessions(home) == []


def test_a_cluster_that_anybody_may_use_is_told(up: Callable[..., ClusterFacts], home: Path) -> None:
    said: list[str] = []

    def press(text: str) -> None:
        said.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # before anything is started
        clusters.up(configure({"name": "one", "listen": "0.0.0.0", "insecure": True}), press)
    assert said == ["without certificates: anybody who reaches the scheduler can run code as you"]


def test_cluster_that_did_not_start_leaves_the_name_to_whoever_took_it(home: Path) -> None:
    host, _, began = records.this_process()
    with subprocess.Popen(["sleep", "60"]) as failed, subprocess.Popen(["sleep", "60"]) as other:
        mine = ClusterRecord("one", "local", host, os.getpid(), began, 1)
        theirs = replace(mine, pid=other.pid, started=psutil.Process(other.pid).create_time())
        records.save(theirs)
        try:
            start._end(failed, mine)
            assert records.find("one") == theirs
        finally:
            records.remove(theirs)
            other.kill()


def test_what_a_launcher_raises_is_a_refusal_of_the_keeper() -> None:
    class Broken:
        async def scale(self, workers: int) -> None:
            raise ValueError(f"no quota for {workers}")

    async def ask() -> Any:
        served = control.Control(Broken())  # type: ignore[arg-type]
        return await served.scale(served.token, 7)

    assert asyncio.run(ask()) == {"refused": "ValueError: no quota for 7"}


def test_keeper_that_hangs_is_killed_by_down(
    up: Callable[..., ClusterFacts], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = up()
    monkeypatch.setattr(stop, "CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(stop, "_END_SECONDS", 0.5)
    monkeypatch.setattr(stop, "call_keeper", lambda record, operation: control.call_keeper(record, operation, 0.5))
    os.kill(facts.pid, signal.SIGSTOP)
    said: list[str] = []
    clusters.down("one", said.append)
    assert said[0].startswith(f"The keeper of the cluster 'one', process {facts.pid}, does not answer")
    wait_until(lambda: sessions(home) == [])


def test_scheduler_shut_down_by_a_client_ends_the_keeper(up: Callable[..., ClusterFacts], home: Path) -> None:
    up()
    with connect("one") as client:
        client.shutdown()
    wait_until(lambda: sessions(home) == [])
    assert "one" not in [record.name for record in records.all_records()]


def test_worker_that_cannot_start_is_told_with_its_reason(up: Callable[..., ClusterFacts], home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(ClusterError, match="'one' of kind local could not be started: ") as caught:
        up(**{"local-directory": str(home / "file/below")})
    assert f"See {home}/clusters/one.log for more" in str(caught.value)
    assert "one" not in [record.name for record in records.all_records()]


def test_cluster_that_does_not_start_in_time(up: Callable[..., ClusterFacts]) -> None:
    with pytest.raises(ClusterError, match=r"could not be started: it did not start within 0\.1 s"):
        up(timeout=0.1)


def test_keeper_that_dies_before_it_says_anything(
    up: Callable[..., ClusterFacts], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start.sys, "executable", "/bin/false")
    with pytest.raises(ClusterError, match=r"^The keeper ended with code 1\. See .*one\.log for more"):
        up()


def test_ctrl_c_while_a_cluster_starts_leaves_nothing(up: Callable[..., ClusterFacts], home: Path) -> None:
    def press(_text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clusters.up(configure({"name": "one", "workers": 1}), press)
    assert sessions(home) == []
    assert "one" not in [record.name for record in records.all_records()]


@pytest.mark.soak
def test_without_waiting_it_returns_with_the_scheduler(up: Callable[..., ClusterFacts]) -> None:
    facts = clusters.up(configure({"name": "one", "workers": 1, "threads": 1}), lambda _: None, wait=False)
    assert facts.scheduler.startswith("tcp://127.0.0.1:")


@pytest.mark.soak
def test_cluster_of_no_workers_grows(up: Callable[..., ClusterFacts]) -> None:
    assert up(workers=0).state == "running"
    assert clusters.scale(1, "one", lambda _: None).workers == 1


@pytest.fixture
def far(home: Path) -> Iterator[ClusterRecord]:
    """A record that another machine has written."""
    _, pid, started = records.this_process()
    record = ClusterRecord(
        "far", "local", "far-away", pid, started, 1, scheduler="tcp://far-away:1", log="/no/such.log"
    )
    records.save(record)
    yield record
    records.remove(record)


def test_keeper_of_another_machine_is_left_to_it(far: ClusterRecord) -> None:
    assert clusters.status("far", lambda _: None)[0].state == "elsewhere"
    with pytest.raises(
        ClusterError, match=f"'far' is held by process {far.pid} on far-away. Run this there: .* gone for good, remove "
    ):
        clusters.down("far", lambda _: None)
    with pytest.raises(ClusterError, match="'far' is held on far-away"):
        clusters.scale(2, "far", lambda _: None)
    with pytest.raises(ClusterError, match="Look on the machine of its keeper: far-away"):
        clusters.logs("far", None, 5)
    assert records.find("far") == far


def test_order_that_is_read_from_stdin_is_the_configuration() -> None:
    config = configure({"kind": "ssh", "hosts": ["a"], "tls": "c", "timeout": 5})
    assert keeper.configuration(json.loads(json.dumps(start.order_of(config)))) == config
