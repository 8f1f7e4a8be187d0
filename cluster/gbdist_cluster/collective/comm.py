"""The collective of a gang on Dask workers, over dedicated connections to the addresses that they have anyway."""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from gbdist_cluster.collective import wire
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.comm_channel import CommChannel
from gbdist_cluster.collective.endpoint import Seat
from gbdist_cluster.errors import ClusterError, GangCancelled

__all__ = ["CommCollective"]

_MARGIN_SECONDS = 5.0


class CommCollective(ChannelCollective):
    """The collective of one rank on a Dask worker, from ``join`` to ``close``; a context manager."""

    def __init__(self, channel: CommChannel) -> None:
        super().__init__(channel)
        self._comm_channel = channel

    @classmethod
    def join(
        cls,
        worker: Any,
        *,
        run_id: str,
        epoch: int,
        rank: int,
        addresses: Sequence[str],
        deadline: float = 15.0,
        join_deadline: float = 60.0,
    ) -> "CommCollective":
        """Meet the other ranks of the gang; called on the task's thread of every rank.

        ``addresses`` are the workers' in rank order. ``deadline`` bounds the silence of a peer in seconds, never the
        time it computes; ``join_deadline`` the time until all ranks are there. Raises ``PeerLost`` naming the rank
        that is missing, ``GangCancelled`` if the epoch is over, ``ClusterError`` if the worker has no endpoint.
        """
        wire.warm_up()  # compiles once in a process; after joining, peers would wait for it
        channel = CommChannel(worker, Seat(run_id, epoch, rank), addresses, deadline)
        opened = asyncio.run_coroutine_threadsafe(channel.open(join_deadline), channel.loop)
        try:
            opened.result(timeout=join_deadline + deadline)
        except TimeoutError:
            opened.cancel()
            raise ClusterError(
                f"the event loop of worker {addresses[rank]} does not answer",
                "Restart that worker: something on it holds the GIL",
            ) from None
        return cls(channel)

    def abort(self, reason: str) -> None:
        """Tell all peers that this rank has failed: they raise ``PeerLost`` with the reason at once."""
        error = GangCancelled(f"rank {self.rank} has failed: {reason}", "See its own error")
        self._comm_channel.call_and_wait(self._comm_channel.fail, error, self.rank, f"failed: {reason}")

    def cancel(self, reason: str = "on request") -> None:
        """Wake this rank with ``GangCancelled``, from any thread; its peers get ``PeerLost``."""
        self._comm_channel.call_and_wait(self._comm_channel.cancel_here, reason)

    def close(self) -> None:
        """Leave the gang; nothing of this rank is left on the event loop afterwards. Again is harmless."""
        channel = self._comm_channel
        if channel.loop.is_closed():
            return
        shut = asyncio.run_coroutine_threadsafe(channel.shut(), channel.loop)
        with contextlib.suppress(TimeoutError):  # on a loop that stands still, nothing runs either
            shut.result(timeout=channel.deadline + _MARGIN_SECONDS)

    def __enter__(self) -> "CommCollective":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._comm_channel.failure is None:
            # On an event loop that has ended nobody can be told; the routine's own error is the one to see.
            with contextlib.suppress(ClusterError):
                self.abort(f"{type(error).__name__}: {error}")
        self.close()
