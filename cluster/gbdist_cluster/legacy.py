"""What ranks leave to their successors: references in a worker's process that outlive an epoch of a gang, until the run ends."""

import threading
from typing import Any

__all__ = ["forget", "leave", "left"]

_lock = threading.Lock()
_left: dict[tuple[str, str], Any] = {}
"""By address of the worker, several of which may live in one process, and run."""


def leave(address: str, run_id: str, what: object) -> None:
    """Keep ``what`` for the next rank of the run on this worker, in place of what was left before."""
    with _lock:
        _left[address, run_id] = what


def left(address: str, run_id: str) -> Any:
    """What the last rank of the run on this worker has left, or None."""
    with _lock:
        return _left.get((address, run_id))


def forget(run_id: str) -> None:
    """The run is over: let go of what its ranks in this process have left."""
    with _lock:
        for key in [key for key in _left if key[1] == run_id]:
            del _left[key]
