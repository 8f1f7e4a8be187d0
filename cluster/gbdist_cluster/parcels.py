"""What ranks have left on their workers (``legacy``), fetched by the client while they go on: it may be too large for a message.

Messages of ranks lie in the scheduler's log for a while; what is fetched here only passes through it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import Future as Pending
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client

from gbdist_cluster import legacy

__all__ = ["Courier", "LeftPlace"]

Pack = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class LeftPlace:
    """Where a rank leaves things: its worker, and its run."""

    address: str
    run_id: str


async def _packed(place: LeftPlace, pack: Pack) -> bytes | None:
    """On the worker, in its event loop: what was left there as bytes, which are made in a thread of their own."""
    left = legacy.left(place.address, place.run_id)
    return None if left is None else await asyncio.to_thread(pack, left)


class Courier:
    """Fetches one parcel at a time; nobody waits for it. What does not arrive, because its worker has left, is forgotten."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._under_way: Pending[dict[str, bytes | None]] | None = None

    @property
    def busy(self) -> bool:
        """Whether a parcel is under way, or has not been taken yet."""
        return self._under_way is not None

    def send_for(self, place: LeftPlace, pack: Pack) -> None:
        """Send for what a rank has left, as ``pack``, a function of a module, makes bytes of it; only if not ``busy``."""
        if self._under_way is not None:
            raise RuntimeError("one parcel at a time")
        run = self._client._run(_packed, place, pack, workers=[place.address], on_error="ignore")
        self._under_way = asyncio.run_coroutine_threadsafe(run, self._client.loop.asyncio_loop)

    def take(self, wait: float = 0.0) -> bytes | None:
        """The parcel, if it has arrived, or does within so many seconds."""
        if self._under_way is None:
            return None
        try:
            found = self._under_way.result(wait)
        except TimeoutError:
            return None
        except (Exception, CancelledError):  # whatever befell the worker or the way: the run hears of it elsewhere
            found = {}
        self._under_way = None
        return next(iter(found.values()), None)

    def close(self) -> None:
        """Forget what is under way: it takes Dask up to half a minute to give a worker up that has left."""
        if self._under_way is not None:
            self._under_way.cancel()
            with suppress(CancelledError, Exception):
                self._under_way.result(0.0)
            self._under_way = None
