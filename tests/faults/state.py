"""What the processes of a cluster know together: which faults have struck, how often moments came, and who is told.

A folder: a file for each fault that has struck, made by who was first; a file for each moment, a byte longer each time; and a
named pipe to the test's process, because what is in a pipe survives the process that wrote it.
"""

import builtins
import errno
import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The tool's own, whatever a full disk does to the others.
_open, _write = os.open, os.write

_PIPE = "told"


class State:
    """The folder; a value that travels to workers on the same machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: dict[str, int] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return State, (self._folder,)

    @property
    def pipe(self) -> Path:
        """Where workers tell the test what they have done, a line of JSON each."""
        return self._folder / _PIPE

    def make(self) -> None:
        """Make the folder and the pipe."""
        self._folder.mkdir()
        os.mkfifo(self.pipe)

    def take(self, number: int) -> bool:
        """Whether the caller is the one who is to let a fault strike."""
        try:
            os.close(_open(self._fired(number), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def has_struck(self, number: int) -> bool:
        """Whether somebody has."""
        return self._fired(number).exists()

    def count(self, moment: str) -> None:
        """A moment has come."""
        if moment not in self._counts:
            self._counts[moment] = _open(self._folder / moment, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        _write(self._counts[moment], b".")

    def counted(self, moment: str) -> int:
        """How often it has come, in all processes."""
        path = self._folder / moment
        return path.stat().st_size if path.exists() else 0

    def tell(self, kind: str, **fields: Any) -> None:
        """Write a line to the test; a short line arrives whole."""
        if not self.pipe.exists():  # the test is over
            return
        pipe = _open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        try:
            _write(pipe, json.dumps({"kind": kind, **fields}).encode() + b"\n")
        finally:
            os.close(pipe)

    def close(self) -> None:
        """Let go of the files of counts."""
        while self._counts:
            os.close(self._counts.popitem()[1])

    def _fired(self, number: int) -> Path:
        return self._folder / f"fired-{number}"


class FullDisk:
    """A disk without space: files can be opened and made, as on a real one, but nothing can be written to them."""

    def __init__(self) -> None:
        self._before: dict[tuple[Any, str], Any] = {}

    def start(self) -> None:
        """From now on there is no space."""
        self._replace(builtins, "open", self._open_file)
        self._replace(io, "open", self._open_file)  # pathlib's
        for name in ("write", "writev", "pwrite", "pwritev"):
            self._replace(os, name, self._refusing(getattr(os, name)))
        self._replace(os, "posix_fallocate", self._refuse)

    def end(self) -> None:
        """There is space again."""
        while self._before:
            (owner, name), original = self._before.popitem()
            setattr(owner, name, original)

    def _replace(self, owner: Any, name: str, stand_in: Any) -> None:
        if (owner, name) not in self._before:
            self._before[owner, name] = getattr(owner, name)
            setattr(owner, name, stand_in)

    def _open_file(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        original = self._before.get((builtins, "open"), builtins.open)
        opened = original(file, mode, *args, **kwargs)
        if isinstance(file, int) or not any(letter in mode for letter in "wax+"):
            return opened
        opened.close()  # it is there, and empty if it was to be
        return original("/dev/full", mode.replace("x", "w"), *args, **kwargs)

    def _refusing(self, original: Callable[..., int]) -> Callable[..., int]:
        def write(descriptor: int, *args: Any) -> int:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self._refuse()
            return original(descriptor, *args)

        return write

    @staticmethod
    def _refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
