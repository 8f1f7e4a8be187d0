"""How a search stands, by what it tells: trials that run and that have ended, and the best of them; in what JSON has."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from gbdist.selection.searching.events import (
    COMPLETE,
    FAILED,
    PRUNED,
    RUNNING,
    SearchEvent,
    SearchStarted,
    TrialAdvanced,
    TrialEnded,
    TrialStarted,
)

#: A trial that ran when the search was ended; it is free to be run again.
STOPPED: Final = "stopped"


@dataclass(slots=True)
class TrialRow:
    """A trial: ``state`` as events tell it, or ``STOPPED``; ``trees`` are epochs of a network, ``seconds`` are known of one that
    has ended."""

    number: int
    state: str
    params: Mapping[str, Any]
    score: float | None = None
    trees: int = 0
    seconds: float | None = None
    error: str = ""


class Trials:
    """Takes the events of a search, in any thread, and tells how it stands.

    ``best`` is the highest score so far; ``best_trial`` the number of the trial that has it, the lowest of equal ones, as in
    ``cv_results_``; of one that an earlier run of the study has there is no row.
    """

    def __init__(self) -> None:
        self.study = ""
        self.total: int | None = None
        self.best: float | None = None
        self.best_trial: int | None = None
        self._best_known: float | None = None  # of ``best_trial``; what is told may be that of a trial not heard of yet
        self._earlier = 0
        self._rows: dict[int, TrialRow] = {}
        self._order: list[int] = []
        self._lock = threading.Lock()

    def take(self, event: SearchEvent) -> TrialRow | None:
        """Take an event; the row of a trial that has ended by it, None for others."""
        with self._lock:
            match event:
                case SearchStarted():
                    self.study, self.total, self._earlier = event.study, event.trials, event.done
                    self.best, self.best_trial, self._best_known = event.best, event.best_trial, event.best
                case TrialStarted():
                    self.best = event.best
                    self._rows[event.number] = TrialRow(event.number, RUNNING, dict(event.params))
                case TrialAdvanced():
                    row = self._rows[event.number]
                    row.score, row.trees = event.score, event.iteration
                case TrialEnded():
                    return self._end(event)
            return None

    def _end(self, event: TrialEnded) -> TrialRow:
        row = TrialRow(
            event.number, event.state, dict(event.params), event.score, event.iteration, event.seconds, event.error
        )
        self._rows[event.number] = row
        self._order.append(event.number)
        if event.state == COMPLETE and event.score is not None and event.score == event.best:
            number, before = self.best_trial, self._best_known
            if number is None or before is None or (-event.score, event.number) < (-before, number):
                self.best_trial, self._best_known = event.number, event.score
        self.best = event.best
        return row

    def stop(self) -> bool:
        """What runs is ended, without a result; whether anything ran."""
        with self._lock:
            running = [row for row in self._rows.values() if row.state == RUNNING]
            for row in running:
                row.state = STOPPED
            return bool(running)

    @property
    def ended(self) -> int:
        """How many trials have ended, those of earlier runs of the study among them."""
        return self._earlier + len(set(self._order))

    def summary(self, most: int) -> dict[str, Any]:
        """How the search stands: counts, and ``most`` trials: the best, those that run, those that ended last."""
        with self._lock:
            running, stopped = (
                [number for number, row in self._rows.items() if row.state == state] for state in (RUNNING, STOPPED)
            )
            chosen = dict.fromkeys([*([self.best_trial] if self.best_trial in self._rows else []), *running, *stopped])
            chosen |= dict.fromkeys(reversed(self._order))
            ended = [self._rows[number].state for number in dict.fromkeys(self._order)]
            return {
                "study": self.study,
                "trials": self.total,
                "earlier": self._earlier,
                "ended": self.ended,
                "running": len(running),
                "pruned": ended.count(PRUNED),
                "failed": ended.count(FAILED),
                "best": self.best,
                "best_trial": self.best_trial,
                "rows": [asdict(self._rows[number]) for number in sorted(list(chosen)[:most])],
            }
