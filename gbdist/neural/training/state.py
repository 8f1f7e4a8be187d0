"""Where a run of the network trainer is: all that is needed to go on from there, and how that travels and is kept."""

import json
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.models.history import LEARN, History, MetricTable

Vector = NDArray[np.floating[Any]]
#: First bytes of an encoded state; a change of what follows changes them.
_MAGIC = b"GBDNET01"


@dataclass(frozen=True, eq=False)
class Progress:
    """Parameters and optimizer after a step, and the sums of the epoch in hand.

    Parameters
    ----------
    flat : float32 or float64 [n_parameters], of the whole network
    moments : arrays like ``flat``, as many as the optimizer keeps
    step : int
        Steps made, over all epochs; those that were skipped because a number was not finite are not among them.
    loss_sum : float
        Of the batches of the epoch in hand: Σ rows × (mean loss + penalty).
    rows : float
        Rows of these batches; of those that were skipped, none.
    scale : float
        What losses are multiplied by with "fp16".
    good : int
        Steps since that number last changed.
    skipped : int
        Steps left out because a gradient was not finite.
    """

    flat: Vector
    moments: tuple[Vector, ...] = ()
    step: int = 0
    loss_sum: float = 0.0
    rows: float = 0.0
    scale: float = 1.0
    good: int = 0
    skipped: int = 0

    @property
    def mean_loss(self) -> float:
        """Mean loss of the rows of the epoch in hand, penalty included; NaN without any."""
        return self.loss_sum / self.rows if self.rows else float("nan")

    def copied(self) -> "Progress":
        """The same in arrays of its own."""
        return replace(self, flat=self.flat.copy(), moments=tuple(moment.copy() for moment in self.moments))


@dataclass(frozen=True, eq=False)
class TrainState:
    """A run between two steps.

    Parameters
    ----------
    progress : Progress
    epoch : int
        Epochs that are complete.
    batch : int
        Batches of the epoch in hand that are done.
    rate_factor : float
        What "adaptive" has left of the learning rate.
    loss_curve : tuple of float
        Mean training loss of each epoch.
    history : metrics of each eval set after each epoch
    best : float
        Best value of what decides, NaN before there is one; ``best_epoch`` counts from 0, −1 before.
    best_flat : the parameters then, where they are kept
    unimproved : int
        Epochs in a row that have not improved by ``tol``.
    stopped : str
        Why the run is over, "" while it is not: "iterations", "converged", "early_stopping" or "callback".
    """

    progress: Progress
    epoch: int = 0
    batch: int = 0
    rate_factor: float = 1.0
    loss_curve: tuple[float, ...] = ()
    history: History = field(default_factory=dict)
    best: float = float("nan")
    best_epoch: int = -1
    best_flat: Vector | None = None
    unimproved: int = 0
    stopped: str = ""

    @property
    def reached(self) -> tuple[int, int]:
        """How far the run is: states of one run are ordered by it."""
        return self.epoch, self.batch

    def metrics_of(self, epoch: int) -> MetricTable:
        """What was told of a complete epoch."""
        found: MetricTable = {LEARN: {"loss": self.loss_curve[epoch]}}
        for data_set, of_set in self.history.items():
            found[data_set] = {metric: values[epoch] for metric, values in of_set.items()}
        return found


_NUMBERS_OF_PROGRESS = [each.name for each in fields(Progress) if each.name not in ("flat", "moments")]
_NUMBERS_OF_STATE = [each.name for each in fields(TrainState) if each.name not in ("progress", "best_flat")]


def encode_state(state: TrainState) -> bytes:
    """A state as bytes, read without pickle: a line of JSON after the magic, then the arrays."""
    arrays = [state.progress.flat, *state.progress.moments, *([] if state.best_flat is None else [state.best_flat])]
    header = {
        "progress": {name: getattr(state.progress, name) for name in _NUMBERS_OF_PROGRESS},
        "state": {name: getattr(state, name) for name in _NUMBERS_OF_STATE},
        "moments": len(state.progress.moments),
        "best": state.best_flat is not None,
        "dtype": state.progress.flat.dtype.str,
        "size": state.progress.flat.size,
    }
    told = json.dumps(header).encode()
    return b"".join([_MAGIC, len(told).to_bytes(8, "little"), told, *(array.tobytes() for array in arrays)])


def decode_state(data: bytes) -> TrainState:
    """The state behind some bytes; ValueError for bytes that are none."""
    header, begin = _header(data)
    dtype, size = np.dtype(header["dtype"]), int(header["size"])
    count = 1 + header["moments"] + header["best"]
    if dtype.kind != "f" or len(data) != begin + count * size * dtype.itemsize:
        raise ValueError("the state of a network's run is damaged")
    arrays = [each.copy() for each in np.frombuffer(data, dtype, count * size, begin).reshape(count, size)]
    best = arrays.pop() if header["best"] else None
    numbers = header["state"]
    numbers["loss_curve"] = tuple(numbers["loss_curve"])
    progress = Progress(arrays[0], tuple(arrays[1:]), **header["progress"])
    return TrainState(progress, best_flat=best, **numbers)


def reached_of(data: bytes) -> tuple[int, int]:
    """How far an encoded state goes, without reading its arrays; ValueError for bytes that are none."""
    header, _ = _header(data)
    return int(header["state"]["epoch"]), int(header["state"]["batch"])


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """What stands before the arrays, and where these begin."""
    if data[:8] != _MAGIC:
        raise ValueError("not the state of a network's run")
    begin = 16 + int.from_bytes(data[8:16], "little")
    header: dict[str, Any] = json.loads(data[16:begin])
    return header, begin
