"""A network's fit with ``save_snapshot``: the state that it goes on from, and where the newest one is kept (decision 0042)."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from gbdist.boosting.events import Event, IterationDone
from gbdist.counted import EPOCHS
from gbdist.errors import SnapshotError
from gbdist.estimators.listeners import tell_steps
from gbdist.estimators.networks.parameters import Settings
from gbdist.estimators.networks.request import NetworkRequest
from gbdist.estimators.networks.setup import NetworkSetup
from gbdist.estimators.run_snapshots import RunSnapshots
from gbdist.neural.training.state import TrainState, decode_state, encode_state
from gbdist.snapshots.format import DamagedSnapshot
from gbdist.snapshots.identity import Identity, digest_of, plain
from gbdist.snapshots.store import Loaded

#: Seconds between two snapshots, as the trees', and the file where none is named.
INTERVAL: Final = 600
FILE: Final = "network.snapshot"

#: Parameters that change no network: what runs it and who is told. ``max_iter`` is apart.
_NO_PART: Final = frozenset(
    {
        "max_iter",
        "verbose",
        "warm_start",
        "task_type",
        "devices",
        "save_snapshot",
        "snapshot_file",
        "snapshot_interval",
    }
)
_ANEW: Final = "Give another snapshot_file to begin anew."


class NetworkCheckpoint(RunSnapshots):
    """The snapshots of one fit of a network."""

    counted = EPOCHS

    def __init__(self, path: str, interval: float) -> None:
        self._state: TrainState | None = None
        super().__init__(path, interval)

    def _read(self, loaded: Loaded) -> None:
        """See ``RunSnapshots``."""
        try:
            (record,) = loaded.content.records
            self._state = decode_state(record)
        except (ValueError, KeyError, TypeError):
            found = "what is not the state of a network's run"
            raise DamagedSnapshot(loaded.path, found, "a whole snapshot of a network", _ANEW) from None

    def _begin_with(self) -> tuple[Sequence[bytes], int]:
        """See ``RunSnapshots``."""
        return (), 0 if self._state is None else self._state.epoch

    def require(self, identity: Identity) -> None:
        """SnapshotError unless the run may go on from what there is; data are compared by ``begin``, or by the ranks."""
        self._require(identity)
        state, wanted = self._state, identity.iterations
        if state is not None and state.epoch > wanted and self._loaded is not None:
            fix = f"Raise max_iter to {state.epoch} or more, or give another snapshot_file to begin anew."
            found = f"{state.epoch} epochs, of which the last one is kept"
            raise SnapshotError(self._loaded.path, found, f"at most max_iter={wanted}", fix)

    @property
    def state(self) -> TrainState | None:
        """What the run goes on from; None for one that begins anew. A run that was ended may be gone on with."""
        state = self._state
        if state is None:
            return None
        over = state.stopped in ("converged", "early_stopping") or state.epoch >= self.identity.iterations
        return state if over else replace(state, stopped="")

    def hear(self, event: Event) -> bool:
        """Take the state after an epoch; never stops the run."""
        if isinstance(event, IterationDone) and isinstance(event.step, TrainState):
            self.take(encode_state(event.step), event.step.epoch)
        return False

    def take(self, record: bytes, epochs: int) -> None:
        """Take a state, encoded, after so many epochs."""
        if self._writer is not None:
            self._writer.replace(record, epochs)


def network_checkpoint_of(settings: Settings) -> NetworkCheckpoint | None:
    """The checkpoint that the settings ask for, or None. Raises SnapshotError for one that cannot be used."""
    if not settings["save_snapshot"]:
        return None
    interval = settings["snapshot_interval"]
    return NetworkCheckpoint(settings["snapshot_file"] or FILE, float(INTERVAL if interval is None else interval))


def compare(request: NetworkRequest, setup: NetworkSetup, checkpoint: NetworkCheckpoint | None) -> None:
    """SnapshotError if the run may not go on from its snapshot, as far as that can be seen before rows are encoded."""
    if checkpoint is not None:
        checkpoint.require(network_identity(request, setup))


def begin_of(request: NetworkRequest, setup: NetworkSetup, checkpoint: NetworkCheckpoint | None) -> TrainState | None:
    """Where a run goes on, from its snapshot or from a model; None where it begins anew. Listeners are told of a snapshot."""
    saved = None if checkpoint is None else checkpoint.state
    if saved is None or checkpoint is None:
        return None if request.start is None else request.start.begin(setup.params)
    tell_steps(request.listener, saved.epoch, checkpoint.path, EPOCHS)
    if request.callbacks is not None:
        request.callbacks.remember([saved.metrics_of(epoch) for epoch in range(saved.epoch)])
    return saved


def network_identity(request: NetworkRequest, setup: NetworkSetup) -> Identity:
    """What the client knows of a run; how columns are scaled shows in the values that ranks look at."""
    hashed = [position for position, _ in request.unbinned]
    numeric = [position for position in range(len(request.feature_names)) if position not in hashed]
    # In the order in which rows of a network are looked at.
    features = tuple(request.feature_names[position] for position in (*numeric, *hashed))
    return Identity(
        iterations=setup.params.max_iter,
        parameters=_parameters(request, setup),
        features=features,
        sets=tuple(zip(request.names(), setup.rows, strict=True)),
    )


def _parameters(request: NetworkRequest, setup: NetworkSetup) -> dict[str, Any]:
    values = {name: value for name, value in request.settings.values.items() if name not in _NO_PART}
    if setup.params.schedule == "cosine":  # the rate of every epoch depends on how many there are
        values["max_iter"] = setup.params.max_iter
    weights = setup.class_weights
    found = {
        **values,
        "batch_size": setup.params.batch_size,
        "class_weight": None if weights is None else weights.tolist(),
        "loss": setup.loss,
        "outputs": setup.n_outputs,
        "classes": [repr(name) for name in setup.classes or ()],
        "eval_metric": [str(metric.name) for metric in setup.params.metrics],
        "held_out": request.held_out,
        "cat_features": [request.feature_names[position] for position, _ in request.unbinned],
        "started from": None if request.start is None else digest_of(request.start.model.flat.tobytes()),
    }
    # As they come out of a file, so that equal ones are equal.
    written: dict[str, Any] = json.loads(json.dumps({name: plain(value) for name, value in found.items()}))
    return written
