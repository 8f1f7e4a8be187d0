"""Quantizing data sets that belong together (training and eval sets) on a cluster, all or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from distributed import Client

from gbdist.errors import ClusterError, DataError, ParameterError
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.preparation import stages
from gbdist.estimators.preparation.futures import gather, wait_for
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.pace import Room
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.raw_parts import put_on_cluster
from gbdist.estimators.preparation.remaking import Batch
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import Side
from gbdist.estimators.preparation.stages import CellsOrder, CellsRules
from gbdist.estimators.preparation.surveying import Surveyed, SurveyRun
from gbdist.quantize.cells import NUMBERS, CellRules, Encoding, cells_type
from gbdist.quantize.merge_surveys import DataSurvey, check_columns
from gbdist_cluster.errors import ShardsGone
from gbdist_cluster.placement import Placement
from gbdist_cluster.versions import WorkerFacts, check_workers
from gbdist_cluster.waiting import attended

T = TypeVar("T")

#: How often data in this process's memory are sent to workers that leave with them.
_MOST_TRIES = 20

#: Sees the facts of all data sets before any bin is made, and raises if they cannot be used together.
Check = Callable[[Sequence[DataSurvey]], None]
#: Sees facts, placement and dimension of the baseline of each data set, and the workers: whether bins go to disk. ClusterError
#: where the rows fit nowhere.
Choice = Callable[[Sequence[tuple[DataSurvey, Placement, int]], Sequence[WorkerFacts]], bool]


@dataclass(frozen=True, eq=False)
class Source:
    """A data set, or one side of a split of it; ``name`` is what errors call it ("" for the training set)."""

    parts: Parts
    name: str = ""
    split: Side | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """What the training set has decided already, where it was quantized before."""

    members: tuple[str, ...]
    encodings: tuple[Encoding, ...]
    survey: DataSurvey
    on_disk: bool = False

    @property
    def cells(self) -> np.dtype[Any]:
        """Type of the cells."""
        return cells_type(self.encodings)


def quantize_sets(
    client: Client,
    sources: Sequence[Source],
    workers: Sequence[str],
    rules: CellRules | Known,
    *,
    initial: InitialModel | None = None,
    check: Check | None = None,
    cards: Mapping[str, int] | None = None,
    on_disk: bool | None = False,
    choose: Choice | None = None,
) -> list[QuantizedSet]:
    """Quantize data sets with the same encodings on the same workers; on an error nothing of them stays on the cluster.

    Encodings (borders, or scales for networks) are chosen from the first set by ``rules``, or are those that ``rules`` knows.
    ``cards`` are GPUs that may be used, by the address of their worker. ``on_disk`` says where bins are to lie, None where
    ``choose`` will decide; numbers lie in memory, else ParameterError. If rows that come from this process's memory go with a
    worker, they are sent again.
    """
    if on_disk and rules.cells == NUMBERS:
        fix = "Leave it out, or use the trees: DaskCatBoostClassifier, DaskCatBoostRegressor."
        raise ParameterError("bins_on_disk", on_disk, "False for a network, which reads its rows in any order", fix)
    wanted = _Wanted(sources, rules, initial, check, cards or {}, on_disk, choose)
    for _ in range(_MOST_TRIES):
        try:
            with attended(client), FutureScope() as scope:
                return _quantize_sets(client, workers, wanted, scope)
        except ShardsGone:
            if not any(source.parts.in_memory for source in sources):
                raise
            workers = [worker.address for worker in check_workers(client)]
    raise ClusterError(
        f"Workers left the cluster {_MOST_TRIES} times in a row while data were sent to them",
        "Look for the cause in the workers' logs; give them more memory.",
    )


def survey_set(client: Client, source: Source, workers: Sequence[str]) -> DataSurvey:
    """Facts of a data set, of which nothing is kept on the cluster."""
    with attended(client), FutureScope() as scope:
        room = Room.of(check_workers(client), False, 0)
        (surveyed,) = _survey(client, [source], workers, room, scope, samples=False)
        return surveyed.survey


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What ``quantize_sets`` was asked for."""

    sources: Sequence[Source]
    rules: CellRules | Known
    initial: InitialModel | None
    check: Check | None
    cards: Mapping[str, int]
    on_disk: bool | None
    choose: Choice | None


