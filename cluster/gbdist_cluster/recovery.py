"""What happens to a gang when something happens to its workers: the rules, without clocks or messages.

An attempt of a gang is an *epoch*, kept here as a value: which ranks have started, ended, or lost their worker. ``decide`` takes
an epoch and an event and returns the epoch as it is then and what is to be done. A gang that cannot be put together again
(``regroups`` is False) fails where others regroup.
"""

from dataclasses import dataclass, replace
from enum import Enum

__all__ = [
    "Action",
    "Epoch",
    "Event",
    "RankEnded",
    "RankFailed",
    "RankLeftOff",
    "RankStarted",
    "RegroupingPays",
    "WaitedLong",
    "WorkerLeaving",
    "WorkerLost",
    "decide",
    "worst_suspect",
]


class Action(Enum):
    """What the client does next."""

    STOP = "tell the ranks that run to stop, and call off the others"
    PAUSE = "ask the ranks to leave off where it costs nothing"
    FINISH = "fetch the results"
    REGROUP = "begin the next epoch"
    FAIL = "raise the cause"


@dataclass(frozen=True, slots=True)
class RankStarted:
    """A rank's task runs."""

    rank: int


@dataclass(frozen=True, slots=True)
class RankLeftOff:
    """A rank has left off, as it was asked to; its task will end."""

    rank: int


@dataclass(frozen=True, slots=True)
class RankFailed:
    """A rank raised an error. ``echo``: it only lost peers or was stopped; ``culprit`` is the rank that it lost, −1 for none."""

    rank: int
    echo: bool
    culprit: int = -1


@dataclass(frozen=True, slots=True)
class RankEnded:
    """A rank's task has ended, however it did."""

    rank: int


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker is no part of the cluster any more."""

    address: str


@dataclass(frozen=True, slots=True)
class WorkerLeaving:
    """A worker is being retired: it still works, and hands on what it has."""

    address: str


@dataclass(frozen=True, slots=True)
class RegroupingPays:
    """With the workers that there are now the run would end sooner."""


@dataclass(frozen=True, slots=True)
class WaitedLong:
    """Ranks that were told to stop have had the time they may take."""


Event = RankStarted | RankLeftOff | RankFailed | RankEnded | WorkerLost | WorkerLeaving | RegroupingPays | WaitedLong


@dataclass(frozen=True, slots=True)
class Epoch:
    """One attempt of a gang: its members by rank, and what has become of the ranks.

    ``lost`` are ranks without a worker; ``suspects`` are (accuser, culprit). ``stage`` is "running", "pausing", "stopping" (after
    a loss or an error) or "over".
    """

    members: tuple[str, ...]
    regroups: bool
    started: frozenset[int] = frozenset()
    ended: frozenset[int] = frozenset()
    left_off: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()
    suspects: frozenset[tuple[int, int]] = frozenset()
    failed: bool = False
    stage: str = "running"

    @property
    def all_started(self) -> bool:
        """Whether the gang is complete."""
        return len(self.started) == len(self.members)

    @property
    def running(self) -> frozenset[int]:
        """Ranks whose task runs on a worker that is there."""
        return self.started - self.ended - self.lost


def decide(epoch: Epoch, event: Event) -> tuple[Epoch, list[Action]]:
    """What an event makes of an epoch, and what is to be done; nothing for events that come too late or are about others."""
    if epoch.stage == "over":
        return epoch, []
    match event:
        case RankStarted(rank):
            return replace(epoch, started=epoch.started | {rank}), []
        case RankLeftOff(rank):
            return replace(epoch, left_off=epoch.left_off | {rank}), []
        case RankEnded(rank):
            return _close(replace(epoch, ended=epoch.ended | {rank}), [])
        case RankFailed(rank, echo, culprit):
            suspects = epoch.suspects if culprit < 0 else epoch.suspects | {(rank, culprit)}
            return _stop(replace(epoch, suspects=suspects, failed=epoch.failed or not echo))
        case WorkerLost(address) if address in epoch.members:
            rank = epoch.members.index(address)
            if rank in epoch.left_off:  # it has done its part; what it left, others have too
                return _close(replace(epoch, lost=epoch.lost | {rank}), [])
            return _stop(replace(epoch, lost=epoch.lost | {rank}))
        case WorkerLeaving(address) if address in epoch.members:
            return _pause(epoch)
        case RegroupingPays():
            return _pause(epoch)
        case WaitedLong() if epoch.stage == "stopping":
            return replace(epoch, stage="over"), [_way_out(epoch)]
    return epoch, []


def _pause(epoch: Epoch) -> tuple[Epoch, list[Action]]:
    """A gang that is not complete yet is stopped instead: nothing would be lost."""
    if not epoch.regroups or epoch.stage != "running":
        return epoch, []
    if not epoch.all_started:
        return _stop(epoch)
    return replace(epoch, stage="pausing"), [Action.PAUSE]


def _stop(epoch: Epoch) -> tuple[Epoch, list[Action]]:
    if epoch.stage == "stopping":
        return _close(epoch, [])
    return _close(replace(epoch, stage="stopping"), [Action.STOP])


def _close(epoch: Epoch, actions: list[Action]) -> tuple[Epoch, list[Action]]:
    """End the epoch if nothing of it runs any more; ranks that had not begun when it was stopped are called off."""
    if epoch.stage == "stopping":
        if epoch.running:
            return epoch, actions
        return replace(epoch, stage="over"), [*actions, _way_out(epoch)]
    if len(epoch.ended | (epoch.lost & epoch.left_off)) < len(epoch.members):
        return epoch, actions
    way_out = Action.REGROUP if epoch.left_off and epoch.regroups else Action.FINISH
    return replace(epoch, stage="over"), [*actions, way_out]


def _way_out(epoch: Epoch) -> Action:
    """An error of a rank's own ends the run; what befell its workers does not, where the gang can be put together again."""
    return Action.REGROUP if epoch.regroups and not epoch.failed else Action.FAIL


def worst_suspect(epoch: Epoch) -> int | None:
    """The rank that most of its peers could not hear, the highest of several; None where nobody was accused, or is lost already.

    Two workers that reach the scheduler but not each other accuse one another, epoch after epoch: one has to go.
    """
    accused = [culprit for _, culprit in epoch.suspects if culprit not in epoch.lost]
    return max(accused, key=lambda rank: (accused.count(rank), rank), default=None)
