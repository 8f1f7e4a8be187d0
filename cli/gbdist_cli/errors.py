"""What an exception means to someone at a terminal: its exit code, and what to type next."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gbdist.compression.errors import TargetNotReached
from gbdist.errors import ClusterError, DataError, GbdistError, ModelError, ParameterError, SettingError, SnapshotError
from gbdist.jobs.outputs import OutputError
from gbdist.jobs.submitted.errors import JobCancelled, JobError, JobFailed, JobLost, JobNotReady
from gbdist.passwords import without_password, without_passwords
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
FOUND = Ending(None, 12, "gbdist doctor has found a problem", "")
INTERRUPTED = Ending(KeyboardInterrupt, 130, "stopped with Ctrl-C", "{typed}")
UNEXPECTED = Ending(Exception, 1, "an error that gbdist did not foresee", "{typed} --debug")

ENDINGS: tuple[Ending, ...] = (
    Ending(ParameterError, 2, "a parameter, an option or its value cannot be used", "gbdist {command} --help"),
    Ending(SettingError, 2, "a setting of a cluster cannot be used", "gbdist {command} --help"),
    Ending(ConfigError, 2, "the file of --config cannot be used", "gbdist {command} --help"),
    Ending(DataError, 3, "the data are missing or cannot be used", "correct this, then: {typed}"),
    Ending(ClusterError, 4, "the cluster cannot do what was asked", "{typed} --debug"),
    Ending(ModelError, 5, "the model is missing or cannot be used", "gbdist {command} --help"),
    Ending(OutputError, 6, "the result cannot be written", "gbdist {command} --help"),
    Ending(SnapshotError, 7, "the snapshot is of another run, or cannot be used", "gbdist {command} --help"),
    Ending(TargetNotReached, 8, "no smaller model reaches the target", "{typed} --best"),
    Ending(JobNotReady, 21, "the job has no result yet", "gbdist job list"),
    Ending(JobFailed, 22, "the job failed", "gbdist job list"),
    Ending(JobCancelled, 23, "the job was cancelled", "gbdist job list"),
    Ending(JobLost, 24, "the job's cluster is gone, or does not know the job", "gbdist job list"),
    Ending(JobError, 20, "there is no such job, or it is not in a state for this", "gbdist job list"),
    Ending(GbdistError, 1, "another error of gbdist", "{typed} --debug"),
    UNEXPECTED,
    INTERRUPTED,
)
"""First match wins."""

_SAID = re.compile(r": (gbdist (?!cluster down).+?)(?=, or |; |\. |\.?$)")
"""A command that an error itself tells to type; never one that stops a cluster."""
_TELLING = (ClusterError, ModelError, JobError)
_OF_JOBS = ("--jobs-dir", "--tls")
"""Options without which another ``gbdist job`` command would look elsewhere."""


def ending_of(error: BaseException) -> Ending:
    """The ending for an exception."""
    return next((ending for ending in ENDINGS if ending.error and isinstance(error, ending.error)), UNEXPECTED)


def text_of(error: BaseException) -> str:
    """What happened, in one paragraph."""
    if isinstance(error, GbdistError):
        return without_passwords(str(error))
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "stopped with Ctrl-C; nothing is left running"
    return without_passwords(f"{type(error).__name__}: {error}")


def next_step(error: BaseException, command: str, typed: Sequence[str]) -> str:
    """What to type next: what the error of a cluster, a model or a job says itself, else what its kind says.

    Passwords in what was typed are not told.
    """
    typed = [without_password(word) for word in typed]
    said = _SAID.search(str(error.args[1])) if isinstance(error, _TELLING) and len(error.args) > 1 else None
    if said is not None:
        return in_the_same_place(said[1], typed)
    step = ending_of(error).next_step.format(command=command, typed=shlex.join(["gbdist", *typed]))
    return step if step.startswith("gbdist " + shlex.join(typed)) else in_the_same_place(step, typed)


def in_the_same_place(step: str, typed: Sequence[str]) -> str:
    """A step of ``gbdist job`` with the jobs folder and the certificates that were typed; all others as they are."""
    if not step.startswith("gbdist job ") or step.endswith("--help") or typed[:1] != ["job"]:
        return step
    words = [word for option in _OF_JOBS for word in _typed(option, typed)]
    return " ".join([step, *(shlex.quote(word) for word in words)])


def _typed(option: str, typed: Sequence[str]) -> list[str]:
    for place, word in enumerate(typed):
        if word == option:
            return list(typed[place : place + 2])
        if word.startswith(f"{option}="):
            return [word]
    return []


def exit_codes() -> list[tuple[int, str]]:
    """Every exit code with all that it can mean, ascending; docs/cli.md carries this list."""
    meanings: dict[int, list[str]] = {}
    for ending in (SUCCESS, USAGE, *ENDINGS, FOUND):
        meanings.setdefault(ending.code, []).append(ending.meaning)
    return [(code, "; ".join(meanings[code])) for code in sorted(meanings)]
