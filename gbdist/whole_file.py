"""A file that appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gbdist.errors import ParameterError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and move it there at the end; if writing fails nothing is left of it."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def require_folder(path: Path) -> None:
    """ParameterError where the folder of a file that is to be written is not there."""
    if not path.parent.is_dir():
        expected = "a file in a folder that is there"
        raise ParameterError("path", str(path), expected, f"Make the folder {str(path.parent)!r} first.")
