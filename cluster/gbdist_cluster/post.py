"""Messages of a run: from ranks to the client over Dask's event topics, from the client to ranks over the scheduler.

Both ways use connections that Dask has open already, keep their order, and never block the sender.
"""

import queue
import threading
from collections.abc import Sequence
from typing import Any

from distributed import Client

from gbdist_cluster.rpc import call_scheduler

__all__ = ["Inbox", "Outbox", "subscribe", "tell", "topic"]

_inboxes: dict[str, "queue.SimpleQueue[dict[str, Any]]"] = {}
"""Queue of each run of this process that is being listened to."""


def topic(client_id: str) -> str:
    """Return the topic of one client: all its runs share it, because the scheduler keeps every topic for ever."""
    return f"gbdist-{client_id}"


def subscribe(client: Client) -> None:
    """Start delivering the events of a client's runs to their inboxes."""
    client.subscribe_topic(topic(client.id), _sort)


def _sort(event: tuple[float, Sequence[dict[str, Any]]]) -> None:
    for letter in event[1]:
        if inbox := _inboxes.get(letter["run"]):
            inbox.put(letter)


class Inbox:
    """Where the client reads what the ranks of one run say; a context manager."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def __enter__(self) -> "Inbox":
        _inboxes[self._run_id] = self._queue
        return self

    def __exit__(self, *exc: object) -> None:
        _inboxes.pop(self._run_id, None)

    def put(self, letter: dict[str, Any]) -> None:
        """Add a message of the client's own, for example that a future is done."""
        self._queue.put(letter)

    def get(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message, or None after ``timeout`` seconds."""
        try:
            return self._queue.get(timeout=max(timeout, 0.001))
        except queue.Empty:
            return None


class Outbox:
    """Where a rank puts messages for its client. Messages that come while one batch waits to leave join that batch."""

    def __init__(self, worker: Any, client_id: str, run_id: str, epoch: int) -> None:
        self._worker = worker
        self._topic = topic(client_id)
        self._stamp = {"run": run_id, "epoch": epoch}
        self._lock = threading.Lock()
        self._batch: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message; the fields must be what msgpack takes. Returns at once."""
        with self._lock:
            first = not self._batch
            self._batch.append({**self._stamp, "kind": kind, **fields})
        if first:
            self._worker.loop.add_callback(self._leave)

    def _leave(self) -> None:
        with self._lock:
            batch, self._batch = self._batch, []
        self._worker.log_event(self._topic, batch)


def tell(client: Client, letters: dict[str, dict[str, Any]]) -> None:
    """Send a message to ranks, ``{worker address: {"key": key of the rank's task, or the run's id, "kind": …}}``.

    Raises ``ClusterError`` if the scheduler does not answer; a worker that is not there is no error.
    """
    call_scheduler(client, "gbdist_tell", letters=letters)
