"""Fits on categorical columns: whatever is asked for, plain CatBoost says of raw strings what the trainer said of hashes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool
from gbdist.models.catboost_format import fixed_cbm_bytes

FEATURES = ["price", "color", "shop", "age", "code", "card"]
CATS = ["color", "shop", "code", "card"]


def make_sales(n_rows: int, seed: int) -> pd.DataFrame:
    """Sales of 60 shops: "color" has three values, "code" 20 that are integers, "card" two; "kind" is one of three classes."""
    rng, of_values = np.random.default_rng(seed), np.random.default_rng(8)
    color, shop, code, card = (rng.integers(0, size, n_rows) for size in (3, 60, 20, 2))
    price, age = rng.normal(size=n_rows).astype(np.float32), rng.integers(18, 90, n_rows)
    amount = 2 * price + of_values.normal(size=60)[shop] * np.where(price > 0, 2, 1) + of_values.normal(size=3)[color]
    amount = (
        amount
        + 2 * of_values.normal(size=(3, 20))[color, code]
        + age / 40
        + np.where(card, price, 1)
        + rng.normal(size=n_rows) * 0.5
    )
    price[rng.random(n_rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "price": price,
            "color": pd.Categorical.from_codes(color, ["red", "green", "blue"]),
            "shop": pd.Series([f"shop {number}" for number in shop], dtype=object),
            "age": age,
            "code": code,
            "card": np.where(card, "with", "without"),
            "y": np.where(amount > 1.5, "yes", "no"),
            "kind": np.digitize(amount, [-1, 2]),
            "amount": amount.astype(np.float32),
            "w": rng.integers(1, 5, n_rows) / 2,
        }
    )


SALES = make_sales(1_500, seed=1)
VALID = make_sales(500, seed=2)
VALID["shop"] = VALID["shop"].where(VALID.index % 4 > 0, "new shop")
VALID["code"] = VALID["code"].where(VALID.index % 5 > 0, -7)


def lazy(table: pd.DataFrame, n_parts: int = 4) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=n_parts, sort=False)


def make(client: Client | None = None, kind: type = DaskCatBoostClassifier, **given: Any) -> Any:
    settings = {"iterations": 12, "depth": 4, "learning_rate": 0.3, "cat_features": CATS, "thread_count": 1}
    return kind(client=client, **{**settings, **given})


def pool_of(table: pd.DataFrame, names: list[str] = FEATURES) -> catboost.Pool:
    """Rows as plain CatBoost takes them."""
    return catboost.Pool(table[names], cat_features=[name for name in names if name in CATS])


def losses(raw: np.ndarray, target: pd.Series, loss: str) -> np.ndarray:
    """Loss of each row."""
    if loss == "RMSE":
        return (raw - target.to_numpy()) ** 2
    if loss == "MultiClass":
        return np.logaddexp.reduce(raw, axis=1) - raw[np.arange(len(raw)), target.to_numpy()]
    return np.logaddexp(0, np.where(target == "yes", -raw, raw))


def curve(model: Any, table: pd.DataFrame, column: str, loss: str, weight: Any = None) -> list[float]:
    """The loss after each tree, by plain CatBoost's own predictions of strings."""
    stages = model.staged_predict(pool_of(table), prediction_type="RawFormulaVal")
    means = [float(np.average(losses(raw, table[column], loss), weights=weight)) for raw in stages]
    return [mean**0.5 for mean in means] if loss == "RMSE" else means


def assert_plain_catboost_agrees(
    model: Any, folder: Path, column: str = "y", loss: str = "Logloss", weight: Any = None
) -> None:
    """Of the eval rows, on a cluster and in memory, with the loss that the trainer told after each tree."""
    model.save_model(folder / "model.cbm")
    plain = type(model.model_)().load_model(str(folder / "model.cbm"))
    told = model.evals_result_["validation"][loss][: plain.tree_count_]
    assert told == pytest.approx(curve(plain, VALID, column, loss, weight), rel=1e-9)
    for kind in ("RawFormulaVal", None) if loss == "RMSE" else ("RawFormulaVal", "Probability", "Class"):
        expected = plain.predict(pool_of(VALID), **({"prediction_type": kind} if kind else {}))
        assert np.array_equal(np.ravel(model.predict(VALID[FEATURES], kind)), np.ravel(expected))
        found = model.predict(lazy(VALID, 3)[FEATURES], kind).compute().to_numpy()
        assert np.array_equal(np.ravel(found), np.ravel(expected))


