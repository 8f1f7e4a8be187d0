"""The gang of one run on histograms, on the client: what its ranks are told, and what they say of trees (``run_gang``)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import Client

from gbdist.boosting.events import Event
from gbdist.boosting.lockstep import LockstepResult
from gbdist.boosting.result import BoostResult
from gbdist.counted import TREES
from gbdist.estimators.checkpoint import Checkpoint
from gbdist.estimators.devices import cards_of
from gbdist.estimators.gang_run import RunSpec, gang_of, layouts_of, train_rank
from gbdist.estimators.keeper import Keeper, StepsGrown
from gbdist.estimators.listeners import Asks
from gbdist.estimators.local_run import n_bins
from gbdist.estimators.needs import RunShape, table_budget
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.placing import shape_on
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.raw_parts import send
from gbdist.estimators.profile import Profile
from gbdist.estimators.run_gang import Audience, RunFacts, RunGang
from gbdist.estimators.setup import Setup
from gbdist.quantize.pairs import Pairs
from gbdist_cluster.gang import Member
from gbdist_cluster.monitor.reporting import UNREPORTED, RunReport
from gbdist_cluster.shards import keep

#: Spans of features whose tables GPUs count while the ranks add up those before: more of them overlap more, and cost more rounds.
_SPANS = 4
#: How many trees are timed at least.
_TIMED_TREES = 3
#: A tree that is replayed takes this share of one that is grown.
_REPLAY_SHARE = 0.15


@dataclass(frozen=True, eq=False)
class GangOrder:
    """What a run on a gang is told by its caller.

    ``asks``: whether answers count. ``pairs`` are those of each data set that has any. ``checkpoint`` has the steps to go
    on from, and saves those that follow; None where nothing is saved. The board hears of the run by ``report``; ``profile``
    is told where the ranks' time goes.
    """

    setup: Setup
    listener: Callable[[Event], bool | None] | None
    asks: Asks
    pairs: Sequence[Pairs]
    checkpoint: Checkpoint | None = None
    report: RunReport = UNREPORTED
    profile: Profile | None = None

    @property
    def audience(self) -> Audience:
        """Who hears of the run."""
        return Audience(self.listener, self.asks, self.checkpoint, self.report, self.profile)


def boost_on_gang(client: Client, sets: Sequence[QuantizedSet], order: GangOrder) -> BoostResult | LockstepResult:
    """Train on the workers that hold the training set, or on those that there are when these have left; see ``RunGang.run``.

    The result of the one model, or that of all folds where there are any.
    """
    result: BoostResult | LockstepResult = TrainingGang(client, sets, order).run(train_rank)
    return result


class TrainingGang(RunGang):
    """A gang that grows trees."""

    def __init__(self, client: Client, sets: Sequence[QuantizedSet], order: GangOrder) -> None:
        resolved = order.setup.on_histograms
        self._order, self._resolved = order, resolved
        self._keeper = Keeper() if order.checkpoint is None else Keeper(order.checkpoint.steps, order.checkpoint.take)
        facts = RunFacts(
            iterations=resolved.params.iterations,
            counted=TREES,
            fruit="grown a tree",
            timed=_TIMED_TREES,
            replay=_REPLAY_SHARE,
            task_type=resolved.task_type,
            devices=resolved.devices,
            room=_room(sets, order.setup, resolved),
        )
        super().__init__(client, sets, facts, order.audience)

    @property
    def reached(self) -> tuple[int, int]:
        """See ``RunGang``."""
        return len(self._keeper.records), 0

    def _take(self, message: Any) -> bool:
        """See ``RunGang``."""
        if not isinstance(message, StepsGrown):
            return False
        self._keeper.take(message)
        self._heard_of_steps()
        return True

    def _spec(self, speeds: Mapping[str, float] | None) -> tuple[list[Member], RunSpec]:
        """See ``RunGang``."""
        sets, resolved, setup = self._sets, self._resolved, self._order.setup
        rows = sets[0].rows_by_worker
        cards = cards_of(self._client, sets[0].members, resolved.task_type, resolved.devices)
        overlap = _SPANS if any(cards) else 1
        spec = RunSpec(
            layouts=layouts_of(sets, setup),
            n_bins=n_bins(sets[0].borders),
            params=replace(
                resolved.params,
                listeners_may_stop=bool(self._order.asks),
                overlap=overlap,
                shares=() if speeds is None else tuple(rows.values()),
                table_budget=None if any(cards) else table_budget(self._workers),
            ),
            all_threads=resolved.all_threads,
            tells=self._told.listens,
            asks=self._order.asks,
            cards=cards,
            ranked=setup.ranked,
            records=self._keeper.records,
            most_steps=self._told.most_steps,
            check=None if self._order.checkpoint is None else self._order.checkpoint.data_check,
            place=self._order.report.begin_epoch(rows, self.done),
            most_spans=None if self._order.profile is None else self._order.profile.gang(rows),
            folds=setup.folds,
            fold_bins=tuple(n_bins(data.borders) for data in sets[::2]) if setup.apart else (),
        )
        return self._with_pairs(gang_of(sets)), spec

    def _with_pairs(self, members: list[Member]) -> list[Member]:
        """The gang, each member with its part of the pairs of each set behind its shards."""
        parts = [each.split(len(members)) for each in self._order.pairs]
        made = []
        for rank, member in enumerate(members):
            kept = []
            for each in parts:
                (sent,) = send(self._client, [each[rank]], [member.address])
                how = {"workers": [member.address], "allow_other_workers": True, "pure": False}
                kept += self._scope.hold([self._client.submit(keep, sent, **how)])
            made.append(replace(member, shards=(*member.shards, *kept)))
        return made


def _room(sets: Sequence[QuantizedSet], setup: Setup, resolved: Resolved) -> RunShape:
    """What the run takes beside the rows."""
    shape = shape_on(sets[0], resolved, 0 if setup.apart else setup.n_folds)
    return replace(shape, apart=setup.apart)
