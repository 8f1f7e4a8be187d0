"""Networks on a cluster: data are surveyed, scaled and placed by the trees' preparation, and trained on by a gang."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from distributed import Client

from gbdist.counted import EPOCHS
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.devices import cards_of
from gbdist.estimators.needs import RunShape
from gbdist.estimators.networks.checkpoint import NetworkCheckpoint, begin_of, compare
from gbdist.estimators.networks.gang_run import NetworkRun
from gbdist.estimators.networks.outcome import Encoded, NetworkResult, finish_network
from gbdist.estimators.networks.request import NetworkRequest
from gbdist.estimators.networks.setup import NetworkSetup, set_up_network
from gbdist.estimators.networks.shape import spec_of, vector_length
from gbdist.estimators.networks.training_gang import NetworkOrder, train_on_gang
from gbdist.estimators.placing import choice, require_room_to_send
from gbdist.estimators.preparation.pipeline import Choice, quantize_sets
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.run_gang import Audience
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.state import encode_state
from gbdist.neural.training.strategies.groups import check_model_ranks
from gbdist.quantize.cells import NUMBERS
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist_cluster.monitor.reporting import RunReport, reported
from gbdist_cluster.placement import Placement
from gbdist_cluster.versions import WorkerFacts

_STOPS = {
    "converged": "the training loss got no better",
    "early_stopping": "the eval set's metric got no better",
    "callback": "a callback asked for it",
}
#: What memory is reckoned with for a column of which it is not known how many categories it has.
_CATEGORIES = 1_000


def train_on_cluster(request: NetworkRequest, client: Any, checkpoint: NetworkCheckpoint | None) -> NetworkResult:
    """Train on the cluster of ``client`` (a Client, an address, or None for the current one, else a local cluster's).

    Nothing is left there after an error.
    """
    client = resolve_client(client)
    workers = ready_workers(client)
    if request.profile is not None:
        request.profile.follow(client)
    addresses = [worker.address for worker in workers]
    cards_of(client, addresses, request.settings["task_type"], request.settings["devices"])
    require_room_to_send(request.sources[0].parts, workers, False, may_be_on_disk=False, cells=NUMBERS)
    setups: list[NetworkSetup] = []

    def check(surveys: Sequence[DataSurvey]) -> None:
        setups.append(set_up_network(request, surveys))
        compare(request, setups[-1], checkpoint)

    with reported(client, label_of(request)) as report:
        made = quantize_sets(
            client,
            request.sources,
            addresses,
            request.scaling(),
            check=check,
            on_disk=False,
            choose=_choice(request, setups),
        )
        try:
            return _train(request, client, setups[-1], made, checkpoint, report)
        finally:
            for data in made:
                data.release()


def label_of(request: NetworkRequest) -> str:
    """What a run is called on the board."""
    return "DaskMLPClassifier" if request.classifier else "DaskMLPRegressor"


def _choice(request: NetworkRequest, setups: Sequence[NetworkSetup]) -> Choice:
    """Refuses what fits into no memory, and strategies that the workers do not fit."""

    def shape(n_numeric: int) -> RunShape:
        return _room(request, setups[-1], n_numeric)

    fits = choice(False, shape, NUMBERS, may_be_on_disk=False)

    def choose(placed: Sequence[tuple[DataSurvey, Placement, int]], workers: Sequence[WorkerFacts]) -> bool:
        survey, placement, _ = placed[0]
        outline = _outline(request, setups[-1], len(survey.names))
        check_model_ranks(setups[-1].params.strategy, outline, len(placement.members))
        return fits(placed, workers)

    return choose


def _outline(request: NetworkRequest, setup: NetworkSetup, n_numeric: int) -> NetworkSpec:
    """The network as far as it is known before columns are looked at."""
    settings, n_hashed = request.settings, len(request.unbinned)
    embedding = settings["numeric_embedding"] if n_numeric else "none"
    return NetworkSpec(
        n_numeric=n_numeric,
        hidden=settings["hidden_layer_sizes"],
        n_outputs=setup.n_outputs,
        loss=setup.loss,
        categories=(_CATEGORIES,) * n_hashed,
        category_sizes=(vector_length(_CATEGORIES),) * n_hashed,
        numeric_embedding=embedding,
        embedding_size=settings["embedding_size"] if embedding != "none" else 1,
    )


def _room(request: NetworkRequest, setup: NetworkSetup, n_numeric: int) -> RunShape:
    outline = _outline(request, setup, n_numeric)
    width = n_numeric * outline.embedding_size + sum(outline.category_sizes)
    dense = sum(before * after for before, after in pairwise((width, *outline.hidden, outline.n_outputs)))
    tables = sum(count * size for count, size in zip(outline.categories, outline.category_sizes, strict=True))
    strategy = request.settings.strategy
    under_way = strategy.staleness if strategy.kind == "async" else 0
    return RunShape.of_network(setup.n_outputs, len(outline.categories), dense + tables, under_way)


def _train(
    request: NetworkRequest,
    client: Client,
    setup: NetworkSetup,
    sets: Sequence[QuantizedSet],
    checkpoint: NetworkCheckpoint | None,
    report: RunReport,
) -> NetworkResult:
    report.about(label_of(request), setup.rows[0], len(request.feature_names), setup.params.max_iter, EPOCHS)
    scales = sets[0].scales
    if request.profile is not None:
        request.profile.train(len(request.feature_names))
    known = request.known_vocabularies
    order = NetworkOrder(
        setup=setup,
        network=spec_of(request, setup, scales, known or ()),
        vocabularies=known,
        room=_room(request, setup, len(scales)),
        start=begin_of(request, setup, checkpoint),
        checkpoint=checkpoint,
        task_type=request.settings["task_type"],
        devices=request.settings["devices"],
        audience=Audience(request.heard(), request.callbacks is not None, checkpoint, report, request.profile),
    )
    run = train_on_gang(client, sets, order)
    if checkpoint is not None:
        checkpoint.take(encode_state(run.state), run.state.epoch)
    _tell_end(report, run)
    if request.profile is not None:
        request.profile.mark("the model")
    return finish_network(request, setup, Encoded(run.network, scales, run.vocabularies, run.scale), run.state)


def _tell_end(report: RunReport, run: NetworkRun) -> None:
    """Tell how many epochs there were, and why the run stopped before its last one, if it did."""
    report.grown(run.state.epoch)
    if run.state.stopped in _STOPS:
        report.note("stopped", _STOPS[run.state.stopped])
