"""The scripts do what they say, with what starts processes on other machines replaced by what starts them here."""

import os
import re
import stat
from pathlib import Path

import pandas as pd
import pytest
from catboost import CatBoostClassifier

from ...processes import Processes
from .recipes import DEPLOY

TREES = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data in it, and one of commands that stand for a queue's or ssh."""
    pd.DataFrame({"x": range(400), "bought": [n % 3 == 0 for n in range(400)]}).to_parquet(tmp_path / "sales.parquet")
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    return tmp_path


def stand_in(folder: Path, name: str, script: str) -> None:
    """A command of the other machine's."""
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def processes_in(folder: Path, **environment: str) -> Processes:
    """Processes that find the stand-ins first; what they need of Dask's is on the path behind."""
    started = Processes(folder, **environment)
    started.environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{started.environment['PATH']}"
    return started


def check(folder: Path, output: str, workers: int) -> None:
    """A model is there, its cluster was encrypted, and nothing is left of it."""
    assert CatBoostClassifier().load_model(str(folder / "bought.cbm")).tree_count_ == TREES
    assert len(set(re.findall(r"Start worker at: +(tls://\S+)", output))) == workers, output
    assert "tcp://" not in output
    assert sorted(path.name for path in folder.glob("gbdist-*")) == []


@pytest.mark.soak
def test_training_in_a_slurm_job(folder: Path) -> None:
    # One process a task, with the options before the command taken off.
    stand_in(
        folder,
        "srun",
        '[ "$1 $2" = "--ntasks=2 --cpus-per-task=1" ] || exit 9\nshift 2\n'
        'for task in 1 2; do "$@" & done\n'
        'trap "kill $(jobs -p | tr "\\n" " ")" TERM\nwait',
    )
    slurm = {
        "SLURM_JOB_ID": "41",
        "SLURM_NNODES": "1",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_MEM_PER_NODE": "2048",
    }
    with processes_in(folder, **slurm) as processes:
        job = processes.start(
            "bash", DEPLOY / "slurm/train.sbatch",
            "sales.parquet", "--target", "bought", "-p", f"iterations={TREES}", "-o", "bought.cbm",
        )  # fmt: skip
        processes.finish(job)
        check(folder, processes.output(), workers=2)
        assert re.findall(r"Memory: +(\S+ \w+)", processes.output()) == ["921.00 MiB"] * 2  # nine tenths of a half


@pytest.mark.soak
def test_training_in_a_pbs_job(folder: Path) -> None:
    # PBS starts it without the environment of the job, in the home folder.
    path = 'PYTHONPATH="$PYTHONPATH"' if "PYTHONPATH" in os.environ else ""
    stand_in(folder, "pbsdsh", f'[ "$1" = -- ] || exit 9\nshift\ncd "$HOME"\nexec env -i {path} "$@"')
    (folder / "nodes").write_text("node1\n")
    (folder / "job.toml").write_text(
        f'data = "sales.parquet"\ntarget = "bought"\noutput = "bought.cbm"\n[params]\niterations = {TREES}\n'
    )
    pbs = {
        "PBS_JOBID": "42.server",
        "PBS_O_WORKDIR": str(folder),
        "PBS_NODEFILE": str(folder / "nodes"),
        "JOB": "job.toml",
        "HOME": str(folder / "home"),
    }
    with processes_in(folder, **pbs) as processes:
        processes.finish(processes.start("bash", DEPLOY / "pbs/train.pbs"))
        check(folder, processes.output(), workers=1)


def test_job_of_pbs_without_a_job_file(folder: Path) -> None:
    with processes_in(folder, PBS_JOBID="43", PBS_O_WORKDIR=str(folder), PBS_NODEFILE="/dev/null") as processes:
        job = processes.start("bash", DEPLOY / "pbs/train.pbs")
        assert job.wait(30) == 1
        assert "say what to train: qsub -v JOB=sales.toml train.pbs" in processes.output()


def test_job_whose_scheduler_does_not_start(folder: Path) -> None:
    stand_in(folder, "dask", "echo no such thing >&2; exit 1")
    slurm = {"SLURM_JOB_ID": "44", "SLURM_NTASKS": "1", "SLURM_NNODES": "1"}
    with processes_in(folder, SLURM_CPUS_PER_TASK="1", **slurm) as processes:
        job = processes.start("bash", DEPLOY / "slurm/train.sbatch", "sales.parquet", "--target", "bought")
        assert job.wait(30) == 1
        assert "the scheduler has ended: see above" in processes.output()
    assert list(folder.glob("gbdist-*")) == []


@pytest.mark.soak
def test_cluster_over_ssh(folder: Path) -> None:
    stand_in(
        folder,
        "ssh",
        f'[ "$1 $2 $3" = "-o BatchMode=yes node1" ] || exit 9\nexport TMPDIR={folder / "home"}\nexec sh -c "$4"',
    )
    with processes_in(folder, GBDIST_PORT="0", GBDIST_ADDRESS="127.0.0.1") as processes:
        processes.finish(processes.start("gbdist", "cluster", "certs", "certs"))
        port = _free_port()
        processes.environment["GBDIST_PORT"] = str(port)
        up = processes.start("bash", DEPLOY / "ssh/up.sh", "certs", "node1")
        address = f"tls://127.0.0.1:{port}"
        train = ("gbdist", "train", "sales.parquet", "--target", "bought", "-p", f"iterations={TREES}")
        processes.finish(processes.start(*train, "--scheduler", address, "--tls", "certs", "-o", "bought.cbm"))
        assert f"--scheduler {address} --tls {folder / 'certs'}" in processes.output()
        up.terminate()
        assert up.wait(30) == 130
        check(folder, processes.output(), workers=1)
        assert list((folder / "home").iterdir()) == []  # the certificates on the host are gone


def _free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_script_over_ssh_says_how_it_is_called(folder: Path) -> None:
    with processes_in(folder) as processes:
        script = processes.start("bash", DEPLOY / "ssh/up.sh", "certs")
        assert script.wait(30) == 2
        assert "CERTIFICATES HOST..." in processes.output()
