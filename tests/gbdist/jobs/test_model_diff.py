"""What two models share is told by what their trees test, not by how they number it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.jobs import model_diff
from gbdist.jobs.model_diff import Shared, diff
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.rewriting import rewritten

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 2}


@pytest.fixture(scope="module")
def trained() -> Any:
    generator = np.random.default_rng(0)
    rows = pd.DataFrame(generator.normal(size=(400, 3)).astype(np.float32), columns=list("abc"))
    rows["few"] = [f"f{i}" for i in generator.integers(0, 3, 400)]
    rows["city"] = [f"c{i}" for i in generator.integers(0, 20, 400)]
    label = rows["a"] * (rows["few"] == "f1") + rows["city"].str[1:].astype(int)
    return catboost.CatBoostRegressor(iterations=12, one_hot_max_size=3, **QUIET).fit(
        rows, label, cat_features=["few", "city"]
    )


def saved(model: Any, ensemble: Ensemble, path: Path) -> Path:
    rewritten(ensemble, model).save_model(str(path))
    return path


def test_fewer_trees_have_other_numbers_for_the_same_tests(trained: Any, tmp_path: Path) -> None:
    ensemble = from_catboost(trained)
    whole = saved(trained, ensemble, tmp_path / "whole.cbm")
    found = diff(whole, saved(trained, replace(ensemble, trees=ensemble.trees[5:9]), tmp_path / "some.cbm"))
    assert found.trees == found.structures == Shared(4, 8, 0)
    assert found.tests.second_only == 0 < found.tests.both
    assert not found.same
    assert (found.start_value, found.columns, found.loss, found.params) == (None, None, None, {})


def test_the_order_of_trees_counts(trained: Any, tmp_path: Path) -> None:
    ensemble = from_catboost(trained)
    whole = saved(trained, ensemble, tmp_path / "whole.cbm")
    found = diff(whole, saved(trained, replace(ensemble, trees=ensemble.trees[::-1]), tmp_path / "turned.cbm"))
    assert found.trees == Shared(12, 0, 0)
    assert not found.same
    assert diff(whole, whole).same


def test_another_start_value_is_told(trained: Any, tmp_path: Path) -> None:
    ensemble = from_catboost(trained)
    whole = saved(trained, ensemble, tmp_path / "whole.cbm")
    found = diff(whole, saved(trained, replace(ensemble, bias=ensemble.bias + 1.0), tmp_path / "other.cbm"))
    assert found.start_value == ([ensemble.bias[0]], [ensemble.bias[0] + 1.0])
    assert found.trees == Shared(12, 0, 0)
    assert not found.same


def test_options_that_are_the_same_float32_do_not_differ(trained: Any, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("single.cbm", "double.cbm", "other.cbm")]
    for path, subsample in zip(paths, (0.800000011920929, 0.8, 0.80001), strict=True):
        params = dict(trained.get_metadata())["params"]
        options = json.loads(params)
        options["tree_learner_options"]["bootstrap"]["subsample"] = subsample
        trained.get_metadata()["params"] = json.dumps(options)
        trained.save_model(str(path))
        trained.get_metadata()["params"] = params
    assert diff(paths[0], paths[1]).params == {}
    assert list(diff(paths[1], paths[2]).params) == ["tree_learner_options.bootstrap.subsample"]


def test_rows_are_read_once_for_models_that_take_them_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32), columns=["a", "b"])
    rows.to_parquet(tmp_path / "rows.parquet")
    names = {"one": ["a", "b"], "again": ["a", "b"], "turned": ["b", "a"]}
    raw = {}
    for name, columns in names.items():
        model = catboost.CatBoostRegressor(iterations=3, **QUIET).fit(rows[columns], rows["a"] - rows["b"])
        model.save_model(str(tmp_path / f"{name}.cbm"))
        raw[name] = model.predict(rows[columns])
    reads = Mock(side_effect=model_diff.rows_for)
    monkeypatch.setattr(model_diff, "rows_for", reads)
    for other, n_reads in (("again", 1), ("turned", 2)):
        reads.reset_mock()
        found = diff(tmp_path / "one.cbm", tmp_path / f"{other}.cbm", (str(tmp_path / "rows.parquet"),))
        assert (reads.call_count, found.rows) == (n_reads, 200)
        assert found.largest_difference == np.abs(raw["one"] - raw[other]).max()
