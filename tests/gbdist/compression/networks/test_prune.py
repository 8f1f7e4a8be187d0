"""Networks with fewer units: what goes, what that costs, and that the rest of gbdist takes them as it takes others."""

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from gbdist import DaskCatBoostRegressor, DaskMLPRegressor
from gbdist.compression.networks import prune_network, quantize_network
from gbdist.compression.networks.activations import spreads_of
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.estimators.preparation.tables import take_apart
from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.network import Network
from gbdist.quantize.raw import RawPart

from .networks import arrays_of, fitted, frame, with_arrays

KINDS = {
    "plain": {"numeric_embedding": "none", "activation": "tanh"},
    "piecewise": {"numeric_embedding": "piecewise", "residual": False, "activation": "logistic"},
    "periodic": {"numeric_embedding": "periodic", "frequencies": 3, "activation": "tanh"},
    "silu": {"numeric_embedding": "none", "activation": "silu"},
}


def worst(one, other, X=None):
    X = frame() if X is None else X
    return np.abs(one.predict_raw(X) - other.predict_raw(X)).max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [0, 3])
def test_dead_and_constant_units_go_without_a_change(kind, classes):
    network = fitted((8, 6), classes=classes, precision="float64", **KINDS[kind])
    arrays = arrays_of(network)
    arrays["coef_0"][:, [1, 5]] = 0.0  # constants: activation(bias)
    arrays["intercept_0"][[1, 5]] = [0.7, -2.0]
    arrays["coef_2"][3] = 0.0  # without a say
    with_arrays(network, arrays)
    before = network.model_.to_bytes()
    pruned = prune_network(network, frame(), 1.0, embeddings=False)
    assert network.model_.to_bytes() == before
    assert type(pruned) is type(network)
    assert [coef.shape for coef in pruned.coefs_[1:]] == [(6, 5), (5, max(classes, 2))]
    assert worst(pruned, network, frame(seed=9)) < 1e-12


def test_units_of_relu_that_are_never_active_go():
    network = fitted((8, 6), numeric_embedding="none", precision="float64")
    arrays = arrays_of(network)
    arrays["intercept_0"][:] = 30.0
    arrays["intercept_0"][[2, 7]] = -30.0
    arrays["intercept_1"][:] = 900.0
    arrays["intercept_1"][4] = -900.0
    pruned = prune_network(with_arrays(network, arrays), frame(), 1.0)
    assert pruned.model_.spec.hidden == (6, 5)
    assert worst(pruned, network, frame(seed=9)) < 1e-9


def test_dead_units_of_embedded_numbers_go_where_every_number_has_one():
    network = fitted((8, 6), precision="float64")
    arrays = arrays_of(network)
    arrays["numeric_intercept"][...] = 30.0  # all others live
    for number, units in enumerate([(0, 2), (1,)]):
        arrays["numeric_coef"][number][:, units] = 0.0
        arrays["numeric_intercept"][number][list(units)] = -1.0
    pruned = prune_network(with_arrays(network, arrays), frame(), 1.0)
    assert pruned.model_.spec.embedding_size == 3
    assert pruned.embedding_size == 3
    assert worst(pruned, network, frame(seed=9)) < 1e-12


def test_units_that_repeat_others_cost_next_to_nothing():
    network = fitted((8,), numeric_embedding="none", precision="float64")
    arrays = arrays_of(network)
    for unit in range(4):
        arrays["coef_0"][:, unit + 4] = 2 * arrays["coef_0"][:, unit]
        arrays["intercept_0"][unit + 4] = 2 * arrays["intercept_0"][unit]
    with_arrays(network, arrays)
    spread = network.predict_raw(frame()).std()
    assert worst(prune_network(network, frame(), 0.5), network) < 0.02 * spread
    arrays["coef_1"][4:] = 0.0  # so that nothing has to be said in their place
    with_arrays(network, arrays)
    assert prune_network(network, frame(), 1.0).model_.spec.hidden == (4,)


