"""The trainer on a gang: what every rank runs, and how its events reach the client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from distributed import Client, Future
from numpy.typing import NDArray

from gbdist.boosting.events import Event, Listener, TreeGrown
from gbdist.boosting.loop import BoostResult, boost
from gbdist.boosting.params import BoostParams, Card
from gbdist.errors import DataError
from gbdist.estimators.devices import cards_of
from gbdist.estimators.local_run import n_bins
from gbdist.estimators.memory import kept_memory
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.preparation.quantized import QuantizedSet, SetLayout, layout_of, rows_of_rank
from gbdist.estimators.preparation.raw_parts import send
from gbdist.estimators.ranked_rows import RankedSets, ready_rows
from gbdist.estimators.setup import Setup
from gbdist.quantize.pairs import Pairs
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.shards import keep

#: Spans of features whose tables GPUs count while the ranks add up those before: more of them overlap more, and cost more rounds.
_SPANS = 4


@dataclass(frozen=True, eq=False)
class RunSpec:
    """What every rank is told. ``layouts`` are of the training set and the eval sets, ``cards`` of the ranks.

    ``ranked`` is about the groups of these sets, if they have any: then pairs that were given lie behind a rank's shards.
    """

    layouts: tuple[SetLayout, ...]
    n_bins: NDArray[np.int64]
    params: BoostParams
    all_threads: bool
    asks: bool
    cards: tuple[Card | None, ...]
    ranked: RankedSets | None


class Relay:
    """Sends the events of rank 0 to the client; where callbacks may stop the run, it waits for their answer."""

    def __init__(self, context: RankContext, asks: bool) -> None:
        self._context, self._asks = context, asks

    def hear(self, event: Event) -> bool:
        """Pass one event on."""
        if self._asks and isinstance(event, TreeGrown):
            return self._context.ask(event)
        self._context.emit(event)
        return False


class Watch:
    """Ends a rank whose client gave the run up, between two trees."""

    def __init__(self, context: RankContext) -> None:
        self._context = context

    def hear(self, event: Event) -> bool:
        """Look whether the run still goes on."""
        self._context.check_cancelled()
        return False


def listeners_of(context: RankContext, asks: bool) -> list[Listener]:
    """Who hears the events of a rank: every rank looks whether the run is still wanted, rank 0 tells the client."""
    return [Watch(context), *([Relay(context, asks)] if context.rank == 0 else [])]


def train_rank(context: RankContext) -> BoostResult | None:
    """One rank: put its rows together and train; rank 0 returns the result, without what is O(rows)."""
    spec: RunSpec = context.shared
    sets = rows_of_rank(spec.layouts, context.shards, context.rank)
    if spec.ranked is not None:
        behind = sum(layout.counts[context.rank] for layout in spec.layouts)
        sets = ready_rows(sets, spec.ranked, context.shards[behind:], context.collective)
    params = replace(spec.params, card=spec.cards[context.rank])
    if spec.all_threads:
        params = replace(params, threads=context.threads)
    listeners = listeners_of(context, spec.asks)
    with kept_memory():
        result = boost(sets[0], sets[1:], spec.n_bins, params, context.collective, listeners)
    if context.rank != 0:
        return None
    return replace(result, predictions=np.empty((result.predictions.shape[0], 0)))


def boost_on_gang(
    client: Client,
    sets: Sequence[QuantizedSet],
    setup: Setup,
    listener: Callable[[Event], bool | None] | None,
    asks: bool,
    pairs: Sequence[Pairs] = (),
) -> BoostResult:
    """Train on the workers that hold the training set; ``listener`` runs in this thread, its answers count if ``asks``.

    ``pairs`` are those of each data set that has any: every rank is sent an equal part, and they go on to whom they belong to.
    """
    resolved = setup.resolved
    if not isinstance(resolved, Resolved):
        raise TypeError("histograms were not asked for")
    cards = cards_of(client, sets[0].members, resolved.task_type, resolved.devices)
    overlap = _SPANS if any(cards) else 1
    spec = RunSpec(
        layouts=layouts_of(sets, setup),
        n_bins=n_bins(sets[0].borders),
        params=replace(resolved.params, listeners_may_stop=asks, overlap=overlap),
        all_threads=resolved.all_threads,
        asks=asks,
        cards=cards,
        ranked=setup.ranked,
    )
    members = _with_pairs(client, gang_of(sets), pairs)
    results = run_on_gang(client, train_rank, members=members, shared=spec, listener=listener)
    result: BoostResult = results[0]
    return result


def _with_pairs(client: Client, members: list[Member], pairs: Sequence[Pairs]) -> list[Member]:
    """The gang, each member with its part of the pairs of each set behind its shards."""
    parts = [each.split(len(members)) for each in pairs]
    made = []
    for rank, member in enumerate(members):
        kept = []
        for each in parts:
            (sent,) = send(client, [each[rank]], [member.address])
            kept.append(client.submit(keep, sent, workers=[member.address], allow_other_workers=True, pure=False))
        made.append(replace(member, shards=(*member.shards, *kept)))
    return made


def layouts_of(sets: Sequence[QuantizedSet], setup: Setup) -> tuple[SetLayout, ...]:
    """How each rank puts its rows of each data set together."""
    return tuple(
        replace(
            layout_of(data, setup.label_of_code[number]),
            counts=tuple(len(futures) for futures in _by_member(data, sets[0].members)),
            class_weights=setup.class_weights,
        )
        for number, data in enumerate(sets)
    )


def gang_of(sets: Sequence[QuantizedSet]) -> list[Member]:
    """The workers that hold the training set, each with its shards of all data sets, one set after the other."""
    members = sets[0].members
    shards = [_by_member(data, members) for data in sets]
    return [
        Member(address, tuple(future for of_set in shards for future in of_set[rank]))
        for rank, address in enumerate(members)
    ]


def _by_member(data: QuantizedSet, members: Sequence[str]) -> list[list[Future]]:
    """Futures of a data set by rank of the gang; what lies elsewhere is dealt out, and Dask moves it."""
    rank_of = {address: rank for rank, address in enumerate(members)}
    dealt: list[list[Future]] = [[] for _ in members]
    for number, (address, futures) in enumerate(zip(data.members, data.shards, strict=True)):
        dealt[rank_of.get(address, number % len(members))] += futures
    return dealt


def require_same_borders(name: str, data: QuantizedSet, train: QuantizedSet) -> None:
    """DataError unless a pool was quantized with the borders of the training set."""
    same = len(data.borders) == len(train.borders) and all(
        np.array_equal(mine.values, theirs.values) and mine.nan_treatment == theirs.nan_treatment
        for mine, theirs in zip(data.borders, train.borders, strict=True)
    )
    if not same:
        raise DataError(
            name,
            "a DaskPool with borders of its own",
            "the borders of the training set",
            "Make the training set a DaskPool, and this one with DaskPool(X, y, borders_of=that_pool).",
        )
