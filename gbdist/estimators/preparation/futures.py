"""The client's dealings with tasks: names, batches, who holds what, results, and the errors of those that fail."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from gbdist.errors import DataError
from gbdist_cluster.errors import ShardsGone
from gbdist_cluster.rank_errors import error_of_killed
from gbdist_cluster.waiting import completed

T = TypeVar("T")
Where = Sequence[str | None] | Mapping[int, str | None]

#: A task takes partitions of about this many raw bytes together: many times what a task costs in itself, little to hold.
_BATCH_BYTES = 4 << 20


def by_holder(parts: Iterable[int], where: Where) -> list[list[int]]:
    """Partitions grouped by the worker that holds them; ``where`` is by number of the partition."""
    held: dict[str | None, list[int]] = {}
    for number in parts:
        held.setdefault(where[number], []).append(number)
    return list(held.values())


def batched(items: Sequence[T], n_bytes: Sequence[int]) -> list[list[T]]:
    """Cut items into runs of at most ``_BATCH_BYTES``, or of one item."""
    runs: list[list[T]] = []
    room = 0
    for item, size in zip(items, n_bytes, strict=True):
        room -= size
        if not runs or room < 0:
            runs.append([])
            room = _BATCH_BYTES - size
        runs[-1].append(item)
    return runs


def held_where(client: Client, futures: Sequence[Future]) -> tuple[str | None, ...]:
    """A worker that holds the result of each future, None where none does (any more)."""
    there = [future for future in futures if not future.cancelled()]
    try:
        held = client.who_has(there) if there else {}
    except CancelledError:  # Dask gives one up at this moment: whoever needs it hears of that
        held = {}
    return tuple(min(held.get(future.key, ()), default=None) for future in futures)


def gather(client: Client, futures: Sequence[Future]) -> list[Any]:
    """Results of tasks, once all are there; the error of the first that failed, with its own type."""
    wait_for(futures)
    try:
        return list(client.gather(list(futures)))
    except CancelledError as gone:  # with their worker, since they were done
        raise _gone(str(gone)) from None


def wait_for(futures: Sequence[Future]) -> None:
    """Wait until all tasks are done; raise what a failed one raised as soon as it has failed."""
    if not futures:
        return
    for future in completed(futures[0].client, futures):
        if future.status == "error":
            raise _cause(future) from None
        if future.status in ("cancelled", "lost"):
            raise _gone(str(future.key))


def _gone(what: str) -> ShardsGone:
    return ShardsGone(
        f"{what} was cancelled, or the worker that held its rows left the cluster",
        "Call fit again; rows that were scattered cannot be computed anew on another worker.",
    )


def _cause(future: Future) -> BaseException:
    error = future.exception()
    if isinstance(error, KilledWorker):
        return error_of_killed(error)
    if isinstance(error, BaseException):
        return error
    return DataError(str(future.key), repr(error), "a result", "Look at the worker's log.")


def names(step: str) -> dict[str, Any]:
    """Keywords that name the tasks of a step on Dask's dashboard, each call's its own."""
    name = f"gbdist-{step}-{uuid.uuid4().hex[:12]}"
    return {"key": name, "pure": False}
