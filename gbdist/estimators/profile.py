"""The profile of a fit, collected on the client: ``profile=DIR`` (decision 0034)."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from warnings import warn

from distributed import Client

from gbdist.boosting.spans import SpanLog, SpansTaken
from gbdist.errors import ParameterError
from gbdist.profiling.summary import summary_of
from gbdist.profiling.timeline import SECOND, Note, Phase, RankTrack, Task, Timeline
from gbdist.profiling.trace import write_trace
from gbdist_cluster.clocks import follow_tasks, scheduler_offset, tasks_since

TRACE, SUMMARY = "trace.json", "summary.txt"
#: Spans of all ranks of a gang together: about 100 MB of trace.
MOST_SPANS = 500_000


class Profile:
    """Where the time of one fit goes. ``title`` says what is trained."""

    def __init__(self, folder: Path, title: str) -> None:
        self.folder, self.title = folder, title
        self.features = 0
        self._tracks: list[RankTrack] = []
        self._gang: list[RankTrack] = []
        self._marks = [("preparing", self._now())]
        self._notes: list[Note] = []
        self._client: Client | None = None
        self._offset, self._deaf = 0.0, False
        self._epochs = 0

    @staticmethod
    def _now() -> int:
        return time.time_ns()

    def follow(self, client: Client) -> None:
        """The fit uses this cluster."""
        try:
            self._offset = scheduler_offset(client)
            follow_tasks(client)
        except (OSError, TimeoutError):
            self._deaf = True  # the timeline lacks tasks, and says so
        else:
            self._client = client

    def mark(self, phase: str) -> None:
        """A phase begins, and the one before ends."""
        self._marks.append((phase, self._now()))

    def train(self, features: int) -> None:
        """Ranks begin to train."""
        self.features = features
        self.mark("training")

    def here(self, n_rows: int, features: int) -> SpanLog:
        """Training begins in this process; who is to be told of its stages."""
        self.train(features)
        self.gang({"this process": n_rows})
        return SpanLog(0, self.take, time.time() - time.perf_counter(), MOST_SPANS)

    def note(self, text: str) -> None:
        """Something has happened."""
        self._notes.append(Note(self._now(), text))

    def gang(self, rows: dict[str, int]) -> int:
        """A gang begins, with so many rows of each rank's worker; how many spans each of its ranks may keep."""
        self._gang = [RankTrack(self._epochs, rank, worker, count) for rank, (worker, count) in enumerate(rows.items())]
        self._epochs += 1
        self._tracks += self._gang
        return max(1, MOST_SPANS // max(1, len(rows)))

    def take(self, told: SpansTaken) -> None:
        """Take what a rank of the present gang tells."""
        self._gang[told.rank].take(told)

    def write(self) -> None:
        """Write trace and summary; a warning where that fails, for the fit is worth more than they are."""
        timeline = self._timeline()
        try:
            write_trace(self.folder / TRACE, timeline)
            (self.folder / SUMMARY).write_text(summary_of(timeline))
        except OSError as problem:
            warn(f"The profile could not be written to {self.folder}: {problem}", stacklevel=4)

    def _timeline(self) -> Timeline:
        ends = [when for _, when in self._marks[1:]] + [self._now()]
        phases = [
            Phase(name, self._shared(start), self._shared(end))
            for (name, start), end in zip(self._marks, ends, strict=True)
        ]
        notes = [Note(self._shared(note.time), note.text) for note in self._notes]
        told = [track for track in self._tracks if track.chunks]
        return Timeline(self.title, self.features, phases, told, self._tasks(), notes)

    def _shared(self, when: int) -> int:
        """A time of this machine on the scheduler's clock."""
        return when + round(self._offset * SECOND)

    def _tasks(self) -> Sequence[Task] | None:
        if self._client is None:
            return None if self._deaf else ()
        try:
            found = tasks_since(self._client, self._shared(self._marks[0][1]) / SECOND)
        except (OSError, TimeoutError, AttributeError):  # closed meanwhile, or without answer
            return None
        return [
            Task(one.name, one.action, one.worker, one.thread, round(one.start * SECOND), round(one.stop * SECOND))
            for one in found
        ]


def profile_of(given: Any, title: str, *, histograms: bool) -> Profile | None:
    """The profile that ``fit``'s argument asks for, in a folder that is there and can be written; None where none is asked for.

    Raises ParameterError.
    """
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike) or not str(given):
        raise ParameterError("profile", given, "the path of a folder", "For example: profile='profile'.")
    if not histograms:
        fix = "Leave out one of the two: CatBoost's own trainer does not tell what it is at."
        raise ParameterError("profile", str(given), "None with aggregate='models'", fix)
    folder = Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TRACE).write_text("")
    except OSError as problem:
        reason = problem.strerror or str(problem)
        expected = f"a folder on this machine that can be written ({reason})"
        raise ParameterError("profile", str(given), expected, "Name another one.") from problem
    return Profile(folder, title)
