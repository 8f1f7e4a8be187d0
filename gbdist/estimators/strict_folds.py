"""Folds with borders of their own: each fold's rows are quantized as a data set, by what its training rows say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gbdist.boosting.lockstep import LockstepResult
from gbdist.errors import DataError, ParameterError
from gbdist.estimators import local_run
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.on_board import label_of, tell_about, tell_end
from gbdist.estimators.outcome import FoldsResult, finish_folds
from gbdist.estimators.placing import choice, require_room_to_send, run_shape
from gbdist.estimators.preparation.pipeline import Source, quantize_sets, survey_set
from gbdist.estimators.preparation.quantized import QuantizedSet, codes_for_classes, numbers_of_codes
from gbdist.estimators.preparation.split import FoldSide
from gbdist.estimators.rank_folds import RuleAsked
from gbdist.estimators.ranked_rows import RankedSets
from gbdist.estimators.request import Request
from gbdist.estimators.setup import Setup
from gbdist.estimators.training import set_up_sets
from gbdist.estimators.training_gang import GangOrder, boost_on_gang
from gbdist.quantize.cells import borders_in
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist_cluster.monitor.reporting import reported

_SIDES = ("trained on", "held out")


def train_apart(request: Request, client: Any) -> FoldsResult:
    """Train a model for each fold, side by side, each with the borders of a fit on its rows; see ``train_folds``.

    Raises ParameterError for what keeps no raw values, or whose folds no partition can tell.
    """
    if request.pool is not None:
        fix = "Pass the collection itself in place of the pool."
        raise ParameterError("strict_borders", True, "False with a DaskPool, which has been quantized", fix)
    if any(group.pairs is not None for group in request.groups):
        raise DataError("pairs", "a value", "None with strict_borders=True", "Leave one of them out.")
    if local_run.trains_here(request.sources):
        return _train_here(request)
    return _train_on_cluster(request, client)


def _train_here(request: Request) -> FoldsResult:
    source = request.sources[0]
    (whole,) = local_run.survey_here([source])
    setup = set_up_sets(request, [whole.survey])  # what all folds have in common follows from all rows
    sets, borders = [], []
    for pair in _sides(source, setup):
        sets += local_run.survey_here(pair)
        borders.append(borders_in(local_run.encodings_here(sets[-2], request.cuts())))
    setup = _of_sides(setup, [data.survey for data in sets])
    rows = [local_run.rows_here(data, borders[i // 2], None, setup, i) for i, data in enumerate(sets)]
    result = local_run.apart_here(rows, borders, setup, request.listeners, request.callbacks is not None)
    return finish_folds(request, setup, result, borders)


def _train_on_cluster(request: Request, client: Any) -> FoldsResult:
    client = resolve_client(client)
    workers = ready_workers(client)
    addresses, source, rules = [worker.address for worker in workers], request.sources[0], request.cuts()
    on_disk = request.bins_on_disk
    require_room_to_send(source.parts, workers, on_disk, may_be_on_disk=request.may_be_on_disk)
    sets: list[QuantizedSet] = []
    with reported(client, label_of(request)) as report:
        setup = set_up_sets(request, [survey_set(client, source, addresses)])
        choose = choice(
            on_disk,
            lambda n_features: run_shape(setup, n_features, rules.most_borders),
            rules.cells,
            may_be_on_disk=request.may_be_on_disk,
            n_alike=setup.n_folds,
        )
        try:
            for pair in _sides(source, setup):
                # Where the bins of the first fold go, those of the others go too.
                decided = sets[0].on_disk if sets else on_disk
                sets += quantize_sets(client, pair, addresses, rules, on_disk=decided, choose=choose)
            setup = _of_sides(setup, [data.survey for data in sets])
            tell_about(report, request, setup)
            order = GangOrder(setup, request.heard(), request.asks, (), report=report)
            result = boost_on_gang(client, sets, order)
            tell_end(report, result)
        finally:
            for data in sets:
                data.release()
    if not isinstance(result, LockstepResult):
        raise TypeError("a plain fit was asked for")
    return finish_folds(request, setup, result, [data.borders for data in sets[::2]])


def _sides(source: Source, setup: Setup) -> list[list[Source]]:
    """The rows that each fold trains on, and those that it holds out."""
    asked = setup.folds
    if not isinstance(asked, RuleAsked):
        fix = "Name a splitter: folds=KFold(3, shuffle=True), or GroupKFold(3)."
        raise ParameterError("strict_borders", True, "folds that partitions can tell by themselves", fix)
    return [
        [
            Source(source.parts, _name(2 * fold + held_out), FoldSide(asked.rule, fold, held_out != asked.inverted))
            for held_out in (False, True)
        ]
        for fold in range(asked.n_folds)
    ]


def _name(number: int) -> str:
    """What errors call a side: rows trained on and rows held out take turns."""
    return f"fold {number // 2}, {_SIDES[number % 2]}"


def _of_sides(setup: Setup, surveys: Sequence[DataSurvey]) -> Setup:
    """The same for the sides of all folds, whose labels have codes of their own."""
    tables = [
        codes_for_classes(survey, setup.classes or (), name) if setup.of_classes else numbers_of_codes(survey, name)
        for name, survey in zip(map(_name, range(len(surveys))), surveys, strict=True)
    ]
    ranked = setup.ranked
    if ranked is not None:
        ranked = RankedSets(
            *(of_all * len(surveys) for of_all in (ranked.numbered, ranked.group_weighted, ranked.paired))
        )
    return replace(setup, label_of_code=tuple(tables), ranked=ranked, apart=True)
