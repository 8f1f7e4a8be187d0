"""Continuing a CatBoost model keeps its trees bit for bit."""

import pickle
import re
from collections.abc import Callable
from dataclasses import replace

import catboost
import numpy as np
import pytest

from gbdist.errors import ModelError
from gbdist.models.catboost_format import cbm_bytes, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.merge import sum_with_initial

Maker = Callable[..., Ensemble]


def catboost_model(labels: np.ndarray | None, **params: object) -> catboost.CatBoost:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(300, 6)).astype(np.float32)
    kind = catboost.CatBoostRegressor if labels is None else catboost.CatBoostClassifier
    target = features[:, 1] if labels is None else labels[(np.arange(300) + (features[:, 3] > 0)) % len(labels)]
    pool = catboost.Pool(features, target, feature_names=[f"f{f}" for f in range(6)])
    return kind(iterations=7, depth=3, verbose=0, allow_writing_files=False, **params).fit(pool)


def raw(model: catboost.CatBoost, features: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(features, prediction_type="RawFormulaVal"))


@pytest.mark.parametrize(
    "labels", [None, np.array(["no", "yes"]), np.array([False, True]), np.array([3, 5, 9])], ids=str
)
def test_old_trees_come_first_bit_for_bit(make_ensemble: Maker, labels: np.ndarray | None) -> None:
    initial = catboost_model(labels)
    classes = None if labels is None else tuple(labels.tolist())
    ensemble = make_ensemble(
        [4] * 5, dimension=3 if classes and len(classes) == 3 else 1, class_names=classes, highest=()
    )
    new = to_catboost(replace(ensemble, bias=np.zeros_like(ensemble.bias)))
    summed = sum_with_initial(initial, new)
    assert type(summed) is type(new)
    assert summed.tree_count_ == 12
    expected = np.concatenate([initial.get_leaf_values(), new.get_leaf_values()])
    assert np.asarray(summed.get_leaf_values()).tobytes() == expected.tobytes()
    features = np.random.default_rng(2).normal(size=(200, 6)).astype(np.float32)
    np.testing.assert_allclose(raw(summed, features), raw(initial, features) + raw(new, features), rtol=0, atol=1e-12)
    assert (
        raw(summed, features).tobytes() == raw(pickle.loads(pickle.dumps(summed)), features).tobytes()
    )  # survives the binary file
    np.testing.assert_array_equal(
        summed.predict(features, prediction_type="RawFormulaVal", ntree_end=7), raw(initial, features)
    )
    assert summed.get_all_params()["loss_function"] == new.get_all_params()["loss_function"]
    if labels is not None:
        assert summed.classes_.tolist() == labels.tolist()
        assert set(summed.predict(features).ravel().tolist()) <= set(labels.tolist())


def test_another_nan_mode_is_refused(make_ensemble: Maker) -> None:
    with pytest.raises(ModelError) as caught:
        sum_with_initial(catboost_model(None), to_catboost(make_ensemble([2], highest=(2,))))
    # The words in the middle are CatBoost's and name a line of its sources.
    assert re.fullmatch(
        r"init_model cannot be continued \(.*Nan value treatment differs: 0 != 2\)\. "
        r"Train with the nan_mode and the kind of trees that the initial model was trained with\.",
        str(caught.value),
    )


def test_the_same_two_models_give_the_same_file(make_ensemble: Maker) -> None:
    initial, new = catboost_model(None), to_catboost(make_ensemble([4] * 5, highest=()))
    assert cbm_bytes(sum_with_initial(initial, new)) == cbm_bytes(sum_with_initial(initial, new))


def test_other_columns_are_refused(make_ensemble: Maker) -> None:
    new = to_catboost(replace(make_ensemble([2]), feature_names=tuple("abcdef")))
    with pytest.raises(ModelError) as caught:
        sum_with_initial(catboost_model(None), new)
    assert str(caught.value) == (
        "init_model was trained on the columns ['f0', 'f1', 'f2', 'f3', 'f4', 'f5'], not on "
        "['a', 'b', 'c', 'd', 'e', 'f']. Give the same columns in the same order."
    )


def test_other_classes_are_refused(make_ensemble: Maker) -> None:
    with pytest.raises(ModelError) as caught:
        sum_with_initial(catboost_model(np.array([0, 1])), to_catboost(make_ensemble([2], class_names=(0, 2))))
    assert str(caught.value) == (
        "init_model was trained for the classes [0, 1], not for [0, 2]. "
        "Train on data with the same labels, or start without init_model."
    )


def test_a_classifier_is_not_continued_by_a_regressor(make_ensemble: Maker) -> None:
    with pytest.raises(ModelError) as caught:
        sum_with_initial(catboost_model(np.array([0, 1])), to_catboost(make_ensemble([2])))
    assert str(caught.value) == (
        "init_model is a classifier, and the new model a regressor. Continue a classifier with a classifier."
    )


def test_what_catboost_cannot_add_up_is_refused(make_ensemble: Maker) -> None:
    with pytest.raises(ModelError, match=r"init_model cannot be continued \(.*non-symmetric") as caught:
        sum_with_initial(catboost_model(None, grow_policy="Depthwise"), to_catboost(make_ensemble([2], highest=())))
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
