"""The board's numbers for Prometheus, on the scheduler's ``/metrics`` beside Dask's own.

Runs have labels of their own as long as they go on; what is over is in the totals alone, so that labels do not grow without
bound.
"""

from collections.abc import Iterator
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gbdist_cluster.monitor.board import Board
from gbdist_cluster.monitor.board_run import ENDS, LIVE, BoardRun

__all__ = ["BoardCollector", "hide", "show"]


class BoardCollector(Collector):
    """Makes the metrics of a board when they are asked for."""

    def __init__(self) -> None:
        self.board: Board | None = None

    def collect(self) -> Iterator[Metric]:
        """All metrics there are now."""
        if self.board is None:
            return
        live = [run for run in self.board.runs if run.live]
        yield from _totals(self.board)
        runs = GaugeMetricFamily("gbdist_runs", "Runs that go on, by state", labels=["state"])
        for state in LIVE:
            runs.add_metric([state], sum(run.state == state for run in live))
        yield runs
        yield from _of_runs(live)
        yield from _of_ranks(live)


def _totals(board: Board) -> Iterator[Metric]:
    totals = board.totals
    yield CounterMetricFamily("gbdist_trees", "Trees grown, and epochs of networks, in all runs", value=totals.trees)
    yield CounterMetricFamily("gbdist_epochs", "Gangs put together for runs", value=totals.epochs)
    yield CounterMetricFamily("gbdist_workers_lost", "Workers that left runs", value=totals.losses)
    yield CounterMetricFamily("gbdist_sent_bytes", "Bytes that ranks sent one another", value=totals.bytes)
    ended = CounterMetricFamily("gbdist_runs_ended", "Runs that are over, by state", labels=["state"])
    for state in ENDS:
        ended.add_metric([state], totals.ended.get(state, 0))
    yield ended
    spans = CounterMetricFamily("gbdist_span_seconds", "Where the time of all ranks went", labels=["span"])
    for name, seconds in sorted(totals.spans.items()):
        spans.add_metric([name], seconds)
    yield spans


def _of_runs(live: list[BoardRun]) -> Iterator[Metric]:
    labels = ["run", "label", "job"]

    def gauge(name: str, text: str, of_run: Any) -> Metric:
        family = GaugeMetricFamily(f"gbdist_run_{name}", text, labels=labels)
        for run in live:
            value = of_run(run)
            if value is not None:
                family.add_metric([run.run_id, run.label, run.job or ""], value)
        return family

    yield gauge("trees", "Trees so far, or epochs of a network", lambda run: run.trees)
    yield gauge("iterations", "Trees or epochs that the run may have", lambda run: run.iterations)
    yield gauge("rows", "Rows of the training set", lambda run: run.rows)
    yield gauge("epoch", "How often its gang was put together again", lambda run: run.epoch)
    yield gauge("trees_per_second", "Trees or epochs a second of late", lambda run: run.rate)
    yield gauge("seconds_left", "Seconds until its last tree or epoch, if it does not stop early", lambda run: run.left)
    family = GaugeMetricFamily("gbdist_run_metric", "Newest value of a metric", labels=["run", "set", "metric"])
    for run in live:
        for data_set, of_set in run.curves.items():
            for name, curve in of_set.items():
                if curve.last is not None:
                    family.add_metric([run.run_id, data_set, name], curve.last[1])
    yield family


def _of_ranks(live: list[BoardRun]) -> Iterator[Metric]:
    spans = GaugeMetricFamily(
        "gbdist_rank_span_seconds",
        "Where a rank's time went since its epoch began",
        labels=["run", "rank", "worker", "span"],
    )
    sent = GaugeMetricFamily(
        "gbdist_rank_sent_bytes", "Bytes that a rank sent since its epoch began", labels=["run", "rank", "worker"]
    )
    for run in live:
        for number, rank in run.ranks.items():
            place = [run.run_id, str(number), rank.worker]
            sent.add_metric(place, rank.bytes)
            for name, seconds in sorted(rank.spans.items()):
                spans.add_metric([*place, name], seconds)
    yield spans
    yield sent


_collector = BoardCollector()
"""One for this process, as Dask's own: the registry is one too. Of several schedulers the newest is shown."""


def show(board: Board) -> None:
    """Show a board from now on."""
    if _collector.board is None:
        REGISTRY.register(_collector)
    _collector.board = board


def hide(board: Board) -> None:
    """Show a board no longer, if it is the one that is shown."""
    if _collector.board is board:
        _collector.board = None
        REGISTRY.unregister(_collector)
