"""The cluster that a job runs on: one that is there already, or workers started here for the time of the job."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from gbdist.errors import ClusterError

CONNECT_SECONDS = 15.0
"""How long a scheduler may take to answer."""


@contextmanager
def connect(scheduler: str) -> Iterator[Any]:
    """A ``distributed.Client`` of the cluster at an address; raises ``ClusterError`` if it does not answer in time."""
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        problem = f"no Dask scheduler answers at {scheduler} ({str(error).splitlines()[0]})"
        fix = "Check the address and that the scheduler runs, or leave out --scheduler to start workers here."
        raise ClusterError(problem, fix) from error
    try:
        _load_pyarrow(client)
        yield client
    finally:
        client.close()


def _load_pyarrow(client: Any) -> None:
    """Have the workers import pyarrow before tasks bring its objects.

    A task that imports it in a thread while the worker's event loop unpickles a schema leaves one of them with half a module,
    and the worker drops its connection to the scheduler. A worker that does not answer is not waited for.
    """
    asking = Thread(
        target=client.run, args=(importlib.import_module, "pyarrow"), kwargs={"on_error": "ignore"}, daemon=True
    )
    asking.start()
    asking.join(CONNECT_SECONDS)


@contextmanager
def workers_for(scheduler: str | None, workers: int | None, threads: int | None) -> Iterator[Any]:
    """A client of the cluster at an address, or of ``workers`` workers of ``threads`` threads started here for the block.

    Without a size there is a worker a core; with one of the two numbers the other one fills the cores.
    """
    if scheduler is not None:
        with connect(scheduler) as client:
            yield client
        return
    from gbdist_cluster.launch.local import start_local

    cores = len(os.sched_getaffinity(0))
    count = workers or max(1, cores // (threads or 1))
    with start_local(count, threads or max(1, cores // count)) as local:
        _load_pyarrow(local.client)
        yield local.client
