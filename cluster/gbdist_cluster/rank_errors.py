"""Errors of ranks, made fit to be raised on the client: their own type, the worker's traceback as text, no frames."""

import copy
import traceback
from contextlib import suppress
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from distributed import Future
from distributed.scheduler import KilledWorker

from gbdist_cluster.errors import ClusterError, ShardsGone

__all__ = ["error_of_killed", "error_of_rank", "error_of_task"]

_SECONDS = 60.0
#: Why Dask cancels tasks that nobody has cancelled (distributed's scheduler.py).
_LOST = ("lost dependencies", "already forgotten")


class _WorkerTraceback(Exception):
    """The text of a traceback on a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def error_of_rank(letter: dict[str, Any]) -> BaseException:
    """Return the error that a rank has sent, with the worker's traceback, as text, for its cause."""
    try:
        error = cloudpickle.loads(letter["body"])
    except Exception:  # a class that is not here, or that does not take its own arguments
        error = ClusterError(f"The routine raised {letter['words']}", "Its traceback on the worker is printed above.")
    error.__cause__ = _WorkerTraceback(letter["trace"])
    return error  # type: ignore[no-any-return]


def error_of_killed(error: KilledWorker) -> ClusterError:
    """What to say of a task that Dask gave up because workers died while they ran it."""
    return ClusterError(
        f"Workers died again and again while they ran {error.task} (the last was {error.last_worker.address})",
        "Give workers more memory, or the data smaller partitions, and look at the workers' logs.",
    )


def _disappeared(future: Future) -> ClusterError:
    """ShardsGone for a task that went with a worker, ClusterError for one that somebody has cancelled."""
    reason = getattr(future._state.exception, "reason", None) or "unknown"
    kind = ShardsGone if future.status == "lost" or reason in _LOST else ClusterError
    return kind(
        f"The task {future.key} disappeared, it is {future.status} ({reason})",
        "Check that the scheduler is still there and that nobody cancelled the task.",
    )


def error_of_task(future: Future) -> BaseException | None:
    """Return what Dask has against a rank's task: a shard that could not be made, or a task that is gone.

    A copy, because Dask rebuilds the frames of a worker in cycles that refer to the error. Raised as it is, it would
    bind our own frames into them, and the futures of the shards would live until the garbage collector comes by.
    """
    if future.status == "finished":
        return None
    error = None
    if future.status == "error":  # else there is none, and asking would wait for one
        with suppress(TimeoutError, RuntimeError):  # RuntimeError: the client's loop is closed
            error = future.exception(timeout=_SECONDS)
    if error is None:
        return _disappeared(future)
    text = "".join(traceback.format_exception(error))
    if isinstance(error, KilledWorker):
        return error_of_killed(error)
    fresh: BaseException = copy.copy(error)
    fresh.__traceback__ = None
    fresh.__cause__ = _WorkerTraceback(text)
    return fresh
