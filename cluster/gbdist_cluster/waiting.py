"""Waiting for tasks, for as long as there are workers to do them: no wait without an end."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

from distributed import Client, Future

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.rpc import call_scheduler
from gbdist_cluster.versions import check_workers

__all__ = ["NO_WORKERS_SECONDS", "POLL_SECONDS", "attended", "completed"]

POLL_SECONDS = 5.0
"""How often somebody who waits looks whether there are workers."""

NO_WORKERS_SECONDS = 30.0
"""How long tasks wait for a worker to come where none is left."""


@contextmanager
def attended(client: Client) -> Iterator[None]:
    """While the block runs, workers that do not beat any more are taken out of the cluster, so that their tasks run elsewhere."""
    told = {"what": uuid.uuid4().hex, "client": client.id}
    try:
        call_scheduler(client, "gbdist_attend", **told, begins=True)
        yield
    finally:
        with suppress(ClusterError):  # a scheduler that does not answer has other worries
            call_scheduler(client, "gbdist_attend", **told, begins=False)


def completed(client: Client, futures: Sequence[Future]) -> Iterator[Future]:
    """Yield futures as they end, whatever way: with a result, an error, because they were cancelled, or lost.

    Raises
    ------
    ClusterError
        If the cluster has no workers any more and none comes in time, or the scheduler does not answer.
    """
    pending = dict(enumerate(futures))
    ended: SimpleQueue[int] = SimpleQueue()
    for number, future in pending.items():
        future.add_done_callback(lambda _, number=number: ended.put(number))
    while pending:
        try:
            numbers = [ended.get(timeout=POLL_SECONDS)]
        except Empty:
            check_workers(client, NO_WORKERS_SECONDS)
            # Dask calls nobody back for what it cannot make again.
            numbers = [number for number, future in pending.items() if future.status == "lost"]
        for number in numbers:
            if number in pending:
                yield pending.pop(number)
