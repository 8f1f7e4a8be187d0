"""One call of ``fit``: from what the user gave to a plain CatBoost model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from warnings import warn

from gbdist.boosting.events import Listener
from gbdist.boosting.loop import BoostResult
from gbdist.categories.combinations import MOST_COMBINATIONS
from gbdist.errors import ParameterError
from gbdist.estimators import local_run
from gbdist.estimators.clusters import ready_workers, require_room, resolve_client
from gbdist.estimators.columns import ColumnRules
from gbdist.estimators.devices import card_here, cards_of, devices_here, devices_of
from gbdist.estimators.gang_run import boost_on_gang, require_same_borders
from gbdist.estimators.initial import initial_model
from gbdist.estimators.listeners import callback_listener, tell_columns
from gbdist.estimators.parameters.aggregation import Aggregation
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.pipeline import quantize_sets, require_same_columns
from gbdist.estimators.preparation.quantized import QuantizedSet, row_bytes
from gbdist.estimators.request import Request
from gbdist.estimators.rounds_run import rounds_here, rounds_on_gang
from gbdist.estimators.setup import Setup, set_up
from gbdist.estimators.sources import Given, groups_of, pairs_in, sources_of
from gbdist.metrics.base import Metric
from gbdist.models.catboost_format import to_catboost
from gbdist.models.embeddings import note_dimensions
from gbdist.models.ensemble import Ensemble
from gbdist.models.history import History, TrainingRecord
from gbdist.models.merge import sum_of_parts, sum_with_initial
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.unbinned import HASHED, KINDS
from gbdist.rounds.loop import RankData, RoundsResult


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a fit leaves.

    Parameters
    ----------
    model : CatBoostClassifier or CatBoostRegressor
        With the trees of ``init_model`` in front, if there was one.
    ensemble : Ensemble or None
        The new trees alone, if they were grown here rather than by CatBoost.
    record : metrics after each tree, and which was best
    stopped : "iterations", "overfitting" or "callback"
    class_names : tuple or None
    labels : tuple or None
        Column labels of the frame that X is, None for arrays and pools.
    rows : rows of the data sets, the training set first
    """

    model: Any
    ensemble: Ensemble | None
    record: TrainingRecord
    stopped: str
    class_names: tuple[Any, ...] | None
    labels: tuple[Any, ...] | None
    rows: tuple[int, ...]


def train(
    X: Any,
    y: Any = None,
    *,
    parameters: Mapping[str, object],
    classifier: bool,
    sample_weight: Any = None,
    eval_sets: Sequence[Any] | None = None,
    eval_fraction: float | None = None,
    baseline: Any = None,
    group_id: Any = None,
    group_weight: Any = None,
    pairs: Any = None,
    init_model: Any = None,
    callbacks: Any = None,
    listener: Listener | None = None,
    client: Any = None,
    aggregation: Aggregation | None = None,
    cat_nan: str | None = None,
) -> TrainResult:
    """Train on X and y.

    Data in memory below 10 000 rows and 4 000 000 cells, eval sets included, are trained in this process; everything else on
    the cluster of ``client`` (a Client, an address, or None for the current one, else a local cluster's). The model is the
    same, bit for bit.

    Parameters
    ----------
    X, y, sample_weight, baseline, group_id : see ``inputs.collect``; X may be a DaskPool, which has the others
    group_weight, pairs : of a ranker; see ``DaskCatBoostRanker.fit``
    parameters : ``canonical``'s answer
    eval_sets : (X, y), (X, y, sample_weight), ``Given`` or DaskPool each
    eval_fraction : share of the rows to hold out as the only eval set
    init_model : CatBoost model or path to go on from
    callbacks : objects with ``after_iteration(info) -> bool``; called in this thread, may stop the run
    listener : hears every event in this thread
    aggregation : how rounds of native CatBoost are merged; None: exact training on histograms
    cat_nan : the text that stands for missing values in categorical columns; None: there may be none

    Raises
    ------
    ParameterError, DataError, ModelError, ClusterError
        Nothing is left on the cluster after an error.
    """
    given = Given(X, y, sample_weight, baseline, group_id, group_weight, pairs)
    columns = ColumnRules(parameters, aggregation is None, cat_nan)
    symmetric = parameters.get("grow_policy", "SymmetricTree") == "SymmetricTree"
    request = Request(
        parameters=parameters,
        classifier=classifier,
        pool=X if isinstance(X, DaskPool) else None,
        sources=sources_of(given, eval_sets or [], eval_fraction, columns),
        eval_pools=tuple((i, one) for i, one in enumerate(eval_sets or []) if isinstance(one, DaskPool)),
        initial=None if init_model is None else initial_model(init_model, symmetric=symmetric),
        listener=listener,
        callbacks=callback_listener(callbacks),
        aggregation=aggregation,
        columns=columns,
        groups=() if group_id is None else groups_of(given, eval_sets or [], of_models=aggregation is not None),
    )
    _refuse_start_of_columns(request)
    if request.pool is None and columns.by_type:
        tell_columns(listener, [request.feature_names[position] for position, _ in request.unbinned])
    if request.pool is not None:
        return _train_on_pool(request, request.pool)
    if not request.eval_pools and local_run.trains_here(request.sources):
        return _train_here(request)
    return _train_on_cluster(request, client)