def _quantize_sets(client: Client, workers: Sequence[str], wanted: _Wanted, scope: FutureScope) -> list[QuantizedSet]:
    sources, rules, initial = wanted.sources, wanted.rules, wanted.initial
    facts = check_workers(client)
    room = Room.of(facts, wanted.on_disk, rules.cells.itemsize).shared_by(
        len({id(source.parts) for source in sources}) or 1
    )
    surveyed = _survey(client, sources, workers, room, scope, samples=not isinstance(rules, Known))
    surveys = [data.survey for data in surveyed]
    first = rules.survey if isinstance(rules, Known) else surveys[0]
    for source, survey in zip(sources, surveys, strict=True):
        require_same_columns(source.name, survey, first)
    if wanted.check is not None:
        wanted.check(surveys)
    members = rules.members if isinstance(rules, Known) else _members(client, surveyed[0], workers)
    orders = [_order(data, members, initial) for data in surveyed]
    placed = [(order.data.survey, order.placement, order.dimension) for order in orders]
    on_disk = bool(wanted.on_disk) if wanted.choose is None else wanted.choose(placed, facts)
    if isinstance(rules, Known):
        encodings = scope.hold(client.scatter([rules.encodings], broadcast=True, hash=False))[0]
    else:
        encodings = stages.request_encodings(client, surveyed[0], members, rules, scope)
    model = None
    if initial is not None:
        model = scope.hold(client.scatter([initial], broadcast=True, hash=False))[0]
    return _cells(client, orders, CellsRules(encodings, model, wanted.cards, on_disk), initial, room, scope)


def _survey(
    client: Client,
    sources: Sequence[Source],
    workers: Sequence[str],
    room: Room,
    scope: FutureScope,
    *,
    samples: bool,
) -> list[Surveyed]:
    """Survey all data sets; what is wrong with one is told with its name."""
    runs: list[tuple[list[Source], SurveyRun]] = []
    for sides in _sharing([source.parts for source in sources], sources):  # two sides of a split are computed once
        raw = put_on_cluster(sides[0].parts, client, workers, scope)
        splits = [side.split for side in sides]
        announced = sides[0].parts.n_rows
        run = SurveyRun(
            client, raw, splits, samples=samples and not runs, room=room, scope=scope, announced_rows=announced
        )
        runs.append((sides, run))
    for _, run in runs:
        run.start()
    surveyed: list[Surveyed] = []
    for sides, run in runs:
        try:
            surveyed += run.finish()
        except DataError as error:
            raise named(error, sides[0].name) from None
    return surveyed


def _members(client: Client, data: Surveyed, workers: Sequence[str]) -> tuple[str, ...]:
    """The workers that the rows of a training set go to."""
    return stages.place_rows(data, still_there(client, workers)).members


def _order(data: Surveyed, members: tuple[str, ...], initial: InitialModel | None) -> CellsOrder:
    """Where the rows of a data set go, among the ranks of the training set."""
    placement = stages.on_ranks_of(stages.place_rows(data, members), members)
    if initial is not None:
        return CellsOrder(data, placement, initial.dimension)
    return CellsOrder(data, placement, data.survey.baseline.dimension if data.survey.baseline is not None else 0)


def _cells(
    client: Client,
    orders: Sequence[CellsOrder],
    rules: CellsRules,
    initial: InitialModel | None,
    room: Room,
    scope: FutureScope,
) -> list[QuantizedSet]:
    made: list[list[list[Batch]]] = []
    for together in _sharing([order.data.raw for order in orders], orders):
        made += stages.request_cells(client, together, rules, room, scope)
    futures = [batch.future for by_rank in made for batches in by_rank for batch in batches]
    wait_for([*futures, rules.encodings])
    chosen: tuple[Encoding, ...] = gather(client, [rules.encodings])[0]
    scope.keep(futures)
    sets = []
    for order, by_rank in zip(orders, made, strict=True):
        shards = tuple(tuple(batch.stored(chosen, initial) for batch in batches) for batches in by_rank)
        members, survey = order.placement.members, order.data.survey
        sets.append(QuantizedSet(members, shards, chosen, survey, order.dimension, rules.on_disk))
    return sets


def _sharing(whose: Sequence[object], items: Sequence[T]) -> list[list[T]]:
    """Neighbouring items whose owner is the same object, together."""
    groups: list[list[T]] = []
    for i, item in enumerate(items):
        if i and whose[i] is whose[i - 1]:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def still_there(client: Client, workers: Sequence[str]) -> list[str]:
    """The workers that have not left while the data were computed; all that there are now if none of them is left."""
    alive = client.nthreads()
    return [address for address in workers if address in alive] or sorted(alive)


def require_same_columns(name: str, survey: DataSurvey, first: DataSurvey) -> None:
    """DataError unless a data set has the training set's columns, in its order; arrays must match in number alone."""
    if len(survey.names) == len(first.names) and not (survey.named and first.named):
        return
    check_columns(name or "X", survey.names, first.names)


def named(error: DataError, name: str) -> DataError:
    """The same error, saying which data set it is about."""
    if not name:
        return error
    where, *others = error.args
    return DataError(f"{name}, {where}", *others)
