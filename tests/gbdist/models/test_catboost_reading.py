"""Models read into an ensemble and written again predict the same, bit for bit, and ours are the same file."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker
from gbdist.errors import ModelError
from gbdist.models.apply import raw_predictions
from gbdist.models.catboost_format import cbm_bytes, fixed_cbm_bytes, read_cbm, to_catboost
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.rewriting import rewritten
from gbdist.models.statistics import StatisticFeature
from gbdist.models.tree import NonSymmetricTree, ObliviousTree

from .test_catboost_format import raw
from .test_non_symmetric import with_other_trees

Maker = Callable[..., Any]
QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 2}


@pytest.fixture(scope="module")
def numbers() -> tuple[np.ndarray, np.ndarray]:
    """float32 [600, 5] with NaN in two columns, and float64 [600]."""
    generator = np.random.default_rng(3)
    features = generator.normal(size=(600, 5)).astype(np.float32)
    features[generator.random((600, 5)) < [0.2, 0.1, 0, 0, 0]] = np.nan
    return features, features[:, 2] + features[:, 3] * features[:, 4] + np.isnan(features[:, 0])


def with_categories(n_rows: int) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "city": [f"c{i}" for i in generator.integers(0, 40, n_rows)],
            "x": generator.normal(size=n_rows).astype(np.float32),
            "few": [f"f{i}" for i in generator.integers(0, 3, n_rows)],
            "street": [f"s{i}" for i in generator.integers(0, 15, n_rows)],
            "y": np.where(generator.random(n_rows) < 0.2, np.nan, generator.normal(size=n_rows)).astype(np.float32),
        }
    )


def classes_of(rows: pd.DataFrame, n_classes: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    effect = {value: generator.normal() for value in rows["city"].unique()}
    score = rows["city"].map(effect) * (rows["few"] == "f1") + rows["x"] * (rows["street"] < "s3") + rows["y"].isna()
    return np.array(["p", "q", "r", "s"])[pd.qcut(score, n_classes, labels=False, duplicates="drop")]


def values_of(model: catboost.CatBoost, rows: Any) -> np.ndarray:
    """Raw values; a ranker's ``predict`` gives no others, and asks for no type."""
    is_ranker = isinstance(model, catboost.CatBoostRanker)
    return model.predict(rows) if is_ranker else raw(model, rows)


