"""The one place that writes: results to stdout, talk to stderr, in a terminal with colour and elsewhere plain."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text


@dataclass(slots=True)
class Output:
    """Where a command says what happened. With ``as_json`` stdout carries one JSON object and nothing else.

    rich itself leaves colour out where the stream is no terminal and where ``NO_COLOR`` is set.
    """

    as_json: bool = False
    debug: bool = False
    typed: list[str] = field(default_factory=list)

    def start(self, typed: Sequence[str]) -> None:
        """Begin a command line."""
        self.as_json, self.debug, self.typed = False, False, list(typed)

    @property
    def talk(self) -> Console:
        """The console on stderr."""
        return Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def screen(self) -> Console:
        """The console on stderr for what is drawn: its lines are cut where the terminal ends."""
        return Console(stderr=True, highlight=False)

    @property
    def data(self) -> Console:
        """The console on stdout; wide where it is no terminal, so that a table in a pipe is not cut."""
        return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)

    def note(self, text: str) -> None:
        """One line on stderr."""
        self.talk.print(text, markup=False)

    def hint(self, text: str) -> None:
        """What to type next, on stderr."""
        self.talk.print(f"Next: {text}", style="dim", markup=False)

    def next_job_step(self, text: str) -> None:
        """The ``gbdist job`` command to type next, which looks where this one has looked."""
        from gbdist_cli.errors import in_the_same_place

        self.hint(in_the_same_place(text, self.typed))

    def result(self, title: str, values: Mapping[str, Any], table: Table | Group | Text | None = None) -> None:
        """The result of the command: a JSON object, or the title with a table of the values (or the given tables)."""
        if self.as_json:
            sys.stdout.write(json.dumps(values, default=str) + "\n")
            return
        if table is None:
            table = Table(title=title, title_justify="left", show_header=False, box=None)
            for name, value in values.items():
                if value not in (None, ()):
                    table.add_row(heading(name), readable(value))
        self.data.print(table)

    def row(self, text: str, values: Mapping[str, Any]) -> None:
        """One of many lines of a result: the text, or with ``as_json`` a JSON object a line."""
        if self.as_json:
            sys.stdout.write(json.dumps(values, default=str) + "\n")
            sys.stdout.flush()
        else:
            self.data.print(text, markup=False)

    def text(self, text: str) -> None:
        """Text that a file or another program may take as it is, on stdout; with ``as_json`` as the field ``text``."""
        sys.stdout.write(json.dumps({"text": text}) + "\n" if self.as_json else text)

    @contextmanager
    def progress(self, what: str) -> Iterator["Progress"]:
        """Progress of parts that are done, on stderr: a bar in a terminal, a line every tenth of the way elsewhere."""
        if not self.talk.is_terminal:
            yield LineProgress(self, what)
            return
        with BarProgress(self.talk, what) as bar:
            yield bar

    def error(self, text: str, fix: str, code: int, kind: str) -> None:
        """An error: on stderr for people, and with ``as_json`` as an object on stdout for programs."""
        if self.as_json:
            fields = {"error": {"type": kind, "message": text, "next": fix}, "exit_code": code}
            sys.stdout.write(json.dumps(fields) + "\n")
        self.talk.print("Error: ", style="bold red", end="")
        self.talk.print(text, markup=False)
        self.hint(fix)


class Progress(Protocol):
    """Hears of every part that is done."""

    def add(self, count: int, left: int) -> None:
        """Take a part of ``count`` rows; ``left`` parts are to come."""
        ...


class LineProgress:
    """A line every tenth of the way."""

    def __init__(self, output: Output, what: str) -> None:
        self._output = output
        self._what = what
        self._done = 0
        self._parts = 0

    def add(self, count: int, left: int) -> None:
        """Count; say so where a tenth is full."""
        self._done += count
        self._parts += 1
        total = self._parts + left
        if self._parts * 10 // total > (self._parts - 1) * 10 // total:
            self._output.note(f"{self._done:,} {self._what}, {self._parts} of {total} parts")


class BarProgress:
    """A bar that goes away at the end."""

    def __init__(self, console: Console, what: str) -> None:
        # Imported here because only a terminal needs it.
        from rich import progress

        self._what = what
        self._done = 0
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> "BarProgress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def add(self, count: int, left: int) -> None:
        """Move the bar on."""
        self._done += count
        done = int(self._bar.tasks[0].completed) + 1
        self._bar.update(self._task, completed=done, total=done + left, description=f"{self._done:,} {self._what}")


def heading(name: str) -> str:
    """The name of a field for people."""
    return " ".join("MB" if word == "mb" else word for word in name.split("_"))


def readable(value: Any) -> str:
    """A value for people: figures to six places, thousands apart, lists and tables of names in one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {readable(item)}" for name, item in value.items() if item not in ({}, ()))
    if isinstance(value, list | tuple):
        return ", ".join(readable(item) for item in value)
    return str(value)


def table_of(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table with a column for each key of the rows."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(heading(name), justify="left" if isinstance(rows[0][name], str) else "right", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else readable(value) for value in row.values()))
    return table


out = Output()
"""The sink of this process; ``main`` sets it up for the command that runs."""
