"""A training from one shell to the next: submitted, its shell killed, watched from another one, its driver's worker killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import catboost
import numpy as np
import pandas as pd
import psutil
import pytest

from gbdist.models.catboost_format import fixed_cbm_bytes

COMMAND = Path(sys.executable).with_name("gbdist")
TRAIN = ["data.parquet", "--target", "y", "-p", "iterations=2000", "-p", "depth=6", "-p", "learning_rate=0.1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = pd.DataFrame(np.random.default_rng(3).normal(size=(20_000, 6)), columns=list("abcdef"))
    table.assign(y=table.a * table.b + table.c).to_parquet(tmp_path / "data.parquet", index=False, row_group_size=5_000)
    return tmp_path


@pytest.fixture
def gbdist(folder: Path) -> Callable[..., str]:
    """Run a command in a shell of its own; what it wrote to stdout."""

    def run(*arguments: object, code: int = 0) -> str:
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "GBDIST_HOME": f"{folder}/home"},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


@pytest.fixture
def cluster(gbdist: Callable[..., str]) -> Iterator[None]:
    gbdist("cluster", "up", "--workers", 2, "--threads", 1)
    yield
    gbdist("cluster", "down")


def model(folder: Path, name: str) -> bytes:
    return fixed_cbm_bytes(catboost.CatBoost().load_model(f"{folder}/{name}"))


def process_at(address: str) -> int:
    """The process that listens at an address of this machine."""
    port = int(address.rpartition(":")[2])
    connections = psutil.net_connections("tcp")
    (found,) = {one.pid for one in connections if one.status == psutil.CONN_LISTEN and one.laddr.port == port}
    assert found is not None
    return int(found)


@pytest.mark.soak
def test_a_training_survives_its_shell_and_its_drivers_worker(
    gbdist: Callable[..., str], cluster: None, folder: Path
) -> None:
    gbdist("train", *TRAIN, "--scheduler", "default", "-o", "undisturbed.cbm")
    shell = subprocess.run(
        ["bash", "-c", '"$@"; kill -9 $$', "shell", COMMAND, "job", "submit", "train", *TRAIN,
         "-p", "snapshot_interval=0", "--id", "shells"],
        cwd=folder, env={**os.environ, "GBDIST_HOME": f"{folder}/home"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert shell.returncode == -signal.SIGKILL, shell.stderr
    watch = subprocess.Popen(
        [COMMAND, "job", "watch", "shells"],
        cwd=folder, env={**os.environ, "GBDIST_HOME": f"{folder}/home"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watch.stderr is not None
    with watch.stderr as said:
        while "trees/s" not in (line := said.readline()):
            assert line.startswith("shells "), line
        view = json.loads(gbdist("job", "show", "shells", "--json"))
        os.kill(process_at(view["worker"]), signal.SIGKILL)
        rest = said.read()
    assert watch.wait(240) == 0, rest
    assert "shells running, attempt 2" in rest
    assert "shells done, attempt 2: 2,000 of 2,000 trees" in rest
    gbdist("job", "result", "shells", "-o", "survived.cbm")
    assert model(folder, "survived.cbm") == model(folder, "undisturbed.cbm")
