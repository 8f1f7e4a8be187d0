"""What a run tells its listeners. The algorithm never prints or times itself: it emits these."""

from dataclasses import dataclass, field
from typing import Protocol

from gbdist.models.history import MetricTable


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Training is about to grow its first tree."""

    iterations: int
    rows: int
    features: int
    ranks: int
    metrics: MetricTable = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TreeGrown:
    """A tree was added. ``metrics`` is empty between metric periods; ``best`` is the best iteration so far or −1."""

    iteration: int
    metrics: MetricTable
    best: int
    best_value: float


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last tree is grown; ``stopped`` says why: "iterations", "overfitting" or "callback"."""

    trees: int
    stopped: str


Event = RunStarted | TreeGrown | RunFinished


class Listener(Protocol):
    """Hears the events of rank 0, in order. A True answer to ``TreeGrown`` asks the run to stop."""

    def hear(self, event: Event) -> bool:
        """Take one event."""
        ...
