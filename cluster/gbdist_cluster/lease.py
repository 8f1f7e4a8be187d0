"""Holding a set of workers for one run: ``with lease(client, workers): ...``.

The scheduler's plugin decides (see ``lease_table``); here a client asks, waits for a bounded time saying for whom, and
beats while it holds.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client
from tornado.ioloop import PeriodicCallback

from gbdist_cluster.errors import ClusterError, WorkersGone
from gbdist_cluster.rpc import call_scheduler

__all__ = ["LeaseHolder", "lease"]

BEAT_SECONDS = 1.0


@dataclass(frozen=True)
class _Asker:
    """Who asks for workers, how long, and what hears for whom it waits."""

    client: Client
    lease_id: str
    label: str
    timeout: float
    on_wait: Callable[[str], None] | None


class LeaseHolder:
    """A lease that is held."""

    def __init__(self, asker: _Asker) -> None:
        self._asker = asker
        self.lease_id = asker.lease_id

    def extend(self, workers: Sequence[str]) -> bool:
        """Try to add workers; returns at once whether they are ours now."""
        return bool(_call(self._asker.client, "extend", self._asker.lease_id, workers=list(workers))["extended"])

    def shrink(self, workers: Sequence[str]) -> None:
        """Keep these of the workers, and let others have the rest."""
        _call(self._asker.client, "shrink", self._asker.lease_id, workers=list(workers))

    def exchange(self, workers: Sequence[str]) -> None:
        """Give up what is held and wait for these workers; raises as ``lease`` does."""
        _wait_for_grant(self._asker, sorted(workers))


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
        After ``timeout`` seconds, naming who holds what; or if the scheduler does not answer.
    WorkersGone
        At once if a worker is not in the cluster.
    """
    name = lease_id or uuid.uuid4().hex
    asker = _Asker(client, name, label or f"client {client.id}", timeout, on_wait)
    try:
        _wait_for_grant(asker, sorted(workers))
        heart = _Heart(client, name)
        try:
            yield LeaseHolder(asker)
        finally:
            heart.stop()
    finally:
        # A scheduler that does not answer has lost the lease anyway, or will see our silence.
        with suppress(ClusterError):
            _call(client, "release", name)


def _wait_for_grant(asker: _Asker, workers: list[str]) -> None:
    action = "exchange"  # for whatever the lease holds, or held once
    end = time.monotonic() + asker.timeout
    said = None
    wait = 0.0  # the first answer comes at once, so that a free cluster costs one round trip
    while True:
        asked = {"client": asker.client.id, "workers": workers, "label": asker.label, "wait": wait}
        answer = _call(asker.client, action, asker.lease_id, **asked)
        action = "request"
        if answer["standing"] == "granted":
            return
        if answer["standing"] == "gone":
            raise WorkersGone(
                f"The workers cannot be reserved: {answer['reason']}", "Start the run again; it will use those left."
            )
        ahead = "; ".join(f"{who} has {', '.join(held)}" for who, held in answer["behind"])
        wait = min(1.0, end - time.monotonic())
        if wait <= 0:
            raise ClusterError(
                f"The workers were busy with other gbdist runs for {asker.timeout:g} s: {ahead}",
                "Wait for these runs to end, or use other workers.",
            )
        if asker.on_wait and ahead != said:
            asker.on_wait(f"waiting for workers: {ahead}")
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
