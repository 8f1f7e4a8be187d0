"""Rounds of native CatBoost on a gang, or in this process: what every rank runs, and how its events reach the client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distributed import Client

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import Event, Listener
from gbdist.errors import GbdistError
from gbdist.estimators.devices import devices_here, devices_of
from gbdist.estimators.gang_run import Relay, gang_of, layouts_of
from gbdist.estimators.listeners import Asks
from gbdist.estimators.local_run import threads_for
from gbdist.estimators.on_board import BoardListener
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds
from gbdist.estimators.preparation.quantized import QuantizedSet, SetLayout, rows_of_rank
from gbdist.estimators.ranked_rows import RankedSets, ready_rows
from gbdist.estimators.setup import Setup
from gbdist.quantize.borders import FeatureBorders
from gbdist.rounds.loop import RankData, RoundsResult, run_rounds
from gbdist.rounds.spec import RoundsSpec
from gbdist_cluster.gang import RankContext, run_on_gang
from gbdist_cluster.monitor.reporting import UNREPORTED, RankPlace, RunReport


@dataclass(frozen=True, eq=False)
class RoundsOrder:
    """What every rank is told. ``layouts`` and ``ranked`` are of the training set and the eval sets; ``place``: on the board."""

    layouts: tuple[SetLayout, ...]
    borders: tuple[FeatureBorders, ...]
    names: tuple[str, ...]
    spec: RoundsSpec
    all_threads: bool
    asks: Asks
    ranked: RankedSets | None
    place: RankPlace | None = None


class Watch:
    """Ends a rank whose client gave the run up, between two trees."""

    def __init__(self, context: RankContext) -> None:
        self._context = context

    def hear(self, event: Event) -> bool:
        """Look whether the run still goes on."""
        self._context.check_cancelled()
        return False


def rounds_rank(context: RankContext) -> RoundsResult | None:
    """One rank: put its rows together and train; rank 0 returns the result."""
    order: RoundsOrder = context.shared
    sets = rows_of_rank(order.layouts, context.shards, context.rank)
    spec = replace(order.spec, threads=context.threads) if order.all_threads else order.spec

    def wanted() -> bool:
        try:
            context.check_cancelled()
        except GbdistError:
            return False
        return True

    if order.ranked is not None:
        ready_rows(sets, order.ranked, (), context.collective)
    data = RankData(sets[0], tuple(sets[1:]), order.borders, order.names)
    listeners: list[Listener] = [Watch(context)]
    if order.place is not None:
        listeners.append(BoardListener(order.place, context))
    if context.rank == 0:
        listeners.append(Relay(context, order.asks))
    result = run_rounds(data, spec, context.collective, listeners, wanted)
    return result if context.rank == 0 else None


def rounds_on_gang(
    client: Client,
    sets: Sequence[QuantizedSet],
    setup: Setup,
    names: tuple[str, ...],
    listener: Callable[[Event], bool | None] | None,
    asks: Asks,
    report: RunReport = UNREPORTED,
) -> RoundsResult:
    """Train on the workers that hold the training set; ``listener`` runs in this thread, its answers count if ``asks``.

    The board hears of it by ``report``.
    """
    resolved = _resolved(setup)
    devices = devices_of(client, sets[0].members, resolved.task_type, resolved.devices)
    order = RoundsOrder(
        layouts=layouts_of(sets, setup),
        borders=sets[0].borders,
        names=names,
        spec=replace(resolved.spec, devices=devices, listeners_may_stop=bool(asks)),
        all_threads=resolved.all_threads,
        asks=asks,
        ranked=setup.ranked,
        place=report.begin_epoch(sets[0].rows_by_worker, 0),
    )
    results = run_on_gang(client, rounds_rank, members=gang_of(sets), shared=order, listener=listener)
    result: RoundsResult = results[0]
    return result


def rounds_here(data: RankData, setup: Setup, listeners: Sequence[Listener], may_stop: bool) -> RoundsResult:
    """Train on one rank: this process."""
    resolved = _resolved(setup)
    devices = devices_here(resolved.task_type, resolved.devices)
    spec = replace(resolved.spec, devices=(devices,), listeners_may_stop=may_stop)
    if resolved.all_threads:
        spec = replace(spec, threads=threads_for(data.train))
    collective = SingleRank()
    if setup.ranked is not None:
        ready_rows([data.train, *data.evals], setup.ranked, (), collective)
    return run_rounds(data, spec, collective, listeners)


def _resolved(setup: Setup) -> ResolvedRounds:
    if not isinstance(setup.resolved, ResolvedRounds):
        raise TypeError("rounds were not asked for")
    return setup.resolved
