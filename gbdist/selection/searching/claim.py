"""Who works on a study: one client at a time, which says so in the study itself, and is asked whether it still lives."""

import os
import socket
import time
import uuid
from typing import Any

import psutil
from optuna.storages import BaseStorage
from optuna.study import Study, get_all_study_names, load_study

from gbdist.errors import ClusterError

#: Attribute of a study.
_CLIENT = "gbdist:client"
#: How often a client says that it lives.
BEAT_SECONDS = 5.0
#: A client of another machine that has said nothing for so long is gone.
_SILENT_SECONDS = 60.0


class Claim:
    """This client's hold of a study, until ``release``. ClusterError where another client has it."""

    def __init__(self, study: Study) -> None:
        self._study, self._id, self._said = study, uuid.uuid4().hex, 0.0
        other = study.user_attrs.get(_CLIENT) or {}
        if other and _lives(other):
            raise _taken(study, other)
        self._say()

    def beat(self) -> None:
        """Say that this client lives, if it is time to; ClusterError if another one has the study now."""
        if time.monotonic() - self._said < BEAT_SECONDS:
            return
        other = self._study.user_attrs.get(_CLIENT) or {}
        if other.get("id") != self._id:
            raise _taken(self._study, other)
        self._say()

    def release(self) -> None:
        """Let others have the study."""
        if (self._study.user_attrs.get(_CLIENT) or {}).get("id") == self._id:
            self._study.set_user_attr(_CLIENT, None)

    def _say(self) -> None:
        self._said = time.monotonic()
        mine = {"id": self._id, "host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid())}
        self._study.set_user_attr(_CLIENT, {**mine, "beat": time.time()})


def forget(storage: BaseStorage) -> None:
    """Let go of all studies in a storage, for whoever knows that no client works on any of them now."""
    for name in get_all_study_names(storage):
        study = load_study(study_name=name, storage=storage)
        if study.user_attrs.get(_CLIENT):
            study.set_user_attr(_CLIENT, None)


def _born(pid: int) -> float | None:
    """When a process of this machine was started; None where there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _lives(client: dict[str, Any]) -> bool:
    if client["host"] == socket.gethostname():
        born = _born(client["pid"])
        return born is not None and abs(born - client["born"]) < 1.0
    return bool(time.time() - client["beat"] < _SILENT_SECONDS)


def _taken(study: Study, other: dict[str, Any]) -> ClusterError:
    who = f"process {other['pid']} on {other['host']}" if other else "nobody that is known"
    return ClusterError(
        f"The study {study.study_name!r} is being worked on by {who}",
        "Wait for it to end; one that was killed on another machine is forgotten after a minute.",
    )
