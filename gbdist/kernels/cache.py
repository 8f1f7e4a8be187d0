"""Where compiled kernels are kept on this machine, and whether they can be."""

import tempfile
from pathlib import Path
from typing import Any

from gbdist.kernels.cpu_histogram import add_all_rows


def cache_folder(kernel: Any = add_all_rows) -> Path | None:
    """The folder that numba keeps a kernel in; None where it found no place that it may write to."""
    path = kernel._cache.cache_path
    return None if path is None else Path(path)


def why_not_writable(folder: Path) -> str | None:
    """Why nothing can be written to a folder; None if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
