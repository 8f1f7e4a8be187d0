"""What the user's listener is told of a run, whatever gangs it loses: each thing once, and in order."""

from collections.abc import Callable

from gbdist.boosting.events import Event, Happened, IterationDone, RunFinished, RunStarted

Hear = Callable[[Event], bool | None]


class Told:
    """What the user's listener has been told: an iteration that is done once more after a loss is not told of again."""

    def __init__(self, listener: Hear | None, done: int) -> None:
        self.listens = listener is not None
        self._listener, self.done = listener, done
        self._begun = self.stops = False

    @property
    def most_steps(self) -> int | None:
        """Iterations that a new gang may have at first, so that all are told of, and an answer is asked for; None for any."""
        return self.done - self.stops if self.listens else None

    def hear(self, event: Event) -> bool:
        """Pass an event on, unless it is an old one; what the listener answers, or has answered."""
        match event:
            case RunStarted():
                if self._begun:
                    return False
                self._begun = True
            case IterationDone(iteration=number):
                if number < self.done:
                    return self.stops and number + 1 == self.done
                self.done = number + 1
            case RunFinished():
                pass
            case Happened():  # no iteration, so what was answered to the last one still counts
                if self._listener is not None:
                    self._listener(event)
                return self.stops
        self.stops = bool(self._listener(event)) if self._listener is not None else False
        return self.stops
