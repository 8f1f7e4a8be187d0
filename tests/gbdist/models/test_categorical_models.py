"""Models with categorical columns: plain CatBoost gives the rows, as strings, the predictions of the ensemble."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.errors import ModelError
from gbdist.models.apply import raw_predictions
from gbdist.models.catboost_format import cbm_bytes, to_catboost
from gbdist.models.statistics import StatisticFeature
from gbdist.models.tree import ObliviousTree, TreeSplit

Maker = Callable[..., Any]


def assert_predicts_as_its_ensemble(model: catboost.CatBoost, case: Any) -> None:
    expected = raw_predictions(case.ensemble, case.features, case.hashes)
    bound = sum(float(np.abs(t.leaf_values).max()) for t in case.ensemble.trees) + np.abs(case.ensemble.bias).max()
    found = model.predict(case.rows, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(found.T if found.ndim == 2 else [found], expected, rtol=0, atol=1e-12 * bound)


def features_in_trees(case: Any) -> set[Any]:
    """The features that trees test."""
    return {case.ensemble.features[split.feature] for tree in case.ensemble.trees for split in tree.splits}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("n_classes", "dimension", "class_names"),
    [(2, 1, None), (2, 1, ("no", "yes")), (3, 3, ("ant", "bee", "cow")), (5, 1, None)],
)
def test_raw_predictions_of_strings_equal_the_ensembles(
    make_categorical: Maker, tmp_path: Path, seed: int, n_classes: int, dimension: int, class_names: Any
) -> None:
    case = make_categorical(seed, n_classes, dimension, class_names)
    model = to_catboost(case.ensemble)
    assert_predicts_as_its_ensemble(model, case)
    for format_ in ("cbm", "json"):
        model.save_model(str(tmp_path / f"m.{format_}"), format=format_)
        loaded = type(model)().load_model(str(tmp_path / f"m.{format_}"), format=format_)
        assert_predicts_as_its_ensemble(loaded, case)


def test_the_random_ensembles_have_all_kinds_of_splits(make_categorical: Maker) -> None:
    features = set().union(*(features_in_trees(make_categorical(seed, n_classes=3)) for seed in range(12)))
    statistics = {feature for feature in features if isinstance(feature, StatisticFeature)}
    assert len(features) > len(statistics)
    assert {(s.kind, s.target_border) for s in statistics} == {
        ("Borders", 0),
        ("Borders", 1),
        ("Buckets", 0),
        ("Buckets", 1),
        ("Buckets", 2),
        ("Counter", 0),
    }
    shapes = {
        (len(s.projection.cats), len(s.projection.float_splits), len(s.projection.one_hot_splits)) for s in statistics
    }
    assert {1, 2} == {shape[0] for shape in shapes}
    assert {0, 1, 2} == {shape[1] for shape in shapes} == {shape[2] for shape in shapes}
    assert {s.prior for s in statistics} == {0.0, 0.5, 1.0, -0.5, 2.5}
    case = make_categorical(0)
    assert (case.hashes >> 31).any()
    known = [set(column[:600].tolist()) for column in case.hashes.T]
    assert sum(value not in known[2] for value in case.hashes[:, 2].tolist()) > 50
    assert len(np.unique(raw_predictions(case.ensemble, case.features, case.hashes))) > 500


def test_splits_inside_a_projection_need_not_be_splits_of_a_tree(make_categorical: Maker) -> None:
    case = make_categorical(3, n_statistics=40)
    ensemble = case.ensemble
    at, statistic = next(
        (at, feature)
        for at, feature in enumerate(ensemble.features)
        if isinstance(feature, StatisticFeature)
        and feature.projection.float_splits
        and feature.projection.one_hot_splits
    )
    tree = ObliviousTree((TreeSplit(at, 3),), np.array([[1.0], [2.0]]), np.ones(2))
    alone = case._replace(ensemble=replace(ensemble, trees=(tree,)))
    model = to_catboost(alone.ensemble)
    assert len(np.unique(model.predict(case.rows))) == 2
    assert_predicts_as_its_ensemble(model, alone)
    assert sum(len(borders) for borders in model.get_borders().values()) == len(statistic.projection.float_splits)


def test_only_statistics_borders_and_tables_in_use_are_written(make_categorical: Maker, tmp_path: Path) -> None:
    case = make_categorical(1, depths=(2, 2), n_statistics=30)
    to_catboost(case.ensemble).save_model(str(tmp_path / "m.json"), format="json")
    document = json.loads((tmp_path / "m.json").read_text())
    used: dict[StatisticFeature, set[int]] = {}
    for split in (split for tree in case.ensemble.trees for split in tree.splits):
        feature = case.ensemble.features[split.feature]
        if isinstance(feature, StatisticFeature):
            used.setdefault(feature, set()).add(split.border)
    assert used
    ctrs = document["features_info"]["ctrs"]
    assert {(c["ctr_type"], c["target_border_idx"], c["prior_numerator"], len(c["borders"])) for c in ctrs} == {
        (s.kind, s.target_border, s.prior, len(borders)) for s, borders in used.items()
    }
    assert len(ctrs) == len(used)
    assert len(document["ctr_data"]) == len({(s.projection, s.kind) for s in used})


def test_it_answers_what_a_trained_model_answers(make_categorical: Maker) -> None:
    case = make_categorical(4, class_names=("no", "yes"))
    model = to_catboost(case.ensemble)
    assert isinstance(model, catboost.CatBoostClassifier)
    assert model.feature_names_ == list(case.ensemble.feature_names)
    assert model.n_features_in_ == 8
    assert model.get_cat_feature_indices() == [1, 3, 4, 5, 7]
    assert model.get_all_params()["loss_function"] == "Logloss"
    margin = raw_predictions(case.ensemble, case.features, case.hashes)[0]
    np.testing.assert_array_equal(model.predict(case.rows), np.where(margin > 0, "yes", "no"))
    importances = dict(zip(model.feature_names_, model.feature_importances_, strict=True))
    assert importances["unused"] == 0
    assert importances["city"] > 0
    assert importances["flag"] > 0
    assert sum(importances.values()) == pytest.approx(100)
    pool = catboost.Pool(case.rows, model.predict(case.rows), cat_features=model.get_cat_feature_indices())
    shap = model.get_feature_importance(pool, type="ShapValues")
    np.testing.assert_allclose(shap.sum(axis=1), margin, atol=1e-9)
    assert model.get_feature_importance(pool, type="LossFunctionChange").shape == (8,)
    assert len(model.get_feature_importance(type="Interaction")) > 5


def test_equal_ensembles_give_equal_files_also_in_another_process(make_categorical: Maker, tmp_path: Path) -> None:
    case = make_categorical(5, n_statistics=40)
    blob = cbm_bytes(to_catboost(case.ensemble))
    assert cbm_bytes(to_catboost(make_categorical(5, n_statistics=40).ensemble)) == blob
    (tmp_path / "ensemble").write_bytes(pickle.dumps(case.ensemble))
    other = (
        "import pathlib, pickle, sys; from gbdist.models.catboost_format import cbm_bytes, to_catboost;"
        "sys.stdout.buffer.write(cbm_bytes(to_catboost(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()))))"
    )
    command = [sys.executable, "-c", other, str(tmp_path / "ensemble")]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout == blob


def test_order_of_tables_and_of_statistics_that_no_tree_uses_do_not_matter(make_categorical: Maker) -> None:
    case = make_categorical(6)
    categories = case.ensemble.categories
    turned = replace(categories, tables=categories.tables[::-1])
    blob = cbm_bytes(to_catboost(case.ensemble))
    assert cbm_bytes(to_catboost(replace(case.ensemble, categories=turned))) == blob


def test_another_count_gives_another_guid(make_categorical: Maker) -> None:
    case = make_categorical(7)
    guids = set()
    categories = case.ensemble.categories
    for added in (0, 1):
        tables = tuple(replace(table, counts=table.counts + added) for table in categories.tables)
        model = to_catboost(replace(case.ensemble, categories=replace(categories, tables=tables)))
        guids.add(dict(model.get_metadata())["model_guid"])
    assert len(guids) == 2


def test_a_count_beyond_catboosts_is_refused(make_categorical: Maker) -> None:
    case = make_categorical(8)
    categories = case.ensemble.categories
    tables = tuple(replace(table, counts=table.counts + 2**31) for table in categories.tables)
    with pytest.raises(ModelError) as caught:
        to_catboost(replace(case.ensemble, categories=replace(categories, tables=tables)))
    assert str(caught.value).endswith(
        " rows, and CatBoost's tables of target statistics count 2147483647 at most. "
        "Use fewer rows, or leave the column out of cat_features."
    )
