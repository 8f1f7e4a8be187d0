"""A plain network is scikit-learn's: first weights, losses, gradients."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec

from .rows import batch_for, gradient_of


def after_one_step(spec: NetworkSpec, batch: Batch, seed: int, rate: float) -> MLPRegressor | MLPClassifier:
    """scikit-learn's MLP after one step of all rows: coefs_ and intercepts_ have moved by −rate × gradient."""
    kind = MLPRegressor if spec.loss == "squared_error" else MLPClassifier
    peer = kind(
        hidden_layer_sizes=spec.hidden, activation=spec.activation, solver="sgd", alpha=0.0, batch_size=batch.n_rows, max_iter=1,
        learning_rate_init=rate, momentum=0.0, shuffle=False, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return peer.fit(batch.numeric, np.squeeze(batch.target))


@pytest.mark.parametrize(
    ("loss", "n_outputs"),
    [("squared_error", 1), ("squared_error", 3), ("binary_log_loss", 1), ("binary_log_loss", 3), ("log_loss", 3)],
)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_losses_and_gradients_are_scikit_learns(activation: str, loss: str, n_outputs: int) -> None:
    spec = NetworkSpec(4, (7, 5), n_outputs, loss, activation)
    network, batch = Network(spec, "float64"), batch_for(spec, 20, weighted=False)
    peer, flat = after_one_step(spec, batch, seed=3, rate=1.0), network.initial(3)
    moved = flat - gradient_of(network, flat, batch) / 20
    for found, expected in zip(network.coefs(moved), peer.coefs_, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    for found, expected in zip(network.intercepts(moved), peer.intercepts_, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    assert np.abs(moved - flat).max() > 1e-3
    loss_sum = network.loss_and_gradient(flat, batch, np.empty_like(flat), None)
    assert loss_sum / 20 == pytest.approx(peer.loss_curve_[0], rel=1e-12)


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_first_weights_are_scikit_learns(activation: str) -> None:
    spec = NetworkSpec(4, (7, 5), 3, "log_loss", activation)
    network, batch = Network(spec), batch_for(spec, 20, weighted=False)
    peer, flat = after_one_step(spec, batch, seed=11, rate=1e-300), network.initial(11)
    for found, expected in zip(network.coefs(flat), peer.coefs_, strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(network.intercepts(flat), peer.intercepts_, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert network.n_parameters == flat.size == 4 * 7 + 7 + 7 * 5 + 5 + 5 * 3 + 3
    assert network.penalized.sum() == 4 * 7 + 7 * 5 + 5 * 3


@pytest.mark.parametrize(
    ("loss", "n_outputs"), [("squared_error", 2), ("binary_log_loss", 1), ("binary_log_loss", 3), ("log_loss", 3)]
)
def test_outputs_are_what_scikit_learn_predicts_from(loss: str, n_outputs: int) -> None:
    spec = NetworkSpec(4, (7, 5), n_outputs, loss, "tanh")
    network, batch = Network(spec, "float64"), batch_for(spec, 2_500, weighted=False)
    peer = after_one_step(spec, batch.some(slice(0, 100)), seed=3, rate=0.1)
    flat = np.concatenate([each.ravel() for pair in zip(peer.coefs_, peer.intercepts_, strict=True) for each in pair])
    outputs = network.outputs(flat, batch)
    if loss == "squared_error":
        np.testing.assert_allclose(outputs, peer.predict(batch.numeric), rtol=1e-10, atol=1e-12)
        return
    odds = np.exp(outputs)
    chances = odds / (1 + odds) if spec.output == "logistic" else odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chances, peer.predict_proba(batch.numeric)[:, -n_outputs:], rtol=1e-10, atol=1e-12)
