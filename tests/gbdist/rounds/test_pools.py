"""CatBoost finds the bins that the rows were quantized to."""

import tempfile
from dataclasses import replace
from pathlib import Path

import catboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gbdist.boosting.rows import UnbinnedColumn
from gbdist.errors import ModelError
from gbdist.quantize.borders import FeatureBorders
from gbdist.rounds.native import grow_trees, predict_raw
from gbdist.rounds.pools import make_pool, second_view, set_baseline, values_of_bins

from .conftest import MakeTable


@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_pool_of_bins_trains_the_model_of_the_raw_rows(make_table: MakeTable, nan_mode: str) -> None:
    table = make_table(nan_mode=nan_mode, weighted=True)
    lines = [
        f"{feature}\t{border:.9g}" + (f"\t{nan_mode}" if feature == 3 else "")
        for feature, each in enumerate(table.borders)
        for border in each.values.tolist()
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "borders.tsv"
        path.write_text("\n".join(lines))
        raw = catboost.Pool(table.values, table.rows.label, weight=table.rows.weight)
        raw.quantize(input_borders=str(path))
    options = {"iterations": 20, "depth": 5, "loss_function": "RMSE", "verbose": False, "allow_writing_files": False}
    by_raw = catboost.CatBoost(options).fit(raw)
    by_bins = catboost.CatBoost(options).fit(make_pool(table.rows, table.borders, table.names).pool)
    assert by_bins.predict(table.values).tolist() == by_raw.predict(table.values).tolist()
    assert by_bins.feature_names_ == list(table.names)


@pytest.mark.parametrize(
    ("borders", "treatment", "values"),
    [
        ([], "AsIs", [0.0]),
        ([1.5], "AsIs", [1.5, np.nextafter(np.float32(1.5), np.float32(np.inf))]),
        ([-np.finfo(np.float32).max, 0.0], "AsFalse", [np.nan, 0.0, np.float32(1e-45)]),
        ([0.0, np.finfo(np.float32).max], "AsTrue", [0.0, np.finfo(np.float32).max, np.nan]),
    ],
)
def test_every_bin_has_a_value_in_it(borders: list[float], treatment: str, values: list[float]) -> None:
    found = values_of_bins(FeatureBorders(np.array(borders, np.float32), treatment))
    np.testing.assert_array_equal(found, np.array(values, np.float32))


def test_baseline_is_by_row(make_table: MakeTable) -> None:
    table = make_table(n_rows=100)
    pool = make_pool(table.rows, table.borders, table.names)
    start = np.arange(200.0).reshape(2, 100)
    set_baseline(pool, start)
    assert np.array_equal(np.asarray(pool.pool.get_baseline()).T, start)


@pytest.mark.parametrize("grouped", [False, True])
def test_second_view_has_a_baseline_of_its_own(make_table: MakeTable, grouped: bool) -> None:
    table = make_table(n_rows=500, weighted=not grouped)
    rows = replace(table.rows, group=np.arange(500, dtype=np.uint64) // 7) if grouped else table.rows
    pool = make_pool(rows, table.borders, table.names)
    view = second_view(pool)
    options = {"iterations": 5, "depth": 4, "verbose": False, "allow_writing_files": False}
    options |= {"loss_function": "QueryRMSE"} if grouped else {}
    model = catboost.CatBoost(options).fit(pool.pool)
    plain = model.predict(view.pool).tolist()
    set_baseline(pool, np.full((1, 500), 7.0))
    assert model.predict(view.pool).tolist() == plain
    assert model.predict(pool.pool).tolist() != plain
    assert catboost.CatBoost(options).fit(view.pool).predict(view.pool).tolist() == plain


def test_no_rows_have_no_view() -> None:
    assert second_view(None) is None


def test_columns_that_are_not_binned_stand_where_the_user_has_them(make_table: MakeTable) -> None:
    table = make_table(n_rows=1_000)
    color = pa.array(["red" if value > 0 else "blue" for value in table.values[:, 4]], pa.large_string())
    vectors = np.ascontiguousarray(table.values[:, :2])
    unbinned = (UnbinnedColumn(0, "cat", color), UnbinnedColumn(5, "embedding", vectors))
    names = ["color", "f0", "f1", "f2", "f3", "vector", "f4", "f5"]
    rows = replace(table.rows, unbinned=unbinned, group=np.repeat(np.arange(100, dtype=np.uint64), 10))
    rank_pool = make_pool(rows, table.borders, names)
    assert rank_pool is not None
    assert rank_pool.pool.get_feature_names() == names
    assert rank_pool.pool.get_cat_feature_indices() == [0]
    assert rank_pool.pool.get_embedding_feature_indices() == [5]
    options = {"loss_function": "QueryRMSE", "iterations": 20, "depth": 5, "verbose": False}
    model, _ = grow_trees(rank_pool, None, {**options, "allow_writing_files": False}, lambda: True)
    found = model.get_borders()
    assert set(found) == {1, 2, 3, 4, 6, 7}
    for position, feature in zip((1, 2, 3, 4, 6, 7), range(6), strict=True):
        assert set(np.float32(found[position])) <= set(table.borders[feature].values), position
    numbers = {f"f{i}": table.values[:, i] for i in range(6)}
    raw = pd.DataFrame({**numbers, "color": color.to_pandas(), "vector": pd.Series(list(vectors))})[names]
    assert predict_raw(model, rank_pool, 1)[0].tolist() == model.predict(raw).tolist()


def test_rank_without_rows_has_nothing_to_train_on() -> None:
    with pytest.raises(ModelError) as caught:
        grow_trees(None, None, {}, lambda: True)
    assert str(caught.value) == "A rank has no rows to train on. Train on fewer workers."
