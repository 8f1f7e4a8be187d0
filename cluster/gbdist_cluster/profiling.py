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
_users: dict[Any, tuple[int, Any]] = {}
"""By timer: how many ask for it, and what it waited before."""


@contextmanager
def seldom_profiled(worker: Any) -> Iterator[None]:
    """Let a worker's profiler look ``SLOWER`` times less often, until the last of those who ask for it at a time has ended."""
    timer = worker.periodic_callbacks.get("profile")
    if timer is None:  # switched off by distributed.worker.profile.enabled
        yield
        return
    with _lock:
        count, usual = _users.get(timer, (0, timer.callback_time))
        _users[timer] = (count + 1, usual)
        timer.callback_time = usual * SLOWER
    try:
        yield
    finally:
        with _lock:
            count, usual = _users.pop(timer)
            if count > 1:
                _users[timer] = (count - 1, usual)
            else:
                timer.callback_time = usual
