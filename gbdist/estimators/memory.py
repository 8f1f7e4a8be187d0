"""Freed memory stays with the process while it trains.

Dask starts its workers so that malloc hands every block above 128 KiB back to the system at once, to keep a worker's memory low.
Each array that replaces it is then paid for page by page, which takes longer than filling it: a tree with categorical columns
took twice as long. While a rank trains, blocks up to 32 MiB (glibc's most) are kept and used again; afterwards all is as before,
and what is free goes back.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BLOCK, _KEPT = 32 << 20, 1 << 30
#: glibc's own thresholds.
_DEFAULT = 128 << 10

_lock = threading.Lock()
_users = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory as long as the context is open, in all threads; no effect where malloc is not glibc's."""
    global _users
    libc = _glibc()
    if libc is None:
        yield
        return
    with _lock:
        _users += 1
        if _users == 1:
            libc.mallopt(_TRIM_THRESHOLD, _KEPT)
            libc.mallopt(_MMAP_THRESHOLD, _KEPT_BLOCK)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                libc.mallopt(_TRIM_THRESHOLD, int(os.environ.get("MALLOC_TRIM_THRESHOLD_", _DEFAULT)))
                libc.mallopt(_MMAP_THRESHOLD, int(os.environ.get("MALLOC_MMAP_THRESHOLD_", _DEFAULT)))
                libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library, if it has glibc's functions."""
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
