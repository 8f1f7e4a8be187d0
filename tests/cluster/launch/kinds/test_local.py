"""A local cluster's ports, its workers, and a GPU for each of them."""

import asyncio
import socket
from typing import Any

import pytest

from gbdist_cluster.errors import SettingError
from gbdist_cluster.launch import gpus, records
from gbdist_cluster.launch.config import configure
from gbdist_cluster.launch.kinds import local
from gbdist_cluster.launch.kinds.local import LocalLauncher
from gbdist_cluster.launch.records import ClusterRecord


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "gpus_here", lambda: ["0", "2", "5"])


def test_port_that_is_taken_is_told_with_the_cluster_that_has_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError) as caught:
            LocalLauncher(configure({"port": port})).check()
        assert str(caught.value) == (
            f"--port={port} cannot be used: expected a port that is free (Address already in use). "
            "Choose another one, or leave it out for a free one."
        )
        host, pid, started = records.this_process()
        records.save(ClusterRecord("one", "local", host, pid, started, 1, dashboard=f"http://127.0.0.1:{port}/status"))
        with pytest.raises(SettingError, match="expected a port that is free, and the cluster 'one' has this one"):
            LocalLauncher(configure({"dashboard-address": f"127.0.0.1:{port}"})).check()
    LocalLauncher(configure({"port": port})).check()


def test_address_that_is_not_of_this_machine() -> None:
    with pytest.raises(SettingError, match=r"^--port=8786 cannot be used: expected "):
        LocalLauncher(configure({"listen": "192.0.2.200", "insecure": True, "port": 8786})).check()


def test_gpus_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "gpus_here", list)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SettingError) as caught:
        LocalLauncher(configure({"gpus": True})).check()
    assert str(caught.value) == (
        "--gpus=True cannot be used: expected a GPU on this machine "
        "(NVIDIA's driver shows none, CUDA_VISIBLE_DEVICES being ''). Leave out --gpus to use the CPUs."
    )


def test_one_worker_a_gpu(three_gpus: None) -> None:
    launcher = LocalLauncher(configure({"gpus": True}))
    launcher.check()
    assert launcher.workers == 3
    with pytest.raises(SettingError, match="expected at most one worker for each of the 3 GPUs here"):
        LocalLauncher(configure({"gpus": True, "workers": 4})).check()
    launcher.check_size(3)
    with pytest.raises(SettingError, match="--workers=4 cannot be used"):
        launcher.check_size(4)
    lines = [line for line in launcher.render().splitlines() if "dask worker" in line]
    assert [line.split()[0] for line in lines] == [f"CUDA_VISIBLE_DEVICES={gpu}" for gpu in ("0", "2", "5")]


def test_each_worker_has_its_gpu_also_after_some_have_gone(three_gpus: None) -> None:
    async def plan() -> list[list[str]]:
        cluster = LocalLauncher(configure({"gpus": True, "workers": 2})).create()
        found = [visible(cluster)]
        del cluster.worker_spec[0]
        for _ in range(2):
            cluster.worker_spec.update(cluster.new_worker_spec())
        found.append(visible(cluster))
        await cluster.close()
        return found

    def visible(cluster: Any) -> list[str]:
        return [spec["options"]["env"]["CUDA_VISIBLE_DEVICES"] for spec in cluster.worker_spec.values()]

    assert asyncio.run(plan()) == [["0", "2"], ["2", "0", "5"]]


@pytest.mark.parametrize(
    ("visible", "found"), [(None, ["0", "1", "2"]), ("2,0", ["2", "0"]), ("", []), ("GPU-a, GPU-b", ["GPU-a", "GPU-b"])]
)
def test_gpus_of_this_machine_are_those_that_are_visible(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, found: list[str]
) -> None:
    monkeypatch.setattr(gpus, "_count", lambda: 3 if visible is None else len(found))  # the driver hides the others
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.gpus_here() == found