def _refuse_start_of_columns(request: Request) -> None:
    """ParameterError for a model to go on from beside columns that are not binned."""
    if request.initial is None or request.pool is not None or not request.unbinned:
        return
    named = [parameter for parameter in KINDS.values() if request.columns.named(parameter)]
    what = named[0] if named else f"the categorical column {request.feature_names[request.unbinned[0][0]]!r}"
    expected = f"None with {what}: CatBoost cannot add such models up"
    raise ParameterError("init_model", "a model", expected, "Train anew, or go on with numeric columns alone.")


def _train_here(request: Request) -> TrainResult:
    _look_for_gpus(request)  # before any data are touched, here and on a cluster
    sets = local_run.survey_here(request.sources)
    setup = _set_up(request, [data.survey for data in sets])
    borders = local_run.borders_here(sets[0], request.cuts())
    rows = [local_run.rows_here(data, borders, request.initial, setup, i) for i, data in enumerate(sets)]
    listeners = [one for one in (request.listener, request.callbacks) if one is not None]
    if isinstance(setup.resolved, ResolvedRounds):
        data = RankData(rows[0], tuple(rows[1:]), borders, request.feature_names)
        return _finish_rounds(request, setup, rounds_here(data, setup, listeners, request.callbacks is not None))
    pairs = pairs_in(request.groups)
    result = local_run.boost_here(rows, borders, setup, listeners, request.callbacks is not None, pairs)
    return _finish(request, setup, result, borders)


def _train_on_cluster(request: Request, client: Any) -> TrainResult:
    client = resolve_client(client)
    workers = ready_workers(client)
    addresses = [worker.address for worker in workers]
    cards = _look_for_gpus(request, client, addresses)
    parts = request.sources[0].parts
    if not parts.lazy and parts.n_rows is not None:
        hashed = sum(kind == HASHED for _, kind in parts.unbinned)
        n_bytes = row_bytes(len(parts.feature_names) - len(parts.unbinned), False, False, 0, hashed)
        require_room(parts.n_rows, n_bytes, workers, "X")
    setups: list[Setup] = []

    def check(surveys: Sequence[DataSurvey]) -> None:
        first = surveys[0]
        require_room(first.n_rows, len(first.names) + 4 + first.unbinned_row_bytes, workers, "X")
        pooled = [pool.data.survey for _, pool in request.eval_pools]
        setups.append(_set_up(request, [surveys[0], *request.in_order(surveys[1:], pooled)]))

    rules = request.cuts()
    made = quantize_sets(client, request.sources, addresses, rules, initial=request.initial, check=check, cards=cards)
    try:
        evals = request.in_order(made[1:], [pool.data for _, pool in request.eval_pools])
        return _boost(request, client, setups[0], [made[0], *evals])
    finally:
        for data in made:
            data.release()


def _look_for_gpus(request: Request, client: Any = None, workers: Sequence[str] = ()) -> dict[str, int]:
    """GPUs to quantize on, by worker. ClusterError for a worker, or without a client this process, that lacks one asked for."""
    task_type = str(request.parameters.get("task_type", "CPU"))
    devices: Any = request.parameters.get("devices")
    if request.aggregation is not None:
        if client is None:
            devices_here(task_type, devices)
        else:
            devices_of(client, workers, task_type, devices)
        return {}
    if client is None:
        card_here(task_type, devices)
        return {}
    cards = cards_of(client, workers, task_type, devices)
    return {address: card.number for address, card in zip(workers, cards, strict=True) if card is not None}


