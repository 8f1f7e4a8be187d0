"""What the containers of Compose and Kubernetes start, started here: encrypted, watched over HTTP, scaled down over HTTP."""

import json
import shlex
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from ...certificates import Authority, new_authority
from ...processes import Processes
from .recipes import compose, manifest

NAME = "gbdist-default-worker-1"
ROLES = ("scheduler", "worker")
Recipe = tuple[dict[str, tuple[list[str], dict[str, str]]], str]
"""Words and settings of each role, and the folder in which its certificates are."""


def from_compose() -> Recipe:
    """What the TLS variant of compose starts."""
    services = compose("compose.tls.yaml", GBDIST_THREADS="1", GBDIST_MEMORY="1GiB")["services"]
    roles = {role: (shlex.split(services[role]["command"]), services[role]["environment"]) for role in ROLES}
    return roles, "/run/secrets"


def from_kubernetes() -> Recipe:
    """What the DaskCluster starts."""
    roles = {}
    for role in ROLES:
        (container,) = manifest("cluster.yaml")["spec"][role]["spec"]["containers"]
        words = [word.replace("$(DASK_WORKER_NAME)", NAME) for word in container["args"]]
        roles[role] = (words, {each["name"]: each["value"] for each in container["env"]})
    return roles, "/certs"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Path]:
    """Who signs, and a folder of what it has signed, as `gbdist cluster certs` writes it."""
    made, folder = new_authority("recipes"), tmp_path_factory.mktemp("certificates")
    (folder / "ca.pem").write_text(made.pem)
    key, certificate = made.issue("server")
    (folder / "server.pem").write_text(certificate)
    (folder / "server-key.pem").write_text(key)
    return made, folder


@pytest.fixture(params=[from_compose, from_kubernetes], ids=["compose", "kubernetes"])
def started(request: Any, authority: tuple[Authority, Path], tmp_path: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Address of the scheduler, and the port on which each role answers HTTP."""
    roles, certificates = request.param()
    ports = dict.fromkeys(("8786", "8788", "8789"), 0) | dict.fromkeys(ROLES, 0)
    with Processes(tmp_path) as processes:
        sockets = [socket.socket() for _ in ports]
        for name, sock in zip(ports, sockets, strict=True):
            sock.bind(("", 0))
            ports[name] = sock.getsockname()[1]
        for sock in sockets:
            sock.close()
        for role, (words, settings) in roles.items():
            own = {**ports, "8787": ports[role]}

            def here(text: str, own: dict[str, int] = own) -> str:
                for host in ("//gbdist-scheduler:", "//scheduler:"):
                    text = text.replace(host, "//127.0.0.1:")
                for port in ("8786", "8787", "8788", "8789"):
                    text = text.replace(port, str(own[port]))
                return text.replace("/scratch", str(tmp_path)).replace(certificates, str(authority[1]))

            variables = [f"{name}={here(value)}" for name, value in settings.items()]
            processes.start("env", *variables, *map(here, words))
        yield f"tls://127.0.0.1:{ports['8786']}", {role: ports[role] for role in ROLES}


def ask(port: int, path: str, body: object = None) -> str:
    """What is answered over HTTP."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=data, timeout=20) as answer:
        return str(answer.read().decode())


def test_cluster_of_the_recipe(request: Any, started: Any, authority: tuple[Authority, Path]) -> None:
    address, ports = started
    with Client(address, security=authority[0].security(), set_as_default=False, timeout=60) as client:
        client.wait_for_workers(1, timeout=60)
        (worker,) = client.scheduler_info(n_workers=-1)["workers"].values()
        assert client.run_on_scheduler(lambda dask_scheduler: "gbdist" in dask_scheduler.plugins)
        for role, port in ports.items():
            assert ask(port, "/health") == "ok", role
            assert f"dask_{role}_" in ask(port, "/metrics")
        # The preload has brought gbdist's own, before there has been a run.
        assert "\ngbdist_trees_total 0" in ask(ports["scheduler"], "/metrics")
        assert "<title>" in ask(ports["scheduler"], "/gbdist")
        if "kubernetes" in request.node.name:
            assert worker["name"] == NAME
            # As the operator does to scale down: it has no certificate.
            answer = json.loads(ask(ports["scheduler"], "/api/v1/retire_workers", {"n": 1}))
            assert [each["name"] for each in answer.values()] == [NAME]
            assert client.scheduler_info(n_workers=-1)["workers"] == {}
        else:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                ask(ports["scheduler"], "/api/v1/retire_workers", {"n": 1})