def fitted_twice(client: Client, column: str = "y", kind: type = DaskCatBoostClassifier, **given: Any) -> Any:
    """Fit on a cluster; the model must be that of rows in memory."""
    rows, valid = SALES[[*FEATURES, column]], VALID[[*FEATURES, column]]
    there = make(client, kind, **given).fit(lazy(rows), column, eval_set=(lazy(valid, 2), column))
    here = make(None, kind, **given).fit(rows, column, eval_set=(valid, column))
    assert fixed_cbm_bytes(here.model_) == fixed_cbm_bytes(there.model_)
    assert here.evals_result_ == there.evals_result_
    return there


PARAMETERS: list[dict[str, Any]] = [
    {"max_ctr_complexity": 2},
    {"max_ctr_complexity": 4, "one_hot_max_size": 3},
    {"one_hot_max_size": 0},
    {"one_hot_max_size": 255},
    {"simple_ctr": ["Buckets:Prior=0.5", "Counter:CtrBorderCount=9:Prior=0"]},
    {"simple_ctr": "Counter", "combinations_ctr": ["Buckets", "Borders:Prior=2"], "max_ctr_complexity": 2},
    {"per_feature_ctr": ["2:Counter:Prior=0.5", "4:Buckets:Prior=1,Borders:Prior=0"]},
    {"ctr_leaf_count_limit": 10, "max_ctr_complexity": 2},
    {"ctr_leaf_count_limit": 10, "max_ctr_complexity": 2, "store_all_simple_ctr": True},
    {"counter_calc_method": "Full", "simple_ctr": "Counter"},
    {"model_size_reg": 0, "max_ctr_complexity": 3},
    {"model_size_reg": 20},
    {"has_time": True},
    {"permutation_count": 1},
    {"permutation_count": 2, "max_ctr_complexity": 2},
    {"random_seed": 5, "rsm": 0.5, "bootstrap_type": "Bernoulli", "subsample": 0.6},
    {"bootstrap_type": "Bayesian", "score_function": "L2", "border_count": 300, "depth": 7},
    {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 4, "random_strength": 0},
]


@pytest.fixture(scope="module")
def usual() -> Any:
    """What is predicted with none of the parameters."""
    return make().fit(SALES[[*FEATURES, "y"]], "y").predict_proba(VALID[FEATURES])


@pytest.mark.parametrize("given", PARAMETERS, ids=str)
def test_parameters(client: Client, tmp_path: Path, usual: Any, given: dict[str, Any]) -> None:
    model = fitted_twice(client, **given)
    assert_plain_catboost_agrees(model, tmp_path)
    assert not np.array_equal(model.predict_proba(VALID[FEATURES]), usual)


