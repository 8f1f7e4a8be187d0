"""Weights of 8 or 16 bits, and a bound on what that changes in each prediction."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.networks.prune import require_network, with_model
from gbdist.errors import ModelError, ParameterError
from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.networks.inputs import read_inputs
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.networks.prediction import NETWORK, Table
from gbdist.estimators.networks.weights import KINDS, SmallWeights, rounded_weights
from gbdist.estimators.prediction.answers import answer
from gbdist.estimators.prediction.questions import column_names_of
from gbdist.neural.network.blocks import Batch, Block
from gbdist.neural.network.inputs import Inputs
from gbdist.neural.network.layers import Dense
from gbdist.neural.network.network import Network

#: The steepest slope of each activation: silu's is at 2.3994.
_SLOPES: Final = {"identity": 1.0, "logistic": 0.25, "tanh": 1.0, "relu": 1.0, "silu": 1.0999}
#: Rows at a time.
_ROWS: Final = 1024


def quantize_network(estimator: DaskMLP, weights: str = "int8") -> DaskMLP:
    """A network whose matrices and tables have fewer bits, in its file and in what it predicts; the one given stays as it is.

    ``save_model`` of the result writes the small file, and ``load_model`` gives the same predictions back. They are computed in
    float64 as before: the file, and what travels to workers, is what becomes smaller. ``prediction_bounds`` says how far each
    prediction may be from what it was. ``fit`` and ``partial_fit`` train full weights again.

    Parameters
    ----------
    estimator : fitted DaskMLPClassifier or DaskMLPRegressor
    weights : "int8" or "fp16"
        Multiples of a step of each unit, or the nearest float16; see ``rounded_weights``.

    Raises
    ------
    ParameterError
        ``weights`` is something else.
    ModelError
        The weights are rounded already, or fp16 cannot hold one of them.
    sklearn.exceptions.NotFittedError
    """
    require_network(estimator)
    if weights not in KINDS:
        raise ParameterError("weights", weights, " or ".join(map(repr, KINDS)), "int8 is the smaller one.")
    model: NetworkModel = estimator._fitted()
    if model.small is not None:
        problem = f"The network's weights are rounded to {model.small.kind} already"
        raise ModelError(problem, "Round the network that was trained: rounding twice adds up.")
    small = rounded_weights(model.spec, model.flat, weights)
    return with_model(estimator, replace(model, flat=small.flat(model.spec), small=small))


def prediction_bounds(estimator: DaskMLP, X: Any) -> Any:
    """How far each raw output of a rounded network is at most from that of the network before rounding.

    In the unit of ``predict_raw``, and of its shapes; lazily on a Dask collection. It needs the rounded network alone: errors of
    weights are carried through the layers by their sizes, so that the bound holds for every row whatever the signs are, up to
    the rounding of float64. What is measured is mostly far less. ModelError for a network whose weights are not rounded.
    """
    require_network(estimator)
    if estimator._fitted().small is None:
        fix = "quantize_network(estimator) gives one whose are."
        raise ModelError("The network's weights are not rounded: there is nothing to be told", fix)
    return answer(estimator.model_, X, NetworkBounds(), estimator._expected(), family=NETWORK)


@dataclass(frozen=True)
class NetworkBounds:
    """How far raw outputs may be off; a ``Question``."""

    def ask(self, model: NetworkModel, table: Table, threads: int) -> NDArray[np.float64]:
        """float64 [n_rows] for one raw output, else [n_rows, n_outputs]."""
        if model.small is None:
            raise TypeError("was checked")
        numeric, codes = read_inputs(table.rows, table.expected, model.inputs, table.number)
        bounds = bounds_of(model, model.small, numeric.astype(np.float64), codes)
        return bounds[:, 0] if bounds.shape[1] == 1 else bounds

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """Numbers."""
        return column_names_of((), tail[-1])


def bounds_of(
    model: NetworkModel, small: SmallWeights, numeric: NDArray[np.float64], codes: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Bounds, float64 [n_rows, n_outputs], for scaled numbers and codes of categories; in the targets' own unit.

    With |W − W'| ≤ D and |x − x'| ≤ e, unit by unit |xW − x'W'| ≤ e (|W'| + D) + |x'| D, and of lengths of vectors
    ‖xW − x'W'‖ ≤ ‖e‖ (‖W'‖ + ‖W − W'‖) + ‖x'‖ ‖W − W'‖ with the largest singular values of matrices. Where a layer is wide the
    second is far less, so both are carried along, and each is cut by the other. An activation multiplies them by its slope.
    """
    network = Network(model.spec, "float64")
    layers = _layers(network, model.flat.astype(np.float64), small)
    batch = Batch.to_predict(numeric, codes)
    out = np.empty((batch.n_rows, model.spec.n_outputs))
    for begin in range(0, batch.n_rows, _ROWS):
        rows = slice(begin, begin + _ROWS)
        out[rows] = _through(network, layers, batch.some(rows))
    return out * [spread for _, spread in model.target_scale] if model.target_scale else out


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A block with its parameters, and what each of them may be off by.

    Of a dense one, ``largest`` are the sizes that weights may have had, ``columns`` their lengths by unit, ``stretch`` the
    largest singular value that the matrix may have had, ``lost`` that of what it is off by.
    """

    block: Block
    parameters: list[NDArray[np.float64]]
    off: list[NDArray[np.float64]]
    largest: NDArray[np.float64]
    columns: NDArray[np.float64]
    stretch: float
    lost: float


def _layers(network: Network, flat: NDArray[np.float64], small: SmallWeights) -> list[_Layer]:
    errors = small.errors(network.spec)
    layers = []
    for block, slots in network.blocks:
        parameters, off = ([slot.of(each) for slot in slots] for each in (flat, errors))
        nothing = np.empty((0, 0))
        if isinstance(block, Dense):
            lost = float(small.lost[block.shape.layer])
            largest = np.abs(parameters[0]) + off[0]
            stretch = float(np.linalg.norm(parameters[0], 2)) + lost
            layers.append(_Layer(block, parameters, off, largest, np.linalg.norm(largest, axis=0), stretch, lost))
        else:
            layers.append(_Layer(block, parameters, off, nothing, nothing, 0.0, 0.0))
    return layers


def _through(network: Network, layers: list[_Layer], batch: Batch) -> NDArray[np.float64]:
    """Bounds on the outputs of one batch."""
    x: Any = network.given(batch)
    bound = np.zeros((batch.n_rows, network.spec.n_numeric))
    length = np.zeros(batch.n_rows)
    for layer in layers:
        made, _ = layer.block.forward(layer.parameters, x, batch.numbers, None)
        if isinstance(layer.block, Inputs):
            bound = _embedded(layer.block, network, layer.off, x)
            length = np.linalg.norm(bound, axis=1)
        elif isinstance(layer.block, Dense):
            bound, length = _dense(layer, layer.block, x, bound, length)
        x = made.copy()  # what a block gives lies in its own memory
    return bound


def _dense(
    layer: _Layer, block: Dense, x: NDArray[np.float64], bound: NDArray[np.float64], length: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds on a layer's units [n_rows, n_units], and on the length of all of them together [n_rows], from those on ``x``."""
    by_unit = np.minimum(bound @ layer.largest, np.outer(length, layer.columns)) + np.abs(x) @ layer.off[0]
    together = length * layer.stretch + np.linalg.norm(x, axis=1) * layer.lost
    slope = _SLOPES[block.shape.activation]
    by_unit, together = by_unit * slope, together * slope
    if block.shape.residual:
        by_unit, together = by_unit + bound, together + length
    return np.minimum(by_unit, together[:, None]), np.minimum(together, np.linalg.norm(by_unit, axis=1))


def _embedded(block: Inputs, network: Network, off: list[NDArray[np.float64]], given: Any) -> NDArray[np.float64]:
    """Bounds on vectors of numbers and categories, from the errors of the block's parameters."""
    spec = network.spec
    n_tables = len(spec.categories)
    tables = [table[given.codes[:, column]] for column, table in enumerate(off[len(off) - n_tables :])]
    n_rows, width = given.numeric.shape[0], block.width - sum(spec.category_sizes)
    if spec.numeric_embedding == "periodic":
        sines, cosines = np.split(off[1], 2, axis=1)
        of_numbers = np.hypot(sines, cosines).sum(axis=1)  # |a sin + b cos| of one frequency
        numbers = np.broadcast_to(of_numbers.reshape(1, -1), (n_rows, width))
    elif spec.numeric_embedding == "piecewise":
        # The block itself adds errors up in place of weights. A number below the first edge counts negative there, and ReLU
        # would hide it.
        up, down = (block.forward([sign * each for each in off], given, None, None)[0].copy() for sign in (1.0, -1.0))
        numbers = np.maximum(up, down)[:, :width]
    else:
        numbers = np.zeros((n_rows, width))
    return np.hstack([numbers, *tables])
