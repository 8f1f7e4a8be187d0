"""What a run says while it trains: a progress bar, plain lines, and CatBoost-style callbacks."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TextIO, runtime_checkable

from gbdist.boosting.events import Event, Happened, IterationDone, Listener, RunFinished, RunStarted
from gbdist.counted import TREES, rate_words, work_on
from gbdist.errors import ParameterError
from gbdist.models.history import History, MetricTable, add_to_history, history_of

if TYPE_CHECKING:
    from rich.progress import Progress

Clock = Callable[[], float]

#: So many columns are named in a line.
_NAMED = 10


@dataclass(slots=True)
class IterationInfo:
    """What a callback is given. ``iteration`` counts trees or epochs, so it is 1 after the first one, as in CatBoost."""

    iteration: int
    metrics: History = field(default_factory=dict)


class Callback(Protocol):
    """What ``fit(callbacks=[...])`` takes: CatBoost's own callback objects."""

    def after_iteration(self, info: IterationInfo) -> bool:
        """Return True to go on; anything false (None too, as CatBoost reads it) stops after this iteration."""
        ...


#: Whether what a listener answers to iterations counts: never, always, or after those that are asked about, counted from 1. The
#: ranks wait for an answer that counts; a function goes to them, so it must be one that can be pickled.
Asks = bool | Callable[[int], bool]


def asked_after(asks: Asks, done: int) -> bool:
    """Whether the answer to the iteration counts after which so many are done."""
    return asks(done) if callable(asks) else asks


class CallbackListener:
    """Calls CatBoost-style callbacks after every iteration; any of them may stop the run."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)
        self._metrics: History = {}
        self._tables: list[MetricTable] = []

    @property
    def asks(self) -> Asks:
        """All answers count, unless a callback that is alone says by ``asked_after(done)`` which of its may stop."""
        (only,) = self._callbacks if len(self._callbacks) == 1 else (None,)
        asked: Asks = getattr(only, "asked_after", True)
        return asked

    def remember(self, tables: Sequence[MetricTable]) -> None:
        """Metrics of the iterations that a run goes on from: callbacks find them in the history, as with CatBoost."""
        self._tables = list(tables)

    def hear(self, event: Event) -> bool:
        """Pass an iteration on; True when a callback wants to stop."""
        if isinstance(event, RunStarted):
            del self._tables[event.resumed :]
            self._metrics = history_of(self._tables)
        if not isinstance(event, IterationDone):
            return False
        self._tables.append(event.metrics)
        add_to_history(self._metrics, event.metrics)
        info = IterationInfo(event.iteration + 1, self._metrics)
        # All are called, whatever the first ones answer.
        answers = [callback.after_iteration(info) for callback in self._callbacks]
        return not all(answers)


@runtime_checkable
class Reporter(Listener, Protocol):
    """Shows a person how a run goes. Its answer to an event counts for nothing."""

    def say(self, line: str) -> None:
        """Show a line before the run begins."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; safe at any time, also after an error."""
        ...


_told: "ContextVar[Reporter | None]" = ContextVar("gbdist_reporter", default=None)


@contextmanager
def told_to(reporter: Reporter | None) -> Iterator[None]:
    """Fits in this block are shown by a reporter in place of bar and lines, unless they are asked to be silent; None: as ever."""
    before = _told.set(reporter)
    try:
        yield
    finally:
        _told.reset(before)


class ProgressBar:
    """One line in a terminal: trees or epochs done, time left, how many a second, metrics, best so far."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._bar: Progress | None = None
        self._started = 0.0
        self._resumed = 0
        self._words, self._counted = "", TREES

    def hear(self, event: Event) -> bool:
        """Draw the event; never stops the run."""
        if isinstance(event, RunStarted):
            self._counted = event.counted
            self._start(event.iterations, event.resumed)
        elif isinstance(event, RunFinished):
            self.close()
        elif isinstance(event, Happened):
            if self._bar is not None:
                self._bar.console.print(event.text, markup=False, highlight=False)
        elif self._bar is not None:
            done = event.iteration + 1
            if event.metrics:
                self._words = describe(event, first_only=True)
            seconds = max(self._clock() - self._started, 1e-9)
            text = f"{rate_words(max(1, done - self._resumed) / seconds, self._counted)}  {self._words}"
            self._bar.update(self._bar.task_ids[0], completed=done, text=text)
        return False

    def say(self, line: str) -> None:
        """Write a line above the bar, which must not have been drawn yet."""
        self._stream.write(line + "\n")

    def close(self) -> None:
        """Leave the terminal as it was; safe at any time, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self, iterations: int, resumed: int) -> None:
        # Imported here because only a terminal needs it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self.close()
        self._started, self._resumed = self._clock(), resumed
        self._words = ""
        self._bar = Progress(
            # In a narrow terminal the metrics are cut, which come last; neither what is done nor the time that is left.
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(iterations)) + 1)),
            BarColumn(bar_width=20),
            TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=len("0:00:00"))),
            TextColumn("{task.fields[text]}", markup=False),
            console=Console(file=self._stream),
        )
        self._bar.add_task(self._counted, total=iterations, completed=resumed, text="")
        self._bar.start()


