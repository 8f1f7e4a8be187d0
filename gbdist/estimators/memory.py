"""While a rank trains, freed memory stays with its process, and Python's collector leaves older objects alone.

Dask starts its workers so that malloc hands every block above 128 KiB back to the system at once, to keep a worker's memory low.
Each array that replaces it is then paid for page by page, which takes longer than filling it: a tree with categorical columns
took twice as long. While a rank trains, blocks up to 32 MiB (glibc's most) are kept and used again; afterwards all is as before,
and what is free goes back.

A worker has some 100,000 objects before it trains, and the collector's passing over them again and again took a twentieth of the
time of a small run. What is garbage among them stays until the run ends.
"""

import ctypes
import gc
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
_froze = False


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory (where malloc is glibc's), and leave older objects alone, as long as it is open in any thread."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _keep()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _let_go()


def _keep() -> None:
    global _froze
    _froze = gc.get_freeze_count() == 0  # else somebody else's objects would be thawed with ours
    if _froze:
        gc.freeze()
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)
        libc.mallopt(_MMAP_THRESHOLD, _KEPT_BLOCK)


def _let_go() -> None:
    if _froze:
        gc.unfreeze()
    libc = _glibc()
    if libc is not None:
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
