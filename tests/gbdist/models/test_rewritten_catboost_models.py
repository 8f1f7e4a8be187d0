"""CatBoost's own models with categorical columns, read into an ensemble and written again: both sides' conventions meet."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.models.apply import raw_predictions
from gbdist.models.catboost_format import to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import CategoricalPart, OneHotFeature, Projection, StatisticFeature, StatisticTable
from gbdist.models.tree import ObliviousTree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

NO_CATEGORY = 2**64 - 1  # CatBoost writes its empty places as a category with this key


def unsigned(value: int) -> int:
    return value % 2**32


def read_projection(elements: list[dict[str, Any]], borders: Sequence[FeatureBorders]) -> Projection:
    kinds: dict[str, list[Any]] = {"cat_feature_value": [], "float_feature": [], "cat_feature_exact_value": []}
    for each in elements:
        kinds[each["combination_element"]].append(each)
    return Projection(
        tuple(each["cat_feature_index"] for each in kinds["cat_feature_value"]),
        tuple(
            (f, int(np.flatnonzero(borders[f].values == np.float32(each["border"]))[0]))
            for each in kinds["float_feature"]
            for f in [each["float_feature_index"]]
        ),
        tuple((each["cat_feature_index"], unsigned(each["value"])) for each in kinds["cat_feature_exact_value"]),
    )


def read_tables(ctr_data: dict[str, Any], borders: Sequence[FeatureBorders]) -> tuple[StatisticTable, ...]:
    tables = {}
    for name, written in ctr_data.items():
        identifier = json.loads(name)
        flat = np.array([int(number) for number in written["hash_map"]], dtype=object)
        entries = sorted(row for row in flat.reshape(-1, written["hash_stride"]).tolist() if row[0] != NO_CATEGORY)
        keys = np.array([row[0] for row in entries], dtype=np.uint64)
        counts = np.array([row[1:] for row in entries], dtype=np.int64)
        counter = identifier["type"] == "Counter"
        assert not counter or written["counter_denominator"] == counts.max()
        projection = read_projection(identifier["identifier"], borders)
        tables[projection, counter] = StatisticTable(projection, counter, keys, counts)
    return tuple(tables.values())


def read_ensemble(document: dict[str, Any], model: Any) -> Ensemble:
    info = document["features_info"]
    borders = tuple(
        FeatureBorders(np.array(each["borders"], dtype=np.float32), each["nan_value_treatment"])
        for each in info["float_features"]
    )
    places = [TreeSplit(f, border) for f, each in enumerate(borders) for border in range(len(each.values))]
    one_hot: list[OneHotFeature] = []
    for each in info["categorical_features"]:
        if "values" in each:
            values = sorted(map(unsigned, each["values"]))
            feature = len(borders) + len(one_hot)
            places += [TreeSplit(feature, values.index(unsigned(value))) for value in each["values"]]
            one_hot.append(OneHotFeature(each["feature_index"], tuple(values)))
    statistics = []
    for each in info["ctrs"]:
        feature = len(borders) + len(one_hot) + len(statistics)
        places += [TreeSplit(feature, int(border)) for border in each["borders"]]  # k + 0.999999
        projection = read_projection(each["elements"], borders)
        statistics.append(
            StatisticFeature(
                projection,
                each["ctr_type"],
                each["target_border_idx"],
                each["prior_numerator"],
                round(each["scale"] * (max(1, each["prior_numerator"]) - min(0, each["prior_numerator"]))),
            )
        )
    leaf_values, trees, start = np.asarray(model.get_leaf_values()), [], 0
    for tree in document["oblivious_trees"]:
        stop = start + len(tree["leaf_values"])
        splits = tuple(places[split["split_index"]] for split in tree["splits"])
        weights = np.array(tree["leaf_weights"], dtype=np.float64)
        trees.append(ObliviousTree(splits, leaf_values[start:stop].reshape(len(weights), -1), weights))
        start = stop
    positions = tuple(each["flat_feature_index"] for each in info["categorical_features"])
    return Ensemble(
        tuple(trees),
        borders,
        np.atleast_1d(model.get_scale_and_bias()[1]),
        tuple(model.feature_names_),
        tuple(model.classes_.tolist()),
        document["model_info"]["params"],
        CategoricalPart(positions, tuple(one_hot), tuple(statistics), read_tables(document["ctr_data"], borders)),
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_catboost_model_rewritten_as_an_ensemble_predicts_the_same(
    catboost_hashes: Callable[[Sequence[str]], np.ndarray], tmp_path: Path, n_classes: int
) -> None:
    generator = np.random.default_rng(4)
    n_rows = 2500
    rows = pd.DataFrame(
        {
            "city": [f"c{i}" for i in generator.integers(0, 40, n_rows)],
            "x": generator.normal(size=n_rows).astype(np.float32),
            "few": [f"f{i}" for i in generator.integers(0, 3, n_rows)],
            "street": [f"s{i}" for i in generator.integers(0, 15, n_rows)],
            "y": np.where(generator.random(n_rows) < 0.2, np.nan, generator.normal(size=n_rows)).astype(np.float32),
        }
    )
    effect = {value: generator.normal() for value in rows["city"].unique()}
    score = rows["city"].map(effect) * (rows["few"] == "f1") + rows["x"] * (rows["street"] < "s3") + rows["y"].isna()
    labels = np.array(["p", "q", "r", "s"])[pd.qcut(score, n_classes, labels=False, duplicates="drop")]
    kinds = ["Borders:Prior=0/1:Prior=0.5/1", "Buckets:Prior=1/1:Prior=-0.5/1", "Counter:Prior=2/1:CtrBorderCount=20"]
    theirs = catboost.CatBoostClassifier(
        iterations=40,
        one_hot_max_size=3,
        max_ctr_complexity=4,
        simple_ctr=kinds,
        combinations_ctr=kinds,
        verbose=0,
        allow_writing_files=False,
    ).fit(rows[:2000], labels[:2000], cat_features=["city", "few", "street"])
    theirs.save_model(str(tmp_path / "m.json"), format="json")
    document = json.loads((tmp_path / "m.json").read_text())
    ensemble = read_ensemble(document, theirs)
    assert {s.kind for s in ensemble.categories.statistics} == {"Borders", "Buckets", "Counter"}
    assert max(s.projection.complexity for s in ensemble.categories.statistics) > 1

    rows.loc[2200:, "city"] = [f"new {i}" for i in range(300)]
    expected = theirs.predict(rows, prediction_type="RawFormulaVal")
    hashes = np.stack([catboost_hashes(rows[name]) for name in ("city", "few", "street")], axis=1)
    predicted = raw_predictions(ensemble, rows[["x", "y"]].to_numpy(), hashes)
    np.testing.assert_allclose(predicted, np.atleast_2d(expected.T), rtol=0, atol=1e-13)
    ours = to_catboost(ensemble)
    np.testing.assert_array_equal(ours.predict(rows, prediction_type="RawFormulaVal"), expected)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, atol=1e-9)

    ours.save_model(str(tmp_path / "ours.json"), format="json")
    written = json.loads((tmp_path / "ours.json").read_text())
    assert written["features_info"] == document["features_info"]
    splits = [
        [[split["split_index"] for split in t["splits"]] for t in d["oblivious_trees"]] for d in (written, document)
    ]
    assert splits[0] == splits[1]
    assert set(written["ctr_data"]) == set(document["ctr_data"])
