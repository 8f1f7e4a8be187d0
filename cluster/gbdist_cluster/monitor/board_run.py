"""One run on the board: what its client and its ranks have told of it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gbdist_cluster.monitor.curves import Curve

__all__ = ["ENDS", "LIVE", "BoardRun", "RankRow", "Totals"]

LIVE = ("preparing", "training")
"""States of a run that goes on."""

ENDS = {"done": "the run is finished", "failed": "the run failed", "cancelled": "the run was called off"}
"""States of one that is over, in words."""

_PACE_SECONDS = 10.0
"""How much of the past the rate is measured over."""

_MOST_EVENTS = 200
_MOST_CURVES = 32
_LONGEST_TEXT = 2000


@dataclass(eq=False)
class Totals:
    """Sums over all runs since the scheduler started; they only grow. ``ended`` is by state, ``spans`` are seconds by name."""

    trees: int = 0
    epochs: int = 0
    losses: int = 0
    bytes: int = 0
    spans: dict[str, float] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class RankRow:
    """A rank of the present epoch: where it is, and sums since the epoch began."""

    worker: str
    rows: int
    grown: int = 0
    bytes: int = 0
    spans: dict[str, float] = field(default_factory=dict)
    bytes_a_tree: float | None = None

    def take(self, grown: int, sent: int, spans: Mapping[str, float], totals: Totals) -> None:
        """Newer sums of it; the totals get what has been added."""
        totals.bytes += max(sent - self.bytes, 0)
        for name, seconds in spans.items():
            more = max(seconds - self.spans.get(name, 0.0), 0.0)
            totals.spans[name] = totals.spans.get(name, 0.0) + more
        if grown > self.grown > 0:  # what was sent before the first tree is no tree's
            self.bytes_a_tree = (sent - self.bytes) / (grown - self.grown)
        self.grown, self.bytes, self.spans = grown, sent, dict(spans)


class BoardRun:
    """What is known of a run. Its ``trees`` are epochs of a network where ``counted`` says so.

    ``now`` is the scheduler's clock, seconds since 1970.
    """

    def __init__(self, run_id: str, client: str, job: str | None, now: float) -> None:
        self.run_id, self.client, self.job, self.label = run_id, client, job, ""
        self.state, self.started, self.ended = "preparing", now, 0.0
        self.rows = self.features = self.iterations = self.trees = self.epoch = 0
        self.counted = "trees"
        self.best: list[float] | None = None
        self.error: str | None = None
        self.ranks: dict[int, RankRow] = {}
        self.traffic = Curve()
        self.curves: dict[str, dict[str, Curve]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=_MOST_EVENTS)
        self._pace: deque[tuple[float, int]] = deque()

    @property
    def live(self) -> bool:
        """Whether it goes on."""
        return self.state in LIVE

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened, in order."""
        return list(self._events)

    def note(self, kind: str, text: str, now: float) -> None:
        """Put something that happened on the run's time line."""
        self._events.append({"time": now, "kind": kind, "text": text[:_LONGEST_TEXT]})

    def about(self, told: Mapping[str, Any]) -> None:
        """Take what is known once the data have been looked at, or at the end."""
        self.label = str(told.get("label", self.label))[:_LONGEST_TEXT]
        self.rows = int(told.get("rows", self.rows))
        self.features = int(told.get("features", self.features))
        self.iterations = int(told.get("iterations", self.iterations))
        self.trees = int(told.get("trees", self.trees))
        self.counted = str(told.get("counted", self.counted))

    def begin_epoch(self, number: int, members: Mapping[str, int], trees: int, now: float) -> None:
        """A gang was put together: rows of each rank's worker, in their order, and the trees that it goes on from."""
        self.epoch, self.trees = number, trees
        self.ranks = {rank: RankRow(worker, rows) for rank, (worker, rows) in enumerate(members.items())}
        self._pace.clear()
        workers = f"{len(members)} worker{'s' if len(members) != 1 else ''}"
        if number:
            self.note("regrouped", f"epoch {number} on {workers}, going on from {trees:,} {self.counted}", now)
            return
        self.note("started", f"on {workers}", now)
        if trees:
            self.note("resumed", f"from {trees:,} {self.counted}", now)

    def take(self, told: Mapping[str, Any], totals: Totals, now: float) -> bool:
        """Take what a rank tells; False if it is a rank of an epoch that is over, or of none."""
        rank = self.ranks.get(int(told["rank"]))
        if int(told["epoch"]) != self.epoch or rank is None:
            return False
        before = rank.grown
        rank.take(int(told["grown"]), int(told["bytes"]), told["spans"], totals)
        if int(told["rank"]) == 0:
            totals.trees += max(rank.grown - before, 0)
            self._grow(told, now)
        known = [one.bytes_a_tree for one in self.ranks.values() if one.bytes_a_tree is not None]
        if len(known) == len(self.ranks):
            self.traffic.add(self.trees, sum(known))
        return True

    def _grow(self, told: Mapping[str, Any], now: float) -> None:
        """What rank 0 alone tells: trees and metrics."""
        if self.live:
            self.state = "training"
        self.trees = int(told["trees"])
        self._pace.append((now, self.trees))
        while len(self._pace) > 2 and self._pace[1][0] < now - _PACE_SECONDS:
            self._pace.popleft()
        for data_set, name, number, value in told["points"]:
            of_set = self.curves.setdefault(str(data_set), {})
            if name in of_set or sum(map(len, self.curves.values())) < _MOST_CURVES:
                of_set.setdefault(str(name), Curve()).add(int(number), float(value))
        if told.get("best") is not None:
            self.best = [int(told["best"][0]), float(told["best"][1])]

    def end(self, state: str, error: str | None, now: float) -> None:
        """It is over."""
        self.state, self.ended = state, now
        self.error = None if error is None else error[:_LONGEST_TEXT]
        self.note(state, error or ENDS[state], now)

    @property
    def rate(self) -> float | None:
        """Trees a second of late; of a run that is over, when it last grew any."""
        if len(self._pace) < 2:
            return None
        (first, trees), (last, more) = self._pace[0], self._pace[-1]
        return (more - trees) / (last - first) if last > first and more > trees else None

    @property
    def left(self) -> float | None:
        """Seconds until the last tree, if the run does not stop early."""
        rate = self.rate
        return max(self.iterations - self.trees, 0) / rate if self.live and rate else None

    def as_json(self) -> dict[str, Any]:
        """What others are told: plain values alone, of their own."""
        return {
            "run": self.run_id,
            "job": self.job,
            "label": self.label,
            "state": self.state,
            "started": self.started,
            "ended": None if self.live else self.ended,
            "trees": self.trees,
            "iterations": self.iterations,
            "counted": self.counted,
            "rate": self.rate,
            "left": self.left,
            "rows": self.rows,
            "features": self.features,
            "epoch": self.epoch,
            "curves": {
                data_set: {name: curve.points for name, curve in of_set.items()}
                for data_set, of_set in self.curves.items()
            },
            "traffic": self.traffic.points,
            "best": None if self.best is None else list(self.best),
            "ranks": [
                {
                    "rank": number,
                    "worker": rank.worker,
                    "rows": rank.rows,
                    "spans": dict(rank.spans),
                    "bytes": rank.bytes,
                }
                for number, rank in self.ranks.items()
            ],
            "events": [dict(event) for event in self._events],
            "error": self.error,
        }
