"""How clients and ranks tell the board what happens to a run, and how anybody reads it.

A message travels over the stream that its sender has open to the scheduler anyway, nobody waits for it, and where it cannot be
sent it is dropped: a run never fails because it could not be shown.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from distributed import Client

from gbdist_cluster.errors import GangCancelled
from gbdist_cluster.monitor.board import STREAM
from gbdist_cluster.monitor.curves import Point, thinned
from gbdist_cluster.plugin import prepare
from gbdist_cluster.rpc import call_scheduler

__all__ = [
    "PERIOD",
    "UNREPORTED",
    "RankPlace",
    "RankReport",
    "RunReport",
    "labelled",
    "part_of_run",
    "read_board",
    "reported",
]

PERIOD = 0.5
"""Seconds between two messages of a rank at least."""

_POINTS = 40
"""Points of a curve in a message at most."""

_job: ContextVar[str | None] = ContextVar("gbdist_job", default=None)
_part: ContextVar[str] = ContextVar("gbdist_part", default="")


@contextmanager
def labelled(job: str) -> Iterator[None]:
    """Runs that begin in this block, in this thread, are a job's."""
    token = _job.set(job)
    try:
        yield
    finally:
        _job.reset(token)


@contextmanager
def part_of_run(part: str) -> Iterator[None]:
    """Runs that begin in this block, in this thread, are parts of a larger one: their labels say which."""
    token = _part.set(f" ({part})")
    try:
        yield
    finally:
        _part.reset(token)


def read_board(client: Client, run_id: str | None = None, job: str | None = None) -> list[dict[str, Any]]:
    """What the board knows, newest run first: of one run, of a job's runs, or of all.

    Raises
    ------
    ClusterError
        If the scheduler does not answer.
    """
    prepare(client)
    runs: list[dict[str, Any]] = json.loads(call_scheduler(client, "gbdist_board", run_id=run_id, job=job))
    return runs


# ---- clients


class RunReport:
    """What a client tells of one run. ``run_id`` is empty where nobody is told."""

    def __init__(self, client: Client | None, run_id: str) -> None:
        self._client, self.run_id, self._epoch = client, run_id, -1

    def about(self, label: str, rows: int, features: int, iterations: int, counted: str = "trees") -> None:
        """Tell what is known once the data have been looked at; ``counted`` is what the run's iterations are."""
        self._tell(
            "about", label=label + _part.get(), rows=rows, features=features, iterations=iterations, counted=counted
        )

    def grown(self, trees: int) -> None:
        """Tell how many iterations were done in the end: the ranks' last words may come later than the client's."""
        self._tell("about", trees=trees)

    def begin_epoch(self, rows: Mapping[str, int], trees: int) -> "RankPlace | None":
        """Tell that a gang begins, with the rows of each worker in the order of the ranks; what its ranks report under."""
        if self._client is None:
            return None
        self._epoch += 1
        self._tell("epoch", epoch=self._epoch, members=list(rows.items()), trees=trees)
        return RankPlace(self.run_id, self._epoch)

    def note(self, what: str, text: str) -> None:
        """Tell of something that happened: "lost", "joined", "stopped" …"""
        self._tell("event", what=what, text=text)

    def _tell(self, kind: str, **fields: Any) -> None:
        if self._client is not None:
            with suppress(Exception):  # closed, or cut off: whatever the run waits for notices it
                self._client._send_to_scheduler({"op": STREAM, "run": self.run_id, "kind": kind, **fields})


UNREPORTED = RunReport(None, "")
"""The report of a run that nobody is told of."""


@contextmanager
def reported(client: Client, label: str) -> Iterator[RunReport]:
    """A run, from here to the end of the block. How the block ends is told too.

    Raises
    ------
    ClusterError
        If the scheduler does not take gbdist's plugins.
    """
    prepare(client)
    report = RunReport(client, uuid.uuid4().hex)
    report._tell("began", label=label + _part.get(), job=_job.get())
    try:
        yield report
    except BaseException as error:
        cancelled = isinstance(error, KeyboardInterrupt | GangCancelled)
        told = None if cancelled else f"{type(error).__name__}: {error}"
        report._tell("ended", state="cancelled" if cancelled else "failed", error=told)
        raise
    report._tell("ended", state="done", error=None)


# ---- ranks


@dataclass(frozen=True, slots=True)
class RankPlace:
    """Where the ranks of one gang report: their run on the board, and the epoch."""

    run_id: str
    epoch: int


class RankReport:
    """What one rank tells: sums since it began, at most once a ``PERIOD``; rank 0 also steps and values.

    Parameters
    ----------
    send : sends a message to the scheduler, from any thread
    clock : seconds
    """

    def __init__(self, place: RankPlace, rank: int, send: Any, clock: Any) -> None:
        self._place, self._rank, self._send, self._clock = place, rank, send, clock
        self._sent = clock() - PERIOD
        self._grown = self._told = 0
        self._points: dict[tuple[str, str], list[Point]] = {}
        self._best: tuple[int, float] | None = None

    @property
    def due(self) -> bool:
        """Whether a message may be sent."""
        return bool(self._clock() - self._sent >= PERIOD)

    def add(
        self, number: int, values: Mapping[str, Mapping[str, float]], best: tuple[int, float] | None, steps: int = 1
    ) -> None:
        """Take step ``number``, from 0, the newest of ``steps``: its values by set and name, and the best so far, if known."""
        self._grown += steps
        if self._rank == 0:
            self._told, self._best = number + 1, best
            for data_set, of_set in values.items():
                for name, value in of_set.items():
                    self._points.setdefault((data_set, name), []).append((number, value))

    def send(self, spans: Mapping[str, float], sent_bytes: int) -> None:
        """Send what there is; ``spans`` are seconds by name."""
        self._sent = self._clock()
        self._send(
            {
                "op": STREAM,
                "kind": "progress",
                "run": self._place.run_id,
                "epoch": self._place.epoch,
                "rank": self._rank,
                "grown": self._grown,
                "bytes": sent_bytes,
                "spans": dict(spans),
                "trees": self._told,
                "points": _flat(self._points),
                "best": self._best,
            }
        )
        self._points = {}


def _flat(points: Mapping[tuple[str, str], Sequence[Point]]) -> list[tuple[str, str, int, float]]:
    return [(*names, *point) for names, curve in points.items() for point in thinned(curve, _POINTS)]
