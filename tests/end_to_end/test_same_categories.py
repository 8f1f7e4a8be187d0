"""The cluster does not change a model of categorical columns either, whoever has which category, and in whatever type."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool
from gbdist.models.catboost_format import fixed_cbm_bytes

CATS = ["color", "shop", "city", "code"]
FEATURES = ["size", "color", "shop", "city", "age", "code"]
LOSSES = {"Logloss": 2, "MultiClass": 4, "RMSE": 0}
RARE = "only here"
#: One-hot columns and statistics, combinations with both kinds of splits, and all that is left to chance.
GIVEN = {"max_ctr_complexity": 4, "one_hot_max_size": 4, "bootstrap_type": "MVS", "model_size_reg": 0}


@cache
def table_of(loss: str) -> pd.DataFrame:
    """3,000 rows: "color" has three values, "shop" 90 and one that few rows have, "city" 12, and "code" 25, all integers."""
    rng = np.random.default_rng(9)
    color, shop, city, code = (rng.integers(0, size, 3_000) for size in (3, 90, 12, 25))
    size, age = rng.normal(size=3_000).astype(np.float32), rng.integers(18, 90, 3_000)
    target = (
        3 * size + rng.normal(size=90)[shop] * np.where(size > 0, 2, -1) + 2 * rng.normal(size=(12, 25))[city, code]
    )
    target = target + np.where(color == 1, age / 10, 2 * rng.normal(size=12)[city]) + rng.normal(size=3_000) * 0.3
    size[rng.random(3_000) < 0.1] = np.nan
    classes = LOSSES[loss]
    names = np.array([f"shop {number}" for number in range(90)], dtype=object)[shop]
    names[[700, 701, 2_950]] = RARE
    return pd.DataFrame(
        {
            "size": size,
            "color": np.array(["red", "green", "blue"], dtype=object)[color],
            "shop": pd.Series(names, dtype=object),
            "city": np.array([str(number) for number in range(12)], dtype=object)[city],
            "age": age,
            "code": code,
            "y": np.digitize(target, np.quantile(target, np.arange(1, classes) / classes)) if classes else target,
        }
    )


def held_out(loss: str) -> pd.DataFrame:
    """Rows with categories that no training row has."""
    some = table_of(loss).iloc[100:400].reset_index(drop=True)
    return some.assign(shop=some["shop"].where(some.index % 5 > 0, "new"), code=some["code"] + 5)


def fit(loss: str, X: Any, client: Client | None = None, y: Any = "y", **more: Any) -> Any:
    kind = DaskCatBoostRegressor if loss == "RMSE" else DaskCatBoostClassifier
    model = kind(loss_function=loss, iterations=8, depth=6, cat_features=CATS, client=client, **GIVEN)
    valid = held_out(loss)
    return model.fit(X, y, eval_set=(valid[FEATURES], valid["y"]), **more)


Trained = tuple[bytes, dict[str, Any]]


def trained(estimator: Any) -> Trained:
    """All that two fits could differ in."""
    return fixed_cbm_bytes(estimator.model_), estimator.evals_result_


@pytest.fixture(scope="module")
def expected() -> Callable[[str], Trained]:
    """What one rank in this process trains."""
    return cache(lambda loss: trained(fit(loss, table_of(loss))))


def parts_of(parts: Sequence[pd.DataFrame]) -> dd.DataFrame:
    """A collection of just these partitions, whatever their types."""
    return dd.from_map(lambda number: parts[number], range(len(parts)), meta=parts[0].iloc[:0])


@pytest.mark.parametrize("loss", LOSSES)
def test_models_have_all_that_can_be_made_of_categories(loss: str, tmp_path: Path) -> None:
    fit(loss, table_of(loss)).save_model(tmp_path / "model.json", "json")
    features = json.loads((tmp_path / "model.json").read_text())["features_info"]
    assert any(each.get("values") for each in features["categorical_features"])
    assert {each["ctr_type"] for each in features["ctrs"]} >= {"Borders"}
    kinds = [[each["combination_element"] for each in ctr["elements"]] for ctr in features["ctrs"]]
    assert any(kind == ["cat_feature_value"] for kind in kinds)
    assert any(kind[:2] == ["cat_feature_value"] * 2 for kind in kinds)
    assert any("float_feature" in kind for kind in kinds)
    assert any("cat_feature_exact_value" in kind for kind in kinds)


@pytest.mark.parametrize("loss", LOSSES)
def test_workers_threads_and_partitions(cluster: Client, expected: Callable[[str], Trained], loss: str) -> None:
    table = table_of(loss)
    for n_parts in (4, 13):
        frame = dd.from_pandas(table, npartitions=n_parts, sort=False)
        lacking = sum(RARE not in set(frame.partitions[i].compute()["shop"]) for i in range(n_parts))
        assert lacking == {4: 2, 13: 11}[n_parts]
        assert trained(fit(loss, frame, cluster)) == expected(loss), f"{n_parts} partitions"


# Types are known before there is a loss.
@pytest.mark.parametrize(
    "loss", [loss if loss == "MultiClass" else pytest.param(loss, marks=pytest.mark.soak) for loss in LOSSES]
)
def test_types_that_differ_by_partition(client: Client, expected: Callable[[str], Trained], loss: str) -> None:
    table = table_of(loss)
    parts = [
        table.iloc[:900].astype({"city": "int64", "code": "string", "color": "category"}),
        table.iloc[900:1_000].astype({"city": "category", "code": "int8", "shop": "category"}),
        table.iloc[1_000:1_000].astype({"city": "float64", "code": "float64"}),
        table.iloc[1_000:2_200].astype({"city": "Int32", "code": str, "shop": "string[pyarrow]"}),
        table.iloc[2_200:].astype({"city": "uint8", "code": "category"})[["y", *reversed(FEATURES)]],
    ]
    assert trained(fit(loss, parts_of(parts), client)) == expected(loss)


def test_worker_that_has_one_category_alone(client: Client) -> None:
    """Rows of a data set sorted by a column: each worker sees values that no other one sees."""
    table = table_of("Logloss").sort_values(["color", "shop"], ignore_index=True)
    workers = sorted(client.nthreads())
    edges = [0, *(int((table["color"] <= color).sum()) for color in ("blue", "green")), len(table)]
    pieces = [table.iloc[start:stop] for start, stop in pairwise(edges)]
    held = [client.scatter([piece], workers=[workers[i % 2]], hash=False)[0] for i, piece in enumerate(pieces)]
    frame = dd.from_delayed(held, meta=table.iloc[:0], verify_meta=False)
    assert trained(fit("Logloss", frame, client)) == trained(fit("Logloss", table))
    del held, frame


def test_pools(client: Client, expected: Callable[[str], Trained], tmp_path: Path) -> None:
    frame = dd.from_pandas(table_of("Logloss"), npartitions=5, sort=False)
    model = DaskCatBoostClassifier(loss_function="Logloss", iterations=8, depth=6, **GIVEN)
    with DaskPool(frame, "y", cat_features=CATS, client=client) as pool:
        with DaskPool(held_out("Logloss"), "y", borders_of=pool) as valid:
            assert trained(model.fit(pool, eval_set=valid)) == expected("Logloss")
            assert trained(model.fit(pool, eval_set=valid)) == expected("Logloss")
        pool.save(str(tmp_path / "pool"))
    with DaskPool.load(str(tmp_path / "pool"), client) as loaded:
        rows = held_out("Logloss")
        assert trained(model.fit(loaded, eval_set=(rows[FEATURES], rows["y"]))) == expected("Logloss")
