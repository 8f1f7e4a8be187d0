"""With nothing left to chance gbdist grows the very trees that CatBoost grows of categorical columns.

One-hot columns take no chance. Statistics of categories are made in the order of some permutations, but for ``has_time``: then
there is one, the order of the rows, in CatBoost and here.
"""

import json
import pathlib
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.errors import ParameterError

CERTAIN = {"bootstrap_type": "No", "random_strength": 0, "iterations": 15, "learning_rate": 0.3, "depth": 4}
KINDS = {
    "RMSE": (DaskCatBoostRegressor, catboost.CatBoostRegressor, 0),
    "Logloss": (DaskCatBoostClassifier, catboost.CatBoostClassifier, 2),
    "MultiClass": (DaskCatBoostClassifier, catboost.CatBoostClassifier, 3),
    "MultiQuantile:alpha=0.2,0.5,0.9": (DaskCatBoostRegressor, catboost.CatBoostRegressor, 0),
}
OF_LABELS = {
    "MultiRMSE": (DaskCatBoostRegressor, catboost.CatBoostRegressor, 0),
    "MultiLogloss": (DaskCatBoostClassifier, catboost.CatBoostClassifier, 2),
}
ONE_HOT = (5, 9, 40)
MANY = (25, 40, 60)


def make_rows(loss: str, sizes: tuple[int, ...], numbers: int = 2, n_rows: int = 4_000) -> tuple[pd.DataFrame, Any]:
    """Columns of numbers and of strings, and a target that depends on pairs of them.

    Two values would tie, rows with the one being those without the other; so would statistics of few rows.
    """
    rng = np.random.default_rng(11)
    table = pd.DataFrame({f"x{i}": rng.normal(size=n_rows).astype(np.float32) for i in range(numbers)})
    target = table.sum(axis=1).to_numpy() if numbers else np.zeros(n_rows)
    before = np.zeros(n_rows, np.int64)
    for i, size in enumerate(sizes):
        shares = rng.random(size) ** 2 + 0.05
        codes = rng.choice(size, n_rows, p=shares / shares.sum())
        target = target + rng.normal(size=size)[codes] + rng.normal(size=(7, 7))[before % 7, codes % 7]
        table[f"c{i}"], before = np.array([f"v{code}" for code in range(size)], dtype=object)[codes], codes
    target = target + rng.normal(size=n_rows) * 0.5
    classes = KINDS[loss][2]
    return table, np.digitize(target, np.quantile(target, np.arange(1, classes) / classes)) if classes else target


def with_labels(loss: str, table: pd.DataFrame, target: Any) -> Any:
    """Two more labels, the last of which depends on numbers alone."""
    others = [np.roll(target, 1) + target, table["x0"].to_numpy() - table["x1"].to_numpy()]
    labels = np.stack([target, *others], axis=1)
    return (labels > np.median(labels, axis=0)).astype(np.int64) if loss == "MultiLogloss" else labels


def splits_of(model: Any, path: pathlib.Path) -> list[Any]:
    """The splits of each tree, whatever numbers a model has for them: of levels, or of nodes within nodes."""
    model.save_model(str(path), format="json")
    document = json.loads(path.read_text())
    features = document["features_info"]
    known: list[tuple[Any, ...]] = []
    for each in features.get("float_features", []):
        known += [(each["feature_id"], border) for border in each["borders"] or []]
    for each in features.get("categorical_features", []):
        known += [(each["feature_id"], value) for value in each.get("values", [])]
    for each in features.get("ctrs", []):
        elements = sorted(json.dumps(element) for element in each["elements"])
        kind = (*elements, each["ctr_type"], each["target_border_idx"], each["prior_numerator"])
        known += [(*kind, border) for border in each["borders"]]

    def nested(node: Any) -> Any:
        if "split" not in node:
            return None
        return known[node["split"]["split_index"]], nested(node["left"]), nested(node["right"])

    if "trees" in document:
        return [nested(tree) for tree in document["trees"]]
    return [[known[split["split_index"]] for split in tree["splits"]] for tree in document["oblivious_trees"]]


