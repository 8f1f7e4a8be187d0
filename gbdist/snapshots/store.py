"""Snapshots as files: each state of a run is a file of its own, a *generation*, so that none is ever overwritten.

A generation has its number in its name: ``run.cbsnapshot.000012``. The newest two are kept. Whatever is being written when the
machine stops, the one before it is whole.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from warnings import warn

from gbdist.errors import SnapshotError
from gbdist.snapshots.files import Folder, Opener, folder_of, reason
from gbdist.snapshots.format import Content, DamagedSnapshot, ForeignFile, read, write
from gbdist.snapshots.steps import MalformedError, decode_step

#: Generations that are kept.
KEPT = 2


@dataclass(frozen=True, eq=False)
class Loaded:
    """The newest whole generation: its file, and what is in it."""

    path: str
    content: Content


class Store:
    """The generations of one run.

    Parameters
    ----------
    path : str
        Of this machine, or a URL of fsspec's; numbers are appended to it. Never given to a shell.
    """

    def __init__(self, path: str, opener: Opener = folder_of) -> None:
        self.path = path
        try:
            opened = opener(path)
        except Exception as error:  # whatever a file system that is not installed, or has no access, raises
            raise SnapshotError(path, reason(error), "a place to write snapshots to", "Check snapshot_file.") from error
        self._folder: Folder = opened[0]
        self._name = opened[1]
        #: Generations that ``load`` found damaged, and which of them are somebody else's files.
        self._damaged: set[str] = set()
        self._foreign: set[str] = set()

    def prepare(self) -> None:
        """Make the folder. Raises SnapshotError if that cannot be done, or the folder cannot be written to."""
        try:
            self._folder.make()
        except Exception as error:
            expected = "a folder that can be made and written to"
            raise SnapshotError(self.path, reason(error), expected, "Check snapshot_file and train_dir.") from error

    def load(self) -> Loaded | None:
        """The newest whole generation; None without one. Warns of those that are damaged, and says what is used instead.

        Raises
        ------
        SnapshotError
            The newest one is of a newer version of gbdist, or files cannot be read.
        """
        self._damaged, self._foreign = set(), set()
        faults: list[DamagedSnapshot] = []
        found = None
        for name in reversed(self._generations()):
            try:
                found = self._read(name)
            except DamagedSnapshot as fault:
                (self._foreign if isinstance(fault, ForeignFile) else self._damaged).add(name)
                faults.append(fault)
                continue
            if found is not None:
                break
        for each in faults:
            instead = "training begins anew" if found is None else f"{found.path} is used instead"
            warn(f"{each.args[0]}: found {each.args[1]}, expected {each.args[2]}; {instead}.", stacklevel=2)
        return found

    def save(self, content: Content) -> str:
        """Write the next generation, then delete all but the newest two; return its file. Raises what the file system raises.

        Damaged ones do not count among the two, and are deleted once there is a whole one.
        """
        generations = self._generations()
        name = f"{self._name}.{self._number(generations[-1]) + 1 if generations else 1:06d}"
        self._folder.write(name, write(content))
        ours = [each for each in generations if each not in self._foreign]
        kept = [each for each in ours if each not in self._damaged][1 - KEPT :]
        for former in ours:
            if former not in kept:
                with suppress(Exception):  # one that is left lying does no harm
                    self._folder.delete(former)
        return self._folder.path(name)

    def _read(self, name: str) -> Loaded | None:
        """One generation; None if another process has deleted it since it was seen."""
        path = self._folder.path(name)
        try:
            data = self._folder.read(name)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise SnapshotError(path, reason(error), "a file that can be read", "Check its permissions.") from error
        return Loaded(path, read(data, path))

    def _generations(self) -> list[str]:
        """Names of all generations, oldest first."""
        pattern = re.compile(re.escape(self._name) + r"\.[0-9]{6,}", re.DOTALL)
        try:
            names = self._folder.names()
        except Exception as error:
            expected = "a folder that can be read"
            raise SnapshotError(self.path, reason(error), expected, "Check snapshot_file and train_dir.") from error
        return sorted((name for name in names if pattern.fullmatch(name)), key=self._number)

    @staticmethod
    def _number(name: str) -> int:
        return int(name.rpartition(".")[2])


def steps_of(loaded: Loaded) -> tuple[Any, ...]:
    """The steps of a generation. Raises DamagedSnapshot for records that no version wrote, whatever their digest says."""
    try:
        return tuple(decode_step(record) for record in loaded.content.records)
    except MalformedError:
        fix = "Give another snapshot_file to begin anew."
        raise DamagedSnapshot(loaded.path, "steps that cannot be read", "a whole snapshot", fix) from None
