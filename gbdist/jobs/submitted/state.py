"""What is written down of a job while it runs and after it: ``state.json``."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job as its driver, or whoever submitted it, wrote it last. Times are unix times.

    ``sequence`` orders what one attempt wrote. ``scheduler`` has the ``address`` and the ``id`` of the scheduler, and ``name``
    where the cluster has one. ``error`` has the ``text`` and the ``kinds``: the names of its class and of those above it.
    """

    state: str
    attempt: int = 0
    sequence: int = 0
    submitted: float = 0.0
    started: float | None = None
    ended: float | None = None
    worker: str = ""
    scheduler: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None

    @property
    def order(self) -> tuple[int, int]:
        """Of two states the one with the higher order counts."""
        return self.attempt, self.sequence

    def next(self, **changes: Any) -> "JobState":
        """The state after some changes."""
        return replace(self, sequence=self.sequence + 1, **changes)

    def ends(self, state: str, error: Mapping[str, Any] | None = None) -> "JobState":
        """The state of a job that has ended now."""
        return self.next(state=state, error=error, ended=time.time())

    def as_json(self) -> dict[str, Any]:
        """As ``state_of`` reads it."""
        return asdict(self)


def state_of(written: Mapping[str, Any]) -> JobState:
    """The state that ``as_json`` wrote; fields of later versions are left out. Raises TypeError for anything else."""
    known = {each.name for each in fields(JobState)}
    return JobState(**{name: value for name, value in written.items() if name in known})


def error_of(error: BaseException) -> dict[str, Any]:
    """An error as it is written down: a program reads ``kinds``, a person ``text``."""
    text = str(error) if isinstance(error, Exception) and _ours(error) else f"{type(error).__name__}: {error}"
    return {"kinds": [each.__name__ for each in type(error).__mro__ if each is not object], "text": text}


def _ours(error: BaseException) -> bool:
    from gbdist.errors import GbdistError

    return isinstance(error, GbdistError)
