"""With nothing left to chance gbdist grows CatBoost's own trees leaf by leaf, too: grow_policy Depthwise and Lossguide.

Leaves have many rows: splits of few rows tie, and CatBoost's rounding would decide between them.
"""

import json
import pathlib
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor

from .test_catboost_categories import MANY, assert_same, make_rows
from .test_catboost_trees import make_rows as make_numbers

CERTAIN = {"bootstrap_type": "No", "random_strength": 0, "iterations": 8, "learning_rate": 0.2}
POLICIES = {
    "Depthwise": {"grow_policy": "Depthwise", "depth": 3},
    "Lossguide": {"grow_policy": "Lossguide", "max_leaves": 7, "depth": 5},
}
BOTH = pytest.mark.parametrize("policy", POLICIES)


def trees_of(model: Any, path: pathlib.Path) -> list[Any]:
    """Each tree as (feature, border, left, right), None for a leaf."""
    model.save_model(str(path), format="json")

    def nested(node: Any) -> Any:
        if "split" not in node:
            return None
        split = node["split"]
        return split["float_feature_index"], split["border"], nested(node["left"]), nested(node["right"])

    return [nested(tree) for tree in json.loads(path.read_text())["trees"]]


def assert_same_trees(
    params: dict[str, Any], classes: int, path: pathlib.Path, tolerance: float, weight: Any = None, **theirs: Any
) -> None:
    x, target = make_numbers(classes)
    if params["loss_function"] == "Poisson":
        target = np.floor(np.exp(target / 3))
    params = {**CERTAIN, **params}
    ours = (DaskCatBoostClassifier if classes else DaskCatBoostRegressor)(**params)
    ours.fit(x, target, sample_weight=weight)
    model = catboost.CatBoost({**params, **theirs, "verbose": False, "allow_writing_files": False})
    model.fit(x, target, sample_weight=weight)
    assert trees_of(ours.model_, path / "ours.json") == trees_of(model, path / "theirs.json")
    raw = model.predict(x, prediction_type="RawFormulaVal")
    assert ours.model_.predict(x, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=tolerance)


@BOTH
@pytest.mark.parametrize(
    ("loss", "classes", "more", "tolerance"),
    [
        ("RMSE", 0, {}, 1e-9),
        ("RMSE", 0, {"score_function": "L2", "l2_leaf_reg": 10.0}, 1e-9),
        ("Logloss", 2, {}, 1e-9),
        ("Logloss", 2, {"leaf_estimation_iterations": 10, "iterations": 3}, 2e-3),
        ("MultiClass", 3, {}, 1e-9),
        ("Quantile:alpha=0.3;delta=0.001", 0, {}, 1e-5),
        ("MultiQuantile:alpha=0.2,0.7", 0, {}, 1e-5),
        ("Poisson", 0, {}, 1e-3),
        ("RMSE", 0, {"model_shrink_rate": 0.4}, 1e-9),
        ("RMSE", 0, {"feature_weights": [0.2, 1, 1, 2, 0.5, 1]}, 1e-9),
        ("MultiClass", 3, {"feature_weights": {0: 0.1, 1: 0.3}}, 1e-9),
        ("RMSE", 0, {"first_feature_use_penalties": {0: 20.0, 1: 5.0, 2: 3.0}}, 1e-9),
        ("MultiClass", 3, {"first_feature_use_penalties": {0: 20.0, 1: 5.0, 2: 3.0}}, 1e-9),
    ],
    ids=str,
)
def test_trees_are_those_of_catboost(
    policy: str, loss: str, classes: int, more: dict[str, Any], tolerance: float, tmp_path: pathlib.Path
) -> None:
    assert_same_trees({"loss_function": loss, **POLICIES[policy], **more}, classes, tmp_path, tolerance)


@BOTH
@pytest.mark.parametrize(("loss", "classes"), [("RMSE", 0), ("MultiClass", 3)])
def test_leaves_of_few_rows_are_not_split(policy: str, loss: str, classes: int, tmp_path: pathlib.Path) -> None:
    """CatBoost takes a leaf's sums from its parent's unless rsm is below 1, and by level it then mixes leaves up."""
    params = {"loss_function": loss, **POLICIES[policy], "depth": 5, "min_data_in_leaf": 250}
    assert_same_trees(params, classes, tmp_path, 1e-9, rsm=0.9999999)


@BOTH
def test_weights(policy: str, tmp_path: pathlib.Path) -> None:
    weight = (1.0 + np.arange(3_000) % 3).astype(np.float32)
    assert_same_trees({"loss_function": "RMSE", **POLICIES[policy]}, 0, tmp_path, 1e-9, weight)


@BOTH
@pytest.mark.parametrize(
    ("loss", "given"),
    [
        ("RMSE", {"one_hot_max_size": 25}),
        ("Logloss", {}),
        ("MultiClass", {"simple_ctr": ["Buckets", "Counter"], "model_size_reg": 4}),
        ("RMSE", {"feature_weights": {"c0": 0.2, "x1": 3, "c1": 1.5}}),
        ("Logloss", {"first_feature_use_penalties": {"c0": 9, "c1": 2, "x0": 1}, "penalties_coefficient": 2}),
    ],
    ids=str,
)
def test_categorical_columns(policy: str, loss: str, given: dict[str, Any], tmp_path: pathlib.Path) -> None:
    """One-hot, and statistics of single columns: CatBoost makes no combinations for such trees."""
    table, target = make_rows(loss, MANY)
    assert_same(loss, table, target, {"has_time": True, **CERTAIN, **POLICIES[policy], **given}, tmp_path)
