"""The door of a worker through which other ranks connect: a handler beside Dask's own, on the port that is there anyway."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from distributed.core import Status

from gbdist_cluster.errors import ClusterError, GangCancelled

__all__ = ["HANDLER", "Door", "Endpoint", "Seat", "endpoint_of", "install", "uninstall"]

HANDLER = "gbdist_channel"

# How long a connection may wait for its rank to join here; the rank that connects has its own, usual bound.
PARKING_SECONDS = 120.0
_SEATS_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Seat:
    """One rank of one membership of one run."""

    run_id: str
    epoch: int
    rank: int


class Door(Protocol):
    """What the endpoint asks of a rank that has joined on its worker; called on the event loop."""

    async def adopt(self, source: int, comm: Any, *, lane: bool) -> None:
        """Serve a connection of rank ``source`` until it ends: a link, or a lane."""
        ...

    def cancel_here(self, reason: str) -> None:
        """End this rank with ``GangCancelled``."""
        ...


class Endpoint:
    """Which ranks have joined on this worker, and who waits for one. Only the event loop may touch it."""

    def __init__(self) -> None:
        self._doors: dict[Seat, Door] = {}
        self._parked: dict[Seat, list[asyncio.Future[None]]] = {}
        self._newest: dict[str, int] = {}
        self._left: deque[Seat] = deque(maxlen=_SEATS_REMEMBERED)

    async def accept(self, comm: Any, run_id: str, epoch: int, source: int, target: int, lane: bool) -> Status:
        """Handler of an incoming connection: it belongs to ``target``'s rank from here on.

        Distributed reads no more from the comm before this returns, which is when the connection has ended.
        """
        seat = Seat(run_id, epoch, target)
        refusal = self._refusal(seat) or await self._park(seat)
        if refusal is None:
            await self._doors[seat].adopt(source, comm, lane=lane)
        elif lane:
            comm.abort()  # whoever made it reads no messages from it
        else:
            await comm.write({"refused": refusal})
        return Status.dont_reply

    def open(self, seat: Seat, door: Door) -> None:
        """A rank has joined: older memberships of its run end here, connections that wait for it come in."""
        refusal = self._refusal(seat)
        if refusal is not None or seat in self._doors:
            twice = f"rank {seat.rank} has already joined epoch {seat.epoch} of run {seat.run_id}"
            raise GangCancelled(refusal or twice, "Start the run again under a higher epoch")
        self._remember_epoch(seat)
        for other, older in list(self._doors.items()):
            if other.run_id == seat.run_id and other.epoch < seat.epoch:
                older.cancel_here(f"epoch {other.epoch} of run {seat.run_id} is over, epoch {seat.epoch} has begun")
        self._doors[seat] = door
        for waiting in self._parked.pop(seat, []):
            if not waiting.done():
                waiting.set_result(None)

    def shut(self, seat: Seat, door: Door) -> None:
        """A rank has left; nothing happens if another holds its seat."""
        if self._doors.get(seat) is door:
            del self._doors[seat]
            self._left.append(seat)

    def cancel(self, run_id: str, reason: str) -> None:
        """End every rank of a run on this worker with ``GangCancelled``; its peers get ``PeerLost``."""
        for seat, door in list(self._doors.items()):
            if seat.run_id == run_id:
                door.cancel_here(reason)

    def cancel_all(self, reason: str) -> None:
        """End every rank on this worker."""
        for door in list(self._doors.values()):
            door.cancel_here(reason)

    def _remember_epoch(self, seat: Seat) -> None:
        self._newest.pop(seat.run_id, None)  # so that the runs stay in the order of their last use
        self._newest[seat.run_id] = seat.epoch
        while len(self._newest) > _SEATS_REMEMBERED:
            del self._newest[next(iter(self._newest))]

    def _refusal(self, seat: Seat) -> str | None:
        newest = self._newest.get(seat.run_id, seat.epoch)
        if seat.epoch < newest:
            return f"epoch {seat.epoch} of run {seat.run_id} is over, this worker is at epoch {newest}"
        if seat in self._left:
            return f"rank {seat.rank} has already left epoch {seat.epoch} of run {seat.run_id}"
        return None

    async def _park(self, seat: Seat) -> str | None:
        """Wait for the rank to join; a refusal if it does not."""
        if seat in self._doors:
            return None
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parked.setdefault(seat, []).append(joined)
        try:
            async with asyncio.timeout(PARKING_SECONDS):
                await joined
        except TimeoutError:
            return f"no rank {seat.rank} of run {seat.run_id}, epoch {seat.epoch} joined within {PARKING_SECONDS:g} s"
        finally:
            waiting = self._parked.get(seat, [])
            if joined in waiting:
                waiting.remove(joined)
                if not waiting:
                    del self._parked[seat]
        # It may have joined and left again before this coroutine ran.
        return None if seat in self._doors else f"rank {seat.rank} of run {seat.run_id} has left"


def install(worker: Any) -> Endpoint:
    """Put the endpoint into a worker; called by our WorkerPlugin's ``setup``. Again is harmless."""
    endpoint = worker.extensions.get(HANDLER)
    if isinstance(endpoint, Endpoint):
        return endpoint
    endpoint = Endpoint()
    worker.extensions[HANDLER] = endpoint
    worker.handlers[HANDLER] = endpoint.accept
    return endpoint


def uninstall(worker: Any) -> None:
    """End every rank on the worker and take the endpoint out; called by our WorkerPlugin's ``teardown`` on the loop."""
    endpoint = worker.extensions.pop(HANDLER, None)
    worker.handlers.pop(HANDLER, None)
    if endpoint is not None:
        endpoint.cancel_all("the worker is closing")


def endpoint_of(worker: Any) -> Endpoint:
    """The endpoint of a worker that has one."""
    endpoint = worker.extensions.get(HANDLER)
    if not isinstance(endpoint, Endpoint):
        raise ClusterError(
            f"worker {worker.address} has no gbdist endpoint",
            "Register gbdist's plugin with the cluster before a run is started on it",
        )
    return endpoint
