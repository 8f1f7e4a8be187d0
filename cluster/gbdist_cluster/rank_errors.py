"""Errors of ranks, made fit to be raised on the client: their own type, the worker's traceback as text, no frames."""

import copy
import traceback
from contextlib import suppress
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from distributed import Future

from gbdist_cluster.errors import ClusterError

__all__ = ["error_of_rank", "error_of_task"]

_SECONDS = 60.0


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


def error_of_task(future: Future) -> BaseException | None:
    """Return what Dask has against a rank's task: a shard that could not be made, or a task that is gone.

    A copy, because Dask rebuilds the frames of a worker in cycles that refer to the error. Raised as it is, it would
    bind our own frames into them, and the futures of the shards would live until the garbage collector comes by.
    """
    if future.status == "finished":
        return None
    error = None
    with suppress(TimeoutError, RuntimeError):  # RuntimeError: the client's loop is closed
        error = future.exception(timeout=_SECONDS)
    if error is None:
        reason = getattr(future._state.exception, "reason", "unknown")
        return ClusterError(
            f"The task {future.key} disappeared, it is {future.status} ({reason})",
            "Check that the scheduler is still there and that nobody cancelled the task.",
        )
    text = "".join(traceback.format_exception(error))
    fresh: BaseException = copy.copy(error)
    fresh.__traceback__ = None
    fresh.__cause__ = _WorkerTraceback(text)
    return fresh
