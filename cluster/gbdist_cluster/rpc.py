"""Calls to the scheduler that always end: an answer, or a ``ClusterError`` after a bounded time."""

from typing import Any

from distributed import Client

from gbdist_cluster.errors import ClusterError

__all__ = ["call_scheduler"]


def call_scheduler(caller: Client, operation: str, *, seconds: float = 10.0, **fields: Any) -> Any:
    """Call a handler of the scheduler and return its answer.

    Raises
    ------
    ClusterError
        If the client is closed, or the scheduler cannot be reached or does not answer within ``seconds``.
    """
    scheduler = caller.scheduler
    if scheduler is None or caller.status != "running":
        raise ClusterError(f"The Dask client is {caller.status}", "Make a new Client and pass it as client=.")
    try:
        return caller.sync(getattr(scheduler, operation), callback_timeout=seconds, **fields)
    except (TimeoutError, OSError) as problem:
        raise ClusterError(
            f"The scheduler at {scheduler.address} did not answer within {seconds:g} s",
            "Check that it still runs and that this machine reaches it.",
        ) from problem
