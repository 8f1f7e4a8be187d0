"""The trials of a search: a table that is drawn anew while it goes on, and lines where there is no terminal."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from gbdist.counted import counted_trials
from gbdist_cli.live import LiveView, clock_words

#: Of trials in a table, at most.
ROWS = 12
#: Lines of a terminal that the table leaves to others: its own head, and what stands above.
_ELSE = 4
_STYLES = {"running": "cyan", "pruned": "yellow", "failed": "red", "stopped": "yellow"}


def head_of(search: Mapping[str, Any]) -> str:
    """How far a search is, in words: of ``gbdist.jobs.trials.Trials.summary``."""
    total, ended = search["trials"], search["ended"]
    words = [counted_trials(ended) if total is None else counted_trials(total, ended)]
    words += [f"{search[state]:,} {state}" for state in ("running", "pruned", "failed") if search[state]]
    if search["best"] is not None:
        where = "" if search["best_trial"] is None else f" (trial {search['best_trial']})"
        words.append(f"best {search['best']:.6g}{where}")
    return ", ".join(words)


def words_of(params: Mapping[str, Any]) -> str:
    """Parameters in one line."""
    return " ".join(f"{name}={_short(value)}" for name, value in params.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def line_of(row: Mapping[str, Any]) -> str:
    """A trial that has ended, in one line."""
    score = "" if row["score"] is None else f" score {row['score']:.6g},"
    seconds = "" if row["seconds"] is None else f", {row['seconds']:.1f} s"
    error = f": {row['error']}" if row["error"] else ""
    return f"trial {row['number']} {row['state']}:{score} {row['trees']:,} trees{seconds}; {words_of(row['params'])}{error}"


class TrialsDrawn:
    """A search as rich draws it: a line for the whole and one for each trial, as wide as there is room."""

    def __init__(self, search: Mapping[str, Any], seconds: float | None = None) -> None:
        self._search, self._seconds = search, seconds

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        clock = "" if self._seconds is None else f"  {clock_words(self._seconds)}"
        lines = [Text(head_of(self._search) + clock, style="bold")]
        rows = self._search["rows"]
        if rows:
            lines.append(Text(f"  {'trial':>5}  {'state':<8}  {'score':>10}  {'trees':>6}  parameters", style="dim"))
        over = len(rows) - max(1, (options.height or console.height) - _ELSE)
        for row in rows:
            if over > 0 and not self._is_best(row):  # the best stays where there is little room
                over -= 1
            else:
                lines.append(self._row(row))
        for line in lines:
            line.truncate(options.max_width, overflow="crop" if options.ascii_only else "ellipsis")
            line.no_wrap = True
            yield line

    def _is_best(self, row: Mapping[str, Any]) -> bool:
        return bool(row["number"] == self._search["best_trial"])

    def _row(self, row: Mapping[str, Any]) -> Text:
        best = self._is_best(row)
        score = "" if row["score"] is None else f"{row['score']:.6g}"
        told = row["error"] or words_of(row["params"])
        words = f"{'*' if best else ' '} {row['number']:>5}  {row['state']:<8}  {score:>10}  {row['trees']:>6,}  {told}"
        return Text(words, style="bold green" if best else _STYLES.get(row["state"], ""))


class TrialsShown:
    """Draws a search in a terminal from the first that is told of it until ``close``."""

    def __init__(self, console: Console) -> None:
        self._console, self._latest = console, dict[str, Any]()
        self._began = time.monotonic()
        self._view: LiveView | None = None

    def take(self, search: Mapping[str, Any]) -> None:
        """Take how the search stands, as ``Trials.summary`` tells it."""
        self._latest = dict(search)
        if self._view is None:
            self._view = LiveView(self._console, self._drawn).__enter__()

    def close(self) -> None:
        """Leave the last state there; again is harmless."""
        if self._view is not None:
            self._view.stop()

    def _drawn(self) -> RenderableType:
        return TrialsDrawn(self._latest, time.monotonic() - self._began)
