"""Gradients of every layer, activation, embedding and loss against central differences, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.neural.network.blocks import Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import ACTIVATIONS, LOSSES, NUMERIC_EMBEDDINGS, NetworkSpec

from .rows import batch_for, differences, gradient_of

EDGES = ((-1.0, 0.0, 0.5, 1.0), (-0.5, 0.5), (-1.0, -0.2, 0.3))


def hold(spec: NetworkSpec, n_rows: int = 6, seed: int = 0, noise: Noise | None = None) -> None:
    """Fail where the gradient is not what differences say."""
    network, batch = Network(spec, "float64"), batch_for(spec, n_rows, seed)
    flat = network.initial(seed)
    found = gradient_of(network, flat, batch, noise)
    np.testing.assert_allclose(found, differences(network, flat, batch, noise), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_losses(activation: str, loss: str) -> None:
    hold(NetworkSpec(3, (4, 4), 3, loss, activation))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bridges_and_dropout(activation: str) -> None:
    hold(NetworkSpec(3, (5, 5, 4, 4), 2, "log_loss", activation, dropout=0.3, residual=True), noise=Noise(1, 2))


@pytest.mark.parametrize("loss", ["binary_log_loss", "log_loss"])
def test_label_smoothing(loss: str) -> None:
    hold(NetworkSpec(3, (4,), 3, loss, label_smoothing=0.2))


@pytest.mark.parametrize("embedding", NUMERIC_EMBEDDINGS)
@pytest.mark.parametrize("categories", [(), (3, 5)])
def test_embeddings(embedding: str, categories: tuple[int, ...]) -> None:
    spec = NetworkSpec(
        3, (4,), 2, "log_loss", "tanh", categories=categories, category_sizes=(2, 3)[: len(categories)],
        numeric_embedding=embedding, embedding_size=3, frequencies=2, frequency_scale=0.5, edges=EDGES,
    )  # fmt: skip
    hold(spec)


def test_categories_alone() -> None:
    hold(NetworkSpec(0, (3,), 1, "squared_error", "silu", categories=(4,), category_sizes=(2,)))


def test_linear_model() -> None:
    hold(NetworkSpec(4, (), 2, "squared_error"))


@settings(max_examples=20, deadline=None)
@given(
    n_rows=st.integers(1, 5),
    n_numeric=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 5), max_size=3),
    n_outputs=st.integers(1, 3),
    loss=st.sampled_from(sorted(LOSSES)),
    residual=st.booleans(),
    seed=st.integers(0, 1_000),
)
def test_any_shape(
    n_rows: int, n_numeric: int, hidden: list[int], n_outputs: int, loss: str, residual: bool, seed: int
) -> None:
    # Smooth: a difference across a corner of ReLU would be of no use.
    spec = NetworkSpec(n_numeric, tuple(hidden), n_outputs, loss, "silu", dropout=0.2, residual=residual)
    hold(spec, n_rows, seed, Noise(seed, 0))
