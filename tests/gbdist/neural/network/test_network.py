"""What holds for any network: rows count by themselves, memory is used again, nothing else than its array namespace is used."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.kernels import reference_networks
from gbdist.neural.network.arrays import NUMPY, Arrays
from gbdist.neural.network.blocks import Batch, Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.numbers import RELU_TOLERANCES, TOLERANCES
from gbdist.neural.network.spec import ACTIVATIONS, LOSSES, NUMERIC_EMBEDDINGS, NetworkSpec

from .other_memory import OTHER, Elsewhere
from .rows import batch_for, gradient_of

EMBEDDING = NetworkSpec(
    3, (8, 8), 3, "log_loss", categories=(4, 6), category_sizes=(2, 3), numeric_embedding="piecewise",
    embedding_size=4, frequencies=3, frequency_scale=0.5,
    edges=((-1.0, 0.0, 0.5, 1.0), (-0.5, 0.5), (-1.0, -0.2, 0.3)), dropout=0.25, residual=True, label_smoothing=0.1,
)  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_a_weight_is_a_number_of_rows(loss: str) -> None:
    spec = replace(EMBEDDING, loss=loss, label_smoothing=0.0)
    network, batch = Network(spec, "float64"), batch_for(spec, 6, weighted=False)
    times = np.array([0, 1, 2, 3, 1, 0])
    weighted, repeated = replace(batch, weight=times.astype(float)), batch.some(np.repeat(np.arange(6), times))
    flat, noise = network.initial(1), Noise(5, 6)
    np.testing.assert_allclose(
        gradient_of(network, flat, weighted, noise), gradient_of(network, flat, repeated, noise), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_parts_add_up_whatever_is_dropped(loss: str) -> None:
    # What is dropped from a row must not depend on the rows beside it, nor on their order.
    spec = replace(EMBEDDING, loss=loss)
    network, batch = Network(spec, "float64"), batch_for(spec, 40)
    flat, noise = network.initial(1), Noise(5, 6)
    whole = gradient_of(network, flat, batch, noise)
    parts = [np.array([3, 1]), np.array([], np.int64), np.setdiff1d(np.arange(40), [1, 3])[::-1]]
    summed = sum(gradient_of(network, flat, batch.some(rows), noise) for rows in parts)
    np.testing.assert_allclose(summed, whole, rtol=0, atol=1e-12)
    assert np.abs(whole - gradient_of(network, flat, batch, Noise(5, 7))).max() > 1e-3
    assert np.abs(whole - gradient_of(network, flat, batch, Noise(6, 6))).max() > 1e-3
    assert np.abs(whole - gradient_of(network, flat, batch)).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_rows(dtype: str) -> None:
    network, batch = Network(EMBEDDING, dtype), batch_for(EMBEDDING, 0)
    flat = network.initial(1).astype(network.dtype)
    assert not gradient_of(network, flat, batch, Noise(0, 0)).any()
    assert network.loss_and_gradient(flat, batch, np.empty_like(flat), None) == 0.0
    assert network.outputs(flat, batch).shape == (0, 3)


def test_repeated_steps_have_the_same_bits_and_set_no_memory_aside() -> None:
    taken: list[int] = []

    class Counting(Arrays):
        def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
            taken.append(shape[0])
            return NUMPY.empty(shape, dtype)

    spec = replace(EMBEDDING, loss="squared_error")
    network = Network(spec, "float32", Counting(NUMPY.xp, NUMPY.kernels, on_card=False))
    batches = [batch_for(spec, n_rows) for n_rows in (64, 61, 66)]
    flat, noise = network.initial(1), Noise(5, 6)
    first = [gradient_of(network, flat, batch, noise) for batch in batches]
    taken.clear()
    for batch, expected in zip(batches, first, strict=True):
        np.testing.assert_array_equal(gradient_of(network, flat, batch, noise), expected)
    assert len(taken) == len(batches)  # the derivatives by the outputs


def test_passes_that_are_under_way_together_do_not_share_memory() -> None:
    network, batch = Network(EMBEDDING, "float64"), batch_for(EMBEDDING, 9)
    parts = [batch.some(slice(0, 5)), batch.some(slice(5, 9))]
    parameters = [slot.of(network.initial(1)) for slot in network.blocks[1][1]]
    block = network.blocks[1][0]
    inputs = [np.random.default_rng(n).normal(size=(n, parameters[0].shape[0])) for n in (5, 4)]
    results = []
    for together in (True, False):
        passes, gradients = [], []
        for x, part in zip(inputs, parts, strict=True):
            passes.append(block.forward(parameters, x, part.numbers, Noise(1, 2)))
            if not together:
                gradients.append(back(block, parameters, *passes[-1]))
        results.append(gradients or [back(block, parameters, *each) for each in passes])
    for found, expected in zip(*results, strict=True):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def back(block: Any, parameters: list[np.ndarray], y: np.ndarray, kept: object) -> list[np.ndarray]:
    """Derivatives by parameters and by the input, of Σ y² / 2."""
    gradients = [np.empty_like(each) for each in parameters]
    by_input = block.backward(parameters, kept, y.copy(), gradients, first=False)
    return [*gradients, by_input.copy()]


def test_predictions_in_pieces_are_the_same() -> None:
    network, batch = Network(EMBEDDING, "float64"), batch_for(EMBEDDING, 2_100)
    flat = network.initial(1)
    outputs = network.outputs(flat, batch)
    np.testing.assert_allclose(outputs[1_500:1_510], network.outputs(flat, batch.some(slice(1_500, 1_510))), rtol=1e-12)
    assert outputs.dtype == np.float64


@pytest.mark.parametrize("precision", ["float32", "fp16", "bf16"])
@pytest.mark.parametrize("embedding", NUMERIC_EMBEDDINGS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_lower_precision_is_within_its_tolerance(activation: str, loss: str, embedding: str, precision: str) -> None:
    smoothing = 0.0 if loss == "squared_error" else 0.1
    spec = replace(
        EMBEDDING, hidden=(64, 64, 32), loss=loss, activation=activation, numeric_embedding=embedding,
        label_smoothing=smoothing,
    )  # fmt: skip
    exact, network, batch = Network(spec, "float64"), Network(spec, precision), batch_for(spec, 300)
    flat, noise = exact.initial(2), Noise(1, 1)
    assert network.dtype == np.float32
    assert off(network.outputs(flat.astype(np.float32), batch), exact.outputs(flat, batch)) <= TOLERANCES[precision]
    found, expected = gradient_of(network, flat, batch, noise), gradient_of(exact, flat, batch, noise)
    assert found.dtype == np.float32
    assert off(found, expected) <= (RELU_TOLERANCES if activation == "relu" else TOLERANCES)[precision]
    if precision != "float32":  # or it would not have been lower
        assert off(found, expected) > TOLERANCES["float32"]


def off(found: np.ndarray, expected: np.ndarray) -> float:
    """Length of the difference, beside what is expected."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_what_overflows_half_precision_is_infinite_and_no_warning() -> None:
    spec = NetworkSpec(2, (4,), 1, "squared_error")
    network = Network(spec, "fp16")
    batch = Batch(
        np.full((3, 2), 1e4), np.zeros((3, 0), np.int32), np.zeros((3, 1)), None, np.arange(3, dtype=np.uint64)
    )
    gradient = gradient_of(network, np.full(network.n_parameters, 100.0), batch)
    assert not np.isfinite(gradient).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_not_a_number_is_found_in_the_loss(activation: str) -> None:
    spec = NetworkSpec(2, (4, 4), 1, "squared_error", activation)
    network, batch = Network(spec), batch_for(spec, 3)
    flat = network.initial(0).astype(np.float32)
    flat[0] = np.nan
    assert np.isnan(network.loss_and_gradient(flat, batch, np.empty_like(flat), None))


