"""Frames with categorical columns are predicted as CatBoost predicts them, whatever holds the categories."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.errors import DataError

NAMES = ["size", "color", "shop", "sold"]


@pytest.fixture(scope="module")
def goods() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "size": rng.normal(size=600),
            "color": pd.Series(rng.choice(["red", "green", "blue"], 600), dtype=object),
            "shop": pd.Series(rng.integers(0, 40, 600).astype(str), dtype=object),
            "sold": pd.Series(rng.choice(["0", "1"], 600), dtype=object),
        }
    )


@pytest.fixture(scope="module")
def plain(goods: pd.DataFrame) -> catboost.CatBoostRegressor:
    """A model with one-hot features and statistics of categories."""
    target = goods["size"] + 2.0 * (goods["color"] == "red") + goods["shop"].astype(int) % 5 + goods["sold"].astype(int)
    model = catboost.CatBoostRegressor(iterations=30, one_hot_max_size=3, verbose=False, allow_writing_files=False)
    return model.fit(goods, target, cat_features=NAMES[1:])


@pytest.fixture
def model(plain: catboost.CatBoostRegressor, tmp_path: Path) -> DaskCatBoostRegressor:
    plain.save_model(str(tmp_path / "model.cbm"))
    return DaskCatBoostRegressor().load_model(tmp_path / "model.cbm")


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "objects": lambda goods: goods,
    "strings": lambda goods: goods.astype(dict.fromkeys(NAMES[1:], "string[python]")),
    "arrow strings": lambda goods: goods.astype(dict.fromkeys(NAMES[1:], "string[pyarrow]")),
    "categories": lambda goods: goods.astype(dict.fromkeys(NAMES[1:], "category")),
    "categories of integers": lambda goods: goods.assign(shop=goods["shop"].astype(int).astype("category")),
    "integers": lambda goods: goods.astype({"shop": "int16", "sold": "int64"}),
    "nullable": lambda goods: goods.astype({"shop": "Int64", "sold": "int8"}),
    "booleans": lambda goods: goods.assign(sold=goods["sold"] == "1"),
    "mixed": lambda goods: goods.assign(
        shop=pd.Series([int(one) if i % 2 else one for i, one in enumerate(goods["shop"])], dtype=object)
    ),
    "arrow": lambda goods: pa.Table.from_pandas(goods, preserve_index=False),
    "arrow dictionaries": lambda goods: pa.Table.from_pandas(
        goods.astype(dict.fromkeys(NAMES[1:], "category")), preserve_index=False
    ),
    "polars": lambda goods: pl.DataFrame({name: goods[name].tolist() for name in NAMES}),
    "polars categories": lambda goods: pl.DataFrame({name: goods[name].tolist() for name in NAMES}).with_columns(
        pl.col("color", "sold").cast(pl.Categorical), pl.col("shop").cast(pl.Int32)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_category(
    model: DaskCatBoostRegressor, plain: catboost.CatBoostRegressor, goods: pd.DataFrame, form: str
) -> None:
    assert model.cat_features_ == [1, 2, 3]
    expected = plain.predict(goods)
    assert np.ptp(expected) > 2.0
    X = FORMS[form](goods)
    assert model.predict(X).tolist() == expected.tolist()
    if isinstance(X, pd.DataFrame):
        lazy = dd.from_pandas(X, npartitions=3, sort=False)
        assert model.predict(lazy).compute().tolist() == expected.tolist()


def test_partitions_of_other_types(
    model: DaskCatBoostRegressor, plain: catboost.CatBoostRegressor, goods: pd.DataFrame
) -> None:
    forms = ["categories", "integers", "booleans", "mixed"]
    parts = [FORMS[form](goods).iloc[i * 150 : (i + 1) * 150] for i, form in enumerate(forms)]
    frame = dd.from_map(lambda i: parts[i], range(4), meta=goods.iloc[:0])
    assert model.predict(frame).compute().tolist() == plain.predict(goods).tolist()
    assert model.shap_values(frame).compute().shape == (600, 5)


def test_missing_values(model: DaskCatBoostRegressor, plain: catboost.CatBoostRegressor, goods: pd.DataFrame) -> None:
    gaps = goods.assign(color=goods["color"].where(goods.index % 5 > 0))
    lazy = dd.from_pandas(gaps, npartitions=3, sort=False)
    words = (
        r"column 'color' of partition \d: found \d+ missing value\(s\), expected a category in every row: "
        r'CatBoost takes none without. Fill them first, or set cat_nan="missing"'
    )
    for X in (gaps, lazy):
        with pytest.raises(DataError, match=words):
            np.asarray(model.predict(X))
    model.set_params(cat_nan="red")
    filled = gaps.fillna({"color": "red"})
    expected = plain.predict(filled)
    assert model.predict(gaps).tolist() == model.predict(lazy).compute().tolist() == expected.tolist()
    assert model.score(lazy, dd.from_pandas(gaps["size"], npartitions=3, sort=False)) == pytest.approx(
        model.score(filled, gaps["size"])
    )
    assert [stage.tolist() for stage in model.staged_predict(gaps, eval_period=30)] == [expected.tolist()]


def test_categories_of_an_estimator_that_is_not_fitted() -> None:
    assert not hasattr(DaskCatBoostClassifier(), "cat_features_")
