"""What a search says while it runs: a line when it begins, and one for each trial that ends."""

import sys
from typing import Any, TextIO

from gbdist.counted import counted_trials
from gbdist.selection.searching.events import COMPLETE, FAILED, SearchEvent, SearchListener, SearchStarted, TrialEnded

_DIGITS = 6


class TrialLines:
    """A listener that writes lines to a stream."""

    def __init__(self, stream: TextIO, counted: str) -> None:
        self._stream, self._counted = stream, counted
        self._trials: int | None = None
        self._ended = 0

    def __call__(self, event: SearchEvent) -> None:
        """Write the event, if it is one to write."""
        if isinstance(event, SearchStarted):
            self._trials, self._ended = event.trials, event.done
            self._say(started_line(event))
        elif isinstance(event, TrialEnded):
            self._ended += 1
            self._say(self._line(event))

    def _line(self, event: TrialEnded) -> str:
        of = "" if self._trials is None else f"/{self._trials}"
        words = [f"{self._ended}{of}: trial {event.number}"]
        if event.state == FAILED:
            words.append(f"failed: {event.error}")
        elif event.score is not None:
            pruned = "" if event.state == COMPLETE else f" ({event.state})"
            words.append(f"score {event.score:.{_DIGITS}g}{pruned}")
        if event.best is not None:
            words.append(f"best {event.best:.{_DIGITS}g}")
        words += [f"{event.iteration} {self._counted}", f"{event.seconds:.1f} s", _in_words(event.params)]
        return "  ".join(words)

    def _say(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def started_line(event: SearchStarted) -> str:
    """What is about to be searched, or that there is nothing left to."""
    if event.nothing_left and event.trials is not None:
        more = event.done > event.trials
        many = (
            f"{counted_trials(event.done)}, more than {event.trials:,}"
            if more
            else counted_trials(event.trials, event.done)
        )
        return f"study {event.study} has {many}: nothing to search"
    after = f", {event.done} of them ended before" if event.done else ""
    many = "as many trials as time allows" if event.trials is None else counted_trials(event.trials)
    return f"searching: {many}{after}, side by side: {event.side_by_side}"


def lines_asked(verbose: Any, counted: str, stream: TextIO | None = None) -> tuple[SearchListener, ...]:
    """The listener that ``verbose`` asks for: None is lines in a terminal and silence elsewhere, as for estimators."""
    stream = sys.stderr if stream is None else stream
    wanted = stream.isatty() if verbose is None else bool(verbose)
    return (TrialLines(stream, counted),) if wanted else ()


def _in_words(params: Any) -> str:
    return " ".join(f"{name}={f'{value:.4g}' if isinstance(value, float) else value}" for name, value in params.items())
