"""From settings, labels and columns to the network that is trained on them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from gbdist.errors import ParameterError
from gbdist.estimators.networks.request import NetworkRequest
from gbdist.estimators.networks.setup import NetworkSetup
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.network.vocabulary import Vocabulary
from gbdist.quantize.scales import ColumnScale

#: A category becomes a vector of at most so many numbers: fast.ai's rule.
_LONGEST_VECTOR = 50
#: A step of fewer multiplications is not worth a second thread.
_PRODUCTS_A_THREAD = 4_000_000


def spec_of(
    request: NetworkRequest,
    setup: NetworkSetup,
    scales: Sequence[ColumnScale],
    vocabularies: Sequence[Vocabulary],
) -> NetworkSpec:
    """The network that the settings ask for, on columns of these scales and vocabularies.

    Raises ParameterError where a model is gone on with that is another network.
    """
    settings = request.settings
    embedding = settings["numeric_embedding"] if scales else "none"
    spec = NetworkSpec(
        n_numeric=len(scales),
        hidden=settings["hidden_layer_sizes"],
        n_outputs=setup.n_outputs,
        loss=setup.loss,
        activation=settings["activation"],
        numeric_embedding=embedding,
        embedding_size=settings["embedding_size"] if embedding != "none" else 0,
        frequencies=settings["frequencies"] if embedding == "periodic" else 0,
        frequency_scale=settings["frequency_scale"] if embedding == "periodic" else 0.0,
        edges=tuple(each.edges for each in scales) if embedding == "piecewise" else (),
        dropout=settings["dropout"],
        residual=settings["residual"],
        label_smoothing=settings["label_smoothing"],
    )
    spec = with_categories(spec, vocabularies)
    if request.start is not None:
        _require_same(request.start.model.spec, spec)
    return spec


def with_categories(spec: NetworkSpec, vocabularies: Sequence[Vocabulary]) -> NetworkSpec:
    """The same network with categorical columns of these vocabularies."""
    counts = [vocabulary.size + 1 for vocabulary in vocabularies]
    return replace(spec, categories=tuple(counts), category_sizes=tuple(map(vector_length, counts)))


def useful_threads(batch_size: int, spec: NetworkSpec) -> int:
    """How many threads are worth using for a step of so many rows."""
    widths = (spec.n_numeric, *spec.hidden, spec.n_outputs)
    products = batch_size * sum(before * after for before, after in pairwise(widths))
    return max(1, products // _PRODUCTS_A_THREAD)


def vector_length(count: int) -> int:
    """Length of the vector that one of so many categories becomes."""
    return min(_LONGEST_VECTOR, round(1.6 * math.pow(count, 0.56)))


def _require_same(before: NetworkSpec, spec: NetworkSpec) -> None:
    """ParameterError where parameters of one network would mean others in another."""
    for name in NetworkSpec.__dataclass_fields__:
        had, has = getattr(before, name), getattr(spec, name)
        if had != has and name not in ("dropout", "label_smoothing"):
            called = "hidden_layer_sizes" if name == "hidden" else name
            expected = f"{had!r}, as in the model that is gone on with"
            raise ParameterError(called, has, expected, "Set it back, or train anew: fit with warm_start=False.")
