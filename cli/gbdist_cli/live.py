"""The live view of a run in a terminal: progress, learning curves as sparklines, workers, and what happened last."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gbdist.counted import one_of, rate_words
from gbdist_cli.view import EventView, Points, RankView, RunView

_SPARKS, _ASCII_SPARKS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
_BAR, _CURVE = 30, 40
#: A title or a bar that would have fewer characters is left out.
_TITLE, _LEAST_BAR = 6, 8
#: Of the newest events, of ranks, of the stages of a rank, and of metrics of a data set.
_EVENTS, _RANKS, _STAGES, _METRICS = 4, 8, 4, 2
_FRAMES_A_SECOND = 4.0
_STYLES = {
    "training": "cyan",
    "done": "green",
    "failed": "bold red",
    "cancelled": "yellow",
    "stopped": "yellow",
    "preparing": "dim",
}


def sparkline(points: Points, width: int, *, ascii_only: bool = False) -> str:
    """A curve in so many characters: the last value of each stretch of trees, from the least to the largest of the curve."""
    finite = [(tree, value) for tree, value in points if math.isfinite(value)]
    if not finite or width < 1:
        return ""
    first, last = finite[0][0], finite[-1][0]
    n_cells = min(width, len(finite))
    cells: list[float | None] = [None] * n_cells
    for tree, value in finite:
        cells[(tree - first) * n_cells // (last - first + 1)] = value
    low, high = min(value for _, value in finite), max(value for _, value in finite)
    signs = _ASCII_SPARKS if ascii_only else _SPARKS
    drawn, value = "", finite[0][1]
    for cell in cells:
        value = value if cell is None else cell
        share = 0.0 if high == low else (value - low) / (high - low)
        drawn += signs[min(len(signs) - 1, int(share * len(signs)))]
    return drawn


def clock_words(seconds: float) -> str:
    """Seconds as 0:00:07."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class Drawn:
    """A view as rich draws it, as wide as there is room: every line is cut, none is wrapped."""

    def __init__(self, view: RunView) -> None:
        self.view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        yield self._bar(width, options.ascii_only)
        lines = [*self._curves(width, options.ascii_only), *self._workers(), *self._events()]
        if self.view.error:
            lines.append(Text(self.view.error, style="red"))
        for line in lines:
            line.truncate(width, overflow="ellipsis" if not options.ascii_only else "crop")
            line.no_wrap = True
            yield line

    def _bar(self, width: int, ascii_only: bool) -> RenderableType:
        """State and trees always; the rest as far as there is room, the least important last: share, time, rate, title, bar."""
        view = self.view
        words = _progress(view)
        room = width - len(view.state)
        shown = [
            word for number, word in enumerate(words) if number == 0 or _room_after(words[:number], room) > len(word)
        ]
        room = _room_after(shown, room)
        title = Text(view.title)
        title.truncate(max(0, min(len(view.title), room - 1)), overflow="crop" if ascii_only else "ellipsis")
        cells: list[RenderableType] = [title] if len(title.plain) >= min(_TITLE, len(view.title)) else []
        room -= len(title.plain) + 1 if cells else 0
        cells.append(Text(view.state, style=_STYLES.get(view.state, "")))
        if view.iterations and room > _LEAST_BAR:
            total = float(view.iterations)
            cells.append(ProgressBar(total=total, completed=float(view.trees), width=min(_BAR, room - 1)))
        grid = Table.grid(padding=(0, 1))
        for _ in (*cells, *shown):
            grid.add_column(no_wrap=True, overflow="crop")
        grid.add_row(*cells, *(Text(word) for word in shown))
        return grid

    def _curves(self, width: int, ascii_only: bool) -> Iterator[Text]:
        curves = [
            (data, metric, points)
            for data, of_set in self.view.curves.items()
            for metric, points in list(of_set.items())[:_METRICS]
            if points
        ]
        names = max((len(data) for data, _, _ in curves), default=0)
        metrics = max((len(metric) for _, metric, _ in curves), default=0)
        last = curves[-1][0] if curves else ""
        for data, metric, points in curves:
            line = Text(f"{data:<{names}} {metric:<{metrics}} ")
            value = f" {points[-1][1]:.6g}"
            room = width - len(line.plain) - len(value)
            line.append(sparkline(points, min(_CURVE, room), ascii_only=ascii_only), style="cyan")
            line.append(value, style="bold")
            if self.view.best is not None and data == last and metric == next(iter(self.view.curves[data])):
                line.append(f"  best {self.view.best[1]:.6g} ({one_of(self.view.counted)} {self.view.best[0]})")
            yield line

    def _workers(self) -> Iterator[Text]:
        view = self.view
        if view.workers:
            yield Text(f"{view.rows:,} rows x {view.features:,} features, workers: {view.workers}", style="dim")
        for rank in view.ranks[:_RANKS]:
            yield Text(f"  rank {rank.rank}  {rank.worker}  {rank.rows:,} rows  {_shares(rank)}")
        if len(view.ranks) > _RANKS:
            yield Text(f"  and {len(view.ranks) - _RANKS} more")

    def _events(self) -> Iterator[Text]:
        for seconds, text in list(self.view.events)[-_EVENTS:]:
            yield Text(f"  {clock_words(seconds)}  {text}", style="yellow")