@pytest.mark.parametrize("share", [0.75, 0.5, 0.2])
def test_a_share_of_each_layer_stays(share):
    network = fitted((8, 5), embedding_size=4)
    pruned = prune_network(network, frame(), share)
    assert pruned.model_.spec.hidden == tuple(int(np.ceil(share * width)) for width in (8, 5))
    assert pruned.hidden_layer_sizes == pruned.model_.spec.hidden
    assert pruned.model_.spec.embedding_size <= np.ceil(share * 4)
    assert len(pruned.model_.to_bytes()) < len(network.model_.to_bytes())


def test_bridged_layers_lose_the_same_units():
    network = fitted((8, 8, 8), residual=True, precision="float64", activation="tanh")
    arrays = arrays_of(network)
    for layer in range(3):  # unit 2 is a constant in all of them, unit 6 only in the first
        arrays[f"coef_{layer}"][:, 2] = 0.0
        arrays[f"intercept_{layer}"][2] = -1.0
    arrays["coef_0"][:, 6], arrays["intercept_0"][6] = 0.0, -1.0
    with_arrays(network, arrays)
    pruned = prune_network(network, frame(), 1.0, embeddings=False)
    assert pruned.model_.spec.hidden == (7, 7, 7)
    assert worst(pruned, network, frame(seed=9)) < 1e-12
    assert prune_network(network, frame(), 0.5).model_.spec.hidden == (4, 4, 4)


def test_layers_that_were_not_bridged_do_not_become_so():
    network = fitted((8, 7), residual=True)
    assert prune_network(network, frame(), 0.5, embeddings=False).model_.spec.hidden == (4, 5)
    assert prune_network(fitted((8, 7)), frame(), 0.5).model_.spec.residual is True
    unbridged = fitted((8, 7), residual=False)
    assert prune_network(unbridged, frame(), 0.5).model_.spec.hidden == (4, 4)


def test_what_is_pruned_is_saved_loaded_pickled_and_trained_on(tmp_path):
    pruned = prune_network(fitted((8, 6), classes=3), frame(), 0.5)
    expected = pruned.predict_proba(frame())
    pruned.save_model(tmp_path / "pruned.mlp")
    loaded = type(pruned)().load_model(tmp_path / "pruned.mlp")
    for copy in (loaded, pickle.loads(pickle.dumps(pruned))):
        np.testing.assert_array_equal(copy.predict_proba(frame()), expected)
        assert copy.classes_.tolist() == ["x", "y", "z"]
    y = pruned.predict(frame())
    pruned.set_params(warm_start=True).fit(frame(), y)
    assert pruned.model_.spec.hidden == (4, 3)
    assert not np.array_equal(pruned.predict_proba(frame()), expected)
    pruned.partial_fit(frame(), y)


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_partitions_and_memory_give_the_same_network(partitions):
    network = fitted((8, 6), precision="float64")
    here = prune_network(network, frame(), 0.5)
    with dask.config.set(scheduler="sync"):
        there = prune_network(network, dd.from_pandas(frame(), npartitions=partitions), 0.5)
    assert there.model_.spec == here.model_.spec
    np.testing.assert_allclose(there.model_.flat, here.model_.flat, rtol=1e-9, atol=1e-11)


def test_workers_change_no_bit(client):
    X, network = dd.from_pandas(frame(), npartitions=5), fitted((8, 6))
    with dask.config.set(scheduler="sync"):
        here = prune_network(network, X, 0.5)
    there = prune_network(network.set_params(client=client), X, 0.5)
    assert there.model_.to_bytes() == here.model_.to_bytes()
    assert there.client is client


