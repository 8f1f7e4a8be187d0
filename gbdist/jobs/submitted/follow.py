"""Following a job: how it stands, again and again until it ends, and what it says."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from gbdist.errors import ClusterError
from gbdist.jobs.submitted.errors import StillRunning
from gbdist.jobs.submitted.store import JobStore
from gbdist.jobs.submitted.views import JobView, find_job, look
from gbdist.jobs.submitted.where import Where

POLL_SECONDS = 1.0
_FIRST_SECONDS = 0.1


def follow(where: Where, job_id: str, poll: float = POLL_SECONDS, *, board: bool = False) -> Iterator[JobView]:
    """Yield how a job stands, now and every ``poll`` seconds, at first more often; the last one is that of its end.

    With ``board`` each has its newest run, as the board tells it.
    The cluster is asked over one connection. Where that one breaks, the job is looked for once more before it is called lost.
    """
    store = find_job(where.folder, job_id)
    with ExitStack() as stack:
        client: Any = None
        pause = min(poll, _FIRST_SECONDS)
        while True:
            if client is None or client.status != "running":
                client = stack.enter_context(where.cluster_of(store.read_state().scheduler))
            view = look(store, client)
            yield replace(view, run=_run_of(client, store.job_id)) if board else view
            if view.is_over:
                return
            time.sleep(pause)
            pause = min(poll, 1.5 * pause)


def _run_of(client: Any, job_id: str) -> dict[str, Any] | None:
    """The newest run of a job on its cluster's board; None where there is none, or nobody answers."""
    if client is None or client.status != "running":
        return None
    from gbdist_cluster.monitor.reporting import read_board

    try:
        return next(iter(read_board(client, job=job_id)), None)
    except ClusterError:
        return None


def logs(where: Where, job_id: str) -> list[dict[str, Any]]:
    """All that a job has said: lines with ``time``, ``attempt``, ``kind`` and ``text``, and more by kind."""
    return LogReader(find_job(where.folder, job_id)).new()


def follow_logs(where: Where, job_id: str, poll: float = POLL_SECONDS) -> Iterator[dict[str, Any]]:
    """Yield what a job has said, and what it says until it ends."""
    reader = LogReader(find_job(where.folder, job_id))
    yield from reader.new()
    for _ in follow(where, job_id, poll):
        yield from reader.new()


class LogReader:
    """Reads the parts of a log, each once."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._read: set[str] = set()

    def new(self) -> list[dict[str, Any]]:
        """Lines that were not there the last time."""
        names = [name for name in self._store.names("log") if name.endswith(".jsonl") and not name.startswith(".")]
        fresh = [name for name in names if name not in self._read]
        self._read.update(fresh)
        return [json.loads(line) for name in fresh for line in self._store.read(f"log/{name}").decode().splitlines()]


@contextmanager
def left_running(job_id: str) -> Iterator[None]:
    """While the block watches a job, Ctrl-C ends the watching, and says that the job goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise StillRunning(job_id) from None
