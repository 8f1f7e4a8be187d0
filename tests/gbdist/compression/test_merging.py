"""A merged model predicts the weighted sum of what the models predict, categories included, or says why it cannot."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.compression.merging import merge_models
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import fixed_cbm_bytes, to_catboost
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.history import record_of

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 2, "iterations": 20}
CATS = ["city", "few", "street"]


def rows_of(n_rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "city": [f"c{i}" for i in generator.integers(0, 40, n_rows)],
            "x": generator.normal(size=n_rows).astype(np.float32),
            "few": [f"f{i}" for i in generator.integers(0, 2, n_rows)],
            "street": [f"s{i}" for i in generator.integers(0, 15, n_rows)],
            "y": generator.normal(size=n_rows).astype(np.float32),
        }
    )
    score = rows["city"].str.len() + rows["x"] * (rows["street"] < "s3") + (rows["few"] == "f1") * rows["y"]
    return rows, np.where(score + generator.normal(size=n_rows) / 2 > 2.5, "yes", "no")


def trained(seed: int, columns: Sequence[str] = ("city", "x", "few", "street", "y"), **params: Any) -> Any:
    """A classifier of rows of its own, whose tables therefore are others than those of another seed."""
    rows, label = rows_of(500, seed)
    cats = [name for name in CATS if name in columns]
    return catboost.CatBoostClassifier(**{**QUIET, **params}).fit(rows[list(columns)], label, cat_features=cats)


def raw(model: Any, rows: Any) -> np.ndarray:
    return np.asarray(model.predict(rows, prediction_type="RawFormulaVal"))


@pytest.mark.parametrize("complexity", [1, 3])
def test_models_with_different_tables_are_averaged(complexity: int) -> None:
    models = [trained(seed, max_ctr_complexity=complexity, one_hot_max_size=2) for seed in (1, 2, 3)]
    before = [fixed_cbm_bytes(model) for model in models]
    merged = merge_models(models)
    rows, _ = rows_of(3000, 9)
    rows.loc[::7, "city"] = [f"new{i}" for i in range(len(rows.loc[::7]))]  # categories that no model knows
    expected = np.mean([raw(model, rows) for model in models], axis=0)
    np.testing.assert_allclose(raw(merged, rows), expected, rtol=0, atol=1e-12)
    assert type(merged) is catboost.CatBoostClassifier
    assert merged.classes_.tolist() == ["no", "yes"]
    assert merged.tree_count_ == 60
    assert [fixed_cbm_bytes(model) for model in models] == before
    # What was written can be read and merged again.
    again = merge_models([merged, models[0]], [2.0, -1.0])
    np.testing.assert_allclose(raw(again, rows), 2 * expected - raw(models[0], rows), rtol=0, atol=1e-12)


def test_models_with_the_same_tables_share_them() -> None:
    rows, label = rows_of(500, 1)
    models = [catboost.CatBoostClassifier(**QUIET, depth=depth).fit(rows, label, cat_features=CATS) for depth in (3, 4)]
    merged = from_catboost(merge_models(models))
    tables = [from_catboost(model).categories.tables for model in models]
    assert len(merged.categories.tables) == len({(t.projection, t.counter) for of_model in tables for t in of_model})


def test_tables_of_made_models_are_kept_apart(make_categorical: Callable[..., Any]) -> None:
    # Projections with splits of numbers and of single categories in them, and every kind of statistic.
    first = make_categorical(n_statistics=20)
    other = replace(first.ensemble, categories=_with_other_counts(first.ensemble.categories))
    models = [to_catboost(each) for each in (first.ensemble, other)]
    merged = merge_models(models, [0.25, 0.5])
    expected = 0.25 * raw(models[0], first.rows) + 0.5 * raw(models[1], first.rows)
    assert not np.allclose(raw(models[0], first.rows), raw(models[1], first.rows))
    np.testing.assert_allclose(raw(merged, first.rows), expected, rtol=0, atol=1e-12)


def _with_other_counts(part: Any) -> Any:
    """The same categories with counts of other rows."""
    tables = tuple(replace(table, counts=table.counts[::-1].copy()) for table in part.tables)
    return replace(part, tables=tables)


@pytest.mark.parametrize("policies", [("Lossguide", "Lossguide"), ("SymmetricTree", "Lossguide")])
def test_trees_of_all_kinds(policies: Sequence[str]) -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(400, 4)).astype(np.float32)
    features[::5, 1] = np.nan
    label = features[:, 0] + np.isnan(features[:, 1])
    models = [
        catboost.CatBoostRegressor(**QUIET, grow_policy=policy).fit(features[some], label[some])
        for policy, some in zip(policies, (slice(0, 200), slice(200, 400)), strict=True)
    ]
    merged = merge_models(models, [1.0, 0.5])
    expected = raw(models[0], features) + 0.5 * raw(models[1], features)
    np.testing.assert_allclose(raw(merged, features), expected, rtol=0, atol=1e-12)
    assert record_of(models[0]) is not None
    assert record_of(merged) is None


def test_a_model_that_has_seen_no_nan_is_merged_with_one_that_has() -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(400, 2)).astype(np.float32)
    with_nan = np.where(generator.random((400, 2)) < 0.3, np.nan, features)
    models = [catboost.CatBoostRegressor(**QUIET).fit(some, features[:, 0]) for some in (features, with_nan)]
    merged = merge_models(models)
    np.testing.assert_allclose(
        raw(merged, with_nan), (raw(models[0], with_nan) + raw(models[1], with_nan)) / 2, rtol=0, atol=1e-12
    )


def test_several_classes() -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(300, 3)).astype(np.float32)
    label = np.array([2, 5, 9])[np.digitize(features[:, 0], [-0.5, 0.5])]
    models = [catboost.CatBoostClassifier(**QUIET, random_seed=seed).fit(features, label) for seed in (1, 2)]
    merged = merge_models(models)
    np.testing.assert_allclose(
        raw(merged, features), (raw(models[0], features) + raw(models[1], features)) / 2, rtol=0, atol=1e-12
    )
    assert merged.classes_.tolist() == [2, 5, 9]


def test_nan_that_is_highest_in_one_model_alone_is_refused() -> None:
    features = np.random.default_rng(3).normal(size=(200, 2)).astype(np.float32)
    with_nan = features.copy()
    with_nan[::3, 1] = np.nan
    label = features[:, 0] + features[:, 1]
    models = [
        catboost.CatBoostRegressor(**QUIET, nan_mode="Max").fit(pd.DataFrame(some, columns=["a", "b"]), label)
        for some in (features, with_nan)
    ]
    with pytest.raises(ModelError) as error:
        merge_models(models)
    assert str(error.value) == (
        "the models take missing values of the column 'b' for different things (AsIs, AsTrue). "
        'Train all with nan_mode="Min", or with data in which the column has missing values for each.'
    )


def test_other_columns_are_refused() -> None:
    with pytest.raises(ModelError) as error:
        merge_models([trained(1), trained(1, ("city", "x"))])
    assert str(error.value) == (
        "the models have different columns: ['city', 'x', 'few', 'street', 'y'] in the first, ['city', 'x'] in number 2. "
        "Merge models that were trained for the same thing, on the same columns in the same order."
    )


def test_other_classes_and_losses_are_refused() -> None:
    features = np.random.default_rng(3).normal(size=(100, 2)).astype(np.float32)
    above = features[:, 0] > 0
    classifiers = [catboost.CatBoostClassifier(**QUIET).fit(features, np.where(above, *pair)) for pair in ("ab", "ac")]
    with pytest.raises(ModelError, match=r"different classes: \('a', 'b'\) in the first, \('a', 'c'\) in number 2"):
        merge_models(classifiers)
    regressors = [
        catboost.CatBoostRegressor(**QUIET, loss_function=loss).fit(features, features[:, 1])
        for loss in ("RMSE", "MAE")
    ]
    with pytest.raises(ModelError, match="different loss: 'RMSE' in the first, 'MAE' in number 2"):
        merge_models(regressors)


def test_no_models_and_wrong_weights_are_refused() -> None:
    with pytest.raises(ParameterError) as error:
        merge_models([])
    assert str(error.value) == ("models=[] cannot be used: expected at least one model. Pass the models to be merged.")
    model = trained(1, ("x", "y"))
    with pytest.raises(ParameterError, match="model=7 cannot be used: expected a CatBoost model, a fitted Dask"):
        merge_models([model, 7])
    with pytest.raises(ModelError, match=r"merge_models: there is no file 'fold-2\.cbm'"):
        merge_models([model, "fold-2.cbm"])
    with pytest.raises(ParameterError) as error:
        merge_models([model, model], [1.0])
    assert str(error.value) == (
        "weights=[1.0] cannot be used: expected 2 finite numbers, one for each model. Leave them out to get the average."
    )
