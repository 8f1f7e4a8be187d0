"""What an exception means to someone at a terminal: its exit code, and what to type next."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gbdist.errors import ClusterError, DataError, GbdistError, ModelError, ParameterError
from gbdist.jobs.outputs import OutputError
from gbdist_cli.config import ConfigError


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ends: the exit code, what it means, and what to type next.

    ``next_step`` is a template: ``{command}`` is the name of the command, ``{typed}`` all that was typed.
    """

    error: type[BaseException] | None
    code: int
    meaning: str
    next_step: str


SUCCESS = Ending(None, 0, "done", "")
USAGE = Ending(None, 2, "an option or argument was not understood", "gbdist {command} --help")
INTERRUPTED = Ending(KeyboardInterrupt, 130, "stopped with Ctrl-C", "{typed}")
UNEXPECTED = Ending(Exception, 1, "an error that gbdist did not foresee", "{typed} --debug")

ENDINGS: tuple[Ending, ...] = (
    Ending(ParameterError, 2, "a parameter, an option or its value cannot be used", "gbdist {command} --help"),
    Ending(ConfigError, 2, "the file of --config cannot be used", "gbdist {command} --help"),
    Ending(DataError, 3, "the data are missing or cannot be used", "correct this, then: {typed}"),
    Ending(ClusterError, 4, "the cluster cannot do what was asked", "{typed} --debug"),
    Ending(ModelError, 5, "the model is missing or cannot be used", "gbdist {command} --help"),
    Ending(OutputError, 6, "the result cannot be written", "gbdist {command} --help"),
    Ending(GbdistError, 1, "another error of gbdist", "{typed} --debug"),
    UNEXPECTED,
    INTERRUPTED,
)
"""First match wins."""


def ending_of(error: BaseException) -> Ending:
    """The ending for an exception."""
    return next((ending for ending in ENDINGS if ending.error and isinstance(error, ending.error)), UNEXPECTED)


def text_of(error: BaseException) -> str:
    """What happened, in one paragraph."""
    if isinstance(error, GbdistError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped with Ctrl-C; nothing is left running"
    return f"{type(error).__name__}: {error}"


def next_step(ending: Ending, command: str, typed: Sequence[str]) -> str:
    """What to type next."""
    return ending.next_step.format(command=command, typed=shlex.join(["gbdist", *typed]))


def exit_codes() -> list[tuple[int, str]]:
    """Every exit code with all that it can mean, ascending; docs/cli.md carries this list."""
    meanings: dict[int, list[str]] = {}
    for ending in (SUCCESS, USAGE, *ENDINGS):
        meanings.setdefault(ending.code, []).append(ending.meaning)
    return [(code, "; ".join(meanings[code])) for code in sorted(meanings)]
