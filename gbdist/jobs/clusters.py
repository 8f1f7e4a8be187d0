"""Clusters that outlive the command which starts them, as ``gbdist cluster`` uses them.

The work is ``gbdist_cluster.launch``'s; this is the way there for the command line, which reaches the cluster through jobs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gbdist_cluster.launch.config import KEYS, KINDS, ClusterConfig, Key, configure, template

if TYPE_CHECKING:
    from gbdist_cluster.launch.certificates import Certificates
    from gbdist_cluster.launch.facts import ClusterFacts
    from gbdist_cluster.launch.stop import Stopped

__all__ = [
    "KEYS",
    "KINDS",
    "ClusterConfig",
    "Key",
    "certificates",
    "configure",
    "down",
    "logs",
    "render",
    "scale",
    "status",
    "template",
    "up",
    "write_template",
]

Say = Callable[[str], None]


def up(config: ClusterConfig, say: Say, *, wait: bool = True) -> "ClusterFacts":
    """Start a cluster; see ``gbdist_cluster.launch.start``."""
    from gbdist_cluster.launch import start

    return start.up(config, say, wait=wait)


def down(name: str | None, say: Say) -> "Stopped":
    """End a cluster; see ``gbdist_cluster.launch.stop``."""
    from gbdist_cluster.launch import stop

    return stop.down(name, say)


def names() -> list[str]:
    """Names of all clusters that have a record."""
    from gbdist_cluster.launch import records

    return [record.name for record in records.all_records()]


def status(name: str | None, say: Say) -> "list[ClusterFacts]":
    """The cluster of a name, or all; see ``gbdist_cluster.launch.facts``."""
    from gbdist_cluster.launch import facts

    return facts.status(name, say)


def scale(workers: int, name: str | None, say: Say, *, wait: bool = True) -> "ClusterFacts":
    """Have so many workers; see ``gbdist_cluster.launch.manage``."""
    from gbdist_cluster.launch import manage

    return manage.scale(workers, name, say, wait=wait)


def logs(name: str | None, worker: str | None, lines: int) -> list[str]:
    """The last lines of a log; see ``gbdist_cluster.launch.manage``."""
    from gbdist_cluster.launch import manage

    return manage.logs(name, worker, lines)


def render(config: ClusterConfig) -> str:
    """What ``up`` would start or submit, as text."""
    from gbdist_cluster.launch.kinds import launcher_of

    return launcher_of(config).render()


def write_template(path: Path, kind: str, *, replace: bool) -> str:
    """Write a file of settings for a kind; the path."""
    from gbdist.jobs.outputs import OutputError

    text = template(kind)
    try:
        with path.open("w" if replace else "x") as file:
            file.write(text)
    except FileExistsError as problem:
        raise OutputError(str(path), "it is there already", "Add --replace to write over it.") from problem
    except OSError as problem:
        raise OutputError(str(path), str(problem.strerror), "Choose another place.") from problem
    return str(path)


def certificates(folder: Path, hosts: tuple[str, ...], days: int, *, replace: bool) -> "Certificates":
    """Make certificates; see ``gbdist_cluster.launch.certificates``."""
    from gbdist_cluster.launch.certificates import make_certificates

    return make_certificates(folder, hosts, days, replace)