def assert_same(
    loss: str, table: pd.DataFrame, target: Any, params: dict[str, Any], path: pathlib.Path, **more: Any
) -> Any:
    """Train both on the first three quarters of the rows, with the others as eval set; return our model."""
    cut = len(table) * 3 // 4
    X, y, X_eval, y_eval = table[:cut], target[:cut], table[cut:], target[cut:]
    params = {**CERTAIN, "use_best_model": False, **params, "loss_function": loss}
    kinds = {**KINDS, **OF_LABELS}[loss]
    ours = kinds[0](**params).fit(X, y, eval_set=(X_eval, y_eval), **more)
    cats = [name for name in table if name.startswith("c")]
    theirs = kinds[1](**params, cat_features=cats, verbose=False, allow_writing_files=False)
    theirs.fit(X, y, eval_set=(X_eval, y_eval), **more)
    assert splits_of(ours.model_, path / "ours.json") == splits_of(theirs, path / "theirs.json")
    raw = theirs.predict(table, prediction_type="RawFormulaVal")
    tolerance = 1e-5 if loss.startswith("MultiQuantile") else 1e-9  # CatBoost takes residuals in float32
    assert ours.model_.predict(table, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=tolerance)
    for name, curve in theirs.evals_result_["validation"].items():
        assert ours.evals_result_["validation"][name] == pytest.approx(curve, abs=tolerance)
    return ours.model_


def kinds_of(model: Any, path: pathlib.Path) -> set[str]:
    """Kinds of the statistics that a model has."""
    model.save_model(str(path / "kinds.json"), format="json")
    return {each["ctr_type"] for each in json.loads((path / "kinds.json").read_text())["features_info"].get("ctrs", [])}


@pytest.mark.parametrize("numbers", [2, 0])
@pytest.mark.parametrize("loss", KINDS)
def test_one_hot_columns(loss: str, numbers: int, tmp_path: pathlib.Path) -> None:
    table, target = make_rows(loss, ONE_HOT, numbers)
    model = assert_same(loss, table, target, {"one_hot_max_size": 255}, tmp_path)
    assert kinds_of(model, tmp_path) == set()


@pytest.mark.parametrize("complexity", [1, 2, 4])
@pytest.mark.parametrize("loss", KINDS)
def test_statistics_and_combinations(loss: str, complexity: int, tmp_path: pathlib.Path) -> None:
    table, target = make_rows(loss, (*MANY, 7, 12))
    params = {"has_time": True, "max_ctr_complexity": complexity, "one_hot_max_size": 12}
    model = assert_same(loss, table, target, params, tmp_path)
    assert "Borders" in kinds_of(model, tmp_path)


@pytest.mark.parametrize(
    ("loss", "given"),
    [
        ("RMSE", {"simple_ctr": ["Buckets:Prior=0", "Borders", "Counter"], "ctr_target_border_count": 3}),
        (
            "Logloss",
            {"simple_ctr": "Borders:Prior=0.3", "combinations_ctr": ["Counter:CtrBorderCount=9", "Buckets:Prior=0"]},
        ),
        ("Logloss", {"per_feature_ctr": ["2:Counter:Prior=0.5", "3:Borders:Prior=-0.5:Prior=2"]}),
        ("MultiClass", {"simple_ctr": ["Buckets", "Counter"], "combinations_ctr": "Borders:CtrBorderCount=30"}),
        ("RMSE", {"max_ctr_complexity": 2, "model_size_reg": 0}),
        ("RMSE", {"model_size_reg": 4}),
        ("Logloss", {"max_ctr_complexity": 1, "model_size_reg": 2}),
        ("RMSE", {"score_function": "L2", "l2_leaf_reg": 20}),
        ("Logloss", {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 3}),
        ("RMSE", {"feature_weights": {"c0": 0.2, "x1": 3, "c1": 1.5}}),
        ("Logloss", {"first_feature_use_penalties": {"c0": 9, "c1": 2, "x0": 1}, "penalties_coefficient": 2}),
        ("RMSE", {"ignored_features": [3, 0], "feature_weights": [1, 2, 1, 1, 0.5]}),
    ],
    ids=str,
)
def test_what_is_said_of_statistics(loss: str, given: dict[str, Any], tmp_path: pathlib.Path) -> None:
    table, target = make_rows(loss, MANY)
    assert_same(loss, table, target, {"has_time": True, "max_ctr_complexity": 3, **given}, tmp_path)