@pytest.mark.parametrize("loss", ["binary_log_loss", "log_loss"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_of_far_outputs_are_finite(loss: str, smoothing: float) -> None:
    n_outputs = 1 if loss == "binary_log_loss" else 2
    network = Network(NetworkSpec(1, (), n_outputs, loss, label_smoothing=smoothing))
    flat = np.array([1.0, 0.0] if n_outputs == 1 else [1.0, 0.0, 0.0, 0.0], np.float32)
    target = np.array([[1.0], [1.0]]) if n_outputs == 1 else np.array([0, 0], np.int32)
    numeric = np.array([[1e4], [-1e4]])
    batch = Batch(numeric, np.zeros((2, 0), np.int32), target, None, np.arange(2, dtype=np.uint64))
    gradient = np.empty_like(flat)
    # Right by far: smoothing / 2 of the loss is still there; wrong by far: the rest of it.
    assert network.loss_and_gradient(flat, batch, gradient, None) == pytest.approx(1e4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    spec = NetworkSpec(1, (101,), 1, "squared_error", "identity", dropout=rate)
    network = Network(spec, "float64")
    flat = np.zeros(network.n_parameters)
    slots = {slot.name: slot for slot in network.slots}
    slots["intercept_0"].of(flat)[:] = (
        1.0  # so each unit is 1, and the derivative by its last weight 1 / (1 − rate) or 0
    )
    slots["intercept_1"].of(flat)[:] = -1.0
    batch = Batch(
        np.zeros((400, 1)), np.zeros((400, 0), np.int32), np.zeros((400, 1)), None, np.arange(400, dtype=np.uint64)
    )
    seen = np.array(
        [
            -slots["coef_1"].of(gradient_of(network, flat, batch.some(slice(i, i + 1)), Noise(3, 4)))[:, 0]
            for i in range(400)
        ]
    )
    kept = seen > 0
    assert np.ptp(seen[kept]) == 0
    assert seen[kept][0] == pytest.approx(1 / (1 - rate), rel=1e-4)
    deviation = (rate * (1 - rate)) ** 0.5
    assert abs(kept.mean() - (1 - rate)) < 4 * deviation / kept.size**0.5
    # Neither units nor rows are all alike: their shares differ as those of independent draws do.
    assert abs(kept.mean(axis=0).std() / (deviation / 400**0.5) - 1) < 0.3
    assert abs(kept.mean(axis=1).std() / (deviation / 101**0.5) - 1) < 0.3


@pytest.mark.parametrize("precision", ["float64", "fp16", "bf16"])
@pytest.mark.parametrize("embedding", NUMERIC_EMBEDDINGS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_in_another_memory_the_same_comes_out(loss: str, activation: str, embedding: str, precision: str) -> None:
    spec = replace(
        EMBEDDING, loss=loss, activation=activation, numeric_embedding=embedding,
        label_smoothing=0.0 if loss == "squared_error" else 0.1,
    )  # fmt: skip
    here, there, batch = Network(spec, precision), Network(spec, precision, OTHER), batch_for(spec, 200)
    flat, noise = here.initial(4).astype(here.dtype), Noise(1, 2)
    Elsewhere.calls = 0
    assert off(there.outputs(flat, batch), here.outputs(flat, batch)) <= TOLERANCES[precision]
    expected, found = gradient_of(here, flat, batch, noise), gradient_of(there, flat, batch, noise)
    assert type(found) is np.ndarray
    assert off(found, expected) <= (RELU_TOLERANCES if activation == "relu" else TOLERANCES)[precision]
    assert Elsewhere.calls > 30
    assert OTHER.kernels is reference_networks
