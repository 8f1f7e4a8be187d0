"""The gang of one run of a network, on the client: what its ranks are told, and what they say of their states (``run_gang``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import Client

from gbdist.counted import EPOCHS
from gbdist.estimators.devices import cards_of
from gbdist.estimators.gang_run import gang_of, label_layouts
from gbdist.estimators.needs import RunShape
from gbdist.estimators.networks.checkpoint import NetworkCheckpoint
from gbdist.estimators.networks.gang_run import NetworkRun, NetworkRunSpec, train_network_rank
from gbdist.estimators.networks.keeping import Reached, StateKeeper, StateLeft
from gbdist.estimators.networks.setup import NetworkSetup
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.run_gang import Audience, RunFacts, RunGang
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.network.vocabulary import Vocabulary
from gbdist.neural.training.state import TrainState
from gbdist_cluster.gang import Loss, Member

#: How many epochs are timed at least.
_TIMED_EPOCHS = 1
#: Strategies whose ranks all do their rows' share of the work.
_BY_ROWS = ("sync", "local", "async")


@dataclass(frozen=True, eq=False)
class NetworkOrder:
    """What a run on a gang is told by its caller.

    ``network`` and ``vocabularies`` are as ``NetworkRunSpec`` has them, ``room`` is what it takes beside its rows.
    ``start`` is where it goes on; ``checkpoint`` saves its states, None where nothing is saved.
    """

    setup: NetworkSetup
    network: NetworkSpec
    vocabularies: tuple[Vocabulary, ...] | None
    room: RunShape
    start: TrainState | None
    checkpoint: NetworkCheckpoint | None
    task_type: str
    devices: tuple[int, ...] | None
    audience: Audience


def train_on_gang(client: Client, sets: Sequence[QuantizedSet], order: NetworkOrder) -> NetworkRun:
    """Train on the workers that hold the training set, or on those that there are when these have left; see ``RunGang.run``."""
    run: NetworkRun = NetworkGang(client, sets, order).run(train_network_rank)
    return run


class NetworkGang(RunGang):
    """A gang that trains a network."""

    def __init__(self, client: Client, sets: Sequence[QuantizedSet], order: NetworkOrder) -> None:
        self._order = order
        self._keeper = StateKeeper(client, order.start, None if order.checkpoint is None else order.checkpoint.take)
        facts = RunFacts(
            iterations=order.setup.params.max_iter,
            counted=EPOCHS,
            fruit="trained on a batch that was kept",
            timed=_TIMED_EPOCHS,
            replay=0.0,
            task_type=order.task_type,
            devices=order.devices,
            room=order.room,
        )
        super().__init__(client, sets, facts, order.audience)

    @property
    def reached(self) -> Reached:
        """See ``RunGang``."""
        return self._keeper.told_of

    def close(self) -> None:
        """See ``RunGang``."""
        self._keeper.close()
        super().close()

    def pays(self, newcomers: Sequence[str]) -> bool:
        """See ``RunGang``; asked often, so states are looked for here too."""
        self._keeper.look()
        return super().pays(newcomers)

    def lost(self, losses: Sequence[Loss]) -> None:
        """See ``RunGang``."""
        self._keeper.lost()
        super().lost(losses)

    def _take(self, message: Any) -> bool:
        """See ``RunGang``."""
        if not isinstance(message, StateLeft):
            return False
        self._keeper.take(message)
        if message.reached[1] == 0:
            self._heard_of_steps()
        return True

    def _spec(self, speeds: Mapping[str, float] | None) -> tuple[list[Member], NetworkRunSpec]:
        """See ``RunGang``."""
        order, sets, audience = self._order, self._sets, self._audience
        rows = sets[0].rows_by_worker
        spec = NetworkRunSpec(
            layouts=label_layouts(sets, order.setup.label_of_code, order.setup.class_weights),
            network=order.network,
            vocabularies=order.vocabularies,
            scale=order.setup.target_scale,
            params=replace(order.setup.params, listeners_may_stop=bool(audience.asks)),
            cards=cards_of(self._client, sets[0].members, order.task_type, order.devices),
            tells=self._told.listens,
            asks=audience.asks,
            told=self._told.done,
            stops=self._told.stops,
            state=self._keeper.record,
            check=None if audience.snapshots is None else audience.snapshots.data_check,
            place=audience.report.begin_epoch(rows, self.done),
            most_spans=None if audience.profile is None else audience.profile.gang(rows),
            levels=order.setup.params.strategy.kind in _BY_ROWS,
        )
        return gang_of(sets), spec
