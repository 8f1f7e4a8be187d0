"""Rows that exports are checked with tell borders apart that a rounded number would not."""

import catboost
import numpy as np
import pandas as pd

from gbdist.categories.hashing import category_hashes
from gbdist.compression.exports.probes import N_PROBES, probes_for
from gbdist.models.catboost_reading import from_catboost

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 2, "iterations": 10}


def test_numbers_lie_on_borders_and_right_beside_them() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 3)).astype(np.float32)
    ensemble = from_catboost(catboost.CatBoostRegressor(**QUIET).fit(features, features[:, 0] - features[:, 2]))
    probes = probes_for(ensemble, None, missing=True)
    assert probes.numbers.shape == (N_PROBES, 3)
    assert probes.texts == [[]] * N_PROBES
    for column, borders in zip(probes.numbers.T, ensemble.borders, strict=True):
        edges = set(borders.values.tolist())
        above = set(np.nextafter(borders.values, np.float32(np.inf)).tolist())
        below = set(np.nextafter(borders.values, np.float32(-np.inf)).tolist())
        for values in (edges, above, below):
            assert sum(value in values for value in column.tolist()) > N_PROBES / 8
        assert np.isnan(column).any()
        assert np.isposinf(column).any()
        assert np.isneginf(column).any()
    assert np.isfinite(probes_for(ensemble, None, missing=False).numbers).all()
    np.testing.assert_array_equal(probes.table.to_numpy(), probes.numbers)


def test_categories_are_those_of_the_rows_or_have_the_hashes_that_the_model_knows() -> None:
    rows = pd.DataFrame(
        {"city": [f"c{i % 7}" for i in range(100)], "few": [f"f{i % 3}" for i in range(100)], "x": np.arange(100.0)}
    )
    model = catboost.CatBoostRegressor(**QUIET, one_hot_max_size=3, max_ctr_complexity=1)
    ensemble = from_catboost(model.fit(rows, np.arange(100) % 7 + (rows["few"] == "f1"), cat_features=["city", "few"]))
    given = np.array(probes_for(ensemble, rows, missing=True).texts)
    assert [set(column) for column in given.T] == [set(rows["city"]), set(rows["few"])]
    made = np.array(probes_for(ensemble, None, missing=True).texts)
    for column, name in zip(made.T, ("city", "few"), strict=True):
        known = set(category_hashes(rows[name].unique().tolist()).tolist())
        found = set(category_hashes(np.unique(column).tolist()).tolist())
        assert found >= known if name == "city" else known & found
        assert len(found - known) == 1
