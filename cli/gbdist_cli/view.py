"""What a live view shows of a run, whether events tell of it or a row of the scheduler's board; knows nothing of a terminal."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Points = list[tuple[int, float]]

#: Events that are remembered.
_EVENTS = 50
#: Points of a curve, thinned to half where there are more.
_MOST_POINTS = 800
#: The rate is that of the trees of so many seconds.
_RATE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RankView:
    """A rank: its worker, its rows, and seconds by stage; empty where nobody told."""

    rank: int
    worker: str
    rows: int
    spans: Mapping[str, float]


@dataclass
class RunView:
    """One run at one moment; seconds, and times as seconds since it started. ``trees`` are epochs where ``counted`` says so."""

    title: str
    state: str = "preparing"
    trees: int = 0
    iterations: int = 0
    counted: str = "trees"
    rate: float | None = None
    left: float | None = None
    seconds: float = 0.0
    rows: int = 0
    features: int = 0
    workers: int = 0
    ranks: list[RankView] = field(default_factory=list)
    #: Data set → metric → (iteration, value).
    curves: dict[str, dict[str, Points]] = field(default_factory=dict)
    best: tuple[int, float] | None = None
    events: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    error: str | None = None


def view_of(row: Mapping[str, Any], now: float) -> RunView:
    """A run as its row on the board tells it; ``now`` is the unix time of whoever looks."""
    ended = row["ended"]
    best = row["best"]
    return RunView(
        title=row["label"],
        state=row["state"],
        trees=row["trees"],
        iterations=row["iterations"],
        counted=row["counted"],
        rate=row["rate"],
        left=row["left"],
        seconds=max(0.0, (now if ended is None else ended) - row["started"]),
        rows=row["rows"],
        features=row["features"],
        workers=len(row["ranks"]),
        ranks=[RankView(one["rank"], one["worker"], one["rows"], one["spans"]) for one in row["ranks"]],
        curves={
            data: {metric: [(int(tree), float(value)) for tree, value in points] for metric, points in of_set.items()}
            for data, of_set in row["curves"].items()
        },
        best=None if best is None else (int(best[0]), float(best[1])),
        events=deque(((one["time"] - row["started"], one["text"]) for one in row["events"]), maxlen=_EVENTS),
        error=row["error"],
    )


class EventView:
    """Fills a view from the events of a run."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.view = RunView(title)
        self._clock, self._began = clock, clock()
        self._recent: deque[tuple[float, int]] = deque()

    def now(self) -> RunView:
        """The view, as of now."""
        if self.view.state in ("preparing", "training"):
            self.view.seconds = self._clock() - self._began
        return self.view

    def note(self, text: str) -> None:
        """Something happened."""
        self.view.events.append((self._clock() - self._began, text))

    def take(self, event: Any) -> None:
        """Take an event of ``gbdist.boosting.events``."""
        from gbdist.boosting.events import Happened, IterationDone, RunFinished, RunStarted

        match event:
            case RunStarted():
                self._start(event)
            case IterationDone():
                self._grow(event)
            case Happened():
                self.view.workers = event.ranks or self.view.workers
                self.note(event.text)
            case RunFinished():
                self.now().state, self.view.trees, self.view.left = "done", event.iterations, None
                if event.stopped != "iterations":
                    self.note(f"stopped by {event.stopped}")

    def fail(self, error: BaseException | None = None) -> None:
        """The run has ended otherwise than well, by ``error`` if that is known: Ctrl-C has stopped it."""
        if self.now().state not in ("done", "stopped"):
            self.view.state = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            self.view.left = None

    def _start(self, event: Any) -> None:
        view = self.view
        view.state, view.iterations, view.trees = "training", event.iterations, event.resumed
        view.counted = event.counted
        view.rows, view.features, view.workers = event.rows, event.features, event.ranks
        self._recent.clear()
        self._recent.append((self._clock(), event.resumed))

    def _grow(self, event: Any) -> None:
        view, now = self.view, self._clock()
        view.trees = event.iteration + 1
        self._recent.append((now, view.trees))
        while len(self._recent) > 2 and now - self._recent[0][0] > _RATE_SECONDS:
            self._recent.popleft()
        since, trees = self._recent[0]
        if now > since:
            view.rate = (view.trees - trees) / (now - since)
            view.left = (view.iterations - view.trees) / view.rate if view.rate > 0 else None
        for data, values in event.metrics.items():
            for metric, value in values.items():
                points = view.curves.setdefault(data, {}).setdefault(metric, [])
                points.append((event.iteration, float(value)))
                if len(points) > _MOST_POINTS:
                    del points[1:-1:2]
        if event.best >= 0:
            view.best = event.best, event.best_value
