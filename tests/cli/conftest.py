"""How the command line is run in tests: in this process for texts, as a process of its own for whole runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from distributed import LocalCluster
from sklearn.datasets import load_breast_cancer
from typer.testing import CliRunner

from gbdist_cli.main import app


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run ``gbdist`` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_here(*arguments: object) -> Ran:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run_here


@pytest.fixture
def gbdist(tmp_path: Path) -> Callable[..., Ran]:
    """Run ``gbdist`` as a user does, in an empty folder."""
    command = Path(sys.executable).with_name("gbdist")

    def run_process(*arguments: object) -> Ran:
        done = subprocess.run(
            [command, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run_process


@pytest.fixture(scope="session")
def cancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real data in three Parquet parts: 569 tumours, 6 measures, ``malignant`` as text, a row weight."""
    folder = tmp_path_factory.mktemp("data") / "cancer"
    folder.mkdir()
    bunch = load_breast_cancer(as_frame=True)
    table = bunch.data[list(bunch.data.columns[:6])]
    table = table.assign(malignant=["no" if target else "yes" for target in bunch.target], importance=1.0)
    for number in range(3):
        pd.DataFrame(table.iloc[number * 190 : (number + 1) * 190]).to_parquet(
            folder / f"part-{number}.parquet", index=False
        )
    return folder


def rows_of(folder: Path) -> pd.DataFrame:
    """The rows of all Parquet parts of a folder."""
    return pd.concat([pd.read_parquet(part) for part in sorted(folder.iterdir())], ignore_index=True)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of two workers, which the commands find running."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp://"
    ) as found:
        yield found.scheduler_address