def _train_on_pool(request: Request, pool: DaskPool) -> TrainResult:
    if request.initial is not None:
        raise ParameterError(
            "init_model", "a model", "None with a DaskPool, which keeps no raw values", "Pass the raw collection as X."
        )
    pool.settle()
    cards = _look_for_gpus(request, pool.client, pool.data.members)
    pooled = [one.data for _, one in request.eval_pools]
    setups: list[Setup] = []

    def check(surveys: Sequence[DataSurvey]) -> None:
        evals = request.in_order(surveys, [data.survey for data in pooled])
        setups.append(_set_up(request, [pool.data.survey, *evals]))

    made: list[QuantizedSet] = []
    if request.sources:
        made = quantize_sets(pool.client, request.sources, pool.data.members, pool.known, check=check, cards=cards)
    else:
        check([])
    try:
        return _boost(request, pool.client, setups[0], [pool.data, *request.in_order(made, pooled)])
    finally:
        for data in made:
            data.release()


def _set_up(request: Request, surveys: Sequence[DataSurvey]) -> Setup:
    names = request.names()
    for name, survey in zip(names, surveys, strict=True):
        require_same_columns(name, survey, surveys[0])
    return set_up(
        request.parameters, request.classifier, surveys, names, request.initial, request.aggregation, request.groups
    )


def _boost(request: Request, client: Any, setup: Setup, sets: Sequence[QuantizedSet]) -> TrainResult:
    for name, data in zip(request.names(), sets, strict=True):
        require_same_borders(name, data, sets[0])
    if isinstance(setup.resolved, ResolvedRounds):
        found = rounds_on_gang(
            client, sets, setup, request.feature_names, request.heard(), request.callbacks is not None
        )
        return _finish_rounds(request, setup, found)
    pairs = pairs_in(request.groups)
    result = boost_on_gang(client, sets, setup, request.heard(), request.callbacks is not None, pairs)
    return _finish(request, setup, result, sets[0].borders)


def _finish(request: Request, setup: Setup, result: BoostResult, borders: tuple[FeatureBorders, ...]) -> TrainResult:
    if result.left_out:
        _warn_of_combinations(result.left_out)
    names, options = request.feature_names, setup.resolved.options
    ensemble = Ensemble(result.trees, borders, result.bias, names, setup.classes, options, result.categories)
    record = _record(setup, result)
    return _train_result(request, setup, to_catboost(ensemble, record), ensemble, record, result.stopped)


def _warn_of_combinations(left_out: int) -> None:
    warn(
        f"{left_out} combinations of categorical columns did not compete: at most {MOST_COMBINATIONS} do at a level of a tree. "
        "Lower max_ctr_complexity, or name fewer columns in cat_features.",
        stacklevel=5,
    )


def _finish_rounds(request: Request, setup: Setup, result: RoundsResult) -> TrainResult:
    names, record = request.feature_names, _record(setup, result)
    model = sum_of_parts(result.parts, result.bias, names, setup.classes, setup.resolved.options, record)
    note_dimensions(model, {names.index(each.name): each.dimension for each in setup.unbinned if each.dimension})
    return _train_result(request, setup, model, None, record, result.stopped)


def _record(setup: Setup, result: BoostResult | RoundsResult) -> TrainingRecord:
    scores = best_scores(result.history, setup.resolved.metrics)
    return TrainingRecord(result.scores, result.best_iteration, scores, setup.rows[0])


def _train_result(
    request: Request, setup: Setup, model: Any, ensemble: Ensemble | None, record: TrainingRecord, stopped: str
) -> TrainResult:
    if request.initial is not None:
        model = sum_with_initial(request.initial.model(), model)
    return TrainResult(
        model=model,
        ensemble=ensemble,
        record=record,
        stopped=stopped,
        class_names=setup.classes,
        labels=None if request.pool is not None else request.sources[0].parts.labels,
        rows=setup.rows,
    )


def best_scores(history: History, metrics: Sequence[Metric]) -> dict[str, dict[str, float]]:
    """Best value of every metric on every data set, whichever direction is better."""
    best = {metric.name: max if metric.is_max_optimal else min for metric in metrics}
    return {
        data_set: {name: best[name](values) for name, values in of_set.items() if values}
        for data_set, of_set in history.items()
    }
