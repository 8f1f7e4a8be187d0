"""What the algorithms ask of a transport: send bytes to a rank, receive the bytes that a rank sent."""

from dataclasses import dataclass
from typing import Protocol

from gbdist_cluster.errors import ClusterError, PeerLost

__all__ = ["Channel", "Payload", "Traffic", "check_tag", "describe_tag", "make_tag", "peer_lost"]

Payload = bytes | bytearray | memoryview

_OPERATIONS = ("all_reduce", "reduce_scatter", "all_gather", "all_to_all")
_STEP_BITS = 16
_OPERATION_BITS = 4


@dataclass(slots=True)
class Traffic:
    """What one rank has sent (packed cells and items, without Dask's frames) and how long it waited, since it joined."""

    messages: int = 0
    bytes_sent: int = 0
    seconds_waited: float = 0.0


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
    def traffic(self) -> Traffic:
        """Counters of this rank, live."""
        ...

    def send(self, to: int, tag: int, payload: Payload) -> None:
        """Send bytes to rank ``to``."""
        ...

    def receive(self, source: int, tag: int) -> Payload:
        """Return the bytes that rank ``source`` sent under ``tag``."""
        ...


def make_tag(call: int, operation: str, step: int) -> int:
    """Name one message of one collective call; ranks that are out of step name different ones."""
    return (call << _OPERATION_BITS | _OPERATIONS.index(operation)) << _STEP_BITS | step


def describe_tag(tag: int) -> str:
    """Say a tag in words."""
    call, operation = divmod(tag >> _STEP_BITS, 1 << _OPERATION_BITS)
    return f"call {call} ({_OPERATIONS[operation]}), step {tag & ((1 << _STEP_BITS) - 1)}"


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
    )
