"""Where results go: checked before any work is done, written beside, and moved into place at the end."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gbdist.errors import GbdistError


class OutputError(GbdistError):
    """A result cannot be written where it was asked for."""

    def __init__(self, path: str, problem: str, fix: str) -> None:
        super().__init__(path, problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        path, problem, fix = self.args
        return f"{path} cannot be written: {problem}. {fix}"


def require_writable_file(path: Path) -> None:
    """Raise an ``OutputError`` unless a file can be made (or replaced) at ``path``. Leaves nothing behind."""
    if path.is_dir():
        raise OutputError(str(path), "it is a folder", f"Name a file, for example -o {path / 'model.cbm'}")
    _require_writable_folder(path)


def require_replaceable(path: Path) -> None:
    """Raise an ``OutputError`` unless a table of part files can be put at ``path``.

    A file is replaced, and so is a folder of parts that was written before; any other folder is left alone.
    """
    if path.is_dir() and not all(_is_part(entry) for entry in path.iterdir()):
        raise OutputError(str(path), "it is a folder with other files in it", "Name a path that does not exist yet.")
    _require_writable_folder(path)


def require_not_read(path: Path, inputs: Sequence[str]) -> None:
    """Raise an ``OutputError`` if what is put at ``path`` would take the place of one of the files that are read."""
    target = path.resolve()
    for name in inputs:
        source = Path(name).resolve()
        if target in (source, *source.parents):
            raise OutputError(str(path), f"{name} is read and would be lost", "Choose another place with -o.")


def _is_part(path: Path) -> bool:
    return path.name.startswith("part-") and path.suffix == ".parquet"


def _require_writable_folder(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(str(path), f"the folder {folder} does not exist", f"Make it with: mkdir -p {folder}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(str(path), f"{error.strerror} in {folder}", "Choose another place with -o.") from error


@contextmanager
def parts_folder(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` to write parts into; becomes ``path`` if the block succeeds, vanishes if not.

    One part alone becomes a plain file. A reader never sees half a result.
    """
    # Not tempfile.mkdtemp: its folders are closed to everyone else, workers under another account included.
    folder = path.absolute().parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        yield folder
        _remove(path)
        parts = sorted(folder.iterdir())
        os.replace(parts[0] if len(parts) == 1 else folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_part(part: str) -> Iterator[str]:
    """Give a path of this machine to write a part to, a path or a URL; it appears there whole or not at all."""
    if "://" not in part:
        unfinished = f"{part}.unfinished"
        yield unfinished
        os.replace(unfinished, part)
        return
    import fsspec  # type: ignore[import-untyped]

    files, place = fsspec.core.url_to_fs(part)
    with tempfile.TemporaryDirectory(prefix="gbdist-part-") as folder:
        unfinished = os.path.join(folder, "part")
        yield unfinished
        try:
            files.makedirs(place.rpartition("/")[0], exist_ok=True)
            files.put_file(unfinished, place)
        except Exception as error:  # of whatever file system
            raise OutputError(part, str(error) or type(error).__name__, "Choose another place.") from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
