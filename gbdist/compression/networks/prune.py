"""Fewer units: those that say nothing, or least, leave a network, and its matrices really shrink."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from gbdist.compression.networks.activations import Spread, Spreads, spreads_of
from gbdist.compression.networks.elimination import Reader, eliminate, useful_units
from gbdist.errors import ModelError, ParameterError
from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.networks.model import NetworkModel
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec

#: The arrays of a network's parameters, float64, by name.
_Arrays = dict[str, NDArray[np.float64]]


def prune_network(estimator: DaskMLP, X: Any, share: float = 0.5, *, embeddings: bool = True) -> DaskMLP:
    """A network with fewer units; the one that is given stays as it is.

    Units that are constant over the rows of X, dead ones above all, and those without outgoing weight go in any case, for
    nothing: what they say is folded into biases. Then the unit whose loss changes least what the next layer sees, and so on,
    until ``share`` of each hidden layer is left; the weights of the others are changed so that they say as much in its place as
    they can (``elimination``). Layers that ``residual`` bridges lose the same units.

    The result has the widths as its parameters, so that ``warm_start`` and ``partial_fit`` go on from it. Statistics are sums
    of floats over partitions: workers change nothing, other partitions change weights by rounding, and a unit only where two
    cost the same but for that.

    Parameters
    ----------
    estimator : fitted DaskMLPClassifier or DaskMLPRegressor
    X : Dask DataFrame or Array, or a table in memory
        Rows like those that will be predicted, with the network's columns; they need no labels.
    share : float
        Of the units of each hidden layer, 0 < share ≤ 1; with 1 those alone go that say nothing.
    embeddings : bool
        Whether the vectors of embedded numbers become shorter too, all of them as many, by the same share.

    Raises
    ------
    ParameterError
        ``share`` is no share.
    ModelError
        The network has nothing that can go, or its weights are rounded already.
    DataError
        X has other columns, or too few rows.
    sklearn.exceptions.NotFittedError
    """
    require_network(estimator)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 < share <= 1.0:
        raise ParameterError("share", share, "a number above 0 and at most 1", "With 0.5 every second unit stays.")
    model: NetworkModel = estimator._fitted()
    if model.small is not None:
        problem = f"The network's weights are rounded to {model.small.kind}"
        raise ModelError(problem, "Prune the network that was rounded, then round what is left.")
    spreads = spreads_of(model, X, estimator._expected(), estimator.client)
    pruned = _Pruner(model, spreads, share).pruned(embeddings=embeddings)
    if pruned.spec == model.spec:
        had = f"{model.spec.hidden} units in hidden layers"
        raise ModelError(f"The network has nothing that can go at share={share!r}: {had}", "Give a smaller share.")
    return with_model(estimator, pruned)


def require_network(estimator: Any) -> None:
    """ParameterError for what is no estimator of networks."""
    if not isinstance(estimator, DaskMLP):
        expected = "a fitted DaskMLPClassifier or DaskMLPRegressor"
        raise ParameterError("estimator", type(estimator).__name__, expected, "Trees have passes of their own.")


def with_model(estimator: DaskMLP, model: NetworkModel) -> DaskMLP:
    """An estimator of the same class and parameters, but for widths, with that network."""
    twin: DaskMLP = clone(estimator)
    widths: dict[str, Any] = {"hidden_layer_sizes": model.spec.hidden}
    if model.spec.numeric_embedding != "none":
        widths["embedding_size"] = model.spec.embedding_size
    twin.set_params(**widths)
    twin._adopt(model)
    twin._state = None
    return twin


class _Pruner:
    """One network, and how its units vary."""

    def __init__(self, model: NetworkModel, spreads: Spreads, share: float) -> None:
        self._model, self._share = model, share
        spec = model.spec
        self._numbers: Spread | None = spreads[0] if spec.numeric_embedding != "none" else None
        self._hidden = spreads[len(spreads) - len(spec.hidden) :]
        flat = model.flat.astype(np.float64)
        self._arrays: _Arrays = {slot.name: slot.of(flat) for slot in Network(spec).slots}

    def pruned(self, *, embeddings: bool) -> NetworkModel:
        """The network of what is left."""
        spec = self._model.spec
        groups = _bridged(spec)
        widths = self._widths(groups)
        # From the output on, so that what a unit says to units that go is not counted.
        for layers, keep in reversed(list(zip(groups, widths, strict=True))):
            self._cut(layers, keep)
        hidden = [keep for layers, keep in zip(groups, widths, strict=True) for _ in layers]
        spec = replace(spec, hidden=tuple(hidden))
        if embeddings and self._numbers is not None:
            spec = replace(spec, embedding_size=self._cut_numbers(self._numbers))
        flat = np.concatenate([self._arrays[slot.name].ravel() for slot in Network(spec).slots])
        return replace(self._model, spec=spec, flat=flat.astype(self._model.flat.dtype))

    def _kept(self, width: int, useful: int) -> int:
        return max(1, min(math.ceil(self._share * width), useful))

    def _widths(self, groups: Sequence[range]) -> list[int]:
        """Units that stay in the layers of each group."""
        before = [self._model.spec.hidden[layers[0]] for layers in groups]
        kept = [
            self._kept(width, useful_units(self._readers(layers))) for width, layers in zip(before, groups, strict=True)
        ]
        return _apart(kept, before) if self._model.spec.residual else kept

    def _readers(self, layers: range) -> list[Reader]:
        return [
            Reader(self._hidden[at].mean[0], self._hidden[at].covariance[0], self._arrays[f"coef_{at + 1}"])
            for at in layers
        ]

    def _cut(self, layers: range, keep: int) -> None:
        """Leave so many units in neighbouring layers that share them."""
        left = eliminate(self._readers(layers), keep)
        for at, weights, shift in zip(layers, left.weights, left.shifts, strict=True):
            self._arrays[f"coef_{at + 1}"] = weights
            self._arrays[f"intercept_{at + 1}"] = self._arrays[f"intercept_{at + 1}"] + shift
        for at in layers:
            for name in (f"coef_{at}", f"intercept_{at}"):
                self._arrays[name] = self._arrays[name][..., left.kept]

    def _cut_numbers(self, numbers: Spread) -> int:
        """Make the vectors of numbers shorter, which is told; all are as long as the longest has to be."""
        n_numeric, size = numbers.mean.shape
        first = self._arrays["coef_0"]
        rows = first[: n_numeric * size].reshape(n_numeric, size, -1)
        covariances = numbers.covariance
        readers = [Reader(numbers.mean[at], covariances[at], rows[at]) for at in range(n_numeric)]
        keep = self._kept(size, max(useful_units([reader]) for reader in readers))
        left = [eliminate([reader], keep) for reader in readers]
        vectors = [each.weights[0] for each in left]
        self._arrays["coef_0"] = np.concatenate([*vectors, first[n_numeric * size :]])
        self._arrays["intercept_0"] = self._arrays["intercept_0"] + sum(each.shifts[0] for each in left)
        for name in ("numeric_coef", "numeric_intercept"):
            of_numbers = self._arrays[name]
            self._arrays[name] = np.stack([of_numbers[at][..., each.kept] for at, each in enumerate(left)])
        return keep


def _bridged(spec: NetworkSpec) -> list[range]:
    """Hidden layers in groups of neighbours that are added to one another, in order."""
    starts = [at for at, width in enumerate(spec.hidden) if not (spec.residual and at and spec.hidden[at - 1] == width)]
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(spec.hidden)], strict=True)]


def _apart(kept: Sequence[int], before: Sequence[int]) -> list[int]:
    """Widths of groups, neighbours of which differ: with ``residual`` equal ones would be added to one another.

    They differed ``before``, so some unit can stay where two have become the same.
    """
    widths = list(kept)
    while True:
        same = next((at for at in range(1, len(widths)) if widths[at] == widths[at - 1]), None)
        if same is None:
            return widths
        widths[same if widths[same] < before[same] else same - 1] += 1
