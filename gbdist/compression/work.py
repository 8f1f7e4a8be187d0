"""What ranks are asked to do with a part of the rows, and what they have around them while they do it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from gbdist.boosting.events import Event
from gbdist.compression.passes.base import PassData
from gbdist.compression.shares import Part

Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True, eq=False)
class Course:
    """How a rank's work is getting on.

    Parameters
    ----------
    hear : callable
        Takes an event of the rank's work: for the board, and those of rank 0 for whoever listens.
    keep : callable
        Keeps what the work has so far for the next rank here, should the gang lose a worker; costs nothing.
    kept : object
        What the rank before has kept, None for the first one.
    """

    hear: Callable[[Event], object]
    keep: Callable[[Any], None]
    kept: Any = None

    @classmethod
    def here(cls, listener: Callable[[Event], object] | None) -> "Course":
        """Of work in this process, where no other rank would go on."""
        return cls(listener or _dropped, _dropped)


def _dropped(what: object) -> None:
    """Nobody hears or keeps it."""


class Work(Protocol[Result]):
    """Done by all ranks together, each on its rows; can be pickled. The answer of rank 0 is that of all."""

    @property
    def part(self) -> Part:
        """Which rows it is done on."""
        ...

    @property
    def count(self) -> int:
        """How many events ``IterationDone`` it will tell; 0 for work that nobody watches."""
        ...

    def on_rank(self, data: PassData, course: Course) -> Result:
        """Do it."""
        ...
