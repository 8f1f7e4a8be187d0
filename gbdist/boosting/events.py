"""What a run tells its listeners. The algorithm never prints or times itself: it emits these."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from gbdist.counted import TREES
from gbdist.models.history import MetricTable


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Training is about to do its first iteration, or the next one: ``resumed`` says how many were done already.

    ``counted`` says what an iteration is (``gbdist.counted``).
    """

    iterations: int
    rows: int
    features: int
    ranks: int
    metrics: MetricTable = field(default_factory=dict)
    resumed: int = 0
    counted: str = TREES


@dataclass(frozen=True, slots=True)
class IterationDone:
    """A tree was added, or an epoch is over. ``metrics`` is empty between metric periods; ``best`` is the best iteration or −1.

    ``step`` is what a run is gone on with: a tree's ``Step``, those of all folds, or a network's ``TrainState`` after this epoch.
    None where the event has come from another process.
    """

    iteration: int
    metrics: MetricTable
    best: int
    best_value: float
    step: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last iteration is done; ``stopped`` says why.

    Of trees "iterations", "overfitting" or "callback"; of a network "iterations", "converged", "early_stopping" or "callback".
    """

    iterations: int
    stopped: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something else that a run's client knows of: ``kind`` is "lost" (a worker left) or "regrouped" (the gang is another one).

    ``ranks`` is how many there are from now on, 0 where that does not change.
    """

    kind: str
    text: str
    ranks: int = 0


Event = RunStarted | IterationDone | RunFinished | Happened


class Listener(Protocol):
    """Hears the events of rank 0, in order. A True answer to ``IterationDone`` asks the run to stop."""

    def hear(self, event: Event) -> bool:
        """Take one event."""
        ...


def tell(listeners: Iterable[Listener], event: Event) -> bool:
    """Let every listener hear an event, also those behind one who wants to stop; whether one of them does."""
    answers = [listener.hear(event) for listener in listeners]  # all are asked, whatever the first ones answer
    return any(answers)
