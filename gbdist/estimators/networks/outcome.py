"""From where a run ended to what a fit leaves: a network with its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from warnings import warn

from sklearn.exceptions import ConvergenceWarning

from gbdist.estimators.networks.model import NetworkModel, NetworkRecord
from gbdist.estimators.networks.request import NetworkRequest
from gbdist.estimators.networks.setup import NetworkSetup
from gbdist.estimators.networks.targets import TargetScale
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.network.vocabulary import Vocabulary
from gbdist.neural.training.state import TrainState
from gbdist.quantize.scales import ColumnScale


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """What a fit leaves: the model, and the state from which ``partial_fit`` goes on."""

    model: NetworkModel
    state: TrainState


@dataclass(frozen=True, eq=False)
class Encoded:
    """How columns and targets were encoded, and the network that takes them."""

    spec: NetworkSpec
    scales: Sequence[ColumnScale]
    vocabularies: Sequence[Vocabulary]
    target_scale: TargetScale


def finish_network(request: NetworkRequest, setup: NetworkSetup, encoded: Encoded, state: TrainState) -> NetworkResult:
    """What a fit leaves, with scikit-learn's warning where it was over before it had converged."""
    if state.stopped == "iterations" and _may_go_on(request, setup):
        warn(
            f"Stochastic Optimizer: Maximum iterations ({setup.params.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
            stacklevel=4,
        )
    kept = state.progress.flat if state.best_flat is None else state.best_flat
    source = request.sources[0].parts
    model = NetworkModel(
        spec=encoded.spec,
        flat=kept.copy(),
        scales=tuple(encoded.scales),
        vocabularies=tuple(encoded.vocabularies),
        names=source.feature_names,
        hashed=tuple(position for position, _ in request.unbinned),
        labels=source.labels,
        cat_nan=request.columns.cat_nan,
        classes=setup.classes,
        target_scale=encoded.target_scale,
        record=_record(request, setup, state),
    )
    return NetworkResult(model, state)


def _record(request: NetworkRequest, setup: NetworkSetup, state: TrainState) -> NetworkRecord:
    """How the network was trained; ``loss_curve_`` and ``t_`` go on from a fit before, as scikit-learn's do."""
    before, begun, curve = NetworkRecord(), 0, state.loss_curve
    if request.start is not None:
        before = request.start.model.record
        if request.start.state is None:
            curve = before.loss_curve + curve
        else:
            begun = request.start.state.epoch
    epochs = state.epoch - begun
    early = state.best_flat is not None
    return NetworkRecord(
        loss_curve=curve,
        history=state.history,
        best_epoch=state.best_epoch if early else -1,
        best=state.best,
        epochs=epochs,
        rows_seen=before.rows_seen + epochs * setup.rows[0],
        stopped=state.stopped,
    )


def _may_go_on(request: NetworkRequest, setup: NetworkSetup) -> bool:
    """Whether more epochs are something that a user may want: not of a rate that has come to its end, nor of single epochs."""
    return setup.params.schedule != "cosine" and not request.one_epoch
