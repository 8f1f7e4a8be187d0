"""``gbdist doctor`` as it is typed: this machine, a cluster, a sick worker, nobody there."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gbdist.jobs import doctor


def levels(ran: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in ran.json["findings"]:
        found.setdefault(one["check"], set()).add(one["level"])
    return found


def test_this_machine(run: Callable[..., Any]) -> None:
    ran = run("doctor", "--json")
    assert ran.code == 0, ran.stderr
    found = levels(ran)
    assert {"versions", "memory", "threads", "disk", "kernels", "GPU"} == set(found)
    assert found["versions"] == found["kernels"] == {"ok"}
    assert ran.json["problems"] == 0


def test_a_cluster(run: Callable[..., Any], scheduler: str) -> None:
    ran = run("doctor", "--scheduler", scheduler, "--json")
    assert ran.code == 0, ran.stdout
    found = levels(ran)
    assert {"versions", "clocks", "network", "kernels", "GPU", "memory", "threads", "disk"} == set(found)
    assert found["clocks"] == {"ok"}
    (versions,) = [one for one in ran.json["findings"] if one["check"] == "versions"]
    assert versions["where"][0] == "the scheduler"
    assert len(versions["where"]) == 3
    (network,) = [one for one in ran.json["findings"] if one["check"] == "network"]
    assert "a round takes" in network["text"]


def test_warm_trains_on_every_worker(run: Callable[..., Any], scheduler: str) -> None:
    ran = run("doctor", "--scheduler", scheduler, "--warm")
    assert ran.code == 0, ran.stdout
    assert "compiling kernels on 2 worker(s)\n" in ran.stderr
    assert ran.stdout.count("tiny models were trained in") >= 1


def test_a_problem_ends_with_a_code_of_its_own_and_says_what_to_do(
    run: Callable[..., Any], scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "gpus_seen", broken)
    monkeypatch.setattr(doctor, "kernels_here", read_only)
    ran = run("doctor", "--scheduler", scheduler)
    assert ran.code == 12
    assert "compiled kernels cannot be kept in /usr/lib (Read-only file system)" in ran.stdout
    assert "Set NUMBA_CACHE_DIR to a folder that can be written" in ran.stdout
    assert "does not answer: ValueError: odd" in ran.stdout
    assert ran.stderr.splitlines()[-1].startswith("problems: 2, warnings: ")


def read_only() -> tuple[str, str]:
    return "/usr/lib", "Read-only file system"


def broken() -> Any:
    raise ValueError("odd")


def test_brackets_in_what_to_do_are_shown(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "gpus_seen", lambda: (SimpleNamespace(count=0, why_none="no package"), 1))
    ran = run("doctor")
    assert ran.code == 0
    assert 'pip install "gbdist[cuda]" there' in ran.stdout
    assert ran.stderr.splitlines()[-1].startswith("problems: 0, warnings: ")


def test_nobody_there(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gbdist.jobs.cluster.CONNECT_SECONDS", 0.5)
    ran = run("doctor", "--scheduler", "tcp://127.0.0.1:9")
    assert ran.code == 4
    assert "127.0.0.1:9" in ran.stderr


def test_certificates_without_an_address(run: Callable[..., Any]) -> None:
    assert run("doctor", "--tls", "certs").code == 2
