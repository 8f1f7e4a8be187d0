"""What a profile knows of a run: when its phases, tasks and ranks were at what; all on one clock, in nanoseconds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.spans import ITERATIONS, SPAN, SpansTaken
from gbdist.counted import EPOCHS, TREES

#: Nanoseconds in a second.
SECOND = 1_000_000_000


@dataclass(eq=False)
class RankTrack:
    """One rank of one gang; ``epoch`` counts gangs."""

    epoch: int
    rank: int
    worker: str
    rows: int
    names: tuple[str, ...] = ()
    chunks: list[NDArray[Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    bytes_sent: int = 0
    cut: bool = False

    def take(self, told: SpansTaken) -> None:
        """Take what the rank tells."""
        records = told.records().copy()
        for column in ("start", "end"):
            records[column] += round(told.offset * SECOND)
        self.chunks.append(records)
        self.names, self.seconds, self.bytes_sent, self.cut = told.names, told.seconds, told.bytes_sent, told.cut

    def records(self) -> NDArray[Any]:
        """All spans, in the order of their ends."""
        return np.concatenate(self.chunks) if self.chunks else np.empty(0, SPAN)

    @property
    def iterations(self) -> int:
        """How many trees it has grown, or epochs it has trained."""
        numbers = [number for number, name in enumerate(self.names) if name in ITERATIONS]
        return sum(int(np.isin(chunk["name"], numbers).sum()) for chunk in self.chunks)

    @property
    def whole(self) -> float:
        """All its seconds."""
        return sum(self.seconds.values())


@dataclass(frozen=True, slots=True)
class Phase:
    """What the whole run was at, nanoseconds."""

    name: str
    start: int
    end: int

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.end - self.start) / SECOND


@dataclass(frozen=True, slots=True)
class Task:
    """What a thread of a worker did before ranks began, nanoseconds."""

    name: str
    action: str
    worker: str
    thread: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened: a worker was lost, a gang was put together again."""

    time: int
    text: str


@dataclass(frozen=True, eq=False)
class Timeline:
    """One run. ``tasks`` are None where nobody could be asked; ``features`` and ``title`` say what it trained."""

    title: str
    features: int
    phases: Sequence[Phase]
    tracks: Sequence[RankTrack]
    tasks: Sequence[Task] | None
    notes: Sequence[Note]

    @property
    def start(self) -> int:
        """When the run began."""
        return self.phases[0].start

    @property
    def epochs(self) -> int:
        """How many gangs there were."""
        return len({track.epoch for track in self.tracks})

    @property
    def counted(self) -> str:
        """What its iterations are."""
        return EPOCHS if any("epoch" in track.names for track in self.tracks) else TREES

    @property
    def iterations(self) -> int:
        """Trees that were grown, or epochs of a network; those that were lost again included."""
        most: dict[int, int] = {}
        for track in self.tracks:
            most[track.epoch] = max(most.get(track.epoch, 0), track.iterations)
        return sum(most.values())
