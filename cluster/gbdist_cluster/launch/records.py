"""What is known of each cluster that was started: one JSON file a cluster, in the user's folder for state.

A record belongs to a process, its *keeper* (``keeper.py``). It is *stale* once that process is gone: a process of the
same number is taken for it only if it also began at the same time.
"""

import fcntl
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import psutil

from gbdist_cluster.errors import ClusterError, SettingError

__all__ = ["ClusterRecord", "all_records", "claim", "find", "home", "is_alive", "only_running", "remove", "save"]

NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
"""Of a cluster's name: also that of a Kubernetes resource, a job in a queue and a file."""

_SAME_START = 0.5
"""Seconds by which two readings of a process' start may differ."""


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """A cluster as its record has it. ``scheduler`` and ``control`` are empty until it has started."""

    name: str
    kind: str
    host: str
    """The machine of the keeper; only from there the keeper can be looked at and spoken to."""
    pid: int
    """Of the keeper; of the command that starts it until the keeper has taken over."""
    started: float
    """When that process began, in unix time: tells it from a later one of the same number."""
    workers: int
    """How many were asked for at first."""
    scheduler: str = ""
    dashboard: str = ""
    control: str = ""
    token: str = ""
    """What a caller of the keeper must say; whoever reads this file may."""
    certificates: str = ""
    """The folder, where the cluster has certificates."""
    log: str = ""

    @property
    def here(self) -> bool:
        """Whether the keeper is a process of this machine."""
        return self.host == socket.gethostname()


def home() -> Path:
    """The folder of gbdist's state: ``$GBDIST_HOME``, or the user's."""
    if chosen := os.environ.get("GBDIST_HOME"):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_state_dir("gbdist", appauthor=False))


def folder() -> Path:
    """The folder of the records, made if it is not there; nobody else may read it."""
    path = home() / "clusters"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        raise ClusterError(
            f"The folder {path} for what is known of clusters cannot be made ({problem.strerror})",
            "Set GBDIST_HOME to a folder that you may write to.",
        ) from problem
    return path


def check_name(name: str) -> None:
    """Raise a ``SettingError`` if a cluster cannot have this name."""
    if not NAME_PATTERN.fullmatch(name):
        expected = "1 to 52 lower-case letters, digits and hyphens, no hyphen at either end"
        raise SettingError("name", name, expected, "For example: gbdist cluster up my-cluster")


def this_process() -> tuple[str, int, float]:
    """Host, number and start of this process, for a record."""
    return socket.gethostname(), os.getpid(), psutil.Process().create_time()


def is_alive(record: ClusterRecord) -> bool:
    """Whether the record's process still runs; True for one of another machine, which cannot be seen from here."""
    if not record.here:
        return True
    try:
        process = psutil.Process(record.pid)
        alive: bool = process.status() != psutil.STATUS_ZOMBIE
        return alive and abs(process.create_time() - record.started) < _SAME_START
    except psutil.NoSuchProcess:
        return False


def claim(record: ClusterRecord) -> ClusterRecord | None:
    """Write the record of a new cluster, all or nothing; a stale one of its name is replaced and returned.

    Raises
    ------
    ClusterError
        If a cluster of this name is there already.
    """
    with _locked():
        before = _read(_path(record.name))
        if before is not None and is_alive(before):
            where = "" if before.here else f" on {before.host}"
            state = f"runs{where} at {before.scheduler}" if before.scheduler else f"is being started{where}"
            raise ClusterError(
                f"A cluster {record.name!r} {state}",
                f"Stop it with: gbdist cluster down {record.name}, or give another name: gbdist cluster up NAME.",
            )
        save(record)
        return before


def save(record: ClusterRecord) -> None:
    """Write a record over the one of the same name; a reader sees one or the other, and only its owner reads it."""
    target = _path(record.name)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{record.name}-")  # mode 0600
    with os.fdopen(handle, "w") as file:
        json.dump(asdict(record), file, indent=1)
    os.replace(temporary, target)


def remove(record: ClusterRecord) -> None:
    """Delete a record, unless another process has taken the name since."""
    with _locked():
        now = _read(_path(record.name))
        if now is not None and (now.pid, now.started) == (record.pid, record.started):
            _path(record.name).unlink(missing_ok=True)


def all_records() -> list[ClusterRecord]:
    """Every record, stale ones too, by name."""
    found = (_read(path) for path in sorted(folder().glob("*.json")))
    return [record for record in found if record is not None]


def find(name: str) -> ClusterRecord:
    """The record of a name; ``ClusterError`` with the names that there are if there is none."""
    check_name(name)
    record = _read(_path(name))
    if record is None:
        known = [one.name for one in all_records()]
        if known:
            raise ClusterError(
                f"No cluster is named {name!r}", f"Clusters: {', '.join(known)}. See: gbdist cluster status"
            )
        fix = f"There are no clusters. Start one with: gbdist cluster up {name}"
        raise ClusterError(f"No cluster is named {name!r}", fix)
    return record


def only_running() -> ClusterRecord:
    """The record of the one cluster that runs; ``ClusterError`` if there is none or several, with their names."""
    running = [record for record in all_records() if record.scheduler and is_alive(record)]
    if len(running) == 1:
        return running[0]
    if not running:
        raise ClusterError("No cluster runs", "Start one with: gbdist cluster up, or name one with --scheduler.")
    names = ", ".join(record.name for record in running)
    raise ClusterError(f"Several clusters run: {names}", "Say which one: --scheduler NAME.")


def owned(record: ClusterRecord, **changes: Any) -> ClusterRecord:
    """The record with changes, owned by this process."""
    host, pid, started = this_process()
    return replace(record, host=host, pid=pid, started=started, **changes)


def _path(name: str) -> Path:
    return folder() / f"{name}.json"


def _read(path: Path) -> ClusterRecord | None:
    """One record; None if there is none, or the file is of no use (a version that is no more, a disk that was full)."""
    try:
        values = json.loads(path.read_text())
        return ClusterRecord(**{field.name: values[field.name] for field in fields(ClusterRecord)})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None


@contextmanager
def _locked() -> Iterator[None]:
    """One process at a time looks at the records and changes them."""
    with (folder() / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, also where this process is killed
        yield
