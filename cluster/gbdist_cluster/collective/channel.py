"""What the algorithms ask of a transport: send bytes to a rank, receive the bytes that a rank sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

import numpy as np

from gbdist_cluster.errors import ClusterError, PeerLost

__all__ = [
    "WHOLE",
    "Channel",
    "Payload",
    "SubsetChannel",
    "Traffic",
    "check_tag",
    "describe_tag",
    "make_tag",
    "peer_lost",
    "scope_of",
]

Payload = bytes | bytearray | memoryview

WHOLE = 0
"""Scope of the calls in which all ranks of a gang take part."""

_OPERATIONS = ("all_reduce", "reduce_scatter", "all_gather", "all_to_all", "message", "sum_floats")
_STEP_BITS = 16
_OPERATION_BITS = 4
_CALL_BITS = 32
_SCOPE_BITS = 64 - _STEP_BITS - _OPERATION_BITS - _CALL_BITS


@dataclass(slots=True)
class Traffic:
    """What one rank has sent (packed cells and items, without Dask's frames) and how long it waited, since it joined.

    ``waits`` are the times of single waits, from and to on ``time.perf_counter``, where somebody has put a list there.
    """

    messages: int = 0
    bytes_sent: int = 0
    seconds_waited: float = 0.0
    waits: list[tuple[float, float]] | None = None

    def waited(self, began: float, ended: float) -> None:
        """Count a wait."""
        self.seconds_waited += ended - began
        if self.waits is not None:
            self.waits.append((began, ended))


class Channel(Protocol):
    """Ordered, reliable messages between the ranks of a gang.

    * ``send`` does not wait; what is sent must not be changed afterwards;
    * ``receive`` waits for the next message of ``source`` and raises ``ClusterError`` if it has another tag;
    * both raise ``PeerLost`` once any rank is lost, ``GangCancelled`` once this rank was cancelled.
    """

    @property
    def rank(self) -> int:
        """Number of this rank, 0 … size−1."""
        ...

    @property
    def size(self) -> int:
        """How many ranks there are."""
        ...

    @property
    def hosts(self) -> int:
        """On how many machines the ranks are, by their addresses: the same on every rank."""
        ...

    @property
    def traffic(self) -> Traffic:
        """Counters of this rank, live."""
        ...

    def send(self, to: int, tag: int, payload: Payload) -> None:
        """Send bytes to rank ``to``."""
        ...

    def receive(self, source: int, tag: int) -> Payload:
        """Return the bytes that rank ``source`` sent under ``tag``."""
        ...

    def receive_now(self, source: int, tag: int) -> Payload | None:
        """As ``receive``, without waiting: None where no message has come."""
        ...


class SubsetChannel:
    """The channel of a gang as some of its ranks see it, numbered anew; losses are named by the gang's numbers."""

    def __init__(self, channel: Channel, ranks: Sequence[int]) -> None:
        self._channel, self._ranks = channel, tuple(ranks)
        self.rank, self.size = self._ranks.index(channel.rank), len(self._ranks)

    @property
    def hosts(self) -> int:
        """Machines of the whole gang."""
        return self._channel.hosts

    @property
    def traffic(self) -> Traffic:
        """Counters of this rank in its gang."""
        return self._channel.traffic

    def send(self, to: int, tag: int, payload: Payload) -> None:
        """Send bytes to the subset's rank ``to``."""
        self._channel.send(self._ranks[to], tag, payload)

    def receive(self, source: int, tag: int) -> Payload:
        """Return the bytes that the subset's rank ``source`` sent under ``tag``."""
        return self._channel.receive(self._ranks[source], tag)

    def receive_now(self, source: int, tag: int) -> Payload | None:
        """As ``receive``; None where no message has come."""
        return self._channel.receive_now(self._ranks[source], tag)


def make_tag(call: int, operation: str, step: int, scope: int = WHOLE) -> int:
    """Name one message of one collective call; ranks that are out of step name different ones.

    ``scope`` tells calls of the whole gang and of its subsets apart (``scope_of``).
    """
    return ((scope << _CALL_BITS | call) << _OPERATION_BITS | _OPERATIONS.index(operation)) << _STEP_BITS | step


def scope_of(ranks: Sequence[int]) -> int:
    """Number of a subset in the tags of its messages, never ``WHOLE``: a hash, so that its ranks agree without a message.

    Messages of two ranks arrive in order, so two subsets with the same number are still not mixed up; only a rank that is out of
    step may be found out a call later.
    """
    return crc32(np.asarray(ranks, "<i8").tobytes()) % ((1 << _SCOPE_BITS) - 1) + 1


def describe_tag(tag: int) -> str:
    """Say a tag in words."""
    rest, operation = divmod(tag >> _STEP_BITS, 1 << _OPERATION_BITS)
    scope, call = divmod(rest, 1 << _CALL_BITS)
    where = "" if scope == WHOLE else f" of subset {scope:03x}"
    return f"call {call} ({_OPERATIONS[operation]}){where}, step {tag & ((1 << _STEP_BITS) - 1)}"


def check_tag(rank: int, source: int, expected: int, found: int) -> None:
    """Raise if rank ``source`` sent something else than this rank waits for."""
    if found != expected:
        raise ClusterError(
            f"ranks are out of step: rank {rank} is at {describe_tag(expected)}, rank {source} at {describe_tag(found)}",
            "All ranks must call the same methods of the collective in the same order",
        )


def peer_lost(rank: int, address: str, happened: str) -> PeerLost:
    """The error that every survivor raises when a rank is gone."""
    return PeerLost(
        f"rank {rank} at {address} {happened}",
        "Look for the cause in that worker's log; the run can be started again on the workers that are left",
        rank,
    )
