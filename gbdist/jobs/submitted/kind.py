"""What a kind of jobs is, what it is given, and what it reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gbdist.jobs.files import find_files
from gbdist.jobs.submitted.store import JobStore


class Workplace(Protocol):
    """What a job's driver gives to its kind."""

    @property
    def client(self) -> Any:
        """A client of the cluster."""
        ...

    @property
    def store(self) -> JobStore:
        """The job's folder."""
        ...

    @property
    def reporter(self) -> Any:
        """A reporter of fits, see ``gbdist.estimators.listeners.Reporter``."""
        ...

    def say(self, text: str) -> None:
        """Say a line."""
        ...

    def search(self, stands: Mapping[str, Any], ended: Mapping[str, Any] | None) -> None:
        """Say how a search stands, and which trial has just ended; see ``gbdist.jobs.trials``."""
        ...

    def count(self, what: str, done: int, left: int) -> None:
        """Say how many rows are done, and how many parts are left."""
        ...


@dataclass(frozen=True, slots=True)
class Reads:
    """What a job reads: models, and data sets, each as ``find_files`` takes it."""

    data: Sequence[Sequence[str]]
    models: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """All of it."""
        return [*self.models, *(name for names in self.data for name in names)]

    def require_data(self) -> None:
        """DataError for a data set whose files are not there, or do not go together."""
        for names in self.data:
            find_files(names)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job.

    ``check`` raises what is wrong with its options; nothing but them is looked at. ``reads`` are the files that it reads.
    ``run`` does the job, puts the result into the job's folder, and returns what is to be known of it.
    """

    check: Callable[[Mapping[str, Any]], None]
    reads: Callable[[Mapping[str, Any]], Reads]
    run: Callable[[Mapping[str, Any], Workplace], dict[str, Any]]
    result: str