def assert_same_bits(theirs: catboost.CatBoost, rows: Any) -> catboost.CatBoost:
    """Read, write and predict; what was written."""
    blob = fixed_cbm_bytes(theirs)
    ours = rewritten(from_catboost(theirs), theirs)
    assert type(ours) is type(theirs)
    assert values_of(ours, rows).tobytes() == values_of(theirs, rows).tobytes()
    assert fixed_cbm_bytes(theirs) == blob
    return ours


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Depthwise", "Lossguide"])
@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_numbers_of_all_kinds_of_trees(numbers: Any, grow_policy: str, nan_mode: str) -> None:
    features, label = numbers
    theirs = catboost.CatBoostRegressor(iterations=30, grow_policy=grow_policy, nan_mode=nan_mode, **QUIET)
    ours = assert_same_bits(theirs.fit(features, label), features)
    for tree in from_catboost(theirs).trees:
        assert isinstance(tree, ObliviousTree if grow_policy == "SymmetricTree" else NonSymmetricTree)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, rtol=0, atol=1e-9)
    assert sorted(ours.get_leaf_values()) == sorted(theirs.get_leaf_values())
    assert sorted(ours.get_leaf_weights()) == sorted(theirs.get_leaf_weights())
    assert ours.evals_result_ == read_cbm(cbm_bytes(theirs), catboost.CatBoostRegressor()).evals_result_


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide"])
@pytest.mark.parametrize("loss", ["Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "MultiLogloss"])
def test_classifiers(numbers: Any, loss: str, grow_policy: str) -> None:
    features, label = numbers
    labels = (label > 0).astype(int) if loss in ("Logloss", "CrossEntropy") else np.digitize(label, [-1, 1]) * 2
    if loss == "MultiLogloss":
        labels = np.stack([label > 0, label > 1, label < 2], axis=1).astype(int)
    theirs = catboost.CatBoostClassifier(iterations=10, loss_function=loss, grow_policy=grow_policy, **QUIET)
    ours = assert_same_bits(theirs.fit(features, labels), features)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    np.testing.assert_array_equal(ours.predict(features), theirs.predict(features))
    np.testing.assert_array_equal(ours.predict_proba(features), theirs.predict_proba(features))


@pytest.mark.parametrize("make", [catboost.CatBoostRanker, catboost.CatBoost])
def test_rankers_keep_their_class(numbers: Any, make: Any) -> None:
    features, label = numbers
    params = {"loss_function": "YetiRank", "iterations": 10, **QUIET}
    theirs = make(params) if make is catboost.CatBoost else make(**params)
    pool = catboost.Pool(features, np.digitize(label, [-1, 1]), group_id=np.arange(600) // 10)
    ours = assert_same_bits(theirs.fit(pool), features)
    assert ours.get_all_params()["loss_function"].startswith("YetiRank")


@pytest.mark.parametrize("n_classes", [2, 4])
def test_categories(catboost_hashes: Callable[[Sequence[str]], np.ndarray], tmp_path: Path, n_classes: int) -> None:
    rows = with_categories(2500)
    kinds = ["Borders:Prior=0/1:Prior=0.5/1", "Buckets:Prior=1/1:Prior=-0.5/1", "Counter:Prior=2/1:CtrBorderCount=20"]
    theirs = catboost.CatBoostClassifier(
        iterations=40, one_hot_max_size=3, max_ctr_complexity=4, simple_ctr=kinds, combinations_ctr=kinds, **QUIET
    ).fit(rows[:2000], classes_of(rows, n_classes)[:2000], cat_features=["city", "few", "street"])
    ensemble = from_catboost(theirs)
    assert {s.kind for s in ensemble.categories.statistics} == {"Borders", "Buckets", "Counter"}
    assert max(s.projection.complexity for s in ensemble.categories.statistics) > 1
    assert ensemble.categories.one_hot

    rows.loc[2200:, "city"] = [f"new {i}" for i in range(300)]
    ours = assert_same_bits(theirs, rows)
    hashes = np.stack([catboost_hashes(rows[name]) for name in ("city", "few", "street")], axis=1)
    predicted = raw_predictions(ensemble, rows[["x", "y"]].to_numpy(), hashes)
    np.testing.assert_allclose(predicted, raw(theirs, rows), rtol=0, atol=1e-13)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, atol=1e-9)
    documents = []
    for name, model in (("theirs", theirs), ("ours", ours)):
        model.save_model(str(tmp_path / name), format="json")
        documents.append(json.loads((tmp_path / name).read_text()))
    first, second = ({**d, "ctr_data": set(d["ctr_data"]), "model_info": None} for d in documents)
    assert first == second


@pytest.mark.parametrize("grow_policy", ["Depthwise", "Lossguide"])
def test_categories_of_other_trees(grow_policy: str) -> None:
    rows = with_categories(1000)
    theirs = catboost.CatBoostRegressor(iterations=20, grow_policy=grow_policy, one_hot_max_size=3, **QUIET)
    theirs.fit(rows, (classes_of(rows, 4) > "q") + rows["x"], cat_features=["city", "few", "street"])
    assert from_catboost(theirs).categories.statistics
    assert_same_bits(theirs, rows)


def test_a_scale_goes_into_the_leaf_values(numbers: Any) -> None:
    features, label = numbers
    theirs = catboost.CatBoostRegressor(iterations=10, **QUIET).fit(features, label)
    theirs.set_scale_and_bias(0.25, 3.0)
    ours = rewritten(from_catboost(theirs), theirs)
    assert ours.get_scale_and_bias() == (1.0, 3.0)
    assert raw(ours, features).tobytes() == raw(theirs, features).tobytes()  # 0.25 is exact


def test_leaf_values_of_any_size_are_read_exactly(make_ensemble: Maker) -> None:
    ensemble = make_ensemble([10] * 20)
    generator = np.random.default_rng(0)
    values = [generator.normal(size=(1024, 1)) * 10.0 ** generator.integers(-300, 300, (1024, 1)) for _ in range(20)]
    values[0][:2, 0] = 5e-324, 1e308
    trees = tuple(replace(tree, leaf_values=each) for tree, each in zip(ensemble.trees, values, strict=True))
    read = from_catboost(to_catboost(replace(ensemble, trees=trees)))
    assert [tree.leaf_values.tobytes() for tree in read.trees] == [each.tobytes() for each in values]


@pytest.mark.parametrize("depths", [[3] * 8, [0, 4, 1], [0]])
@pytest.mark.parametrize(("dimension", "class_names"), [(1, None), (1, ("no", "yes")), (4, (0, 1, 2, 3))])
def test_our_models_are_written_as_the_same_file(
    make_ensemble: Maker, depths: list[int], dimension: int, class_names: Any
) -> None:
    model = to_catboost(make_ensemble(depths, dimension=dimension, class_names=class_names))
    assert fixed_cbm_bytes(rewritten(from_catboost(model), model)) == fixed_cbm_bytes(model)


@pytest.mark.parametrize(("dimension", "class_names"), [(1, None), (4, (0, 1, 2, 3))])
def test_our_models_of_other_trees_are_written_as_the_same_file(
    make_ensemble: Maker, dimension: int, class_names: Any
) -> None:
    ensemble = make_ensemble([3] * 8, dimension=dimension, class_names=class_names)
    model = to_catboost(with_other_trees(ensemble, [0, 5, 9]))
    assert fixed_cbm_bytes(rewritten(from_catboost(model), model)) == fixed_cbm_bytes(model)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("dimension", "class_names"), [(1, None), (3, ("ant", "bee", "cow"))])
def test_our_models_with_categories_are_written_as_the_same_file(
    make_categorical: Maker, seed: int, dimension: int, class_names: Any
) -> None:
    model = to_catboost(make_categorical(seed, 3, dimension, class_names).ensemble)
    assert fixed_cbm_bytes(rewritten(from_catboost(model), model)) == fixed_cbm_bytes(model)


def test_what_a_fit_leaves_in_the_model_is_kept(numbers: Any) -> None:
    features, label = numbers
    rows = pd.DataFrame(features, columns=list("abcde")).assign(f=[f"k{i % 7}" for i in range(600)])
    fitted = DaskCatBoostClassifier(iterations=5, cat_features=["f"], cat_nan="none").fit(
        rows, label > 0, eval_set=(rows, label > 0)
    )
    model = fitted.model_
    again = rewritten(from_catboost(model), model)
    assert fixed_cbm_bytes(again) == fixed_cbm_bytes(model)
    assert again.evals_result_ == model.evals_result_
    ranked = (
        DaskCatBoostRanker(iterations=5).fit(features, np.digitize(label, [0]), group_id=np.arange(600) // 6).model_
    )
    assert fixed_cbm_bytes(rewritten(from_catboost(ranked), ranked)) == fixed_cbm_bytes(ranked)


def test_fewer_trees_keep_all_that_the_model_says_of_itself(numbers: Any) -> None:
    features, label = numbers
    theirs = catboost.CatBoostClassifier(iterations=10, **QUIET).fit(features, label > 0)
    ensemble = from_catboost(theirs)
    ours = rewritten(replace(ensemble, trees=ensemble.trees[:4]), theirs)
    assert ours.tree_count_ == 4
    expected = raw(theirs, features)
    assert not np.array_equal(raw(ours, features), expected)
    np.testing.assert_array_equal(
        raw(ours, features)[0], theirs.predict(features, ntree_end=4, prediction_type="RawFormulaVal")
    )
    kept, given = (dict(model.get_metadata()) for model in (ours, theirs))
    assert kept | {"model_guid": ""} == given | {"model_guid": ""}
    assert kept["model_guid"] != given["model_guid"]


def refused(model: Any) -> str:
    with pytest.raises(ModelError) as caught:
        from_catboost(model)
    return str(caught.value)


def test_what_an_ensemble_cannot_hold_is_named(numbers: Any) -> None:
    features, label = numbers
    assert refused(catboost.CatBoostRegressor()) == (
        "CatBoostRegressor is not fitted: it has no trees. Fit it, or load a saved model."
    )
    rows = pd.DataFrame({"a": features[:, 2], "words": [f"w{i % 5} w{i % 3}" for i in range(600)]})
    texts = catboost.CatBoostRegressor(iterations=3, text_features=["words"], **QUIET).fit(rows, label)
    assert refused(texts) == (
        "the model has text columns (['words']), whose features CatBoost writes in .cbm files alone. "
        "Use a model that was trained without these columns."
    )
    rows = pd.DataFrame({"a": features[:, 2], "v": list(features[:, 2:4])})
    vectors = catboost.CatBoostRegressor(iterations=3, embedding_features=["v"], **QUIET).fit(rows, label)
    assert "embedding columns (['v'])" in refused(vectors)


def trained_with(simple_ctr: list[str]) -> Any:
    rows = with_categories(600)
    model = catboost.CatBoostRegressor(iterations=30, simple_ctr=simple_ctr, max_ctr_complexity=1, **QUIET)
    # Four steps, so that classes of the target differ with their number.
    return model.fit(rows, np.arange(600) % 4 + rows["city"].str.len(), cat_features=["city", "few", "street"])


def test_statistics_that_no_ensemble_holds_are_named() -> None:
    assert refused(trained_with(["BinarizedTargetMeanValue"])) == (
        "the model has statistics of the type 'BinarizedTargetMeanValue', which no ensemble holds. "
        "Use a model that was trained with statistics of the types Borders, Buckets and Counter, or leave it as it is."
    )


def test_several_ways_to_make_classes_of_the_target_are_refused(tmp_path: Path) -> None:
    several = trained_with(["Borders:TargetBorderCount=1", "Borders:TargetBorderCount=3"])
    assert refused(several) == (
        "the model's statistics have several ways to make classes of the target (TargetBorderCount), and CatBoost writes "
        "the counts of one of them only. Use a model that was trained with one TargetBorderCount, or leave it as it is."
    )
    several.save_model(str(tmp_path / "m.json"), format="json")
    read = catboost.CatBoostRegressor().load_model(str(tmp_path / "m.json"), format="json")
    assert np.abs(read.predict(with_categories(600)) - several.predict(with_categories(600))).max() > 0.01
    one_of_three = from_catboost(trained_with(["Borders:TargetBorderCount=3", "Counter"]))
    statistics = [f for f in one_of_three.features if isinstance(f, StatisticFeature)]
    assert {1, 2} & {statistic.target_border for statistic in statistics}
