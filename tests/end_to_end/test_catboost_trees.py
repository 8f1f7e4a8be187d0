"""With nothing left to chance (no bootstrap, no score noise) gbdist grows the very trees that CatBoost grows."""

import json
import pathlib
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor

CERTAIN = {"bootstrap_type": "No", "random_strength": 0, "iterations": 25, "learning_rate": 0.2, "depth": 5}


def make_rows(classes: int) -> tuple[Any, Any]:
    """Continuous columns, so that no two splits tie."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(3_000, 6)).astype(np.float32)
    target = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * (x[:, 3] > 0) + rng.normal(size=3_000) * 0.5
    if classes:
        target = np.digitize(target, np.quantile(target, np.arange(1, classes) / classes))
    return x, target


def splits_of(model: Any, path: pathlib.Path) -> list[list[tuple[int, float]]]:
    model.save_model(str(path), format="json")
    trees = json.loads(path.read_text())["oblivious_trees"]
    return [[(s["float_feature_index"], s["border"]) for s in tree["splits"]] for tree in trees]


@pytest.mark.parametrize(
    ("loss", "classes", "more"),
    [
        ("RMSE", 0, {}),
        ("RMSE", 0, {"score_function": "L2", "l2_leaf_reg": 10.0}),
        ("Logloss", 2, {"leaf_estimation_iterations": 10}),
        ("Logloss", 2, {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 5}),
        ("MultiClass", 3, {}),
        ("MultiClassOneVsAll", 3, {}),
    ],
)
def test_trees_are_those_of_catboost(loss: str, classes: int, more: dict[str, Any], tmp_path: pathlib.Path) -> None:
    x, target = make_rows(classes)
    params = {**CERTAIN, "loss_function": loss, **more}
    kinds = (
        (DaskCatBoostClassifier, catboost.CatBoostClassifier)
        if classes
        else (DaskCatBoostRegressor, catboost.CatBoostRegressor)
    )
    ours = kinds[0](**params).fit(x, target).model_
    theirs = kinds[1](**params, verbose=False, allow_writing_files=False).fit(x, target)
    assert splits_of(ours, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    raw = theirs.predict(x, prediction_type="RawFormulaVal")
    # Ten steps add up what CatBoost's faster exp leaves out.
    tolerance = 1e-6 if loss != "Logloss" else 1e-3
    assert ours.predict(x, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=tolerance)


@pytest.mark.parametrize(
    ("loss", "tolerance"),
    [
        # CatBoost takes residuals in float32, of which a quantile is one.
        ("MAE", 1e-5),
        ("Quantile:alpha=0.8", 1e-5),
        ("Quantile:alpha=0.3;delta=0.001", 1e-5),
        ("LogCosh", 1e-5),
        ("Poisson", 1e-3),
        ("Tweedie:variance_power=1.4", 1e-5),
        ("Huber:delta=0.7", 1e-5),
        ("Expectile:alpha=0.3", 1e-5),
        ("Lq:q=1.6", 1e-5),
        ("Lq:q=3", 1e-5),
        ("LogLinQuantile:alpha=0.6", 1e-5),
        ("MultiQuantile:alpha=0.2,0.7", 1e-5),
    ],
)
def test_trees_of_every_loss_of_numbers_are_those_of_catboost(
    loss: str, tolerance: float, tmp_path: pathlib.Path
) -> None:
    x, target = make_rows(0)
    if loss.startswith(("Poisson", "Tweedie", "LogLin")):
        target = np.floor(np.exp(target / 3))
    params = {**CERTAIN, "loss_function": loss, "iterations": 12}
    ours = DaskCatBoostRegressor(**params).fit(x, target)
    theirs = catboost.CatBoostRegressor(**params, verbose=False, allow_writing_files=False).fit(x, target)
    assert splits_of(ours.model_, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    raw = theirs.predict(x, prediction_type="RawFormulaVal")
    assert ours.model_.predict(x, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=tolerance)
    assert ours.predict(x) == pytest.approx(theirs.predict(x), rel=1e-3)
    assert ours.predict(x).tobytes() == np.asarray(ours.model_.predict(x)).tobytes()


@pytest.mark.parametrize(
    "given",
    [
        {"feature_weights": [0.2, 1, 1, 2, 0.5, 1]},
        {"feature_weights": {0: 0.1, 1: 0.3}, "score_function": "L2"},
        {"first_feature_use_penalties": {0: 20.0, 1: 5.0}},
        {"first_feature_use_penalties": [1000.0] * 6, "penalties_coefficient": 0.01},
        {"feature_weights": {0: 0.3}, "first_feature_use_penalties": {2: 3.0}},
        {"ignored_features": [0, 2]},
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", ["RMSE", "MultiClass"])
def test_what_columns_cost_shapes_the_trees_as_in_catboost(
    loss: str, given: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    x, target = make_rows(3 if loss == "MultiClass" else 0)
    params = {**CERTAIN, **given, "loss_function": loss, "iterations": 10}
    ours = (DaskCatBoostRegressor if loss == "RMSE" else DaskCatBoostClassifier)(**params).fit(x, target).model_
    theirs = catboost.CatBoost({**params, "verbose": False, "allow_writing_files": False}).fit(x, target)
    found = splits_of(ours, tmp_path / "ours.json")
    assert found == splits_of(theirs, tmp_path / "theirs.json")
    assert not {feature for tree in found for feature, _ in tree} & set(given.get("ignored_features", ()))


@pytest.mark.parametrize("mode", ["Constant", "Decreasing"])
@pytest.mark.parametrize("loss", ["RMSE", "Poisson", "MultiClass"])
def test_a_shrunk_model_is_that_of_catboost(loss: str, mode: str, tmp_path: pathlib.Path) -> None:
    x, target = make_rows(3 if loss == "MultiClass" else 0)
    target = np.floor(np.exp(target / 3)) if loss == "Poisson" else target
    params = {**CERTAIN, "loss_function": loss, "iterations": 10, "model_shrink_rate": 0.4, "model_shrink_mode": mode}
    ours = (DaskCatBoostClassifier if loss == "MultiClass" else DaskCatBoostRegressor)(**params).fit(x, target).model_
    theirs = catboost.CatBoost({**params, "verbose": False, "allow_writing_files": False}).fit(x, target)
    assert splits_of(ours, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    raw = theirs.predict(x, prediction_type="RawFormulaVal")
    assert ours.predict(x, prediction_type="RawFormulaVal") == pytest.approx(
        raw, abs=1e-3 if loss == "Poisson" else 1e-6
    )


def test_trees_of_focal_loss_are_those_of_catboost(tmp_path: pathlib.Path) -> None:
    x, target = make_rows(2)
    params = {**CERTAIN, "loss_function": "Focal:focal_alpha=0.3;focal_gamma=2", "iterations": 12}
    ours = DaskCatBoostClassifier(**params).fit(x, target)
    theirs = catboost.CatBoostClassifier(**params, verbose=False, allow_writing_files=False).fit(x, target)
    assert splits_of(ours.model_, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    assert ours.predict_proba(x) == pytest.approx(theirs.predict_proba(x), abs=1e-6)


def test_weights_shape_the_trees_as_in_catboost(tmp_path: pathlib.Path) -> None:
    x, target = make_rows(0)
    weight = (1.0 + np.arange(3_000) % 3).astype(np.float32)
    ours = DaskCatBoostRegressor(**CERTAIN).fit(x, target, sample_weight=weight).model_
    theirs = catboost.CatBoostRegressor(**CERTAIN, verbose=False, allow_writing_files=False)
    theirs.fit(x, target, sample_weight=weight)
    raw = theirs.predict(x)
    assert ours.predict(x) == pytest.approx(raw, abs=1e-3 * np.abs(raw).max())


@pytest.mark.parametrize(
    ("loss", "more", "tolerance"),
    [
        ("RMSE", {}, 1e-6),
        ("RMSE", {"score_function": "L2", "model_shrink_rate": 0}, 1e-6),
        ("Logloss", {"leaf_estimation_iterations": 10}, 1e-3),
        ("Quantile:alpha=0.3", {}, 1e-5),
        ("MAE", {"leaf_estimation_iterations": 3}, 1e-5),
        ("Poisson", {}, 1e-3),
    ],
)
def test_monotone_models_are_those_of_catboost(
    loss: str, more: dict[str, Any], tolerance: float, tmp_path: pathlib.Path
) -> None:
    x, target = make_rows(2 if loss == "Logloss" else 0)
    target = np.floor(np.exp(target / 3)) if loss == "Poisson" else target
    params = {**CERTAIN, "loss_function": loss, "iterations": 12, "monotone_constraints": [1, -1, 1, 0, 0, 0], **more}
    ours = (DaskCatBoostClassifier if loss == "Logloss" else DaskCatBoostRegressor)(**params).fit(x, target).model_
    theirs = catboost.CatBoost({**params, "verbose": False, "allow_writing_files": False}).fit(x, target)
    assert splits_of(ours, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    raw = theirs.predict(x, prediction_type="RawFormulaVal")
    assert ours.predict(x, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=tolerance)
    rays = np.repeat(np.random.default_rng(1).normal(size=(10_000, 6)).astype(np.float32)[None], 20, axis=0)
    for feature, constraint in enumerate(params["monotone_constraints"][:3]):
        along = rays.copy()
        along[:, :, feature] = np.linspace(-3.0, 3.0, 20)[:, None]
        values = ours.predict(along.reshape(-1, 6), prediction_type="RawFormulaVal").reshape(20, -1)
        assert (np.diff(values, axis=0) * constraint >= 0.0).all()


@pytest.mark.parametrize(
    "loss", ["MultiRMSE", "MultiRMSEWithMissingValues", "MultiLogloss", "MultiCrossEntropy", "RMSEWithUncertainty"]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_trees_of_several_raw_values_are_those_of_catboost(loss: str, weighted: bool, tmp_path: pathlib.Path) -> None:
    x, target = make_rows(0)
    rng = np.random.default_rng(5)
    weight = rng.uniform(0.2, 2.0, len(x)).astype(np.float32) if weighted else None
    if loss != "RMSEWithUncertainty":
        target = np.stack([target, 5.0 - 2.0 * x[:, 4] + rng.normal(size=len(x)), x[:, 5] ** 2], axis=1)
    if loss in ("MultiLogloss", "MultiCrossEntropy"):
        target = (target > np.median(target, axis=0)) * (1.0 if loss == "MultiLogloss" else 0.8)
    if loss == "MultiRMSEWithMissingValues":
        target[rng.random(target.shape) < 0.2] = np.nan
    classifier = "Log" in loss or "Cross" in loss
    params = {**CERTAIN, "loss_function": loss, "iterations": 10}
    ours = (DaskCatBoostClassifier if classifier else DaskCatBoostRegressor)(**params).fit(
        x, target, sample_weight=weight
    )
    kind = catboost.CatBoostClassifier if classifier else catboost.CatBoostRegressor
    theirs = kind(**params, verbose=False, allow_writing_files=False).fit(x, target, sample_weight=weight)
    assert splits_of(ours.model_, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    assert ours.model_.get_scale_and_bias() == theirs.get_scale_and_bias()
    raw = theirs.predict(x, prediction_type="RawFormulaVal")
    assert ours.predict(x, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=1e-6)
    found, expected = ours.predict(x), theirs.predict(x)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found.shape == expected.shape
    if classifier:
        assert ours.predict_proba(x) == pytest.approx(theirs.predict_proba(x), abs=1e-6)
        assert found.dtype.kind == np.asarray(expected).dtype.kind == "i"
        assert ours.classes_.tolist() == theirs.classes_.tolist()


@pytest.mark.parametrize("noise", ["Normal", "Logistic", "Extreme"])
def test_trees_of_times_between_two_ends_are_those_of_catboost(noise: str, tmp_path: pathlib.Path) -> None:
    x, target = make_rows(0)
    time, rng = np.exp(target / 2), np.random.default_rng(6)
    seen = np.exp(rng.normal(size=len(x)) + 0.5)
    ends = np.stack([np.minimum(time, seen), np.where(time <= seen, time, -1.0)], axis=1)
    ends[::9] = np.stack([np.floor(time[::9]) + 0.1, np.floor(time[::9]) + 1.1], axis=1)
    ends[1::9] = np.stack([np.full(len(time[1::9]), -1.0), time[1::9] + 1.0], axis=1)
    params = {**CERTAIN, "loss_function": f"SurvivalAft:dist={noise};scale=1.2", "iterations": 10}
    ours = DaskCatBoostRegressor(**params).fit(x, ends)
    theirs = catboost.CatBoostRegressor(**params, verbose=False, allow_writing_files=False).fit(x, ends)
    assert splits_of(ours.model_, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    assert ours.predict(x) == pytest.approx(theirs.predict(x), abs=1e-4)  # CatBoost has a fast logarithm
    curve = theirs.get_evals_result()["learn"][params["loss_function"]]
    assert ours.evals_result_["learn"][params["loss_function"]] == pytest.approx(curve, rel=1e-4)


def test_trees_of_hazards_are_those_of_catboost(tmp_path: pathlib.Path) -> None:
    x, target = make_rows(0)
    rng = np.random.default_rng(7)
    time, seen = np.exp(target / 2), np.exp(rng.normal(size=len(x)) + 0.5)
    label = np.where(time <= seen, np.ceil(time * 9) / 9, -np.ceil(seen * 9) / 9)  # with ties
    few = slice(0, 500)  # CatBoost estimates leaves in blocks of 500 rows, as though each were all
    params = {**CERTAIN, "loss_function": "Cox", "iterations": 10, "use_best_model": False}
    ours = DaskCatBoostRegressor(**params).fit(x[few], label[few], eval_set=(x[500:], label[500:]))
    theirs = catboost.CatBoostRegressor(**params, verbose=False, allow_writing_files=False)
    theirs.fit(x[few], label[few], eval_set=(x[500:], label[500:]))
    assert splits_of(ours.model_, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    assert ours.predict(x) == pytest.approx(theirs.predict(x), abs=1e-9)
    for data in ("learn", "validation"):
        assert ours.evals_result_[data]["Cox"] == pytest.approx(theirs.evals_result_[data]["Cox"], rel=1e-9)
    assert ours.best_iteration_ == theirs.best_iteration_
