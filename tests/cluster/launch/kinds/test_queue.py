"""Job scripts of Slurm and PBS, directive by directive; and a queue that is a shell script, which runs jobs at once."""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gbdist.jobs import clusters
from gbdist_cluster.errors import SettingError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.config import configure
from gbdist_cluster.launch.kinds.queue import QueueLauncher
from gbdist_cluster.launch.start import WorkersLate

SUBMIT = """#!/usr/bin/env bash
# Runs the job at once, in the background, and says its number, as sbatch and qsub do.
if [ -e "$QUEUE/full" ]; then echo "Submitted batch job 999999"; exit 0; fi
cp "$1" "$QUEUE/job-$$.sh"
setsid bash "$QUEUE/job-$$.sh" >>"$QUEUE/output" 2>&1 &
echo $! >>"$QUEUE/jobs"
echo "Submitted batch job $!"
"""
CANCEL = """#!/usr/bin/env bash
kill -- -"$1" 2>/dev/null || exit 0
"""


def script(kind: str, **settings: Any) -> str:
    return QueueLauncher(configure({"kind": kind, "insecure": True, **settings})).render()


def directives(text: str, mark: str) -> dict[str, str]:
    """The directives of a job script; fails on one that is not of the form that the queue takes."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith(mark):
            continue
        match = re.fullmatch(rf"{mark} (--?[a-zA-Z-]+)(?:[ =](\S.*))?", line)
        assert match, line
        key, value = match[1], match[2] or ""
        if mark == "#PBS" and key == "-l":
            key, _, value = f"-l {value}".partition("=")
        assert key not in found, line
        found[key] = value
    return found


FULL: dict[str, Any] = {
    "name": "fraud", "threads": 8, "memory": "20 GiB", "queue": "long", "account": "p1", "walltime": "02:00:00",
    "prologue": ["module load python"], "python": "/opt/python", "local-directory": "/scratch", "gpus": True,
}  # fmt: skip


def test_slurm_script() -> None:
    text = script("slurm", **FULL, directives=["--exclusive"], **{"log-directory": "logs"})
    assert directives(text, "#SBATCH") == {
        "-J": "gbdist-fraud", "-e": "logs/gbdist-fraud-%J.err", "-o": "logs/gbdist-fraud-%J.out", "-p": "long", "-A": "p1",
        "-n": "1", "--cpus-per-task": "8", "--mem": "20G", "-t": "02:00:00", "--exclusive": "", "--gres": "gpu:1",
    }  # fmt: skip
    *_, prologue, command = text.strip().splitlines()
    assert prologue == "module load python"
    assert command == (
        "/opt/python -m distributed.cli.dask_worker tcp://SCHEDULER:8786 --name fraud-0 --nthreads 8 "
        "--memory-limit 20.00GiB --nanny --death-timeout 60 --local-directory /scratch "
        "--dashboard-address 127.0.0.1:0 --protocol tcp://"
    )
    assert not Path("logs").exists()  # to look at a script leaves nothing


def test_pbs_script() -> None:
    text = script("pbs", **FULL, port=9999)
    assert directives(text, "#PBS") == {
        "-N": "gbdist-fraud", "-q": "long", "-A": "p1", "-l select": "1:ncpus=8:mem=20480mb:ngpus=1", "-l walltime": "02:00:00",
    }  # fmt: skip
    assert "dask_worker tcp://SCHEDULER:9999 " in text
    assert directives(script("pbs"), "#PBS")["-l select"] == "1:ncpus=1:mem=4096MB"


def test_folder_that_a_job_script_cannot_name(tmp_path: Path) -> None:
    for kind in ("slurm", "pbs"):
        with pytest.raises(
            SettingError, match="--tls='my certs' cannot be used: expected a path that a shell takes as it is"
        ):
            QueueLauncher(configure({"kind": kind, "tls": "my certs"})).render()


def test_machine_without_a_queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind, command in (("slurm", "sbatch"), ("pbs", "qsub")):
        with pytest.raises(
            SettingError, match=f"--kind='{kind}' cannot be used: expected a machine that has {command}"
        ):
            QueueLauncher(configure({"kind": kind, "insecure": True})).check()


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with commands of both queues, and their state."""
    for name, text in {"sbatch": SUBMIT, "qsub": SUBMIT, "scancel": CANCEL, "qdel": CANCEL}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("QUEUE", str(tmp_path))
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("kind", ["slurm", pytest.param("pbs", marks=pytest.mark.soak)])
def test_workers_come_from_the_queue_and_go_back(queue: Path, kind: str) -> None:
    clusters.certificates(queue / "certs", (), 2, replace=False)
    values = {"kind": kind, "name": "q", "listen": "127.0.0.1", "tls": str(queue / "certs"), "memory": "1 GiB"}
    said: list[str] = []
    facts = clusters.up(configure({**values, "python": sys.executable}), said.append)
    try:
        assert (facts.state, facts.workers, facts.tls) == ("running", 1, True)
        assert facts.each[0].name == "q-0"
        assert facts.each[0].address.startswith("tls://127.0.0.1:")
        assert said[0] == f"scheduler: {facts.scheduler}"
    finally:
        stopped = clusters.down("q", said.append)
    assert stopped.was_running
    jobs = [int(line) for line in (queue / "jobs").read_text().split()]
    assert len(jobs) == 1
    for job in jobs:
        with pytest.raises(ProcessLookupError):
            wait_gone(job)


def wait_gone(group: int) -> None:
    """Raise ``ProcessLookupError`` once no process of a group is left, within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        os.killpg(group, 0)
        time.sleep(0.05)


def test_queue_without_room_is_said_and_waited_for(queue: Path) -> None:
    (queue / "full").touch()
    values = {"kind": "slurm", "name": "q", "listen": "127.0.0.1", "timeout": 4}
    said: list[str] = []
    try:
        with pytest.raises(WorkersLate) as caught:
            clusters.up(configure(values), said.append)
        assert str(caught.value) == (
            "0 of 1 workers have come in time; the cluster 'q' stays up and waits. "
            "See: gbdist cluster status q; or give up: gbdist cluster down q. Give them longer: --timeout SECONDS."
        )
        (facts,) = clusters.status("q", said.append)
        assert (facts.state, facts.workers, facts.wanted) == ("incomplete", 0, 1)
        assert json.loads((queue / "home/clusters/q.json").read_text())["kind"] == "slurm"
    finally:
        clusters.down("q", said.append)
    assert records.all_records() == []
