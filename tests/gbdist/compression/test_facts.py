"""What labels mean to a model: losses of all kinds of models are those that CatBoost finds on the labels as they are."""

from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.compression.data import compression_data
from gbdist.compression.facts import LabelRules
from gbdist.compression.pipeline import losses
from gbdist.compression.shares import Shares
from gbdist.errors import DataError
from gbdist.models.catboost_reading import from_catboost
from gbdist.quantize.survey import LABEL_LIMIT

_GENERATOR = np.random.default_rng(0)
X = _GENERATOR.normal(size=(300, 4)).astype(np.float32)
TARGET = X[:, 0] + X[:, 1] * X[:, 2]
COUNTS = _GENERATOR.poisson(np.exp(TARGET / 3))
THREE = np.digitize(TARGET, [-0.5, 0.5])

REGRESSIONS: dict[str, Any] = {
    "RMSE": TARGET,
    "MAE": TARGET,
    "Quantile:alpha=0.9": TARGET,
    "Huber:delta=1.5": TARGET,
    "Poisson": COUNTS,
    "Tweedie:variance_power=1.5": COUNTS,
    "MultiRMSE": np.c_[TARGET, TARGET**2],
    "MultiQuantile:alpha=0.1,0.9": TARGET,
    "RMSEWithUncertainty": TARGET,
}
CLASSIFICATIONS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "booleans": ("Logloss", TARGET > 0, {}),
    "integers": ("Logloss", (TARGET > 0) * 3 - 1, {}),
    "fractions": ("Logloss", (TARGET > 0).astype(float), {}),
    "strings": ("Logloss", np.where(TARGET > 0, "10", "9").astype(object), {}),
    "weights of classes": ("Logloss", (TARGET > 0).astype(int), {"class_weights": [1.0, 3.0]}),
    "balanced classes": ("Logloss", (TARGET > 0.7).astype(int), {"auto_class_weights": "Balanced"}),
    "probabilities": ("CrossEntropy", 1.0 / (1.0 + np.exp(-TARGET)), {}),
    "focal": ("Focal:focal_alpha=0.3;focal_gamma=2", (TARGET > 0).astype(int), {}),
    "three classes": ("MultiClass", THREE * 5, {}),
    "one against the others": ("MultiClassOneVsAll", THREE.astype(str).astype(object), {}),
    "several labels": ("MultiLogloss", np.c_[TARGET > 0, X[:, 3] > 0].astype(int), {}),
}


def fitted(kind: Any, loss: str, y: Any, **more: Any) -> Any:
    how = {"iterations": 6, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    return kind(loss_function=loss, **how, **more).fit(X, y)


def assert_loss_is_catboosts(model: Any, loss: str, y: Any) -> None:
    with compression_data(X, y, model=model, shares=Shares(0.0, 0.0)) as data:
        (found,) = losses([data.ensemble], data, "passes")
    expected = model.eval_metrics(catboost.Pool(X, y), [loss])[loss][-1]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", REGRESSIONS)
def test_loss_of_a_regressor(loss: str) -> None:
    y = REGRESSIONS[loss]
    assert_loss_is_catboosts(fitted(catboost.CatBoostRegressor, loss, y), loss, y)


@pytest.mark.parametrize("case", CLASSIFICATIONS)
def test_loss_of_a_classifier(case: str) -> None:
    loss, y, more = CLASSIFICATIONS[case]
    assert_loss_is_catboosts(fitted(catboost.CatBoostClassifier, loss, y, **more), loss, y)


def test_labels_out_of_the_range_of_the_loss_are_refused() -> None:
    model = fitted(catboost.CatBoostRegressor, "Poisson", COUNTS)
    with (
        pytest.raises(DataError, match="expected labels of at least 0 for Poisson"),
        compression_data(X, COUNTS - 1, model=model),
    ):
        pass


def test_another_number_of_labels_than_the_models_is_refused() -> None:
    model = fitted(catboost.CatBoostRegressor, "MultiRMSE", np.c_[TARGET, TARGET])
    with pytest.raises(DataError) as refused, compression_data(X, TARGET, model=model):
        pass
    fix = "Give y beside X, or the names of its columns."
    assert str(refused.value) == f"y: found 1 label(s) a row, expected 2, as the model's loss MultiRMSE has. {fix}"


def test_more_labels_than_are_told_apart_are_no_classes() -> None:
    model = fitted(catboost.CatBoostClassifier, "Logloss", (TARGET > 0).astype(int))
    many = np.random.default_rng(1).normal(size=2 * LABEL_LIMIT)
    with (
        pytest.raises(DataError, match="y: found measured numbers, expected classes of the model: 0, 1"),
        compression_data(np.zeros((2 * LABEL_LIMIT, 4), np.float32), many, model=model),
    ):
        pass


def test_rules_follow_from_the_model() -> None:
    model = fitted(catboost.CatBoostClassifier, "Logloss", TARGET > 0, class_weights=[1.0, 3.0])
    rules = LabelRules.of(from_catboost(model))
    assert (rules.loss, rules.n_labels) == ("Logloss", 1)
    assert rules.class_weights is not None
    assert rules.class_weights.tolist() == [1.0, 3.0]
