"""What the board is told of a fit on a cluster: by its client, and by each rank."""

import time
from collections.abc import Callable, Mapping

from gbdist.boosting.events import Event, IterationDone, RunFinished, RunStarted
from gbdist.boosting.lockstep import LockstepResult
from gbdist.boosting.result import BoostResult
from gbdist.description import name_of
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds
from gbdist.estimators.request import Request
from gbdist.estimators.setup import Setup
from gbdist.rounds.loop import RoundsResult
from gbdist_cluster.gang import RankContext
from gbdist_cluster.monitor.reporting import RankPlace, RankReport, RunReport

WAITING, COMPUTING = "waiting", "computing"

_STOPS = {"overfitting": "the eval set's metric got no better", "callback": "a callback asked for it"}


def label_of(request: Request, loss: str = "") -> str:
    """What a run is called: its estimator, and its loss once that is known."""
    kind = "Classifier" if request.classifier else "Ranker" if request.groups else "Regressor"
    aggregate = "" if request.aggregation is None else " of models"
    return f"DaskCatBoost{kind} {loss}{aggregate}".rstrip()


def tell_about(report: RunReport, request: Request, setup: Setup) -> None:
    """Tell what is trained, once that is known."""
    resolved = setup.resolved
    iterations = resolved.spec.iterations if isinstance(resolved, ResolvedRounds) else resolved.params.iterations
    loss = name_of(str(resolved.options["loss_function"]["type"]))
    report.about(label_of(request, loss), setup.rows[0], len(request.feature_names), iterations)


def tell_end(report: RunReport, result: BoostResult | LockstepResult | RoundsResult) -> None:
    """Tell how many trees there are, of each fold if there are any, and why the run stopped before its last one, if it did."""
    report.grown(len(result.scores))
    if result.stopped in _STOPS:
        report.note("stopped", _STOPS[result.stopped])


class BoardListener:
    """A listener of one rank: its trees or epochs, seconds and bytes go to the board, those of rank 0 with metrics.

    ``seconds`` says where the rank's time went so far, by name; without it: for what it waited, and the rest.
    """

    def __init__(
        self,
        place: RankPlace,
        context: RankContext,
        seconds: Callable[[], Mapping[str, float]] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._report = RankReport(place, context.rank, context.tell_scheduler, clock)
        self._traffic, self._clock, self._began = context.collective.traffic, clock, clock()
        self._seconds = self._split if seconds is None else seconds
        self._done = 0

    def hear(self, event: Event) -> bool:
        """Take an event; never stops the run."""
        match event:
            case RunStarted(resumed=resumed):
                self._done = resumed
            case IterationDone():
                best = (event.best, event.best_value) if event.best >= 0 else None
                self._report.add(event.iteration, event.metrics, best, event.iteration + 1 - self._done)
                self._done = event.iteration + 1
                if self._report.due:
                    self._send()
            case RunFinished():
                self._send()
        return False

    def _send(self) -> None:
        self._report.send(self._seconds(), self._traffic.bytes_sent)

    def _split(self) -> dict[str, float]:
        waited = self._traffic.seconds_waited
        return {COMPUTING: self._clock() - self._began - waited, WAITING: waited}