class PlainLines:
    """One line for every ``period``-th tree or epoch, for logs and pipes."""

    def __init__(self, stream: TextIO, period: int = 1, clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._period = period
        self._clock = clock
        self._started = 0.0
        self._iterations = self._resumed = 0
        self._counted = TREES

    def hear(self, event: Event) -> bool:
        """Write the event; never stops the run."""
        if isinstance(event, RunStarted):
            self._started = self._clock()
            self._iterations, self._resumed, self._counted = event.iterations, event.resumed, event.counted
            after = f", after {event.resumed} {event.counted}" if event.resumed else ""
            work = work_on(event.counted)
            self.say(f"{work} {event.rows:,} rows × {event.features:,} features, ranks: {event.ranks}{after}")
        elif isinstance(event, RunFinished):
            seconds = self._clock() - self._started
            self.say(f"done: {event.iterations} {self._counted} in {seconds:.1f} s ({event.stopped})")
        elif isinstance(event, Happened):
            self.say(event.text)
        elif event.iteration % self._period == 0 or event.iteration + 1 == self._iterations:
            self.say(self._line(event))
        return False

    def _line(self, event: IterationDone) -> str:
        done = event.iteration + 1
        grown = max(done - self._resumed, 1)
        seconds = max(self._clock() - self._started, 1e-9)
        left = seconds / grown * (self._iterations - done)
        pace = f"{rate_words(grown / seconds, self._counted)}  {left:.0f} s left"
        return "  ".join(part for part in (f"{event.iteration}:", describe(event), pace) if part)

    def say(self, line: str) -> None:
        """Write a line."""
        self._stream.write(line + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""


def tell_steps(listener: Listener | None, done: int, path: str, counted: str = TREES) -> None:
    """Let a listener that reports progress say that a run goes on from a snapshot."""
    if isinstance(listener, Reporter):
        listener.say(f"going on from {done:,} {counted} of {path}")


def tell_columns(listener: Listener | None, names: Sequence[str]) -> None:
    """Let a listener that reports progress say which columns were found to be categorical, if any were."""
    if names and isinstance(listener, Reporter):
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        shown = ", ".join(map(repr, names[:_NAMED]))
        listener.say(f"categorical by their types (cat_features says otherwise): {shown}{more}")


def tell_line(listener: Listener | None, line: str) -> None:
    """Let a listener that reports progress say something before its run begins."""
    if isinstance(listener, Reporter):
        listener.say(line)


def close(listener: Listener | None) -> None:
    """Let a listener tidy up, if it has anything to tidy; after a run, however it ended."""
    if isinstance(listener, Reporter):
        listener.close()


def heard_by(listener: Listener | None, callbacks: CallbackListener | None) -> Callable[[Event], bool] | None:
    """One function for all listeners, None where there are none; only what the callbacks answer counts."""
    if listener is None and callbacks is None:
        return None

    def hear(event: Event) -> bool:
        if listener is not None:
            listener.hear(event)
        return callbacks is not None and callbacks.hear(event)

    return hear


def describe(event: IterationDone, *, first_only: bool = False) -> str:
    """Metrics of an iteration in words, with the best value so far; ``first_only`` keeps one metric a data set."""
    words = []
    for data_set, values in event.metrics.items():
        for name, value in list(values.items())[: 1 if first_only else None]:
            words.append(f"{data_set} {name} {value:.6g}")
    if event.best >= 0:
        words.append(f"best {event.best_value:.6g} ({event.best})")
    return "  ".join(words)


def progress_listener(verbose: object = None, metric_period: int = 1, stream: TextIO | None = None) -> Listener | None:
    """Choose how a run reports progress to ``stream`` (default: stderr); None for silence.

    ``verbose`` has CatBoost's values: False or 0 is silence, True every ``metric_period``-th tree, a whole number n > 1
    every n-th tree. CatBoost's default is to print every tree; here the default, None, is a progress bar in a terminal and
    silence elsewhere. In a terminal the bar takes the place of the lines, and a reporter of ``told_to`` that of both.
    """
    stream = sys.stderr if stream is None else stream
    if verbose is not None and not verbose:
        return None
    if (reporter := _told.get()) is not None:
        return reporter
    if stream.isatty():
        return ProgressBar(stream)
    if verbose is None:
        return None
    period = metric_period if verbose is True or verbose == 1 else int(verbose)  # type: ignore[call-overload]
    return PlainLines(stream, max(1, period))


def callback_listener(callbacks: Any) -> CallbackListener | None:
    """Check ``fit``'s ``callbacks`` (None or a sequence of objects with ``after_iteration``) and wrap them.

    Raises
    ------
    ParameterError
        One of them has no ``after_iteration`` method.
    """
    if callbacks is None:
        return None
    listed = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in listed:
        if not callable(getattr(callback, "after_iteration", None)):
            raise ParameterError(
                "callbacks",
                callback,
                "objects with a method after_iteration(info) that returns True to go on",
                "Give CatBoost-style callback objects, as in callbacks=[MyCallback()].",
            )
    return CallbackListener(listed) if listed else None
