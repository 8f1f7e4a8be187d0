"""How the steps of a gang's run come to the client: rank 0 sends them in batches, the client keeps all of them.

What travels are records (``gbdist.snapshots.steps``): small, read without pickle, and what snapshots are made of.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gbdist.boosting.collective import Collective
from gbdist.boosting.events import Event, IterationDone
from gbdist.boosting.progress import Iteration, Step
from gbdist.boosting.rows import Rows
from gbdist.snapshots.digest import DataDigest, data_digest
from gbdist.snapshots.identity import Identity, require_same
from gbdist.snapshots.steps import decode_iteration, encode_iteration

#: Seconds between two batches at least; a step waits no longer than that.
PERIOD = 0.25


@dataclass(frozen=True, slots=True)
class DataLooked:
    """The ranks have looked at the data, and these are what the run may have: the message of rank 0 before the first step."""

    digest: DataDigest


@dataclass(frozen=True, slots=True)
class StepsGrown:
    """Records of steps that follow one another; ``first`` is the number of the first one in the run, from 0."""

    first: int
    records: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class DataCheck:
    """What ranks compare their data with: the identity that a snapshot in the file ``path`` has, and the run's own.

    ``saved`` is None where the run begins anew: then the data are only looked at.
    """

    here: Identity
    saved: Identity | None
    path: str

    def look(self, sets: Sequence[Rows], collective: Collective, threads: int) -> DataLooked:
        """Look at this rank's rows of all data sets; all ranks do. Raises the same SnapshotError on each for other data."""
        return self.compare(data_digest(sets, collective, threads))

    def compare(self, digest: DataDigest) -> DataLooked:
        """Take what the ranks have found; SnapshotError for other data."""
        if self.saved is not None:
            require_same(self.saved, self.here.with_data(digest), self.path)
        return DataLooked(digest)


def iteration_of(event: Event) -> Iteration | None:
    """What a run has after the iteration that an event is about; None for other events."""
    if isinstance(event, IterationDone) and isinstance(event.step, Step | tuple):
        return event.step
    return None


class StepSender:
    """A listener of rank 0: sends steps to the client, at most one batch a ``period``, whatever a tree takes.

    Parameters
    ----------
    emit : sends a message, from any thread
    steps : those that there are already
    known : int
        How many of them the client has.
    """

    def __init__(
        self, emit: Callable[[object], Any], steps: Sequence[Iteration] = (), known: int = 0, period: float = PERIOD
    ) -> None:
        self._emit, self._period = emit, period
        self._lock = threading.Lock()
        self._first = min(known, len(steps))
        self._records = [encode_iteration(step) for step in steps[known:]]
        self._sent = -period
        self._timer: threading.Timer | None = None

    def hear(self, event: Event) -> bool:
        """Take what a run has after an iteration; never stops it."""
        iteration = iteration_of(event)
        if iteration is None:
            return False
        record = encode_iteration(iteration)
        with self._lock:
            self._records.append(record)
            left = self._sent + self._period - time.monotonic()
            if left <= 0.0:
                self._send()
            elif self._timer is None:
                self._timer = threading.Timer(left, self.flush)
                self._timer.daemon = True
                self._timer.start()
        return False

    def flush(self) -> None:
        """Send what has not been sent yet: when a batch is due, and when the rank ends, however it does."""
        with self._lock:
            self._send()

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._records:
            self._emit(StepsGrown(self._first, tuple(self._records)))
            self._first += len(self._records)
            self._records.clear()
            self._sent = time.monotonic()


class Keeper:
    """All steps of a run, on the client: those that it went on from, and those that its ranks have sent.

    Parameters
    ----------
    steps : those that there are
    heard : called with each record that is new, in order; a snapshot is written by it
    """

    def __init__(self, steps: Sequence[Iteration] = (), heard: Callable[[bytes], None] | None = None) -> None:
        self._records = [encode_iteration(step) for step in steps]
        self._heard = heard

    @property
    def records(self) -> tuple[bytes, ...]:
        """Of all steps, in order."""
        return tuple(self._records)

    @property
    def steps(self) -> tuple[Iteration, ...]:
        """All steps, in order."""
        return tuple(decode_iteration(record) for record in self._records)

    def take(self, message: StepsGrown) -> None:
        """Take a batch. Steps that are there already are left out, and a batch whose predecessor never came is."""
        known = len(self._records) - message.first
        if known < 0:
            return
        for record in message.records[known:]:
            self._records.append(record)
            if self._heard is not None:
                self._heard(record)