@pytest.mark.parametrize(
    ("kind", "column", "loss", "given"),
    [
        (DaskCatBoostClassifier, "kind", "MultiClass", {"max_ctr_complexity": 2}),
        (DaskCatBoostClassifier, "kind", "MultiClass", {"simple_ctr": "Buckets", "bootstrap_type": "MVS"}),
        (DaskCatBoostRegressor, "amount", "RMSE", {"max_ctr_complexity": 2}),
        (DaskCatBoostRegressor, "amount", "RMSE", {"ctr_target_border_count": 4, "simple_ctr": "Borders"}),
    ],
)
def test_losses(client: Client, tmp_path: Path, kind: type, column: str, loss: str, given: dict[str, Any]) -> None:
    assert_plain_catboost_agrees(fitted_twice(client, column, kind, **given), tmp_path, column, loss)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_columns_of_a_combination(tmp_path: Path, most: int) -> None:
    """The target is that of all four columns together."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, (4, 2_000))
    X = pd.DataFrame({name: of_column.astype(str) for name, of_column in zip("abcd", codes, strict=True)})
    y = rng.normal(size=(3, 3, 3, 3))[tuple(codes)] + rng.normal(size=2_000) * 0.1
    model = DaskCatBoostRegressor(iterations=30, max_ctr_complexity=most, one_hot_max_size=1, model_size_reg=0)
    model.fit(X, y).save_model(tmp_path / "model.json", "json")
    statistics = json.loads((tmp_path / "model.json").read_text())["features_info"]["ctrs"]
    assert {len(each["elements"]) for each in statistics} == set(range(1, most + 1))


def test_weights(client: Client, tmp_path: Path) -> None:
    """Of rows and of classes; both weigh eval rows too."""
    columns, of_class = [*FEATURES, "y", "w"], {"no": 1.0, "yes": 3.0}
    given = {"class_weights": of_class, "max_ctr_complexity": 2}
    valid = lazy(VALID[columns], 2)
    there = make(client, **given).fit(lazy(SALES[columns]), "y", sample_weight="w", eval_set=(valid, "y", "w"))
    here = make(**given).fit(
        SALES[FEATURES], SALES["y"], sample_weight=SALES["w"], eval_set=(VALID[FEATURES], VALID["y"], VALID["w"])
    )
    assert fixed_cbm_bytes(here.model_) == fixed_cbm_bytes(there.model_)
    assert_plain_catboost_agrees(there, tmp_path, weight=VALID["w"] * VALID["y"].map(of_class))


def test_early_stopping_keeps_the_best_trees(client: Client, tmp_path: Path) -> None:
    model = fitted_twice(client, iterations=300, learning_rate=0.9, early_stopping_rounds=5)
    told = model.evals_result_["validation"]["Logloss"]
    assert len(told) == model.best_iteration_ + 6 < 300
    assert model.tree_count_ == model.best_iteration_ + 1
    assert model.best_score_["validation"]["Logloss"] == min(told) == told[model.best_iteration_]
    assert_plain_catboost_agrees(model, tmp_path)
    whole = fitted_twice(client, iterations=300, learning_rate=0.9, early_stopping_rounds=5, use_best_model=False)
    assert whole.tree_count_ == len(told)
    assert_plain_catboost_agrees(whole, tmp_path)


def test_a_share_set_apart(client: Client) -> None:
    rows = SALES[[*FEATURES, "y"]]
    there = make(client, iterations=60, early_stopping_rounds=10).fit(lazy(rows), "y", eval_fraction=0.3)
    here = make(iterations=60, early_stopping_rounds=10).fit(rows, "y", eval_fraction=0.3)
    assert fixed_cbm_bytes(here.model_) == fixed_cbm_bytes(there.model_)
    assert set(there.evals_result_) == {"learn", "validation"}
    assert there.best_score_["validation"]["Logloss"] < 0.5


@pytest.mark.parametrize("on_cluster", [False, True])
def test_callbacks_stop_the_run(client: Client, tmp_path: Path, on_cluster: bool) -> None:
    class Stops:
        def after_iteration(self, info: Any) -> bool:
            return bool(info.iteration < 4)

    rows, valid = SALES[[*FEATURES, "y"]], VALID[[*FEATURES, "y"]]
    X = lazy(rows) if on_cluster else rows
    model = make(client, use_best_model=False, max_ctr_complexity=2)
    model.fit(X, "y", eval_set=(valid, "y"), callbacks=[Stops()])
    assert model.tree_count_ == 4
    assert_plain_catboost_agrees(model, tmp_path)


@pytest.mark.parametrize("one_hot_max_size", [1, 255])
def test_no_column_of_numbers(client: Client, one_hot_max_size: int) -> None:
    rows, valid = SALES[[*CATS, "y"]], VALID[[*CATS, "y"]]
    given = {"one_hot_max_size": one_hot_max_size, "max_ctr_complexity": 2}
    model = make(client, **given).fit(lazy(rows), "y", eval_set=(valid, "y"))
    assert fixed_cbm_bytes(model.model_) == fixed_cbm_bytes(make(**given).fit(rows, "y", eval_set=(valid, "y")).model_)
    expected = model.to_local().predict_proba(pool_of(VALID, CATS))
    assert model.predict_proba(lazy(VALID)[CATS]).compute().to_numpy().tolist() == expected.tolist()
    told = model.evals_result_["validation"]["Logloss"]
    assert told[-1] < 0.97 * told[0]


def test_columns_of_which_nothing_can_be_learned(client: Client) -> None:
    rows = SALES[[*FEATURES, "y"]].assign(same="same", row=[f"row {number}" for number in range(len(SALES))])
    cats = [*CATS, "same", "row"]
    model = make(client, cat_features=cats, iterations=30).fit(lazy(rows), "y")
    importances = dict(zip(model.feature_names_in_, model.feature_importances_, strict=True))
    assert importances["same"] == 0
    assert importances["row"] < 1
    assert min(importances["shop"], importances["color"]) > 5
    # Of such columns alone no split is made: CatBoost refuses them, as it does for numbers that are all the same.
    for name in ("same", "row"):
        alone = make(cat_features=[name], has_time=True).fit(rows[[name]], rows["y"])
        assert len(np.unique(alone.predict_proba(rows[[name]]), axis=0)) == 1


def test_missing_values_as_a_category(client: Client, tmp_path: Path) -> None:
    gaps = SALES[[*FEATURES, "y"]].assign(color=SALES["color"].where(SALES.index % 3 > 0))
    gaps["shop"] = gaps["shop"].where(gaps.index % 7 > 0)
    filled = gaps.assign(color=gaps["color"].astype(object).fillna("none"), shop=gaps["shop"].fillna("none"))
    model = make(client, cat_nan="none").fit(lazy(gaps), "y", eval_set=(gaps, "y"))
    twin = make(client).fit(lazy(filled), "y", eval_set=(filled, "y"))
    assert model.evals_result_ == twin.evals_result_
    expected = twin.predict_proba(filled[FEATURES])
    assert model.predict_proba(gaps[FEATURES]).tolist() == expected.tolist()
    assert model.predict_proba(lazy(gaps)[FEATURES]).compute().to_numpy().tolist() == expected.tolist()
    assert twin.to_local().predict_proba(pool_of(filled)).tolist() == expected.tolist()


# ---- pools


@pytest.fixture
def fit_both(client: Client) -> Callable[..., tuple[Any, Any]]:
    """One fit on rows in memory, and one on a pool of the same rows."""

    def fit(pool: DaskPool, valid: Any, **given: Any) -> tuple[Any, Any]:
        given = {**given, "cat_features": CATS}
        rows = SALES[[*FEATURES, "y"]]
        here = make(**given).fit(rows, "y", eval_set=(VALID[FEATURES], VALID["y"]))
        return here, make(**given).fit(pool, eval_set=valid)

    return fit


def test_several_fits_on_a_pool(client: Client, tmp_path: Path, fit_both: Callable[..., tuple[Any, Any]]) -> None:
    rows, valid = SALES[[*FEATURES, "y"]], VALID[[*FEATURES, "y"]]
    with DaskPool(lazy(rows), "y", cat_features=CATS, client=client) as pool:
        pool.save(str(tmp_path / "pool"))
        with DaskPool(lazy(valid, 2), "y", borders_of=pool) as valid_pool:
            for given in ({}, {"one_hot_max_size": 255}, {"max_ctr_complexity": 3, "random_seed": 4}, {"depth": 2}):
                here, there = fit_both(pool, valid_pool, **given)
                assert fixed_cbm_bytes(here.model_) == fixed_cbm_bytes(there.model_)
                assert here.evals_result_ == there.evals_result_
            valid_pool.save(str(tmp_path / "valid"))
    with (
        DaskPool.load(str(tmp_path / "pool"), client) as pool,
        DaskPool.load(str(tmp_path / "valid"), client) as valid_pool,
    ):
        for evals in (valid_pool, (lazy(VALID)[FEATURES], lazy(VALID)["y"])):
            here, there = fit_both(pool, evals, max_ctr_complexity=2)
            assert fixed_cbm_bytes(here.model_) == fixed_cbm_bytes(there.model_)
            assert here.evals_result_ == there.evals_result_
