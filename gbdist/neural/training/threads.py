"""How many threads matrix products use as long as a run takes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_runs = 0
_limits: threadpool_limits | None = None


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Let matrix products of this process use so many threads until the block ends.

    The number is the process's, not the thread's. So where several runs of one process overlap, the first one's number holds for
    all, until the last one ends: it never changes under a run that is going on, and with it perhaps the order of its additions.
    What runs beside it can take processors away, but change no bits.
    """
    global _runs, _limits
    with _lock:
        _runs += 1
        if _runs == 1:
            _limits = threadpool_limits(max(1, threads), user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _runs -= 1
            if _runs == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None