def _progress(view: RunView) -> list[str]:
    """Trees or epochs, their share, the time that is left or that it took, and how many a second."""
    words = [f"{view.trees}/{view.iterations}", f"{view.trees / view.iterations:.0%}"] if view.iterations else []
    words.append(clock_words(view.seconds) if view.left is None else f"{clock_words(view.left)} left")
    return words if view.rate is None else [*words, rate_words(view.rate, view.counted)]


def _room_after(words: list[str], room: int) -> int:
    """What is left of so many characters behind words with one between."""
    return room - sum(len(word) + 1 for word in words)


def _shares(rank: RankView) -> str:
    """What a rank spends most of its time with."""
    whole = sum(rank.spans.values())
    if whole <= 0:
        return ""
    most = sorted(rank.spans.items(), key=lambda one: -one[1])[:_STAGES]
    return ", ".join(f"{name} {seconds / whole:.0%}" for name, seconds in most)


def plain_line(view: RunView) -> str:
    """A view in one line, for logs and pipes."""
    words = [view.state, *_progress(view)]
    for data, of_set in view.curves.items():
        words += [f"{data} {metric} {points[-1][1]:.6g}" for metric, points in of_set.items() if points]
    if view.best is not None:
        words.append(f"best {view.best[1]:.6g} ({view.best[0]})")
    return "  ".join(words)


class LiveView:
    """Draws what it is given four times a second until its block ends, and leaves its last state there; for terminals alone."""

    def __init__(self, console: Console, drawn: Callable[[], RenderableType]) -> None:
        self._console, self._drawn = console, drawn
        self._live = Live(get_renderable=self._grouped, console=console, refresh_per_second=_FRAMES_A_SECOND)

    def _grouped(self) -> RenderableType:
        return Group(self._drawn())

    def __enter__(self) -> "LiveView":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Draw once more and let go of the terminal; again is harmless."""
        self._live.stop()

    def say(self, line: str) -> None:
        """Show a line above the view."""
        self._console.print(line, markup=False, highlight=False)


class LiveReporter:
    """Shows the fits of ``gbdist train`` live (``gbdist.estimators.listeners.Reporter``)."""

    def __init__(self, console: Console, title: str, clock: Callable[[], float] | None = None) -> None:
        self._console = console
        self._events = EventView(title) if clock is None else EventView(title, clock)
        self._view: LiveView | None = None

    def hear(self, event: Any) -> bool:
        """Take an event; never stops the run."""
        self._events.take(event)
        if self._view is None:
            self._view = LiveView(self._console, self._draw).__enter__()
        return False

    def _draw(self) -> RenderableType:
        return Drawn(self._events.now())

    def say(self, line: str) -> None:
        """Show a line."""
        self._console.print(line, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the last state of the view there; a run that has not ended well fails by the error that is on its way."""
        self._events.fail(sys.exception())
        if self._view is not None:
            self._view.stop()
            self._view = None


def can_draw(console: Console) -> bool:
    """Whether a live view can be drawn there."""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def reporter_for(console: Console, title: str) -> Iterator[LiveReporter | None]:
    """Who shows the runs of a block: a live view in a terminal, else None, which leaves them to plain lines."""
    if not can_draw(console):
        yield None
        return
    made = LiveReporter(console, title)
    try:
        yield made
    finally:
        made.close()
