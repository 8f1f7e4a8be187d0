"""The CatBoost model says what the ensemble says, and behaves like one that CatBoost trained."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.models.apply import raw_predictions
from gbdist.models.catboost_format import cbm_bytes, fixed_cbm_bytes, read_cbm, to_catboost
from gbdist.models.ensemble import Ensemble

Maker = Callable[..., Ensemble]


def raw(model: catboost.CatBoost, features: np.ndarray) -> np.ndarray:
    values = model.predict(features, prediction_type="RawFormulaVal")
    return np.atleast_2d(values.T if values.ndim == 2 else values)


def assert_same_predictions(model: catboost.CatBoost, ensemble: Ensemble, features: np.ndarray) -> None:
    expected = raw_predictions(ensemble, features)
    bound = sum(float(np.abs(tree.leaf_values).max()) for tree in ensemble.trees) + float(np.abs(ensemble.bias).max())
    np.testing.assert_allclose(raw(model, features), expected, rtol=0, atol=1e-12 * bound)


@pytest.mark.parametrize("depths", [[3] * 20, [0, 4, 1, 0, 6], [0], [0, 0, 0], [10]])
@pytest.mark.parametrize(("dimension", "class_names"), [(1, None), (1, ("no", "yes")), (4, (0, 1, 2, 3))])
def test_raw_predictions_equal_the_ensembles(
    make_ensemble: Maker, raw_features: np.ndarray, depths: list[int], dimension: int, class_names: Any
) -> None:
    ensemble = make_ensemble(depths, dimension=dimension, class_names=class_names)
    model = to_catboost(ensemble)
    assert model.is_fitted()
    assert model.tree_count_ == len(depths)
    assert_same_predictions(model, ensemble, raw_features)


def test_leaf_values_and_start_value_are_exact_and_survive_the_binary_file(
    make_ensemble: Maker, raw_features: np.ndarray, tmp_path: Path
) -> None:
    ensemble = make_ensemble([6] * 30, dimension=3, class_names=("a", "b", "c"))
    model = to_catboost(ensemble)
    model.save_model(str(tmp_path / "model.cbm"))
    loaded = catboost.CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    expected = np.concatenate([tree.leaf_values.ravel() for tree in ensemble.trees])
    for each in (model, loaded, pickle.loads(pickle.dumps(model))):
        assert np.asarray(each.get_leaf_values()).tobytes() == expected.tobytes()
        assert np.asarray(each.get_scale_and_bias()[1]).tobytes() == ensemble.bias.tobytes()
        assert raw(each, raw_features).tobytes() == raw(model, raw_features).tobytes()


def test_without_trees_the_model_predicts_the_start_value(make_ensemble: Maker, raw_features: np.ndarray) -> None:
    ensemble = make_ensemble([])
    np.testing.assert_array_equal(to_catboost(ensemble).predict(raw_features), np.full(900, ensemble.bias[0]))


@pytest.mark.parametrize(
    "labels",
    [(0, 1), (5, 9), (np.int64(-3), np.int64(4)), (0.5, 2.0), ("no", "yes"), (False, True), (np.False_, np.True_)],
)
def test_two_classes_are_predicted_by_their_labels(
    make_ensemble: Maker, raw_features: np.ndarray, labels: tuple[Any, Any]
) -> None:
    ensemble = make_ensemble([3] * 5, class_names=labels)
    model = to_catboost(ensemble)
    assert isinstance(model, catboost.CatBoostClassifier)
    assert model.classes_.tolist() == list(labels)
    margin = raw_predictions(ensemble, raw_features)[0]
    np.testing.assert_array_equal(model.predict(raw_features), np.where(margin > 0, labels[1], labels[0]))
    np.testing.assert_allclose(model.predict_proba(raw_features)[:, 1], 1 / (1 + np.exp(-margin)), rtol=1e-12)


@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
@pytest.mark.parametrize("labels", [(2, 4, 8), ("ant", "bee", "cow"), (0.25, 0.5, 3.0)])
def test_several_classes_are_predicted_by_their_labels(
    make_ensemble: Maker, raw_features: np.ndarray, loss: str, labels: tuple[Any, ...]
) -> None:
    ensemble = make_ensemble([3] * 5, dimension=3, class_names=labels)
    ensemble = replace(ensemble, options={**ensemble.options, "loss_function": {"type": loss, "params": {}}})
    model = to_catboost(ensemble)
    margins = raw_predictions(ensemble, raw_features)
    assert model.classes_.tolist() == list(labels)
    np.testing.assert_array_equal(model.predict(raw_features).ravel(), np.array(labels)[margins.argmax(axis=0)])
    unit = 1 / (1 + np.exp(-margins)) if loss == "MultiClassOneVsAll" else np.exp(margins) / np.exp(margins).sum(axis=0)
    np.testing.assert_allclose(model.predict_proba(raw_features), unit.T, rtol=1e-10)


def test_it_answers_what_a_trained_model_answers(make_ensemble: Maker, raw_features: np.ndarray) -> None:
    ensemble = make_ensemble([4] * 10, class_names=(0, 1))
    model = to_catboost(ensemble)
    assert model.feature_names_ == list(ensemble.feature_names)
    assert model.n_features_in_ == 6
    assert model.get_all_params()["loss_function"] == "Logloss"
    assert model.get_params()["depth"] == 4
    assert model.feature_importances_.shape == (6,)
    assert model.feature_importances_[0] == 0
    assert model.feature_importances_.sum() == pytest.approx(100)
    shap = model.get_feature_importance(catboost.Pool(raw_features), type="ShapValues")
    np.testing.assert_allclose(shap.sum(axis=1), raw_predictions(ensemble, raw_features)[0], atol=1e-9)


def test_only_borders_in_use_are_written(make_ensemble: Maker) -> None:
    ensemble = make_ensemble([4] * 3)
    used: dict[int, set[float]] = {f: set() for f in range(6)}
    for tree in ensemble.trees:
        for split in tree.splits:
            used[split.feature].add(float(ensemble.borders[split.feature].values[split.border]))
    written = to_catboost(ensemble).get_borders()
    assert {f: set(borders) for f, borders in written.items()} == used


def test_a_model_exported_as_json_has_catboosts_keys(make_ensemble: Maker, tmp_path: Path) -> None:
    to_catboost(make_ensemble([2], class_names=("n", "y"))).save_model(str(tmp_path / "m.json"), format="json")
    info = json.loads((tmp_path / "m.json").read_text())["model_info"]
    assert info["class_params"] == {
        "class_label_type": "String",
        "class_names": ["n", "y"],
        "class_to_label": [0, 1],
        "classes_count": 0,
    }
    assert info["params"]["data_processing_options"]["class_names"] == ["n", "y"]


def test_equal_ensembles_give_equal_files_whatever_the_threads(make_ensemble: Maker) -> None:
    first, second = make_ensemble([4] * 10), make_ensemble([4] * 10)
    threads = {**second.options, "system_options": {**second.options["system_options"], "thread_count": 7}}
    assert cbm_bytes(to_catboost(first)) == cbm_bytes(to_catboost(replace(second, options=threads)))


def test_another_leaf_value_gives_another_file_and_guid(make_ensemble: Maker) -> None:
    ensemble = make_ensemble([4] * 10)
    model = to_catboost(ensemble)
    tree = ensemble.trees[3]
    changed = replace(tree, leaf_values=np.nextafter(tree.leaf_values, np.inf))
    other = to_catboost(replace(ensemble, trees=(*ensemble.trees[:3], changed, *ensemble.trees[4:])))
    assert fixed_cbm_bytes(model) != fixed_cbm_bytes(other)
    assert dict(model.get_metadata())["model_guid"] != dict(other.get_metadata())["model_guid"]


def test_guid_and_time_are_all_that_differs_between_two_equal_catboost_runs() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 3))
    models = [
        catboost.CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False).fit(features, features[:, 0])
        for _ in range(2)
    ]
    assert cbm_bytes(models[0]) != cbm_bytes(models[1])
    assert fixed_cbm_bytes(models[0]) == fixed_cbm_bytes(models[1])
    assert dict(models[0].get_metadata())["model_guid"] != ""


def test_a_catboost_model_rewritten_as_an_ensemble_predicts_the_same(tmp_path: Path) -> None:
    """Reads CatBoost's own JSON into an ensemble and back, so that both sides' conventions meet."""
    from gbdist.models.tree import ObliviousTree, TreeSplit
    from gbdist.quantize.borders import FeatureBorders

    generator = np.random.default_rng(3)
    features = generator.normal(size=(600, 4)).astype(np.float32)
    features[generator.random((600, 4)) < 0.2] = np.nan
    features[:, 3] = np.nan_to_num(features[:, 3])
    target = np.nan_to_num(features[:, 0]) - features[:, 3] + np.isnan(features[:, 1])
    for nan_mode in ("Min", "Max"):
        theirs = catboost.CatBoostRegressor(
            iterations=20, depth=5, nan_mode=nan_mode, verbose=0, allow_writing_files=False
        ).fit(features, target)
        theirs.save_model(str(tmp_path / "m.json"), format="json")
        document = json.loads((tmp_path / "m.json").read_text())
        floats = document["features_info"]["float_features"]
        borders = tuple(
            FeatureBorders(np.array(each["borders"], dtype=np.float32), each["nan_value_treatment"]) for each in floats
        )
        place = [TreeSplit(f, b) for f, each in enumerate(borders) for b in range(len(each.values))]
        leaf_values = np.asarray(theirs.get_leaf_values())
        trees, start = [], 0
        for tree in document["oblivious_trees"]:
            stop = start + len(tree["leaf_values"])
            trees.append(
                ObliviousTree(
                    tuple(place[split["split_index"]] for split in tree["splits"]),
                    leaf_values[start:stop, np.newaxis],
                    np.array(tree["leaf_weights"], dtype=np.float64),
                )
            )
            start = stop
        bias = np.atleast_1d(theirs.get_scale_and_bias()[1])
        ensemble = Ensemble(
            tuple(trees), borders, bias, tuple(theirs.feature_names_), None, document["model_info"]["params"]
        )
        ours = to_catboost(ensemble)
        np.testing.assert_allclose(raw_predictions(ensemble, features)[0], theirs.predict(features), rtol=0, atol=1e-13)
        np.testing.assert_array_equal(ours.predict(features), theirs.predict(features))
        np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, atol=1e-9)


def test_model_with_text_can_be_read_and_saved_again_and_again() -> None:
    # Copied, or read from memory, CatBoost 1.2 would save it as a file that crashes whoever reads it.
    texts = [f"word{i % 7} other{i % 3}" for i in range(100)]
    rows = catboost.Pool([[text] for text in texts], np.arange(100) % 7 > 3, text_features=[0])
    options = {"iterations": 5, "loss_function": "Logloss", "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoost(options).fit(rows)
    expected = model.predict(rows).tolist()
    blob = fixed_cbm_bytes(read_cbm(fixed_cbm_bytes(model)))
    assert read_cbm(blob, catboost.CatBoostClassifier()).predict(rows, "RawFormulaVal").tolist() == expected
