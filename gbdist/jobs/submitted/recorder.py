"""What a driver writes down while its job runs: the log in parts, the state, and what the scheduler is told of progress."""

import json
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gbdist.boosting.events import Event, Happened, IterationDone, RunFinished, RunStarted
from gbdist.counted import TREES, one_of
from gbdist.errors import GbdistError
from gbdist.estimators.listeners import describe
from gbdist.jobs.submitted.state import JobState, error_of
from gbdist.jobs.submitted.store import JobStore

#: Seconds between two parts of the log: few at first, more for what runs long, so that a job of days has some thousand parts.
SHORTEST, LONGEST, SHARE = 1.0, 30.0, 0.01
#: Seconds between two states with nothing new but progress.
STATE_SECONDS = 10.0
_TICK_SECONDS = 0.5


class Reports(Protocol):
    """Who is told of progress at once."""

    def report(self, progress: Mapping[str, Any], saved: int = 0) -> None:
        """Take progress, and how much had been saved when the attempt began."""
        ...


class Recorder:
    """Writes in a thread of its own, so that the job does not wait for files. Close it at the end."""

    def __init__(
        self, store: JobStore, state: JobState, reports: Reports, clock: Callable[[], float] = time.time
    ) -> None:
        self.store, self._reports, self._clock = store, reports, clock
        self._state = state
        self._lock = threading.Lock()
        self._lines: list[dict[str, Any]] = []
        self._parts = 0
        self._progress: dict[str, Any] = {}
        self._counted = TREES
        self._newest: IterationDone | None = None
        self._began = self._flushed = self._wrote = clock()
        self._resumed = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="gbdist-recorder", daemon=True)
        store.write_state(state)
        self._thread.start()

    # ---- what is heard

    def say(self, text: str, kind: str = "note", **fields: Any) -> None:
        """Put a line into the log."""
        with self._lock:
            self._add(text, kind, **fields)

    def failed(self, error: BaseException) -> None:
        """Put an error into the log, with its traceback."""
        self.say(error_of(error)["text"], "error", traceback="".join(traceback.format_exception(error)))

    def count(self, what: str, done: int, left: int) -> None:
        """Say how many rows are done, and how many parts are left."""
        with self._lock:
            self._progress = {"what": what, "done": done, "parts_left": left}
            self._reports.report(self._progress)

    def search(self, stands: Mapping[str, Any], ended: Mapping[str, Any] | None) -> None:
        """Take how a search stands, and the trial that has ended by it, both as ``gbdist.jobs.trials`` tells them."""
        with self._lock:
            if ended is not None:
                score = "" if ended["score"] is None else f", score {ended['score']:.6g}"
                error = f": {ended['error']}" if ended["error"] else ""
                self._add(f"trial {ended['number']} {ended['state']}{score}{error}", "trial", trial=dict(ended))
            self._progress = {"search": dict(stands)}
            self._reports.report(self._progress, stands["earlier"])

    def hear(self, event: Event) -> bool:
        """Take an event of a fit; never stops it."""
        with self._lock:
            match event:
                case RunStarted():
                    self._begin(event)
                case IterationDone():
                    self._grow(event)
                case RunFinished():
                    self._tell_newest()
                    done = event.iterations
                    self._add(f"{done:,} {self._counted} ({event.stopped})", "finished", **{self._counted: done})
                case Happened():
                    self._add(event.text, event.kind)
            self._reports.report(self._progress, self._resumed)
        return False

    def _begin(self, event: RunStarted) -> None:
        after = f", after {event.resumed:,} {event.counted}" if event.resumed else ""
        text = f"training on {event.rows:,} rows × {event.features:,} features, ranks: {event.ranks}{after}"
        self._add(text, "started", resumed=event.resumed, ranks=event.ranks)
        self._counted = event.counted
        self._resumed, self._began = max(event.resumed, self._resumed), self._clock()
        self._progress = {
            "trees": event.resumed,
            "counted": event.counted,
            "resumed": event.resumed,
            "iterations": event.iterations,
            "rows": event.rows,
            "features": event.features,
            "ranks": event.ranks,
        }

    def _grow(self, event: IterationDone) -> None:
        done = event.iteration + 1
        seconds = max(self._clock() - self._began, 1e-9)
        rate = max(done - self._progress.get("resumed", 0), 0) / seconds
        left = (self._progress.get("iterations", done) - done) / rate if rate else None
        changes: dict[str, Any] = {"trees": done, "rate": rate, "left": left}
        if event.metrics:
            changes["metrics"] = {name: dict(values) for name, values in event.metrics.items()}
            self._newest = event
        if event.best >= 0:
            changes["best"] = [event.best, event.best_value]
        self._progress = {**self._progress, **changes}

    def _tell_newest(self) -> None:
        """Put the newest iteration into the log, unless it is there."""
        if self._newest is not None:
            kind = one_of(self._counted)
            self._add(f"{kind} {self._newest.iteration}: {describe(self._newest)}", kind, **self._progress)
            self._newest = None

    def _add(self, text: str, kind: str, **fields: Any) -> None:
        head = {"time": self._clock(), "attempt": self._state.attempt, "kind": kind, "text": text}
        self._lines.append({**head, **fields})

    # ---- what is written

    def close(self, state: str, error: Mapping[str, Any] | None, *, speaks: bool = True) -> None:
        """Write what is not written yet, and how the job ended; no state where somebody else ``speaks`` for the job."""
        self._ended.set()
        self._thread.join()
        with self._lock:
            self._tell_newest()
            if speaks:
                self._add(f"the job is {state}", "ended")
        if not speaks:
            return
        self._flush()
        self.store.write_state(self._now().ends(state, error))

    def _work(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            now = self._clock()
            try:
                if now - self._flushed >= min(LONGEST, max(SHORTEST, SHARE * (now - self._began))):
                    with self._lock:
                        self._tell_newest()
                    self._flush()
                if now - self._wrote >= STATE_SECONDS:
                    self._wrote = now
                    self._state = self._now().next()
                    self.store.write_state(self._state)
            except GbdistError:  # tried again; if it never works, the result cannot be written either, and that is told
                continue

    def _now(self) -> JobState:
        with self._lock:
            return self._state.next(progress=dict(self._progress))

    def _flush(self) -> None:
        """Write the lines that there are as a part of the log."""
        with self._lock:
            lines = list(self._lines)
        self._flushed = self._clock()
        if not lines:
            return
        text = "".join(json.dumps(line, default=str) + "\n" for line in lines)
        self.store.write(f"log/{self._state.attempt:04d}-{self._parts + 1:06d}.jsonl", text.encode())
        self._parts += 1
        with self._lock:
            del self._lines[: len(lines)]


class Voice:
    """A recorder as a reporter of fits."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def hear(self, event: Event) -> bool:
        """See ``Recorder.hear``."""
        return self._recorder.hear(event)

    def say(self, line: str) -> None:
        """See ``Recorder.say``."""
        self._recorder.say(line)

    def close(self) -> None:
        """The fit is over; the job may not be."""
