"""The settings of a cluster: one table, of which the file ``cluster.toml``, its check and the help are made.

Light to import: the command line reads the table for its help.
"""

import difflib
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gbdist_cluster.errors import SettingError
from gbdist_cluster.launch.records import check_name

__all__ = ["KEYS", "KINDS", "ClusterConfig", "Key", "configure", "template"]

KINDS: tuple[str, ...] = ("local", "ssh", "slurm", "pbs", "kubernetes")
"""Where workers may be started."""

QUEUES = ("slurm", "pbs")

LATE = (*QUEUES, "kubernetes")
"""Kinds whose workers come when there is room, which may be long after they were asked for."""

APART = ("ssh", "kubernetes")
"""Kinds whose scheduler and workers go on where their keeper is killed."""

_WITH_SCHEDULER = ("local", "ssh", *QUEUES)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What a cluster is to be. Every field but ``given`` is described in ``KEYS`` under its name, with hyphens."""

    name: str = "default"
    kind: str = "local"
    workers: int | None = None
    threads: int | None = None
    memory: str | None = None
    gpus: bool = False
    listen: str | None = None
    port: int = 0
    dashboard_address: str = "127.0.0.1:0"
    tls: str | None = None
    insecure: bool = False
    timeout: float = 60.0
    hosts: tuple[str, ...] = ()
    scheduler_host: str | None = None
    gpus_per_host: int = 1
    ssh_user: str | None = None
    ssh_port: int | None = None
    ssh_key: str | None = None
    known_hosts: str | None = None
    python: str | None = None
    queue: str | None = None
    account: str | None = None
    walltime: str | None = None
    interface: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    log_directory: str | None = None
    local_directory: str | None = None
    image: str = "ghcr.io/dask/dask:latest"
    namespace: str | None = None
    service_type: str = "ClusterIP"
    given: Mapping[str, str] = field(default_factory=dict, compare=False)
    """How each setting that somebody gave is to be named in an error: ``--port``, or ``cluster.toml:7: port``."""

    @property
    def is_exposed(self) -> bool:
        """Whether the scheduler takes connections from beyond its own machine."""
        return self.kind != "kubernetes" and not is_loopback(self.listen)

    @property
    def protocol(self) -> str:
        """Of Dask's connections."""
        return "tls" if self.tls else "tcp"

    @property
    def worker_dashboard(self) -> str:
        """Where workers serve their own pages: as the scheduler's is, on a free port."""
        return f"{self.dashboard_address.rpartition(':')[0]}:0"

    @property
    def worker_host(self) -> str | None:
        """Where workers elsewhere take connections: on the loopback if the scheduler does, else as Dask finds it."""
        return None if self.is_exposed else self.listen

    def refuse(self, name: str, expected: str, fix: str) -> SettingError:
        """The error for a setting whose value cannot be used."""
        return SettingError(self.given.get(name, f"--{name}"), getattr(self, name.replace("-", "_")), expected, fix)


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: what it takes, which kinds of cluster have it, what it means, and how it is written in a file."""

    name: str
    type: type
    kinds: tuple[str, ...]
    comment: str
    example: Any
    choices: tuple[str, ...] = ()
    least: float | None = None
    """The smallest value of a number."""

    def expectation(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = {str: "a text", int: "a whole number", float: "a number of seconds", bool: "true or false"}
        text = words.get(self.type, "a list of texts")
        return text if self.least is None else f"{text} of at least {self.least:g}"

    def takes(self, value: object) -> bool:
        """Whether a value can be used, as far as it can be said of this setting alone."""
        if self.type is bool or isinstance(value, bool):
            return self.type is bool and isinstance(value, bool)
        if self.type is tuple:
            return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        if self.type is float and isinstance(value, int):
            value = float(value)
        if not isinstance(value, self.type):
            return False
        if self.choices and value not in self.choices:
            return False
        return self.least is None or (isinstance(value, int | float) and value >= self.least)


KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("name", str, KINDS, "How the cluster is called, in `--scheduler NAME` too.", "default"),
        Key("kind", str, KINDS, "Where workers are started.", "local", choices=KINDS),
        Key("workers", int, KINDS, "How many workers. Default: one a core, a host or a GPU; 1 in a queue.", 4, least=0),
        Key(
            "threads",
            int,
            KINDS,
            "Threads of each worker. Default: an even share of the cores; 1 elsewhere.",
            2,
            least=1,
        ),
        Key("memory", str, KINDS, "Memory of each worker. Default: an even share; 4 GiB in a queue.", "8 GiB"),
        Key("gpus", bool, KINDS, "One worker a GPU, each with its CUDA_VISIBLE_DEVICES.", True),
        Key(
            "listen",
            str,
            _WITH_SCHEDULER,
            "Address on which the scheduler takes connections; 0.0.0.0 for all. Beyond 127.0.0.1 it needs tls. "
            "Default: 127.0.0.1 for a local cluster, all for others.",
            "0.0.0.0",
        ),
        Key("port", int, _WITH_SCHEDULER, "Port of the scheduler. Default: a free one.", 8786, least=0),
        Key(
            "dashboard-address",
            str,
            _WITH_SCHEDULER,
            "Where Dask's dashboard is served: HOST:PORT, port 0 for a free one. It asks nobody for a password.",
            "127.0.0.1:8787",
        ),
        Key("tls", str, _WITH_SCHEDULER, "Folder of certificates, as `gbdist cluster certs` makes it.", "certs"),
        Key("insecure", bool, _WITH_SCHEDULER, "Let anybody who reaches the scheduler run code on it.", True),
        Key("timeout", float, KINDS, "Seconds in which the workers must be there.", 60.0, least=0.1),
        Key("hosts", tuple, ("ssh",), "Machines of the workers, by the names that ssh knows.", ["node1", "node2"]),
        Key("scheduler-host", str, ("ssh",), "The machine of the scheduler. Default: the first of hosts.", "node1"),
        Key("gpus-per-host", int, ("ssh",), "With gpus: how many GPUs each host has.", 4, least=1),
        Key("ssh-user", str, ("ssh",), "Who logs in. Default: as ssh.", "me"),
        Key("ssh-port", int, ("ssh",), "Port of the SSH servers.", 22, least=1),
        Key(
            "ssh-key",
            str,
            ("ssh",),
            "File of the private key. Default: those of ssh and its agent.",
            "~/.ssh/id_ed25519",
        ),
        Key(
            "known-hosts", str, ("ssh",), "File of the hosts' keys. Default: ~/.ssh/known_hosts.", "~/.ssh/known_hosts"
        ),
        Key(
            "python",
            str,
            ("ssh", *QUEUES),
            "Python of the workers. Default: the path of this one.",
            "/opt/venv/bin/python",
        ),
        Key("queue", str, QUEUES, "Partition (Slurm) or queue (PBS).", "short"),
        Key("account", str, QUEUES, "Whom the time is charged to.", "project1"),
        Key("walltime", str, QUEUES, "How long a job may run. Default: dask-jobqueue's, half an hour.", "04:00:00"),
        Key("interface", str, QUEUES, "Network interface of scheduler and workers, such as ib0.", "ib0"),
        Key("directives", tuple, QUEUES, "More directives of the job script.", ["--exclusive"]),
        Key("prologue", tuple, QUEUES, "Commands of the job script before the worker.", ["module load python"]),
        Key("log-directory", str, QUEUES, "Folder of the jobs' output.", "logs"),
        Key("local-directory", str, (*QUEUES, "local", "ssh"), "Fast local disk of the workers.", "/scratch"),
        Key("image", str, ("kubernetes",), "Container image with gbdist in it.", "registry.example.org/gbdist:0.1.0"),
        Key("namespace", str, ("kubernetes",), "Namespace. Default: that of the current context.", "training"),
        Key(
            "service-type",
            str,
            ("kubernetes",),
            "Type of the scheduler's service.",
            "ClusterIP",
            choices=("ClusterIP", "NodePort", "LoadBalancer"),
        ),
    )
}
"""Every setting of ``cluster.toml`` and of ``gbdist cluster up --set``."""


def configure(values: Mapping[str, Any], given: Mapping[str, str] | None = None) -> ClusterConfig:
    """A checked configuration; ``given`` says how each setting is to be named in an error.

    Only what can be said without looking at machine or network is checked here.

    Raises
    ------
    SettingError
        For the first setting that is unknown, of a wrong type, or of no use with the others.
    """
    given = given or {}
    for name, value in values.items():
        shown = given.get(name, f"--{name}")
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, n=1)
            fix = f"Did you mean {near[0]!r}?" if near else "Correct the name."
            raise SettingError(shown, value, f"one of {', '.join(KEYS)}", fix)
        if not KEYS[name].takes(value):
            raise SettingError(shown, value, KEYS[name].expectation(), f"For example: {_toml(KEYS[name])}")
    fields: dict[str, Any] = {
        name.replace("-", "_"): tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    if "timeout" in fields:
        fields["timeout"] = float(fields["timeout"])
    fields.setdefault("kind", "local")
    fields.setdefault("listen", {"local": "127.0.0.1", "kubernetes": None}.get(fields["kind"], "0.0.0.0"))
    config = ClusterConfig(**fields, given=dict(given))
    check_name(config.name)
    for name in values:
        if config.kind not in KEYS[name].kinds:
            expected = f"no such setting for {config.kind}, as it is for {', '.join(KEYS[name].kinds)}"
            raise config.refuse(name, expected, f"Leave out {name}, or choose another kind.")
    for check in _CHECKS:
        if error := check(config):
            raise error
    return config


def _certificates_where_exposed(config: ClusterConfig) -> SettingError | None:
    if not config.is_exposed or config.tls or config.insecure:
        return None
    fix = (
        "Make them with: gbdist cluster certs certs --host HOST, and add --tls certs; "
        "or add --insecure, which lets anybody who reaches the port run code as you."
    )
    return config.refuse("listen", "certificates for a scheduler that listens beyond 127.0.0.1", fix)


def _hosts_for_ssh(config: ClusterConfig) -> SettingError | None:
    if config.kind != "ssh" or config.hosts:
        return None
    return config.refuse("hosts", "the machines of the workers", "For example: --host node1 --host node2")


def _port_in_range(config: ClusterConfig) -> SettingError | None:
    if config.port <= 65535:
        return None
    return config.refuse("port", "a port between 0 and 65535", "Leave it out for a free one.")


def _dashboard_is_an_address(config: ClusterConfig) -> SettingError | None:
    host, _, port = config.dashboard_address.rpartition(":")
    if host and port.isdigit() and int(port) <= 65535:
        return None
    return config.refuse("dashboard-address", "HOST:PORT", "For example: --dashboard-address 127.0.0.1:8787")


def _service_within_the_cluster(config: ClusterConfig) -> SettingError | None:
    if config.service_type == "ClusterIP" or config.kind != "kubernetes":
        return None
    fix = "Leave it out: clients inside the cluster, and port forwarding from outside, need no other."
    return config.refuse("service-type", "ClusterIP, as the operator's schedulers speak no TLS", fix)


_CHECKS: tuple[Callable[[ClusterConfig], SettingError | None], ...] = (
    _certificates_where_exposed,
    _hosts_for_ssh,
    _port_in_range,
    _dashboard_is_an_address,
    _service_within_the_cluster,
)


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches an address."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def template(kind: str) -> str:
    """A ``cluster.toml`` for a kind: every setting with its comment, those that need no value commented out."""
    if kind not in KINDS:
        raise SettingError("--kind", kind, KEYS["kind"].expectation(), "For example: --kind slurm")
    lines = [
        "# A cluster of gbdist. Start it with: gbdist cluster up --config THIS.toml, stop it with: gbdist cluster down.\n"
    ]
    for key in KEYS.values():
        if kind not in key.kinds:
            continue
        written = f"kind = {json.dumps(kind)}" if key.name == "kind" else _toml(key)
        needed = key.name in ("name", "kind", "workers", "hosts") or (key.name == "tls" and kind in ("ssh", *QUEUES))
        choices = f" One of: {', '.join(key.choices)}." if key.choices else ""
        lines.append(f"# {key.comment}{choices}\n{'' if needed else '# '}{written}\n")
    return "\n".join(lines)


def _toml(key: Key) -> str:
    return f"{key.name} = {json.dumps(key.example)}"
