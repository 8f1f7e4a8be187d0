"""Clusters as a user starts, sees and stops them."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gbdist_cli.main import app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def cleared(run: Callable[..., Any]) -> Iterator[None]:
    yield
    while found := run("cluster", "status", "--json").json["clusters"]:
        run("cluster", "down", found[0]["name"])


def test_from_up_to_down(run: Callable[..., Any], cancer: Path, tmp_path: Path, cleared: None) -> None:
    """Started by a shell that ends, seen and used by others, stopped by another one."""
    command = Path(sys.executable).with_name("gbdist")
    shell = subprocess.run(
        ["bash", "-c", f"{command} cluster up --workers 2 --threads 1; kill -9 $$"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert shell.returncode == -9
    assert "cluster default is up" in shell.stdout
    assert "workers: 2 of 2" in shell.stderr
    assert (
        "Next: gbdist train DATA --target COL --scheduler default; stop it with: gbdist cluster down default"
        in shell.stderr
    )
    ran = run("cluster", "status", "default")
    assert ran.code == 0, ran.stderr
    assert "2 of 2" in ran.stdout
    assert "running" in ran.stdout
    assert ran.stdout.count("tcp://127.0.0.1:") == 3  # the scheduler, and two workers
    trained = run("train", cancer, "--target", "malignant", "--ignore", "importance", "--scheduler", "default", "-p",
                  "iterations=5", "-p", "verbose=false", "--json")  # fmt: skip
    assert trained.code == 0, trained.stderr
    assert (trained.json["trees"], trained.json["workers"]) == (5, 2)
    again = run("cluster", "up")
    assert again.code == 4
    assert "A cluster 'default' runs at tcp://127.0.0.1:" in again.stderr
    ran = run("cluster", "scale", 1, "--json")
    assert (ran.code, ran.json["workers"], ran.json["state"]) == (0, 1, "running")
    assert "Scheduler at" in run("cluster", "logs", "-n", 1000).stdout
    ran = run("cluster", "down")
    assert ran.code == 0, ran.stderr
    assert [line.split() for line in ran.stdout.splitlines()] == [
        ["cluster", "default", "is", "down"],
        ["name", "default"],
        ["kind", "local"],
    ]
    ran = run("cluster", "status")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "no clusters\n", "Next: gbdist cluster up\n")
    ran = run("train", cancer, "--target", "malignant", "--scheduler", "default")
    assert ran.code == 4
    assert "No cluster is named 'default'. There are no clusters." in ran.stderr


@pytest.mark.parametrize("kind", ["local", "ssh", "slurm", "pbs", "kubernetes"])
def test_file_that_init_writes_can_be_rendered(run: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    ran = run("cluster", "init", "--kind", kind)
    assert ran.code == 0, ran.stderr
    assert ran.stderr == "Next: edit it, then: gbdist cluster up --config cluster.toml\n"
    text = (tmp_path / "cluster.toml").read_text()
    assert tomllib.loads(text)["kind"] == kind
    ran = run("cluster", "render", "--config", "cluster.toml", "typed-wins")
    assert ran.code == 0, ran.stderr
    assert "typed-wins" in ran.stdout
    assert run("cluster", "render", "--config", "cluster.toml", "--json").json["text"]
    ran = run("cluster", "init")
    assert ran.code == 6
    assert "cluster.toml cannot be written: it is there already. Add --replace to write over it." in ran.stderr
    assert run("cluster", "init", "--kind", kind, "--replace").code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a"\nworkrs = 3\n', "cluster.toml:2: unknown key 'workrs'. Did you mean 'workers'?"),
        (
            'kind = "slrm"\n',
            "cluster.toml:1: kind = 'slrm' cannot be used. Expected one of local, ssh, slurm, pbs, kubernetes.",
        ),
        ("workers = true\n", "cluster.toml:1: workers = True cannot be used. Expected a whole number of at least 0."),
        (
            'queue = "long"\n',
            "cluster.toml:1: queue='long' cannot be used: expected no such setting for local, as it is for slurm, pbs. "
            "Leave out queue, or choose another kind.",
        ),
        ("\n\nport = 99999\n", "cluster.toml:3: port=99999 cannot be used: expected a port between 0 and 65535. "),
    ],
)
def test_mistake_in_a_file_is_named_with_its_line(
    run: Callable[..., Any], tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "cluster.toml").write_text(text)
    ran = run("cluster", "up", "--config", "cluster.toml")
    assert ran.code == 2
    assert ran.stderr.startswith(f"Error: {message}")
    assert ran.stderr.endswith("Next: gbdist cluster up --help\n")
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--kind", "slrm"], "--kind='slrm' cannot be used: expected one of local, ssh, slurm, pbs, kubernetes."),
        (
            ["up", "--listen", "0.0.0.0"],
            "--listen='0.0.0.0' cannot be used: expected certificates for a scheduler that listens",
        ),
        (["up", "--kind", "ssh", "--insecure"], "--host=() cannot be used: expected the machines of the workers."),
        (["up", "--set", "workers"], "--set='workers' cannot be used: expected KEY=VALUE."),
        (["up", "--set", "worker=3"], "--set worker='3' cannot be used: expected one of name, kind, workers"),
        (["up", "--set", "timeout=soon"], "--set timeout='soon' cannot be used: expected a number of seconds"),
        (["up", "Big"], "name='Big' cannot be used: expected 1 to 52 lower-case letters"),
        (
            ["up", "--tls", "nowhere"],
            "{cwd}/nowhere/ca.pem is missing. Make new ones with: gbdist cluster certs nowhere",
        ),
        (["down"], "There is no cluster. Start one with: gbdist cluster up"),
        (["down", "one"], "No cluster is named 'one'. There are no clusters."),
        (["scale", "2"], "There is no cluster."),
        (["logs"], "There is no cluster."),
        (["init", "--kind", "slrm"], "--kind='slrm' cannot be used: expected one of local"),
    ],
)
def test_mistake_is_told_before_anything_starts(
    run: Callable[..., Any], tmp_path: Path, arguments: list[str], message: str
) -> None:
    ran = run("cluster", *arguments)
    assert ran.stderr.startswith(f"Error: {message.format(cwd=tmp_path)}")
    assert ran.code == (4 if arguments[0] in ("down", "scale", "logs") or "nowhere" in arguments else 2)
    assert "Next: gbdist cluster " in ran.stderr
    assert "--debug" not in ran.stderr
    assert "Traceback" not in ran.stderr


def test_no_workers_are_none_and_not_the_default(run: Callable[..., Any]) -> None:
    assert "--nworkers 0 &" in run("cluster", "render", "--workers", 0).stdout


def test_settings_with_set(run: Callable[..., Any]) -> None:
    ran = run(
        "cluster", "render", "--kind", "slurm", "--insecure", "--set", "account=123", "--set", "directives=--exclusive",
        "--set", 'prologue=["module load a", "module load b"]', "--set", "python=/opt/python",
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    for line in (
        "#SBATCH -A 123\n",
        "#SBATCH --exclusive\n",
        "module load a\nmodule load b\n/opt/python -m distributed",
    ):
        assert line in ran.stdout


def test_certs(run: Callable[..., Any], tmp_path: Path) -> None:
    ran = run("cluster", "certs", "certs", "--host", "node1", "--days", 3, "--json")
    assert ran.code == 0, ran.stderr
    assert ran.json["hosts"] == ["node1", "localhost", "127.0.0.1", "::1"]
    assert sorted(ran.json["files"]) == sorted(os.listdir(tmp_path / "certs"))
    ran = run("cluster", "certs", "certs")
    assert ran.code == 4
    assert "Error: certs has certificates already" in ran.stderr
    assert run("cluster", "certs", "certs", "--replace").code == 0


def test_error_as_json(run: Callable[..., Any]) -> None:
    ran = run("cluster", "down", "one", "--json")
    assert json.loads(ran.stdout)["error"]["type"] == "ClusterError"
    assert json.loads(ran.stdout)["exit_code"] == 4


def test_certificates_without_an_address(run: Callable[..., Any]) -> None:
    for command in (["train", "a.csv", "--target", "y"], ["predict", "m.cbm", "a.csv"]):
        ran = run(*command, "--tls", "certs")
        assert ran.code == 2
        assert ran.stderr.startswith(
            "Error: --tls='certs' cannot be used: expected an address with it. For example: --scheduler tls://host:8786\n"
        )


def test_help_of_each_command_has_examples(run: Callable[..., Any]) -> None:
    from typer.main import get_command

    commands = list(get_command(app).commands["cluster"].commands)  # type: ignore[attr-defined]
    assert set(commands) == {"init", "certs", "up", "render", "down", "status", "scale", "logs"}
    for command in commands:
        ran = run("cluster", command, "--help")
        assert ran.code == 0
        assert "Examples" in ran.stdout
        assert f"gbdist cluster {command}" in ran.stdout
