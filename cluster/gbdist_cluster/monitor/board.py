"""What runs there are and how they are getting on: what messages make of it, without clocks or connections.

Words like tree and metric are data here: a run has steps that are counted and values that are drawn.
"""

from collections.abc import Mapping
from typing import Any

from gbdist_cluster.monitor.board_run import ENDS, BoardRun, Totals

__all__ = ["MOST_RUNS", "STREAM", "Board"]

STREAM = "gbdist-board"
"""The operation under which the scheduler takes messages from clients and workers."""

MOST_RUNS = 50
"""Runs that are kept. Those that go on are, however many they are."""


class Board:
    """The runs of one scheduler, newest last. ``number`` goes up with every change."""

    def __init__(self, most: int = MOST_RUNS) -> None:
        self._most = most
        self._runs: dict[str, BoardRun] = {}
        self.totals = Totals()
        self.number = 0

    @property
    def runs(self) -> list[BoardRun]:
        """All runs, newest first."""
        return list(reversed(self._runs.values()))

    def get(self, run_id: str) -> BoardRun | None:
        """A run by its id."""
        return self._runs.get(run_id)

    def read(self, run_id: str | None = None, job: str | None = None) -> list[dict[str, Any]]:
        """Runs as plain values, newest first; those of a job alone, or the one with an id, where these are given."""
        return [run.as_json() for run in self.runs if run_id in (None, run.run_id) and (job is None or run.job == job)]

    def take(self, told: Mapping[str, Any], source: str, now: float) -> None:
        """Take a message. ``source`` is the client or the worker that it came from.

        Messages about runs that are unknown, and news of clients about runs that are over, change nothing.
        """
        run_id, kind = str(told["run"]), told["kind"]
        if kind == "began":
            self._begin(run_id, told, source, now)
            return
        run = self._runs.get(run_id)
        if run is None:
            return
        if kind == "progress":
            # The last words of a rank may come after its client's.
            self.number += run.take(told, self.totals, now)
            return
        if not run.live:
            return
        match kind:
            case "about":
                run.about(told)
            case "epoch":
                self.totals.epochs += 1
                run.begin_epoch(int(told["epoch"]), dict(told["members"]), int(told["trees"]), now)
            case "event":
                self.totals.losses += told["what"] == "lost"
                run.note(str(told["what"]), str(told["text"]), now)
            case "ended" if told["state"] in ENDS:
                self._end(run, told["state"], told.get("error"), now)
            case _:
                raise ValueError(f"a message of the kind {kind!r}")
        self.number += 1

    def _begin(self, run_id: str, told: Mapping[str, Any], source: str, now: float) -> None:
        if run_id in self._runs:
            return
        run = BoardRun(run_id, source, told.get("job"), now)
        run.about(told)
        self._runs[run_id] = run
        over = [known for known, run in self._runs.items() if not run.live]
        for known in over[: max(len(self._runs) - self._most, 0)]:
            del self._runs[known]
        self.number += 1

    def remove_client(self, client: str, now: float) -> None:
        """A client has left: nobody sees its runs through any more."""
        for run in self._runs.values():
            if run.live and run.client == client:
                self._end(run, "failed", "The process that had started the run left the cluster", now)

    def cancel(self, job: str, now: float) -> None:
        """Somebody has called a job off: its runs were cancelled, whatever else is told of their end."""
        for run in self._runs.values():
            if run.live and run.job == job:
                self._end(run, "cancelled", None, now)

    def _end(self, run: BoardRun, state: str, error: str | None, now: float) -> None:
        run.end(state, error, now)
        self.totals.ended[state] = self.totals.ended.get(state, 0) + 1
        self.number += 1
