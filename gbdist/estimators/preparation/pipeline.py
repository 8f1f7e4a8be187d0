"""Quantizing data sets that belong together (training and eval sets) on a cluster, all or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future

from gbdist.errors import DataError
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.parameters.canonical import QuantizeParams
from gbdist.estimators.preparation import stages
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.raw_parts import RawParts, put_on_cluster
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import RowSplit
from gbdist.estimators.preparation.stages import Surveyed
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.merge_surveys import DataSurvey, check_columns

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
) -> list[QuantizedSet]:
    """Quantize data sets with the same borders on the same workers; on an error nothing of them stays on the cluster.

    Borders are chosen from the first set by ``rules``, or are those that ``rules`` knows.
    """
    with FutureScope() as scope:
        surveyed = _survey(client, sources, workers, scope)
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
        return _bins(client, surveyed, members, borders, initial, scope)


def _survey(client: Client, sources: Sequence[Source], workers: Sequence[str], scope: FutureScope) -> list[Surveyed]:
    raw_of: dict[int, RawParts] = {}
    for source in sources:  # two sides of a split are computed once
        if id(source.parts) not in raw_of:
            raw_of[id(source.parts)] = put_on_cluster(source.parts, client, workers, scope)
    requests = [stages.request_survey(client, raw_of[id(source.parts)], source.split, scope) for source in sources]
    surveyed = []
    for source, request in zip(sources, requests, strict=True):
        try:
            surveyed.append(stages.finish_survey(client, request, scope))
        except DataError as error:
            raise named(error, source.name) from None
    return surveyed


def _bins(
    client: Client,
    surveyed: Sequence[Surveyed],
    members: tuple[str, ...],
    borders: Future,
    initial: InitialModel | None,
    scope: FutureScope,
) -> list[QuantizedSet]:
    model = None
    if initial is not None:
        model = scope.hold(client.scatter([initial], broadcast=True, hash=False))[0]
    asked: list[tuple[Surveyed, list[list[Any]], int]] = []
    for data in surveyed:
        placement = stages.on_ranks_of(stages.place_rows(data, members), members)
        dimension = data.survey.baseline.dimension if data.survey.baseline is not None else 0
        dimension = dimension if initial is None else initial.dimension
        asked.append((data, stages.request_bins(client, data, placement, borders, model, dimension, scope), dimension))
    for data in surveyed:
        data.raw.release(scope)
    shards = [future for _, by_rank, _ in asked for futures in by_rank for future in futures]
    stages.wait_for([*shards, borders])
    chosen: tuple[FeatureBorders, ...] = client.gather(borders)
    scope.keep(shards)
    return [
        QuantizedSet(members, tuple(tuple(futures) for futures in by_rank), chosen, data.survey, dimension)
        for data, by_rank, dimension in asked
    ]


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
