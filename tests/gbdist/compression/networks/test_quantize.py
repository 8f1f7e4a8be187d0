"""Networks of few bits: their files, and bounds that hold for every row."""

import os
import pickle

import dask
import dask.dataframe as dd
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from gbdist import DaskMLPClassifier
from gbdist.compression.networks import prediction_bounds, prune_network, quantize_network
from gbdist.errors import ModelError, ParameterError

from .networks import arrays_of, fitted, frame, with_arrays

NETWORKS = {
    "plain": {"numeric_embedding": "none", "scaling": "standard"},
    "piecewise": {},
    "bridged": {"hidden": (8, 8, 8), "residual": True},
    "periodic": {"numeric_embedding": "periodic", "frequencies": 3, "activation": "tanh"},
    "silu": {"activation": "silu", "numeric_embedding": "none", "precision": "float64"},
    "logistic": {"activation": "logistic", "scaling": "robust"},
    "linear": {"hidden": (), "activation": "identity"},
}


@pytest.mark.parametrize("weights", ["fp16", "int8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_hold_on_100_000_rows(name, weights):
    network = fitted(**NETWORKS[name])
    small = quantize_network(network, weights)
    X = frame(100_000, seed=3)
    X.loc[::7, ["a", "b"]] *= 20  # beyond all that was trained on
    X.loc[::11, "town"] = "Lima"
    raw = network.predict_raw(X)
    off = np.abs(small.predict_raw(X) - raw)
    bounds = prediction_bounds(small, X)
    assert off.max() > 0.0
    assert (off <= bounds * (1 + 1e-9) + 1e-12).all()
    # Bounds that say nothing would hold too.
    assert bounds.mean() < (0.1 if weights == "fp16" else 2.0) * raw.std()


@pytest.mark.parametrize("weights", ["fp16", "int8"])
def test_the_file_is_smaller_and_gives_the_same_predictions_back(weights, tmp_path):
    network = fitted((64, 64), classes=3)
    small = quantize_network(network, weights)
    network.save_model(tmp_path / "full")
    small.save_model(tmp_path / "small")
    n_weights = sum(array.size for name, array in arrays_of(network).items() if "coef" in name)
    saved = os.path.getsize(tmp_path / "full") - os.path.getsize(tmp_path / "small")
    assert saved > n_weights * (2 if weights == "fp16" else 3)
    assert (tmp_path / "small").read_bytes()[:8] == b"GBDMLP02"
    loaded = DaskMLPClassifier().load_model(tmp_path / "small")
    for copy in (loaded, pickle.loads(pickle.dumps(small))):
        np.testing.assert_array_equal(copy.predict_proba(frame()), small.predict_proba(frame()))
        assert copy.model_.to_bytes() == small.model_.to_bytes()
        np.testing.assert_array_equal(prediction_bounds(copy, frame()), prediction_bounds(small, frame()))


def test_lazy_bounds_are_those_of_data_in_memory():
    small = quantize_network(fitted(), "int8")
    with dask.config.set(scheduler="sync"):
        lazy = prediction_bounds(small, dd.from_pandas(frame(), npartitions=3))
        np.testing.assert_allclose(lazy.compute(), prediction_bounds(small, frame()), rtol=1e-9)


def test_training_on_makes_full_weights_of_them():
    small = quantize_network(fitted(classes=2), "int8")
    small.set_params(warm_start=True).fit(frame(), small.predict(frame()))
    assert small.model_.small is None
    assert quantize_network(small, "fp16").model_.small.kind == "fp16"


def test_a_pruned_network_can_be_rounded():
    pruned = prune_network(fitted((8, 6)), frame(), 0.5)
    small = quantize_network(pruned, "int8")
    assert small.model_.spec.hidden == (4, 3)
    assert np.isfinite(prediction_bounds(small, frame())).all()


def test_bad_input_is_named():
    network = fitted((4,), numeric_embedding="none")

    def text(error, act):
        with pytest.raises(error) as caught:
            act()
        return str(caught.value)

    assert text(ParameterError, lambda: quantize_network(network, "int4")) == (
        "weights='int4' cannot be used: expected 'fp16' or 'int8'. int8 is the smaller one."
    )
    small = quantize_network(network, "int8")
    assert text(ModelError, lambda: quantize_network(small, "fp16")) == (
        "The network's weights are rounded to int8 already. Round the network that was trained: rounding twice adds up."
    )
    assert text(ModelError, lambda: prediction_bounds(network, frame())) == (
        "The network's weights are not rounded: there is nothing to be told. "
        "quantize_network(estimator) gives one whose are."
    )
    with pytest.raises(NotFittedError):
        quantize_network(DaskMLPClassifier())
    arrays = arrays_of(network)
    arrays["coef_1"][0, 0] = 1e5
    with_arrays(network, arrays)
    assert text(ModelError, lambda: quantize_network(network, "fp16")) == (
        'coef_1 has a weight of 100000, and fp16 ends at 65504. Use "int8".'
    )
    assert quantize_network(network, "int8").model_.small is not None
