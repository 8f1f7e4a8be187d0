"""Who hears of the fits of trials, in place of bars and lines, and of which iterations is told."""

from collections.abc import Callable

from gbdist.boosting.events import Event, IterationDone


class Hearer:
    """A reporter that shows nothing: it passes iterations on, to a function that may raise to end the fit."""

    def __init__(self, heard: Callable[[IterationDone], None] = lambda event: None) -> None:
        self._heard = heard

    def hear(self, event: Event) -> bool:
        """Pass an iteration on; never stops the run by an answer."""
        if isinstance(event, IterationDone):
            self._heard(event)
        return False

    def say(self, line: str) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is open."""


SILENT = Hearer()


def is_told(iteration: int) -> bool:
    """Whether an iteration is told of: those with two digits that are not 0, so that long trials are not slowed down by it."""
    return bool(iteration % 10 ** max(0, len(str(iteration)) - 2) == 0)
