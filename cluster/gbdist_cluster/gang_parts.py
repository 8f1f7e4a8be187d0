"""What makes up a gang and a run of it: members, what all attempts share, who was lost, and how an attempt ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future

from gbdist_cluster.post import Inbox
from gbdist_cluster.ranks import RankContext
from gbdist_cluster.recovery import Epoch

__all__ = ["Broken", "GangRun", "Loss", "Member"]


@dataclass(frozen=True, slots=True)
class Member:
    """One worker of a gang and the futures of its shards (each of a task that returned ``keep(...)``)."""

    address: str
    shards: tuple[Future, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that left during an attempt: whether it had been silent, and whether it was killed as its memory was full."""

    address: str
    silent: bool
    full: bool

    @classmethod
    def told_by(cls, letter: dict[str, Any]) -> "Loss":
        """What a letter of the scheduler's says."""
        return cls(letter["worker"], letter["silent"], letter["full"])


@dataclass(frozen=True, slots=True, eq=False)
class GangRun:
    """What all attempts of a run have in common.

    ``pays`` is asked now and then, with the addresses of workers that came, whether the run would end sooner with them; None
    where the gang is never put together again.
    """

    client: Client
    run_id: str
    inbox: Inbox
    routine: Callable[[RankContext], Any]
    listener: Callable[[Any], bool | None] | None
    wait_for_workers: float
    pays: Callable[[Sequence[str]], bool] | None


@dataclass(frozen=True, slots=True)
class Broken:
    """How an attempt ended that the next one goes on from."""

    epoch: Epoch
    losses: tuple[Loss, ...]
