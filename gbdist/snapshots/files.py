"""Whole files in one folder, of this machine or of anything that fsspec knows."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import fsspec  # type: ignore[import-untyped]

from gbdist.whole_file import whole_file

_LOCAL = ("file://", "local://")


class Folder(Protocol):
    """A folder. What goes wrong is raised as the file system says it: OSError, or an error of its own."""

    def make(self) -> None:
        """Make the folder, and those above it, unless it is there; raise if it cannot be written to."""
        ...

    def names(self) -> list[str]:
        """Names of the files in it; none if there is no such folder."""
        ...

    def path(self, name: str) -> str:
        """What errors call a file."""
        ...

    def read(self, name: str) -> bytes:
        """All bytes of a file."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole: when this returns it is there, and will be after a loss of power."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file."""
        ...


def folder_of(path: str) -> tuple[Folder, str]:
    """The folder of a file, and the file's name in it. A path without ``://`` is this machine's, whatever characters it has."""
    if "://" not in path or path.startswith(_LOCAL):
        file = Path(path.split("://", 1)[1] if path.startswith(_LOCAL) else path)
        return LocalFolder(file.parent), file.name
    files, place = fsspec.core.url_to_fs(path)
    folder, _, name = place.rpartition("/")
    return RemoteFolder(files, folder, path.rpartition("/")[0]), name


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """See ``Folder``."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError("no permission to write there")

    def names(self) -> list[str]:
        """See ``Folder``."""
        with suppress(FileNotFoundError):
            return os.listdir(self._folder)
        return []

    def path(self, name: str) -> str:
        """See ``Folder``."""
        return str(self._folder / name)

    def read(self, name: str) -> bytes:
        """See ``Folder``."""
        return (self._folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """See ``Folder``. Bytes are on the disk before the file has its name, and the name before an older file is deleted."""
        with whole_file(self._folder / name) as unfinished, unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):  # some file systems have no folders to write through
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def delete(self, name: str) -> None:
        """See ``Folder``."""
        (self._folder / name).unlink(missing_ok=True)


class RemoteFolder:
    """A folder of one of fsspec's file systems, which may know no renaming: files are put there at once, their length is read."""

    def __init__(self, files: Any, folder: str, url: str) -> None:
        self._files, self._folder, self._url = files, folder, url

    def make(self) -> None:
        """See ``Folder``. Where folders are but parts of names, nothing is made."""
        self._files.makedirs(self._folder, exist_ok=True)

    def names(self) -> list[str]:
        """See ``Folder``."""
        self._files.invalidate_cache()
        with suppress(FileNotFoundError):
            return [str(found).rstrip("/").rpartition("/")[2] for found in self._files.ls(self._folder, detail=False)]
        return []

    def path(self, name: str) -> str:
        """See ``Folder``."""
        return f"{self._url}/{name}"

    def read(self, name: str) -> bytes:
        """See ``Folder``."""
        return bytes(self._files.cat_file(f"{self._folder}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """See ``Folder``."""
        file = f"{self._folder}/{name}"
        self._files.pipe_file(file, data)
        self._files.invalidate_cache()
        size = self._files.info(file)["size"]
        if size != len(data):
            raise OSError(f"{size:,} of {len(data):,} bytes arrived")

    def delete(self, name: str) -> None:
        """See ``Folder``."""
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{self._folder}/{name}")


def reason(error: Exception) -> str:
    """What went wrong, in the words of the operating system or of the file system."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


#: What makes a folder of a path; tests have their own.
Opener = Callable[[str], tuple[Folder, str]]
