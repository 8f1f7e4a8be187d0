"""A cluster over SSH: which worker goes where, and a whole life against a real server on the loopback."""

from pathlib import Path
from typing import Any

import asyncssh
import psutil
import pytest

from gbdist.jobs import clusters
from gbdist.jobs.cluster import connect
from gbdist_cluster.errors import ClusterError, SettingError
from gbdist_cluster.launch import control, records, stop
from gbdist_cluster.launch.config import ClusterConfig, configure
from gbdist_cluster.launch.kinds.ssh import SshLauncher

from ..ssh_server import SshServer, ssh_server

NODES = {"kind": "ssh", "hosts": ["node1", "node2"], "insecure": True}


def test_workers_go_round_the_hosts_and_then_to_the_next_gpu() -> None:
    launcher = SshLauncher(configure({**NODES, "gpus": True, "gpus-per-host": 2}))
    assert launcher.workers == 4
    assert [launcher.place(number) for number in range(4)] == [
        ("node1", {"CUDA_VISIBLE_DEVICES": "0"}), ("node2", {"CUDA_VISIBLE_DEVICES": "0"}),
        ("node1", {"CUDA_VISIBLE_DEVICES": "1"}), ("node2", {"CUDA_VISIBLE_DEVICES": "1"}),
    ]  # fmt: skip
    launcher.check()
    with pytest.raises(SettingError, match="expected at most one worker for each of the 4 GPUs of the hosts"):
        SshLauncher(configure({**NODES, "gpus": True, "gpus-per-host": 2, "workers": 5})).check()


def test_without_gpus_there_is_a_worker_a_host() -> None:
    launcher = SshLauncher(configure(NODES))
    assert (launcher.workers, launcher.scheduler_host) == (2, "node1")
    assert launcher.place(2) == ("node1", {})


def test_commands() -> None:
    text = SshLauncher(
        configure({**NODES, "name": "x", "threads": 2, "memory": "4 GiB", "scheduler-host": "head"})
    ).render()
    assert text.splitlines()[2:] == [
        "ssh head 'dask scheduler --host 0.0.0.0 --port 8786 --protocol tcp:// --dashboard-address 127.0.0.1:0' &",
        "ssh node1 'dask worker tcp://head:8786 --dashboard-address 127.0.0.1:0 --nthreads 2 --memory-limit 4GiB --name x-0' &",
        "ssh node2 'dask worker tcp://head:8786 --dashboard-address 127.0.0.1:0 --nthreads 2 --memory-limit 4GiB --name x-1' &",
        "wait",
    ]


def processes(folder: Path) -> list[psutil.Process]:
    """What the server has started and still runs: it names the test's certificates."""
    found = []
    for process in psutil.process_iter():
        try:
            if "distributed.cli.dask_spec" in process.cmdline() and str(folder) in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def listeners(process: psutil.Process) -> list[Any]:
    """The ports on which a process and its children take connections."""
    family = [process, *process.children(recursive=True)]
    return [one for member in family for one in member.net_connections() if one.status == psutil.CONN_LISTEN]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    return tmp_path


def settings(server: SshServer, folder: Path, **more: Any) -> ClusterConfig:
    clusters.certificates(folder / "certs", (), 2, replace=True)
    values = {
        "kind": "ssh", "name": "far", "hosts": ["127.0.0.1", "localhost"], "listen": "127.0.0.1", "tls": str(folder / "certs"),
        "ssh-port": server.port, "ssh-key": str(server.key), "known-hosts": str(server.known_hosts), "memory": "1 GiB",
    }  # fmt: skip
    return configure({**values, **more})


def test_life_of_a_cluster_over_ssh(home: Path) -> None:
    said: list[str] = []
    with ssh_server(home) as server:
        facts = clusters.up(settings(server, home), said.append)
        try:
            assert (facts.state, facts.workers, facts.tls) == ("running", 2, True)
            assert {worker.name for worker in facts.each} == {"far-0", "far-1"}
            listening = {one.laddr.ip for process in processes(home) for one in listeners(process)}
            assert listening == {"127.0.0.1"}
            assert len(processes(home)) == 3
            assert clusters.scale(1, "far", said.append).workers == 1
            assert {worker.name for worker in clusters.scale(2, "far", said.append).each} == {"far-0", "far-1"}
            with connect("far") as client:
                assert client.submit(lambda: 6 * 7).result() == 42
            assert any("scheduler on 127.0.0.1: " in line for line in clusters.logs("far", None, 1000))
        finally:
            clusters.down("far", said.append)
        psutil.wait_procs(processes(home), timeout=10)
        assert processes(home) == []
    assert records.all_records() == []


def test_keeper_killed_and_what_it_left_is_ended_by_down(home: Path) -> None:
    said: list[str] = []
    with ssh_server(home) as server:
        config = settings(server, home, hosts=["127.0.0.1"])
        facts = clusters.up(config, said.append)
        keeper = psutil.Process(facts.pid)
        keeper.kill()
        psutil.wait_procs([keeper], timeout=10)
        assert [one.state for one in clusters.status("far", said.append)] == ["gone"]
        assert said[-1] == "far: its keeper is gone, and its workers may go on. End them: gbdist cluster down far"
        with pytest.raises(ClusterError, match="its workers may go on at tls://"):
            clusters.up(config, said.append)
        assert len(processes(home)) == 2  # a scheduler and a worker that nobody holds
        assert not clusters.down("far", said.append).was_running
        assert said[-1] == f"scheduler and workers at {facts.scheduler} have been ended"
        psutil.wait_procs(processes(home), timeout=10)
        assert processes(home) == []
    assert records.all_records() == []


@pytest.mark.soak
def test_keeper_that_hangs_and_what_it_has_elsewhere_is_ended_by_down(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(stop, "_END_SECONDS", 4.0)
    monkeypatch.setattr(stop, "call_keeper", lambda record, operation: control.call_keeper(record, operation, 0.5))
    said: list[str] = []
    with ssh_server(home) as server:
        facts = clusters.up(settings(server, home, hosts=["127.0.0.1"]), said.append)
        psutil.Process(facts.pid).suspend()
        assert clusters.down("far", said.append).was_running
        assert said[-1] == f"scheduler and workers at {facts.scheduler} have been ended"
        psutil.wait_procs(processes(home), timeout=10)
        assert processes(home) == []
    assert records.all_records() == []


@pytest.mark.parametrize(
    ("setting", "reason"), [("ssh-key", "Permission denied"), ("known-hosts", "Host key is not trusted")]
)
def test_host_that_does_not_know_us_or_that_we_do_not_know(home: Path, setting: str, reason: str) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(home / "ssh-key")
    (home / "ssh-key").chmod(0o600)
    (home / "known-hosts").write_text("")
    with ssh_server(home) as server:
        config = settings(server, home, **{setting: str(home / setting)})
        with pytest.raises(ClusterError, match=rf"'far' of kind ssh could not be started: .*{reason}"):
            clusters.up(config, lambda _: None)
        assert server.commands == []
    assert processes(home) == []
    assert records.all_records() == []
