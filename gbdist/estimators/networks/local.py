"""Networks on small data in memory are trained in this process, by the same steps as on a cluster."""

from collections.abc import Sequence
from dataclasses import replace

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.control import FREE, Control, Free
from gbdist.estimators.cores import cores
from gbdist.estimators.devices import card_here
from gbdist.estimators.local_run import encodings_here, survey_here
from gbdist.estimators.networks.checkpoint import NetworkCheckpoint, begin_of, compare
from gbdist.estimators.networks.data import network_rows_here
from gbdist.estimators.networks.outcome import Encoded, NetworkResult, finish_network
from gbdist.estimators.networks.request import NetworkRequest
from gbdist.estimators.networks.setup import NetworkSetup, set_up_network
from gbdist.estimators.networks.shape import spec_of, useful_threads
from gbdist.estimators.networks.targets import target_scale, with_scaled_targets
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.loop import train
from gbdist.neural.training.state import TrainState
from gbdist.quantize.cells import scales_in
from gbdist.snapshots.digest import network_digest


def train_here(request: NetworkRequest, checkpoint: NetworkCheckpoint | None) -> NetworkResult:
    """Train on one rank: this process. Raises what ``train_network`` raises."""
    settings = request.settings
    card = card_here(settings["task_type"], settings["devices"])  # before any data are touched
    sets = survey_here(request.sources)
    surveys = [data.survey for data in sets]
    setup = set_up_network(request, surveys)
    compare(request, setup, checkpoint)
    scales = scales_in(encodings_here(sets[0], request.scaling()))
    rows, vocabularies = network_rows_here(
        sets, scales, setup.label_of_code, setup.class_weights, setup.loss, request.known_vocabularies
    )
    if checkpoint is not None:
        checkpoint.begin(network_digest(rows, SingleRank()))
    spec = spec_of(request, setup, scales, vocabularies)
    scale = target_scale(rows[0], SingleRank(), setup.target_scale)
    params = replace(
        setup.params,
        target_scale=scale,
        card=card,
        threads=min(cores(), useful_threads(setup.params.batch_size, spec)),
        listeners_may_stop=request.callbacks is not None,
    )
    setup = replace(setup, params=params)
    state = _train(request, [with_scaled_targets(each, scale) for each in rows], spec, setup, checkpoint)
    return finish_network(request, setup, Encoded(spec, scales, vocabularies, scale), state)


def _train(
    request: NetworkRequest,
    rows: Sequence[NetworkRows],
    spec: NetworkSpec,
    setup: NetworkSetup,
    checkpoint: NetworkCheckpoint | None,
) -> TrainState:
    spans = None if request.profile is None else request.profile.here(rows[0].n_rows, len(request.feature_names))
    control: Control = FREE if spans is None else Free(spans)
    # The checkpoint hears of an epoch before a callback may end the run with an error.
    listeners = [one for one in (checkpoint, request.listener, request.callbacks) if one is not None]
    start = begin_of(request, setup, checkpoint)
    try:
        state = train(rows[0], rows[1:], spec, setup.params, SingleRank(), listeners, start, control)
    finally:
        if spans is not None:
            spans.flush()
    if state is None:
        raise RuntimeError("a run ended that nobody has ended")
    return state