def test_weights(tmp_path: pathlib.Path) -> None:
    table, target = make_rows("Logloss", MANY)
    weight = 0.25 + np.arange(3_000) % 4
    params = {"has_time": True, "max_ctr_complexity": 2, "class_weights": [1, 2]}
    assert_same("Logloss", table, target, params, tmp_path, sample_weight=weight)


def test_statistics_alone(tmp_path: pathlib.Path) -> None:
    table, target = make_rows("Logloss", MANY, numbers=0)
    assert_same("Logloss", table, target, {"has_time": True, "max_ctr_complexity": 4}, tmp_path)


@pytest.mark.parametrize("simple", [["Counter", "Borders"], ["Borders"]], ids=str)
@pytest.mark.parametrize("method", ["Full", "SkipTest"])
def test_categories_of_eval_sets_alone(method: str, simple: list[str], tmp_path: pathlib.Path) -> None:
    """Counters may count them; then they weigh more than other statistics of the same column."""
    table, target = make_rows("RMSE", MANY)
    table.loc[3_000:, "c0"] = [f"unseen {row % 600}" for row in range(1_000)]
    params = {"counter_calc_method": method, "simple_ctr": simple, "combinations_ctr": "Borders", "model_size_reg": 1}
    assert_same("RMSE", table, target, {"has_time": True, "max_ctr_complexity": 2, **params}, tmp_path)


@pytest.mark.parametrize("complexity", [1, 4])
def test_holdout_loss_with_all_chance(complexity: int) -> None:
    """Permutations, samples and noise are ours: the model is another one, and as good. Many categories have few rows."""
    table, target = make_rows("Logloss", (4, 30, 200, 800), n_rows=12_000)
    params = {"iterations": 100, "learning_rate": 0.1, "max_ctr_complexity": complexity, "random_seed": 3}
    X, y, X_new, y_new = table[:4_000], target[:4_000], table[4_000:], target[4_000:]
    ours = DaskCatBoostClassifier(**params).fit(X, y)
    cats = [name for name in table if name.startswith("c")]
    theirs = catboost.CatBoostClassifier(**params, cat_features=cats, verbose=False, allow_writing_files=False).fit(
        X, y
    )
    found, expected = (log_loss(y_new, model.predict_proba(X_new)) for model in (ours, theirs))
    assert found < 1.02 * expected
    numbers = catboost.CatBoostClassifier(iterations=100, verbose=False, allow_writing_files=False)
    numbers.fit(X.drop(columns=cats), y)
    assert found < 0.9 * log_loss(y_new, numbers.predict_proba(X_new.drop(columns=cats)))


@pytest.mark.parametrize("loss", OF_LABELS)
def test_statistics_beside_several_labels(loss: str, tmp_path: pathlib.Path) -> None:
    table, target = make_rows("RMSE", MANY)
    counters = {"simple_ctr": "Counter", "combinations_ctr": "Counter"}
    params = {"has_time": True, "max_ctr_complexity": 2, **counters}
    model = assert_same(loss, table, with_labels(loss, table, target), params, tmp_path)
    assert kinds_of(model, tmp_path) == {"Counter"}


def test_one_hot_columns_beside_several_labels(tmp_path: pathlib.Path) -> None:
    table, target = make_rows("RMSE", ONE_HOT)
    assert_same("MultiRMSE", table, with_labels("MultiRMSE", table, target), {"one_hot_max_size": 255}, tmp_path)


def test_statistics_of_several_labels_are_refused() -> None:
    table, target = make_rows("RMSE", MANY)
    with pytest.raises(ParameterError) as refusal:
        DaskCatBoostRegressor(loss_function="MultiRMSE").fit(table, with_labels("MultiRMSE", table, target))
    assert str(refusal.value) == (
        "simple_ctr=['Borders', 'Counter'] cannot be used: expected statistics without the label for 'c0', as a row "
        "has 3 labels. "
        'Set simple_ctr="Counter" and combinations_ctr="Counter", or raise one_hot_max_size to its number of values.'
    )
