"""A model without splits has importances as far as CatBoost computes them, and an error where it would end the process."""

import catboost
import numpy as np
import pytest

from gbdist import DaskCatBoostRegressor, ModelError

X, Y = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50.0)


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_a_model_without_splits(policy: str) -> None:
    model = DaskCatBoostRegressor(grow_policy=policy, iterations=2, verbose=False).fit(np.zeros_like(X), Y)
    assert model.feature_importances_.tolist() == [0.0, 0.0]
    with pytest.raises(ModelError, match="LossFunctionChange of a model in which no tree has a split"):
        model.get_feature_importance("LossFunctionChange", catboost.Pool(X, Y))
    if policy == "SymmetricTree":
        assert model.shap_values(X)[:, :2].any() == np.False_
    else:
        with pytest.raises(ModelError, match="ShapValues of a model in which no tree has a split"):
            model.shap_values(X)


def test_a_model_with_splits_is_asked() -> None:
    model = DaskCatBoostRegressor(grow_policy="Depthwise", iterations=2, verbose=False).fit(X, Y)
    assert model.shap_values(X).shape == (50, 3)
