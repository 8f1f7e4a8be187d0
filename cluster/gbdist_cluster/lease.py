"""Holding a set of workers for one run: ``with lease(client, workers): ...``.

The scheduler's plugin decides (see ``lease_table``); here a client asks, waits for a bounded time saying for whom, and
beats while it holds.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client
from tornado.ioloop import PeriodicCallback

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.rpc import call_scheduler

__all__ = ["LeaseHolder", "lease"]

BEAT_SECONDS = 1.0


class LeaseHolder:
    """A lease that is held."""

    def __init__(self, client: Client, lease_id: str) -> None:
        self.lease_id = lease_id
        self._client = client

    def extend(self, workers: Sequence[str]) -> bool:
        """Try to add workers; returns at once whether they are ours now."""
        return bool(_call(self._client, "extend", self.lease_id, workers=list(workers))["extended"])


@contextmanager
def lease(
    client: Client,
    workers: Sequence[str],
    timeout: float,
    on_wait: Callable[[str], None] | None = None,
    *,
    lease_id: str | None = None,
    label: str | None = None,
) -> Iterator[LeaseHolder]:
    """Hold all of ``workers`` while the block runs; nobody else's gang starts on any of them meanwhile.

    ``on_wait`` is called with a sentence that says who is ahead, each time that changes.

    Raises
    ------
    ClusterError
        After ``timeout`` seconds, naming who holds what; at once if a worker is not in the cluster; or if the scheduler
        does not answer.
    """
    name = lease_id or uuid.uuid4().hex
    try:
        _wait_for_grant(client, name, sorted(workers), label or f"client {client.id}", timeout, on_wait)
        heart = _Heart(client, name)
        try:
            yield LeaseHolder(client, name)
        finally:
            heart.stop()
    finally:
        # A scheduler that does not answer has lost the lease anyway, or will see our silence.
        with suppress(ClusterError):
            _call(client, "release", name)


def _wait_for_grant(
    client: Client,
    lease_id: str,
    workers: list[str],
    label: str,
    timeout: float,
    on_wait: Callable[[str], None] | None,
) -> None:
    end = time.monotonic() + timeout
    said = None
    wait = 0.0  # the first answer comes at once, so that a free cluster costs one round trip
    while True:
        asked = {"client": client.id, "workers": workers, "label": label, "wait": wait}
        answer = _call(client, "request", lease_id, **asked)
        if answer["standing"] == "granted":
            return
        if answer["standing"] == "gone":
            raise ClusterError(
                f"The workers cannot be reserved: {answer['reason']}", "Start the run again; it will use those left."
            )
        ahead = "; ".join(f"{who} has {', '.join(held)}" for who, held in answer["behind"])
        wait = min(1.0, end - time.monotonic())
        if wait <= 0:
            raise ClusterError(
                f"The workers were busy with other gbdist runs for {timeout:g} s: {ahead}",
                "Wait for these runs to end, or use other workers.",
            )
        if on_wait and ahead != said:
            on_wait(f"waiting for workers: {ahead}")
            said = ahead


def _call(caller: Client, action: str, lease_id: str, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = call_scheduler(caller, "gbdist_lease", action=action, lease_id=lease_id, **fields)
    return answer


class _Heart:
    """Tells the scheduler every second that the holder lives; beats in the client's event loop, not its main thread."""

    def __init__(self, client: Client, lease_id: str) -> None:
        self._client = client
        self._lease_id = lease_id
        self._timer = PeriodicCallback(self._beat, BEAT_SECONDS * 1000)
        client.loop.add_callback(self._timer.start)

    def stop(self) -> None:
        """Stop beating."""
        self._client.loop.add_callback(self._timer.stop)

    async def _beat(self) -> None:
        with suppress(OSError):  # the next beat may come through; if none does, the run ends for other reasons
            await self._client.scheduler.gbdist_lease(action="beat", lease_id=self._lease_id)
