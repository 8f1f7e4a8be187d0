"""What every kind of cluster can do, and what several of them share."""

import importlib
import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from gbdist_cluster.errors import ClusterError, SettingError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.certificates import security_fields, security_for
from gbdist_cluster.launch.config import ClusterConfig

__all__ = ["Launcher"]


class Launcher(Protocol):
    """One cluster that may be started. Making a launcher does nothing."""

    config: ClusterConfig

    @property
    def workers(self) -> int:
        """How many workers the cluster is to have at first."""
        ...

    def check(self) -> None:
        """Look at what can be known before anything starts; a ``GbdistError`` says what is missing."""
        ...

    def check_size(self, workers: int) -> None:
        """Raise a ``SettingError`` if the cluster cannot have so many workers."""
        ...

    def create(self) -> Any:
        """Dask's cluster object, asynchronous: awaiting it starts the scheduler and asks for the workers.

        Called in the keeper's event loop. Workers of a queue come later; all others are there once it was awaited.
        """
        ...

    def render(self) -> str:
        """What would be started, as text: commands, a job script or a manifest. Needs no cluster."""
        ...


def require_extra(module: str, extra: str, kind: str) -> Any:
    """Import a module of an extra; ``ClusterError`` with its install line if it is not there."""
    try:
        with _signals_kept():
            return importlib.import_module(module)
    except ImportError as problem:
        raise ClusterError(
            f"Clusters of kind {kind} need the package {problem.name or module}",
            f'Install it with: pip install "gbdist[{extra}]"',
        ) from problem


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what an import does to signals: dask-jobqueue makes Ctrl-C end the process (dask_jobqueue/runner.py)."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def with_workers(cluster: Any, count: int) -> Any:
    """A ``SpecCluster`` that is not started yet, with so many workers to start."""
    for _ in range(count):
        cluster.worker_spec.update(cluster.new_worker_spec())
    return cluster


def check_here(config: ClusterConfig) -> None:
    """Check what a scheduler on this machine needs: free ports, certificates and readable sizes."""
    check_memory(config)
    check_certificates(config)
    check_port(config, "port", config.listen or "", config.port)
    host, _, port = config.dashboard_address.rpartition(":")
    check_port(config, "dashboard-address", host, int(port))


def check_memory(config: ClusterConfig) -> None:
    """Raise a ``SettingError`` if the memory is no size."""
    from dask.utils import parse_bytes

    if config.memory is None:
        return
    try:
        parse_bytes(config.memory)
    except ValueError as problem:
        raise config.refuse("memory", "a size", "For example: --memory '8 GiB'") from problem


def check_certificates(config: ClusterConfig) -> None:
    """Raise a ``CertificateError`` if there is a folder of certificates that is of no use."""
    security_for(config.tls)


def check_port(config: ClusterConfig, setting: str, host: str, port: int) -> None:
    """Raise a ``SettingError`` if a port cannot be had, with the cluster of ours that has it."""
    if port == 0:
        return
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Dask's own listeners
            sock.bind(address)
    except socket.gaierror as problem:
        raise config.refuse(
            setting, f"an address of this machine ({problem.strerror})", "Correct the host."
        ) from problem
    except OSError as problem:
        raise _taken(config, setting, port, problem) from problem


def _taken(config: ClusterConfig, setting: str, port: int, problem: OSError) -> SettingError:
    owners = [
        record.name
        for record in records.all_records()
        if records.is_alive(record) and port in (urlsplit(record.scheduler).port, urlsplit(record.dashboard).port)
    ]
    by = f", and the cluster {owners[0]!r} has this one" if owners else f" ({problem.strerror})"
    return config.refuse(setting, f"a port that is free{by}", "Choose another one, or leave it out for a free one.")


def tls_arguments(config: ClusterConfig) -> list[str]:
    """The certificates as arguments of Dask's commands."""
    if not config.tls:
        return []
    folder = Path(config.tls).expanduser().absolute()
    return [
        f"--tls-ca-file={folder}/ca.pem",
        f"--tls-cert={folder}/server.pem",
        f"--tls-key={folder}/server-key.pem",
    ]


def tls_fields(config: ClusterConfig) -> dict[str, Any] | None:
    """Dask's ``Security`` for scheduler and workers elsewhere, as JSON; None without certificates."""
    return security_fields(Path(config.tls)) if config.tls else None


def scheduler_command(config: ClusterConfig) -> str:
    """The scheduler as a command line."""
    port = config.port or 8786
    words = ["dask", "scheduler", "--host", config.listen or "0.0.0.0", "--port", str(port)]
    words += ["--protocol", f"{config.protocol}://", "--dashboard-address", config.dashboard_address]
    return shlex.join([*words, *tls_arguments(config)])


def worker_command(config: ClusterConfig, scheduler: str, *more: str, env: Mapping[str, str] | None = None) -> str:
    """One worker as a command line, ``scheduler`` being the scheduler's host."""
    words = ["dask", "worker", f"{config.protocol}://{scheduler}:{config.port or 8786}"]
    words += ["--dashboard-address", config.worker_dashboard]
    if config.worker_host:
        words += ["--host", config.worker_host]
    words += ["--nthreads", str(config.threads or 1), "--memory-limit", (config.memory or "auto").replace(" ", "")]
    if config.local_directory:
        words += ["--local-directory", config.local_directory]
    before = [f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()]
    return " ".join([*before, shlex.join([*words, *more, *tls_arguments(config)])])


def script(comment: str, lines: Sequence[str]) -> str:
    """A shell script of the lines."""
    return "\n".join(["#!/usr/bin/env bash", f"# {comment}", *lines, ""])


def python_here(config: ClusterConfig) -> str:
    """The Python of workers elsewhere: as configured, or at the path of this one."""
    return os.path.expanduser(config.python) if config.python else sys.executable
