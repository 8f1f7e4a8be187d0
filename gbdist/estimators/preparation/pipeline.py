"""Quantizing data sets that belong together (training and eval sets) on a cluster, all or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from distributed import Client, Future

from gbdist.errors import DataError
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.parameters.cuts import QuantizeParams
from gbdist.estimators.preparation import stages
from gbdist.estimators.preparation.futures import wait_for
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.pace import Room
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.raw_parts import put_on_cluster
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import RowSplit
from gbdist.estimators.preparation.stages import BinsOrder, BinsRules
from gbdist.estimators.preparation.surveying import Surveyed, SurveyRun
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.merge_surveys import DataSurvey, check_columns
from gbdist_cluster.versions import check_workers

T = TypeVar("T")

#: Sees the facts of all data sets before any bin is made, and raises if they cannot be used together.
Check = Callable[[Sequence[DataSurvey]], None]


@dataclass(frozen=True, eq=False)
class Source:
    """A data set, or one side of a split of it; ``name`` is what errors call it ("" for the training set)."""

    parts: Parts
    name: str = ""
    split: RowSplit | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """What the training set has decided already, where it was quantized before."""

    members: tuple[str, ...]
    borders: tuple[FeatureBorders, ...]
    survey: DataSurvey


def quantize_sets(
    client: Client,
    sources: Sequence[Source],
    workers: Sequence[str],
    rules: QuantizeParams | Known,
    *,
    initial: InitialModel | None = None,
    check: Check | None = None,
    cards: Mapping[str, int] | None = None,
) -> list[QuantizedSet]:
    """Quantize data sets with the same borders on the same workers; on an error nothing of them stays on the cluster.

    Borders are chosen from the first set by ``rules``, or are those that ``rules`` knows. ``cards`` are GPUs that may be used, by
    the address of their worker.
    """
    with FutureScope() as scope:
        room = Room.of(check_workers(client)).shared_by(len({id(source.parts) for source in sources}) or 1)
        surveyed = _survey(client, sources, workers, room, scope, samples=not isinstance(rules, Known))
        surveys = [data.survey for data in surveyed]
        first = rules.survey if isinstance(rules, Known) else surveys[0]
        for source, survey in zip(sources, surveys, strict=True):
            require_same_columns(source.name, survey, first)
        if check is not None:
            check(surveys)
        if isinstance(rules, Known):
            members = rules.members
            borders = scope.hold(client.scatter([rules.borders], broadcast=True, hash=False))[0]
        else:
            placement = stages.place_rows(surveyed[0], still_there(client, workers))
            members = placement.members
            borders = stages.request_borders(client, surveyed[0], placement, rules, scope)
        model = None
        if initial is not None:
            model = scope.hold(client.scatter([initial], broadcast=True, hash=False))[0]
        orders = [_order(data, members, initial) for data in surveyed]
        return _bins(client, orders, BinsRules(borders, model, cards or {}), members, room, scope)


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
        runs.append((sides, SurveyRun(client, raw, splits, samples=samples and not runs, room=room, scope=scope)))
    for _, run in runs:
        run.start()
    surveyed: list[Surveyed] = []
    for sides, run in runs:
        try:
            surveyed += run.finish()
        except DataError as error:
            raise named(error, sides[0].name) from None
    return surveyed


def _order(data: Surveyed, members: tuple[str, ...], initial: InitialModel | None) -> BinsOrder:
    """Where the rows of a data set go, among the ranks of the training set."""
    placement = stages.on_ranks_of(stages.place_rows(data, members), members)
    if initial is not None:
        return BinsOrder(data, placement, initial.dimension)
    return BinsOrder(data, placement, data.survey.baseline.dimension if data.survey.baseline is not None else 0)


def _bins(
    client: Client,
    orders: Sequence[BinsOrder],
    rules: BinsRules,
    members: tuple[str, ...],
    room: Room,
    scope: FutureScope,
) -> list[QuantizedSet]:
    made: list[list[list[Future]]] = []
    for together in _sharing([order.data.raw for order in orders], orders):
        made += stages.request_bins(client, together, rules, room, scope)
    shards = [future for by_rank in made for futures in by_rank for future in futures]
    wait_for([*shards, rules.borders])
    chosen: tuple[FeatureBorders, ...] = client.gather(rules.borders)
    scope.keep(shards)
    return [
        QuantizedSet(members, tuple(tuple(futures) for futures in by_rank), chosen, order.data.survey, order.dimension)
        for order, by_rank in zip(orders, made, strict=True)
    ]


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
