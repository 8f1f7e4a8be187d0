"""ONNX models answer what CatBoost answers: raw values, labels and probabilities, of all kinds of trees."""

from pathlib import Path

import catboost
import numpy as np
import onnxruntime
import pytest

from gbdist.compression.exports import export_model

from .conftest import QUIET, rows_of, trained


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide"])
@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_onnx_has_all_trees_and_missing_values(tmp_path: Path, grow_policy: str, nan_mode: str) -> None:
    model = trained("regression", missing=True, grow_policy=grow_policy, nan_mode=nan_mode)
    export_model(model, tmp_path / "m.onnx")
    features, _ = rows_of(seed=1, missing=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    found = session.run(["predictions"], {"features": features})[0]
    expected = model.predict(features)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("kind", ["two classes", "two numbers", "booleans", "classes"])
@pytest.mark.parametrize("loss", [None, "MultiClassOneVsAll"])
def test_onnx_classifiers_give_labels_and_probabilities(tmp_path: Path, kind: str, loss: str | None) -> None:
    if loss and kind != "classes":
        loss = "Logloss"
    model = trained(kind, loss_function=loss)
    export_model(model, tmp_path / "m.onnx")
    features, _ = rows_of(seed=1)
    labels, probabilities = onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"features": features})
    classes = [int(each) if isinstance(each, bool) else each for each in model.classes_.tolist()]
    assert set(probabilities[0]) == set(classes)
    table = np.array([[row[name] for name in classes] for row in probabilities])
    np.testing.assert_allclose(table, model.predict_proba(features), rtol=0, atol=1e-6)
    expected = np.asarray(model.predict(features)).ravel()
    # Booleans are 0 and 1 in ONNX, which has no others as keys; CatBoost predicts them as texts.
    wanted = (expected.astype(str) == "True").astype(int) if kind == "booleans" else expected
    np.testing.assert_array_equal(labels.ravel(), wanted)


def test_onnx_keeps_another_threshold_of_two_classes(tmp_path: Path) -> None:
    model = trained("two numbers")
    model.set_probability_threshold(0.9)
    export_model(model, tmp_path / "m.onnx")
    features, _ = rows_of(seed=1)
    labels = onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(["label"], {"features": features})[0]
    assert 0.0 < np.mean(labels == 9) < np.mean(model.predict_proba(features)[:, 1] > 0.5)
    np.testing.assert_array_equal(labels.ravel(), model.predict(features))


def test_onnx_of_several_labels_and_several_targets(tmp_path: Path) -> None:
    features, _ = rows_of(seed=1)
    model = trained("several labels")
    export_model(model, tmp_path / "l.onnx")
    labels, chances = onnxruntime.InferenceSession(str(tmp_path / "l.onnx")).run(None, {"features": features})
    np.testing.assert_array_equal(labels, model.predict(features))
    np.testing.assert_allclose(chances, model.predict_proba(features), rtol=0, atol=1e-6)
    model = trained("several targets", grow_policy="Depthwise")
    export_model(model, tmp_path / "t.onnx")
    found = onnxruntime.InferenceSession(str(tmp_path / "t.onnx")).run(None, {"features": features})[0]
    np.testing.assert_allclose(found, model.predict(features), rtol=0, atol=1e-6)


def test_onnx_of_many_trees_adds_up_in_float64(tmp_path: Path) -> None:
    # CatBoost's own export is 1e-6 of the values away here, for it adds up in float32.
    features, label = rows_of()
    model = catboost.CatBoostRegressor(**{**QUIET, "iterations": 1000}).fit(features, label)
    done = export_model(model, tmp_path / "m.onnx")
    largest = np.abs(model.predict(features)).max()
    assert done.difference is not None
    assert done.difference < 1.2e-7 * max(1.0, largest)
