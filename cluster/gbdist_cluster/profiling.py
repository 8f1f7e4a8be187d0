"""Dask's profiler looks at a worker's threads less often while a rank runs.

It takes the interpreter's lock a hundred times a second to walk through the stacks of all tasks, which a rank, whose stack is
deep and whose steps are short, waits for: it took a twentieth of the time of a small run. Ten looks a second show as well where a
run of many trees spends its time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["SLOWER", "seldom_profiled"]

SLOWER = 10
"""How many times longer the profiler waits between two looks."""

_lock = threading.Lock()
_users: dict[Any, int] = {}


@contextmanager
def seldom_profiled(worker: Any) -> Iterator[None]:
    """Let a worker's profiler look ``SLOWER`` times less often, until the last of those who ask for it at a time has ended."""
    timer = worker.periodic_callbacks.get("profile")
    if timer is None:  # switched off by distributed.worker.profile.enabled
        yield
        return
    with _lock:
        _users[timer] = _users.get(timer, 0) + 1
        if _users[timer] == 1:
            timer.callback_time *= SLOWER
    try:
        yield
    finally:
        with _lock:
            _users[timer] -= 1
            if _users[timer] == 0:
                del _users[timer]
                timer.callback_time /= SLOWER
