"""The trainer on a gang: what every rank runs, and how its events reach the client."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from distributed import Future
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.events import Event, IterationDone, Listener
from gbdist.boosting.lockstep import LockstepResult, boost_apart, boost_folds
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Card
from gbdist.boosting.progress import Iteration
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.boosting.spans import SpanLog, SpanSums, WatchedCollective
from gbdist.boosting.watch import UNWATCHED, Watch
from gbdist.errors import DataError
from gbdist.estimators.keeper import PERIOD, DataCheck, StepSender, iteration_of
from gbdist.estimators.listeners import Asks, asked_after
from gbdist.estimators.memory import kept_memory
from gbdist.estimators.on_board import BoardListener
from gbdist.estimators.preparation.quantized import QuantizedSet, SetLayout, layout_of, rows_of_rank
from gbdist.estimators.rank_folds import FoldsAsked
from gbdist.estimators.ranked_rows import RankedSets, ready_rows
from gbdist.estimators.setup import Setup
from gbdist.estimators.tempo import WorkClock
from gbdist.snapshots.steps import decode_iteration, encode_iteration
from gbdist_cluster.gang import LeftOff, Member, RankContext
from gbdist_cluster.monitor.reporting import RankPlace


@dataclass(frozen=True, eq=False)
class RunSpec:
    """What every rank is told. ``layouts`` are of the training set and the eval sets, ``cards`` of the ranks.

    ``tells``: somebody listens to events; ``asks``: whether answers count. ``ranked`` is about the groups of these sets, if they
    have any: then pairs that were given lie behind a rank's shards. ``records`` are the steps that the client knows (``keeper``);
    a gang begins with ``most_steps`` at most, None for any. With ``check`` the ranks look at their data first. ``place`` is where
    they report on the board, None where nobody is told. ``most_spans`` is how many spans each rank keeps for a profile, if any.
    With ``folds`` a model is trained for each fold of the training set; ``fold_bins`` are the bins of each where folds have data
    sets of their own.
    """

    layouts: tuple[SetLayout, ...]
    n_bins: NDArray[np.int64]
    params: BoostParams
    all_threads: bool
    tells: bool
    asks: Asks
    cards: tuple[Card | None, ...]
    ranked: RankedSets | None
    records: tuple[bytes, ...] = ()
    most_steps: int | None = None
    check: DataCheck | None = None
    place: RankPlace | None = None
    most_spans: int | None = None
    folds: FoldsAsked | None = None
    fold_bins: tuple[NDArray[np.int64], ...] = ()


class Relay:
    """Sends the events of rank 0 to the client; where callbacks may stop the run, it waits for their answer."""

    def __init__(self, context: RankContext, asks: Asks) -> None:
        self._context, self._asks = context, asks

    def hear(self, event: Event) -> bool:
        """Pass one event on, without what a run is gone on with."""
        if isinstance(event, IterationDone):
            event = replace(event, step=None)
            if asked_after(self._asks, event.iteration + 1):
                return self._context.ask(event)
        self._context.emit(event)
        return False


class Course:
    """Control of a rank, from its client; and what it leaves to the next rank on its worker: the steps so far (a listener)."""

    def __init__(self, context: RankContext, steps: Sequence[Iteration], watch: Watch = UNWATCHED) -> None:
        self._context, self._steps, self.watch = context, list(steps), watch
        context.leave(self._steps)

    def check(self) -> None:
        """Raise if the client has given the run up, or this attempt."""
        self._context.check_cancelled()

    @property
    def wants_pause(self) -> bool:
        """Whether the gang is to be put together anew."""
        return self._context.wants_pause

    def hear(self, event: Event) -> bool:
        """Keep what the run has after an iteration."""
        iteration = iteration_of(event)
        if iteration is not None:
            self._steps.append(iteration)
        return False


def agreed_steps(mine: Sequence[Iteration], most: int | None, collective: Collective) -> tuple[Iteration, ...]:
    """The most steps that any rank has, at most ``most``, on every rank; up to where they go all have the same."""
    counts = [int.from_bytes(item, "little") for item in collective.all_gather(len(mine).to_bytes(8, "little"))]
    longest = max(counts) if most is None else min(max(counts), most)
    first = min(*counts, longest)
    if first == longest:
        return tuple(mine[:longest])
    source = counts.index(max(counts))
    parcel = (
        b"" if collective.rank != source else pickle.dumps([encode_iteration(step) for step in mine[first:longest]])
    )
    sent = pickle.loads(collective.all_gather(parcel)[source])
    return (*mine[:first], *(decode_iteration(record) for record in sent))


def train_rank(context: RankContext) -> BoostResult | LockstepResult | LeftOff | None:
    """One rank: put its rows together and train; rank 0 returns the result, without what is O(rows)."""
    spec: RunSpec = context.shared
    spans = spans_for(context, spec.most_spans)
    collective = WatchedCollective(context.collective, spans)
    with spans.stage("loading"):
        sets = rows_of_rank(spec.layouts, context.shards, context.rank)
        if spec.ranked is not None:
            behind = sum(layout.counts[context.rank] for layout in spec.layouts)
            sets = ready_rows(sets, spec.ranked, context.shards[behind:], collective)
    params = replace(spec.params, card=spec.cards[context.rank])
    if spec.all_threads:
        params = replace(params, threads=context.threads)
    if spec.check is not None:
        looked = spec.check.look(sets, collective, params.threads)
        if context.rank == 0:
            context.emit(looked)
    left: Sequence[Iteration] = context.left or ()
    if len(left) < len(spec.records):
        left = [decode_iteration(record) for record in spec.records]
    steps = agreed_steps(left, spec.most_steps, collective)
    course = Course(context, steps, spans)
    # Steps leave before the client is asked after each of them: what it answers may end the run.
    sender = StepSender(context.emit, steps, known=len(spec.records), period=0.0 if spec.asks is True else PERIOD)
    listeners: list[Listener] = [course, *([sender] if context.rank == 0 else [])]
    if spec.place is not None:
        listeners.append(BoardListener(spec.place, context, lambda: spans.seconds))
    if spec.tells and context.rank == 0:
        listeners.append(Relay(context, spec.asks))
    if context.size > 1 and params.card is None:
        listeners = [WorkClock(context.rank, context.collective.traffic, context.emit, listeners)]
    try:
        with kept_memory():
            result = _trained(spec, sets, params, collective, listeners, steps, course)
    finally:
        if context.rank == 0:
            sender.flush()
        if isinstance(spans, SpanLog):
            spans.flush()
    if result is None:
        return LeftOff()
    if context.rank != 0:
        return None
    if isinstance(result, LockstepResult):
        return replace(result, folds=tuple(_without_rows(one) for one in result.folds))
    return _without_rows(result)


def _trained(
    spec: RunSpec,
    sets: Sequence[Rows],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener],
    steps: Sequence[Any],
    course: Course,
) -> BoostResult | LockstepResult | None:
    """One model, or one for each fold; None if the gang is to be put together anew."""
    if spec.fold_bins:
        return boost_apart(sets, spec.fold_bins, params, collective, listeners, steps, course)
    if spec.folds is None:
        return boost(sets[0], sets[1:], spec.n_bins, params, collective, listeners, steps, course)
    folds = spec.folds.of_rank(sets[0], collective)
    return boost_folds(sets[0], folds, spec.n_bins, params, collective, listeners, steps, course)


def _without_rows(result: BoostResult) -> BoostResult:
    """A result without what it has of each row."""
    none = np.empty((result.predictions.shape[0], 0))
    return replace(result, predictions=none, eval_predictions=tuple(none for _ in result.eval_predictions))


def spans_for(context: RankContext, most: int | None) -> SpanSums:
    """Who is told what this rank is at: sums of its time are always kept."""
    if most is None:
        return SpanSums()
    return SpanLog(context.rank, context.emit, context.clock_offset, most)


def layouts_of(sets: Sequence[QuantizedSet], setup: Setup) -> tuple[SetLayout, ...]:
    """How each rank puts its rows of each data set together."""
    return label_layouts(sets, setup.label_of_code, setup.class_weights)


def label_layouts(
    sets: Sequence[QuantizedSet],
    label_of_code: Sequence[NDArray[np.float32] | None],
    class_weights: NDArray[np.float64] | None,
) -> tuple[SetLayout, ...]:
    """The same, where labels mean these; see ``SetLayout``."""
    return tuple(
        replace(
            layout_of(data, table),
            counts=tuple(len(futures) for futures in _by_member(data, sets[0].members)),
            class_weights=class_weights,
        )
        for data, table in zip(sets, label_of_code, strict=True)
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
    for number, (address, stored) in enumerate(zip(data.members, data.shards, strict=True)):
        dealt[rank_of.get(address, number % len(members))] += [one.future for one in stored]
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
