"""The file of a network: what goes in comes out, and nothing else is taken for one."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from gbdist.errors import ModelError
from gbdist.estimators.networks.model import NetworkModel, NetworkRecord
from gbdist.estimators.networks.weights import KINDS, rounded_weights
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec
from gbdist.quantize.scales import ScaleRules


def make_model() -> NetworkModel:
    """A network on two numbers and a category, with one of everything that a file holds."""
    rng = np.random.default_rng(0)
    rules = ScaleRules("quantile")
    scales = (
        rules.choose(rng.normal(size=300).astype(np.float32), True, "a"),
        rules.choose(np.array([1, 2, 2, 1], np.float32), False, "b"),
    )
    spec = NetworkSpec(
        n_numeric=2,
        hidden=(4, 4),
        n_outputs=2,
        loss="squared_error",
        categories=(3,),
        category_sizes=(2,),
        numeric_embedding="piecewise",
        embedding_size=3,
        edges=tuple(each.edges for each in scales),
        residual=True,
    )
    return NetworkModel(
        spec=spec,
        flat=Network(spec).initial(1).astype(np.float32),
        scales=scales,
        vocabularies=(np.array([7, 4_000_000_000], np.uint32),),
        names=("a", "b", "c"),
        hashed=(2,),
        labels=("a", "b", "c"),
        cat_nan="none",
        target_scale=((1.0, 2.0), (3.0, 0.1)),
        record=NetworkRecord((0.5, 0.25), {"validation": {"RMSE": [0.7, 0.6]}}, 1, 0.6, 2, 600, "early_stopping"),
    )


def inputs(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n_rows, 2)).astype(np.float32), rng.integers(0, 3, (n_rows, 1)).astype(np.int32)


def same(one: NetworkModel, other: NetworkModel) -> None:
    assert one.spec == other.spec
    assert one.flat.dtype == other.flat.dtype
    np.testing.assert_array_equal(one.flat, other.flat)
    for ours, theirs in zip(one.scales, other.scales, strict=True):
        assert (ours.fill, ours.center, ours.scale, ours.edges) == (
            theirs.fill,
            theirs.center,
            theirs.scale,
            theirs.edges,
        )
        np.testing.assert_array_equal(ours.quantiles, theirs.quantiles)
    for ours, theirs in zip(one.vocabularies, other.vocabularies, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name in ("names", "hashed", "labels", "cat_nan", "classes", "target_scale", "record"):
        assert getattr(one, name) == getattr(other, name), name


def test_bytes_hold_all_of_a_model(tmp_path):
    model = make_model()
    same(NetworkModel.from_bytes(model.to_bytes()), model)
    model.save(tmp_path / "network.mlp")
    same(NetworkModel.load(tmp_path / "network.mlp"), model)
    assert [path.name for path in tmp_path.iterdir()] == ["network.mlp"]
    np.testing.assert_array_equal(
        NetworkModel.load(tmp_path / "network.mlp").outputs(*inputs(9)), model.outputs(*inputs(9))
    )


@pytest.mark.parametrize(
    "classes",
    [(0, 1), (-3, 5, 7), ("no", "yes"), (0.5, 1.5), (False, True)],
    ids=["0/1", "int", "text", "float", "bool"],
)
def test_classes_keep_their_types(classes):
    read = NetworkModel.from_bytes(replace(make_model(), classes=classes).to_bytes())
    assert read.classes == classes
    assert list(map(type, read.classes)) == list(map(type, classes))


def test_labels_that_json_has_not_become_names():
    labels = (("a", 1), ("b", 2), 3)
    model = replace(make_model(), labels=labels)
    assert NetworkModel.from_bytes(model.to_bytes()).labels == model.names


def test_no_row_predicts_something_else_beside_others():
    model, (numeric, codes) = make_model(), inputs(50)
    together = model.outputs(numeric, codes)
    alone = np.concatenate([model.outputs(numeric[i : i + 1], codes[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, together, rtol=1e-13)
    assert model.outputs(numeric[:0], codes[:0]).shape == (0, 2)


def test_outputs_are_in_the_units_of_the_targets():
    model = make_model()
    numeric, codes = inputs(5)
    plain = replace(model, target_scale=()).outputs(numeric, codes)
    np.testing.assert_allclose(model.outputs(numeric, codes), plain * [2.0, 0.1] + [1.0, 3.0], rtol=1e-15)
    np.testing.assert_allclose(model.coefs[-1], replace(model, target_scale=()).coefs[-1] * [2.0, 0.1], rtol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_hold_rounded_weights(kind):
    model = make_model()
    small = rounded_weights(model.spec, model.flat, kind)
    model = replace(model, flat=small.flat(model.spec), small=small)
    data = model.to_bytes()
    assert data[:8] == b"GBDMLP02"  # whoever knows the first version alone must not read it
    read = NetworkModel.from_bytes(data)
    same(read, model)
    assert read.small.kind == kind
    for ours, theirs in zip(read.small.arrays, small.arrays, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert make_model().to_bytes()[:8] == b"GBDMLP01"


@pytest.mark.parametrize("at", [0, 9, 30, 500, -1])
def test_a_changed_byte_is_noticed(at):
    data = bytearray(make_model().to_bytes())
    data[at] ^= 1
    with pytest.raises(ModelError):
        NetworkModel.from_bytes(bytes(data))


def test_what_is_no_model_is_told_by_name(tmp_path):
    def text(data: bytes) -> str:
        (tmp_path / "m").write_bytes(data)
        with pytest.raises(ModelError) as caught:
            NetworkModel.load(tmp_path / "m")
        return str(caught.value).replace(str(tmp_path / "m"), "FILE")

    data = make_model().to_bytes()
    way_out = "Give what save_model has written, with the version that wrote it."
    assert text(b"") == f"FILE is no network of gbdist's. {way_out}"
    assert text(pickle.dumps(3)) == f"FILE is no network of gbdist's. {way_out}"
    assert text(b"GBDMLP77" + data[8:]) == f"FILE is of another version of gbdist. {way_out}"
    damaged = "FILE is damaged: its checksum is another one. Copy it anew, or save it again."
    assert text(data[:-4]) == damaged
    assert text(data[:8]) == damaged
    with pytest.raises(ModelError, match="nowhere cannot be read: No such file"):
        NetworkModel.load(tmp_path / "nowhere")
