"""How many cores of this machine a fit in this process may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_cores: ContextVar[int | None] = ContextVar("gbdist_cores", default=None)


@contextmanager
def limited_to(cores: int) -> Iterator[None]:
    """Fits in this block, in this thread, use so many: those of a worker that others share a machine with."""
    token = _cores.set(cores)
    try:
        yield
    finally:
        _cores.reset(token)


def cores() -> int:
    """Those of ``limited_to``, else all."""
    return _cores.get() or os.cpu_count() or 1
