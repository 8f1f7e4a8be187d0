"""One call of ``fit``: from what the user gave to a plain CatBoost model."""

from collections.abc import Mapping, Sequence
from typing import Any

from gbdist.boosting.events import Listener
from gbdist.boosting.lockstep import LockstepResult
from gbdist.errors import ParameterError
from gbdist.estimators import local_run
from gbdist.estimators.checkpoint import checkpoint_of, run_identity
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.columns import ColumnRules
from gbdist.estimators.devices import card_here, cards_of, devices_here, devices_of
from gbdist.estimators.gang_run import require_same_borders
from gbdist.estimators.initial import initial_model
from gbdist.estimators.listeners import callback_listener, tell_columns, tell_steps
from gbdist.estimators.on_board import label_of, tell_about, tell_end
from gbdist.estimators.outcome import FoldsResult, TrainResult, finish, finish_folds, finish_rounds
from gbdist.estimators.parameters.aggregation import Aggregation
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds
from gbdist.estimators.placing import choice, require_room_again, require_room_to_send, run_shape
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.pipeline import quantize_sets, require_same_columns
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.profile import profile_of
from gbdist.estimators.request import Request
from gbdist.estimators.rounds_run import rounds_here, rounds_on_gang
from gbdist.estimators.setup import Setup, set_up
from gbdist.estimators.sources import Given, groups_of, pairs_in, sources_of
from gbdist.estimators.training_gang import GangOrder, boost_on_gang
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import borders_in
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.unbinned import KINDS
from gbdist.rounds.loop import RankData
from gbdist_cluster.monitor.reporting import RunReport, reported


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
    on_disk: bool | None = False,
    profile: Any = None,
    title: str = "fit",
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
    on_disk : whether bins lie on the workers' disks; None: where they do not fit into memory
    profile : folder for a timeline of the run, which calls it ``title``; None: nobody looks where time goes

    Raises
    ------
    ParameterError, DataError, ModelError, SnapshotError, ClusterError
        Nothing is left on the cluster after an error.
    """
    profiled = profile_of(profile, title, histograms=aggregation is None)
    checkpoint = checkpoint_of(parameters) if aggregation is None else None
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
        checkpoint=checkpoint,
        on_disk=on_disk,
        profile=profiled,
    )
    try:
        found = run(request, client)
    finally:
        if profiled is not None:
            profiled.write()
        if checkpoint is not None:
            checkpoint.close()
    if not isinstance(found, TrainResult):
        raise TypeError("folds were not asked for")
    return found


def run(request: Request, client: Any) -> TrainResult | FoldsResult:
    """Do what was asked for, in this process or on a cluster; see ``train``."""
    _refuse_start_of_columns(request)
    request.refuse_disk([pool for _, pool in request.eval_pools])
    if request.pool is None and request.columns.by_type:
        tell_columns(request.listener, [request.feature_names[position] for position, _ in request.unbinned])
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


def _train_here(request: Request) -> TrainResult | FoldsResult:
    look_for_gpus(request)  # before any data are touched, here and on a cluster
    sets = local_run.survey_here(request.sources)
    setup = set_up_sets(request, [data.survey for data in sets])
    borders = borders_in(local_run.encodings_here(sets[0], request.cuts()))
    _compare(request, setup, borders)
    rows = [local_run.rows_here(data, borders, request.initial, setup, i) for i, data in enumerate(sets)]
    listeners, may_stop = request.listeners, request.callbacks is not None
    if isinstance(setup.resolved, ResolvedRounds):
        data = RankData(rows[0], tuple(rows[1:]), borders, request.feature_names)
        return finish_rounds(request, setup, rounds_here(data, setup, listeners, may_stop))
    pairs = pairs_in(request.groups)
    if setup.folds is not None:
        together = local_run.folds_here(rows[0], borders, setup.folds, setup, listeners, may_stop, pairs)
        return finish_folds(request, setup, together, [borders] * setup.n_folds)
    _tell_steps(request)
    spans = None if request.profile is None else request.profile.here(rows[0].n_rows, len(request.feature_names))
    result = local_run.boost_here(rows, borders, setup, listeners, may_stop, pairs, request.checkpoint, spans)
    return finish(request, setup, result, borders)


def _train_on_cluster(request: Request, client: Any) -> TrainResult | FoldsResult:
    client = resolve_client(client)
    workers = ready_workers(client)
    if request.profile is not None:
        request.profile.follow(client)
    addresses = [worker.address for worker in workers]
    cards = look_for_gpus(request, client, addresses)
    on_disk = request.bins_on_disk
    require_room_to_send(request.sources[0].parts, workers, on_disk, may_be_on_disk=request.may_be_on_disk)
    setups: list[Setup] = []

    def check(surveys: Sequence[DataSurvey]) -> None:
        setups.append(set_up_sets(request, request.of_sets(surveys, lambda pool: pool.data.survey)))

    rules = request.cuts()
    choose = choice(
        on_disk,
        lambda n_features: run_shape(setups[-1], n_features, rules.most_borders, request.n_folds),
        rules.cells,
        may_be_on_disk=request.may_be_on_disk,
    )
    with reported(client, label_of(request)) as report:
        made = quantize_sets(
            client,
            request.sources,
            addresses,
            rules,
            initial=request.initial,
            check=check,
            cards=cards,
            on_disk=on_disk,
            choose=choose,
        )
        try:
            return _boost(request, client, setups[-1], request.of_sets(made, lambda pool: pool.data), report)
        finally:
            for data in made:
                data.release()


def look_for_gpus(request: Request, client: Any = None, workers: Sequence[str] = ()) -> dict[str, int]:
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


def _train_on_pool(request: Request, pool: DaskPool) -> TrainResult | FoldsResult:
    if request.initial is not None:
        raise ParameterError(
            "init_model", "a model", "None with a DaskPool, which keeps no raw values", "Pass the raw collection as X."
        )
    pool.settle()
    if request.profile is not None:
        request.profile.follow(pool.client)
    request.refuse_disk([pool])
    cards = look_for_gpus(request, pool.client, pool.data.members)
    setups: list[Setup] = []

    def check(surveys: Sequence[DataSurvey]) -> None:
        setups.append(set_up_sets(request, request.of_sets(surveys, lambda one: one.data.survey)))

    made: list[QuantizedSet] = []
    if request.folds is not None:
        check([])
        most = max((len(one.values) for one in pool.borders), default=0)
        shape = run_shape(setups[-1], len(pool.borders), most, request.n_folds)
        require_room_again([pool.data], shape, ready_workers(pool.client))
    with reported(pool.client, label_of(request)) as report:
        try:
            if request.sources:
                members, known, on_disk = pool.data.members, pool.known, request.bins_on_disk
                made = quantize_sets(
                    pool.client, request.sources, members, known, check=check, cards=cards, on_disk=on_disk
                )
            else:
                check([])
            return _boost(request, pool.client, setups[-1], request.of_sets(made, lambda one: one.data), report)
        finally:
            for data in made:
                data.release()


def set_up_sets(request: Request, surveys: Sequence[DataSurvey]) -> Setup:
    """What the facts of all data sets of a request and its parameters decide together.

    Raises what ``set_up`` does, DataError for an eval set of other columns, and SnapshotError.
    """
    names = request.names()
    for name, survey in zip(names, surveys, strict=True):
        require_same_columns(name, survey, surveys[0])
    setup = set_up(
        request.parameters,
        request.classifier,
        surveys,
        names,
        request.initial,
        request.aggregation,
        request.groups,
        request.folds,
    )
    _compare(request, setup)
    return setup


def _compare(request: Request, setup: Setup, borders: Sequence[FeatureBorders] = ()) -> None:
    """SnapshotError if the run may not go on from its snapshot, as far as that can be seen yet."""
    if request.checkpoint is not None:
        identity = run_identity(setup, request.names(), request.feature_names, request.initial, borders)
        request.checkpoint.require(identity, int(identity.parameters["metric_period"]))


def _tell_steps(request: Request) -> None:
    """Say what the run goes on from, and let callbacks have the history of it."""
    steps = () if request.checkpoint is None else request.checkpoint.steps
    if request.checkpoint is not None and steps:
        tell_steps(request.listener, len(steps), request.checkpoint.path)
        if request.callbacks is not None:
            request.callbacks.remember([step.metrics for step in steps])


def _boost(
    request: Request, client: Any, setup: Setup, sets: Sequence[QuantizedSet], report: RunReport
) -> TrainResult | FoldsResult:
    for name, data in zip(request.names(), sets, strict=True):
        require_same_borders(name, data, sets[0])
    tell_about(report, request, setup)
    if isinstance(setup.resolved, ResolvedRounds):
        found = rounds_on_gang(client, sets, setup, request.feature_names, request.heard(), request.asks, report)
        tell_end(report, found)
        return finish_rounds(request, setup, found)
    _compare(request, setup, sets[0].borders)
    _tell_steps(request)
    if request.profile is not None:
        request.profile.train(len(request.feature_names))
    order = GangOrder(
        setup, request.heard(), request.asks, pairs_in(request.groups), request.checkpoint, report, request.profile
    )
    result = boost_on_gang(client, sets, order)
    tell_end(report, result)
    if isinstance(result, LockstepResult):
        return finish_folds(request, setup, result, [sets[0].borders] * setup.n_folds)
    return finish(request, setup, result, sets[0].borders)
