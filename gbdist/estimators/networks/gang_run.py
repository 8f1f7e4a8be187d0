"""The trainer of networks on a gang: what every rank runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.boosting.events import IterationDone, Listener
from gbdist.boosting.params import Card
from gbdist.boosting.spans import SpanLog, WatchedCollective
from gbdist.boosting.watch import Watch
from gbdist.estimators.gang_run import Relay, spans_for
from gbdist.estimators.keeper import DataCheck
from gbdist.estimators.listeners import Asks
from gbdist.estimators.memory import kept_memory
from gbdist.estimators.networks.data import network_rows
from gbdist.estimators.networks.keeping import Leaver
from gbdist.estimators.networks.shape import useful_threads, with_categories
from gbdist.estimators.networks.targets import TargetScale, target_scale, with_scaled_targets
from gbdist.estimators.on_board import BoardListener
from gbdist.estimators.preparation.quantized import SetLayout
from gbdist.estimators.tempo import WorkClock
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.network.vocabulary import Vocabulary
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.start import agreed_state
from gbdist.neural.training.state import TrainState, decode_state
from gbdist.snapshots.digest import network_digest
from gbdist_cluster.gang import LeftOff, RankContext
from gbdist_cluster.monitor.reporting import RankPlace


@dataclass(frozen=True, eq=False)
class NetworkRunSpec:
    """What every rank is told. ``layouts`` are of the training set and the eval sets, ``cards`` of the ranks.

    ``network`` lacks its categories where no ``vocabularies`` are known: the ranks find them then, as they find the target scale
    where that is None. ``tells``: somebody listens to events; ``asks``: whether answers count; ``told`` epochs have been told of,
    and the last one was answered with a wish to stop if ``stops``. ``state`` is the newest one that the client has, encoded.
    With ``check`` the ranks look at their data first. ``place`` is where they report on the board, ``most_spans`` how many spans
    each keeps for a profile, None where nobody is told. ``levels``: how long ranks work is measured.
    """

    layouts: tuple[SetLayout, ...]
    network: NetworkSpec
    vocabularies: tuple[Vocabulary, ...] | None
    scale: TargetScale | None
    params: TrainParams
    cards: tuple[Card | None, ...]
    tells: bool
    asks: Asks
    told: int
    stops: bool
    state: bytes | None = None
    check: DataCheck | None = None
    place: RankPlace | None = None
    most_spans: int | None = None
    levels: bool = True


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """What a run ends with: where it was, and what the ranks found out together."""

    state: TrainState
    network: NetworkSpec
    vocabularies: tuple[Vocabulary, ...]
    scale: TargetScale


class Course:
    """Control of a rank, from its client."""

    def __init__(self, context: RankContext, watch: Watch) -> None:
        self._context, self.watch = context, watch

    def check(self) -> None:
        """Raise if the client has given the run up, or this attempt."""
        self._context.check_cancelled()

    @property
    def wants_pause(self) -> bool:
        """Whether the gang is to be put together anew."""
        return self._context.wants_pause


def train_network_rank(context: RankContext) -> NetworkRun | LeftOff | None:
    """One rank: put its rows together and train; rank 0 returns the result."""
    spec: NetworkRunSpec = context.shared
    spans = spans_for(context, spec.most_spans)
    collective = WatchedCollective(context.collective, spans)
    with spans.stage("loading"):
        loss = spec.network.loss
        sets, vocabularies = network_rows(spec.layouts, context.shards, loss, collective, spec.vocabularies)
        if spec.check is not None:
            looked = spec.check.compare(network_digest(sets, collective, context.threads))
            if context.rank == 0:
                context.emit(looked)
        scale = target_scale(sets[0], collective, spec.scale)
        sets = [with_scaled_targets(rows, scale) for rows in sets]
    network = with_categories(spec.network, vocabularies)
    card = spec.cards[context.rank]
    threads = min(context.threads, useful_threads(spec.params.batch_size, network))
    params = replace(spec.params, target_scale=scale, card=card, threads=threads)
    relay = Relay(context, spec.asks) if spec.tells and context.rank == 0 else None
    start = _begun(context, spec, collective, relay)
    listeners: list[Listener] = (
        [] if spec.place is None else [BoardListener(spec.place, context, lambda: spans.seconds)]
    )
    listeners += [] if relay is None else [relay]
    if context.size > 1 and card is None and spec.levels:
        listeners = [WorkClock(context.rank, context.collective.traffic, context.emit, listeners)]
    try:
        with kept_memory():
            course = Course(context, spans)
            state = train(sets[0], sets[1:], network, params, collective, listeners, start, course, Leaver(context))
    finally:
        if isinstance(spans, SpanLog):
            spans.flush()
    if state is None:
        return LeftOff()
    return NetworkRun(state, network, vocabularies, scale) if context.rank == 0 else None


def _begun(
    context: RankContext, spec: NetworkRunSpec, collective: Collective, relay: Relay | None
) -> TrainState | None:
    """Where the run begins, the same on all ranks: the furthest state that one of them, or the client, has.

    It may be further than the client was told of, because rank 0 was lost with its last words: then the client is told now.
    """
    left: TrainState | None = context.left
    known = None if spec.state is None else decode_state(spec.state)
    if known is not None and (left is None or left.reached < known.reached):
        left = known
    state = agreed_state(left, collective)
    if state is None:
        return None
    context.leave(state)
    stops = spec.stops and state.epoch >= spec.told
    for event in untold(state, spec.told):
        stops = (relay is not None and relay.hear(event)) or stops
    if spec.asks and not state.stopped:
        answers = collective.all_reduce(np.array([stops], np.int64))
        if int(answers[0]) > 0:
            return replace(state, stopped="callback")
    return state


def untold(state: TrainState, told: int) -> Sequence[IterationDone]:
    """The epochs of a state that nobody was told of: all but the first ``told`` ones."""
    events = []
    for epoch in range(told, state.epoch):
        best = state.best_epoch if state.best_epoch <= epoch else -1
        events.append(IterationDone(epoch, state.metrics_of(epoch), best, state.best))
    return events