def test_arrays_are_read_by_chunks():
    values = frame()[["a", "b"]].to_numpy()
    network = DaskMLPRegressor((6,), max_iter=1, precision="float64").fit(values, values[:, 0])
    here = spreads_of(network.model_, values, network._expected(), None)
    with dask.config.set(scheduler="sync"):
        chunks = da.from_array(values, chunks=((150, 0, 250), (2,)))
        there = spreads_of(network.model_, chunks, network._expected(), None)
    assert len(here) == len(there) == 2
    for one, other in zip(here, there, strict=True):
        assert one.n_rows == other.n_rows == len(values)
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9, atol=1e-13)


def test_spreads_are_those_of_numpy():
    X = frame(5000)  # more rows than go through the network at a time
    network = fitted((8, 6))
    first, second, _ = spreads_of(network.model_, X, network._expected(), None)
    assert first.mean.shape == (2, 4)
    numeric, codes = network.model_.inputs.read(_raw(network, X))
    made = Network(network.model_.spec, "float64")
    flat = network.model_.flat.astype(np.float64)
    views = [[slot.of(flat) for slot in slots] for _, slots in made.blocks]
    given = made.given(Batch(numeric.astype(np.float64), codes, None, None, np.arange(5000, dtype=np.uint64)))
    embedded = made.blocks[0][0].forward(views[0], given, None, None)[0]
    hidden = np.maximum(embedded @ views[1][0] + views[1][1], 0.0)
    for number in range(2):
        columns = embedded[:, 4 * number : 4 * number + 4]
        np.testing.assert_allclose(first.mean[number], columns.mean(axis=0), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(first.covariance[number], np.cov(columns.T, bias=True), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(second.covariance[0], np.cov(hidden.T, bias=True), rtol=1e-9, atol=1e-12)


def _raw(network, X):
    kinds = tuple((each.position, each.kind) for each in network._expected().unbinned)
    features, unbinned = take_apart(X, kinds, 0, None)
    return RawPart(features, None, None, None, 0, unbinned=unbinned)


def test_bad_input_is_named_and_the_network_stays():
    network = fitted((4,), numeric_embedding="none", classes=2)
    before = network.model_.to_bytes()

    def text(error, estimator, X, share=0.5):
        with pytest.raises(error) as caught:
            prune_network(estimator, X, share)
        return str(caught.value)

    for share in (0, 1.5, True, "half", float("nan")):
        assert text(ParameterError, network, frame(), share) == (
            f"share={share!r} cannot be used: expected a number above 0 and at most 1. With 0.5 every second unit stays."
        )
    assert text(ParameterError, DaskCatBoostRegressor(), frame()) == (
        "estimator='DaskCatBoostRegressor' cannot be used: expected a fitted DaskMLPClassifier or DaskMLPRegressor. "
        "Trees have passes of their own."
    )
    assert "is not fitted yet" in text(NotFittedError, DaskMLPRegressor(), frame())
    assert "Feature names seen at fit time, yet now missing:\n- town" in text(DataError, network, frame()[["a", "b"]])
    assert text(DataError, network, frame().iloc[:1]) == (
        "X: found 1 row(s), expected at least 2, to see which units vary. "
        "Pass rows like those that the network predicts, some thousands if there are as many."
    )
    assert text(DataError, network, frame().iloc[:0]).startswith("X: found 0 row(s)")
    assert text(ModelError, network, frame(), 0.99) == (
        "The network has nothing that can go at share=0.99: (4,) units in hidden layers. Give a smaller share."
    )
    assert text(ModelError, quantize_network(network, "int8"), frame()) == (
        "The network's weights are rounded to int8. Prune the network that was rounded, then round what is left."
    )
    assert network.model_.to_bytes() == before


def test_a_layer_of_constants_keeps_one_unit():
    network = fitted((4, 3), numeric_embedding="none", residual=False, precision="float64")
    arrays = arrays_of(network)
    arrays["coef_0"][...] = 0.0
    pruned = prune_network(with_arrays(network, arrays), frame(), 0.5)
    assert pruned.model_.spec.hidden == (1, 1)
    assert worst(pruned, network) < 1e-12
