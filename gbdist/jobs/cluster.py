"""The cluster that a job runs on: one that is there already, or workers started here for the time of the job."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gbdist.jobs.compress import CompressJob
    from gbdist.jobs.learning import LearningJob

CONNECT_SECONDS = 15.0
"""How long a scheduler may take to answer."""


@contextmanager
def connect(scheduler: str, tls: str | Path | None = None) -> Iterator[Any]:
    """A ``distributed.Client`` of the cluster at an address, or of that of a name which ``gbdist cluster up`` has started.

    Parameters
    ----------
    scheduler
        ``tcp://host:8786``, ``tls://host:8786``, or a name.
    tls
        The folder of certificates that an address needs; a cluster with a name has its own.

    Raises
    ------
    ClusterError
        If it does not answer in time, or refuses the certificate (``CertificateError``).
    SettingError
        If certificates are given where none are used.
    """
    from gbdist_cluster.launch.connection import locate, open_client

    client = open_client(locate(scheduler, tls), CONNECT_SECONDS)
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
def workers_for(
    scheduler: str | None, workers: int | None, threads: int | None, tls: str | Path | None = None
) -> Iterator[Any]:
    """A client of the cluster at an address or of a name, or of workers that are started here for the block.

    Here there are ``workers`` of ``threads`` threads each.
    Without a size there is a worker a core; with one of the two numbers the other one fills the cores.
    """
    if scheduler is not None:
        with connect(scheduler, tls) as client:
            yield client
        return
    from gbdist_cluster.launch.local import start_local

    cores = len(os.sched_getaffinity(0))
    count = workers or max(1, cores // (threads or 1))
    with start_local(count, threads or max(1, cores // count)) as local:
        _load_pyarrow(local.client)
        yield local.client


@contextmanager
def workers_of(
    job: "LearningJob | CompressJob", client: Any | None, say: Callable[[str], None]
) -> Iterator[tuple[Any, int]]:
    """A client of the cluster that a job runs on, and how many workers that has, which is said.

    With a ``client`` it is that one, which is not closed; else ``workers_for`` says which, and what it raises.
    """
    cluster = workers_for(job.scheduler, job.workers, job.threads, job.tls) if client is None else nullcontext(client)
    with cluster as client:
        n_workers = len(client.scheduler_info(n_workers=-1)["workers"])
        say(f"workers: {n_workers}; dashboard: {client.dashboard_link}")
        yield client, n_workers
