"""Writes what a run has so far every so many seconds, in a thread of its own, so that training does not wait for files."""

import threading
import time
from collections.abc import Callable, Sequence
from warnings import warn

from gbdist.counted import TREES
from gbdist.snapshots.files import reason
from gbdist.snapshots.format import Content
from gbdist.snapshots.identity import Identity
from gbdist.snapshots.store import Store

Clock = Callable[[], float]


class SnapshotWriter:
    """Hears the steps of a run as records (``steps.encode_step``), or each state of it whole, and keeps the newest in files.

    A state is written when ``interval`` seconds have passed since the last one (0: whenever none is being written), and one at
    the end, by ``close``. There are never two writes at once. One that fails is told as a warning, in the thread that calls;
    training goes on, and the next state is tried again.

    Parameters
    ----------
    store : where to
    identity : of the run, its data included
    records : those of the steps that the run goes on from
    saved : int
        Iterations that the newest file has: fewer are never written over it.
    counted : what iterations are
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        interval: float,
        records: Sequence[bytes] = (),
        saved: int = 0,
        counted: str = TREES,
        clock: Clock = time.monotonic,
    ) -> None:
        self._store, self._identity, self._interval, self._clock = store, identity.as_json(), interval, clock
        self._records, self._reached = list(records), len(records)
        self._saved, self._counted = max(saved, len(records)), counted
        self._changed = threading.Condition()
        self._wanted: tuple[tuple[bytes, ...], int] | None = None
        self._fault: str | None = None
        self._ended = False
        self._last = clock()
        self._thread = threading.Thread(target=self._work, name="gbdist-snapshots", daemon=True)
        self._thread.start()

    def add(self, record: bytes) -> None:
        """The run has another step; returns at once."""
        with self._changed:
            self._records.append(record)
            self._come(self._reached + 1)
        self._tell(final=False)

    def replace(self, record: bytes, reached: int) -> None:
        """The run has done so many iterations, and this is all that there is to be known of it; returns at once."""
        with self._changed:
            self._records = [record]
            self._come(reached)
        self._tell(final=False)

    def _come(self, reached: int) -> None:
        """Have the thread write, if it is time."""
        self._reached = reached
        due = self._clock() - self._last >= self._interval
        if due and self._wanted is None and reached > self._saved:
            self._wanted = tuple(self._records), reached
            self._changed.notify()

    def close(self) -> None:
        """Wait for the write in hand, and write what is not written yet; may be called again."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()
        if self._reached > self._saved:
            self._write(tuple(self._records), self._reached)
        self._tell(final=True)

    def _work(self) -> None:
        """The thread: write whatever is wanted, one after the other."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted is not None or self._ended)
                if self._wanted is None:
                    return
                records, reached = self._wanted
            self._write(records, reached)
            with self._changed:
                self._wanted, self._last = None, self._clock()

    def _write(self, records: tuple[bytes, ...], reached: int) -> None:
        fault, saved = None, self._saved
        try:
            self._store.save(Content(self._identity, records))
        except Exception as error:  # of any file system: a model is worth more than a snapshot of it
            fault = reason(error)
        else:
            saved = reached
        with self._changed:
            self._fault, self._saved = fault, saved

    def _tell(self, *, final: bool) -> None:
        """Warn of a write that failed, once."""
        with self._changed:
            fault, self._fault = self._fault, None
        if fault is None:
            return
        where, unsaved = self._store.path, self._reached - self._saved
        if final:
            warn(
                f"{where}: the last {unsaved:,} {self._counted} of this run are in no snapshot: {fault}.", stacklevel=4
            )
        else:
            warn(
                f"{where}: a snapshot could not be written: {fault}. Training goes on; it is tried again.", stacklevel=4
            )
