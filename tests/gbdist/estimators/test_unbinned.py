"""Categorical, text and embedding columns with ``aggregate="models"``: they travel as they are beside the bins."""

import pickle
from collections.abc import Iterator
from typing import Any

import catboost
import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DataError, ParameterError
from gbdist.estimators.pool import DaskPool

COLUMNS = ["size", "color", "review", "age", "shop", "vector"]
KINDS: dict[str, Any] = {
    "cat_features": ["color", "shop"],
    "text_features": ["review"],
    "embedding_features": ["vector"],
}
SUBSETS = {
    "categories": (["size", "color", "age", "shop"], {"cat_features": ["color", "shop"]}),
    "text": (["size", "review", "age"], {"text_features": ["review"]}),
    "vectors": (["vector", "size"], {"embedding_features": [0]}),
    "text alone": (["review"], {"text_features": ["review"]}),
    "all": (COLUMNS, KINDS),
}


@pytest.fixture(scope="module")
def goods() -> pd.DataFrame:
    """1,500 rows; every column tells something of "y"."""
    rng = np.random.default_rng(5)
    words = np.array(["good", "bad", "slow", "nice", "box", "blue", "late", "again"])
    chosen = rng.integers(0, len(words), (1_500, 4))
    vectors = rng.normal(size=(1_500, 3)).astype(np.float32)
    color = rng.choice(["red", "green", "blue"], 1_500)
    shop = rng.integers(0, 40, 1_500)
    size = rng.normal(size=1_500).astype(np.float32)
    score = size + (color == "red") + (chosen == 0).sum(axis=1) - (chosen == 1).sum(axis=1) + vectors[:, 1] + (shop % 3)
    size[::9] = np.nan
    return pd.DataFrame(
        {
            "size": size,
            "color": color.astype(object),
            "review": [" ".join(words[row]) for row in chosen],
            "age": rng.integers(0, 90, 1_500),
            "shop": shop,
            "vector": pd.Series(list(vectors)),
            "y": np.where(score > np.median(score), "yes", "no"),
        }
    )


@pytest.fixture(autouse=True)
def vectors_stay() -> Iterator[None]:
    with dask.config.set({"dataframe.convert-string": False}):
        yield


def make(client: Client | None = None, kind: type = DaskCatBoostClassifier, **more: Any) -> Any:
    settings = {"aggregate": "models", "merge": "best", "iterations": 20, "depth": 4, "verbose": False}
    return kind(client=client, **{**settings, **more})


def lazy(table: pd.DataFrame, n_parts: int = 5) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=n_parts, sort=False)


def plain_pool(table: pd.DataFrame, kinds: dict[str, Any]) -> catboost.Pool:
    return catboost.Pool(table, **kinds)


@pytest.mark.parametrize("subset", SUBSETS)
def test_plain_catboost_predicts_the_same_and_the_score_is_its_own(
    client: Client, goods: pd.DataFrame, subset: str, tmp_path: Any
) -> None:
    columns, kinds = SUBSETS[subset]
    X, y = goods[columns], goods["y"]
    frame = lazy(goods[[*columns, "y"]])
    valid = goods.iloc[:900]
    model = make(client, **kinds).fit(frame, "y", eval_set=(lazy(valid[columns], 2), lazy(valid, 2)["y"]))
    assert model.tree_count_ == 20
    assert model.model_.feature_names_ == columns
    model.save_model(tmp_path / "model.cbm")
    plain = catboost.CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    expected = plain.predict_proba(plain_pool(X, kinds))
    assert model.predict_proba(X).tolist() == expected.tolist()
    assert model.predict_proba(frame[columns]).compute().to_numpy().tolist() == expected.tolist()
    assert model.score(X, y) > 0.6
    loss = -np.log(expected[np.arange(900), (valid["y"] == "yes").astype(int)]).mean()
    assert model.evals_result_["validation"]["Logloss"] == [pytest.approx(loss, rel=1e-6)]
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    assert again.predict_proba(X).tolist() == expected.tolist()


def test_numeric_borders_are_those_of_all_ranks(client: Client, goods: pd.DataFrame) -> None:
    # Rank by rank the column lies elsewhere, so that borders of one rank's rows would be found in its share alone.
    table = goods.assign(size=np.arange(1_500, dtype=np.float32))
    settings = {"border_count": 16, "text_features": ["review"], "random_strength": 0}
    model = make(client, **settings, iterations=60, depth=6).fit(lazy(table[["size", "review", "y"]], 4), "y")
    numeric = table[["size"]]
    with DaskPool(lazy(numeric, 4), client=client, border_count=16) as pool:
        shared = set(pool.borders[0].values.tolist())
    found = set(np.float32(model.model_.get_borders()[0]).tolist())
    assert len(found) > 3
    assert found <= shared


def test_unseen_categories_and_other_questions(client: Client, goods: pd.DataFrame) -> None:
    unseen = goods.assign(color="violet", shop=-5)
    frame = lazy(goods)
    model = make(client, **KINDS).fit(frame[COLUMNS], frame["y"], eval_set=(lazy(unseen)[COLUMNS], lazy(unseen)["y"]))
    assert model.predict(unseen[COLUMNS]).tolist() == model.model_.predict(unseen[COLUMNS]).tolist()
    assert model.shap_values(goods[COLUMNS]).shape == (1_500, 7)
    assert model.calc_leaf_indexes(frame[COLUMNS]).compute().shape == (1_500, 20)
    stages = list(model.staged_predict(goods[COLUMNS], "Probability", eval_period=10))
    np.testing.assert_allclose(stages[-1], model.predict_proba(goods[COLUMNS]), rtol=1e-12)
    assert model.score(frame[COLUMNS], frame["y"]) == model.score(goods[COLUMNS], goods["y"])
    no_rows = frame[COLUMNS].map_partitions(lambda part: part.iloc[:0])
    assert model.predict_proba(no_rows).compute().shape == (0, 2)


def test_arrays_of_objects_name_columns_by_position(client: Client, goods: pd.DataFrame) -> None:
    values = goods[["size", "color", "review"]].to_numpy(dtype=object)
    how = {"cat_features": [1], "text_features": np.array([2]), "embedding_features": []}
    model = make(client, DaskCatBoostRegressor, **how).fit(values, goods["age"])
    by_name = make(client, DaskCatBoostRegressor, cat_features=["color"], text_features=["review"])
    by_name.fit(goods[["size", "color", "review"]], goods["age"])
    assert model.predict(values).tolist() == by_name.predict(goods[["size", "color", "review"]]).tolist()


@pytest.mark.parametrize("container", ["polars", "pyarrow"])
def test_other_frames(goods: pd.DataFrame, container: str) -> None:
    table = goods[COLUMNS].iloc[:1_000]
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    X: Any = arrow if container == "pyarrow" else pytest.importorskip("polars", reason="polars").from_arrow(arrow)
    model = make(**KINDS).fit(X, goods["y"].iloc[:1_000])
    assert model.predict_proba(X).tolist() == model.model_.predict_proba(plain_pool(table, KINDS)).tolist()


def test_small_data_in_memory_and_a_share_set_apart(goods: pd.DataFrame) -> None:
    model = make(**KINDS).fit(goods[COLUMNS], goods["y"], eval_fraction=0.2)
    assert set(model.evals_result_) == {"learn", "validation"}
    assert model.model_.get_cat_feature_indices() == [1, 4]
    assert make(cat_features=[], text_features=[]).fit(goods[["size", "age"]], goods["y"]).tree_count_ == 20


def test_saved_model_knows_how_long_vectors_are(goods: pd.DataFrame, tmp_path: Any) -> None:
    make(embedding_features=["vector"]).fit(goods[["vector", "size"]], goods["y"]).save_model(tmp_path / "model.cbm")
    model = DaskCatBoostClassifier().load_model(tmp_path / "model.cbm")
    longer = goods.assign(vector=[np.zeros(4)] * 1_500)
    with pytest.raises(DataError) as caught:
        model.predict(longer[["vector", "size"]])
    assert str(caught.value) == (
        "column 'vector' of partition 0: found vectors of 4 numbers, expected 3, as the model was trained on. "
        "Make the vectors as they were made for training."
    )


def test_model_that_does_not_say_how_long_vectors_are(goods: pd.DataFrame, tmp_path: Any) -> None:
    plain = catboost.CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False)
    plain.fit(goods[["vector", "size"]], goods["y"], embedding_features=["vector"])
    plain.save_model(str(tmp_path / "model.cbm"))
    model = DaskCatBoostClassifier().load_model(tmp_path / "model.cbm")
    found = model.predict_proba(lazy(goods[["vector", "size"]])).compute().to_numpy()
    assert found.tolist() == plain.predict_proba(goods[["vector", "size"]]).tolist()


def test_missing_categories_by_another_name(goods: pd.DataFrame) -> None:
    gaps = goods[["size", "color"]].assign(color=goods["color"].where(goods.index % 5 > 0))
    filled = gaps.fillna({"color": "none"})
    model = make(cat_features=["color"], cat_nan="none").fit(gaps, goods["y"], eval_set=(gaps, goods["y"]))
    twin = make(cat_features=["color"]).fit(filled, goods["y"], eval_set=(filled, goods["y"]))
    assert model.evals_result_ == twin.evals_result_
    assert model.cat_features_ == [1]
    assert model.predict_proba(gaps).tolist() == twin.predict_proba(filled).tolist()


WHY = "CatBoost cannot add such models up."
REFUSALS: list[tuple[dict[str, Any], str]] = [
    (
        {"text_features": ["review"], "merge": None},
        "merge='average' cannot be used: expected 'best' with text_features: " + WHY + ' Set merge="best".',
    ),
    (
        {"cat_features": ["color"], "rounds": 3},
        "rounds=3 cannot be used: expected 1 with cat_features: " + WHY + " Set rounds=1, or leave it out.",
    ),
    (
        {"cat_features": ["colour"]},
        "cat_features=['colour'] cannot be used: expected names of features. "
        "X has: size, color, review, age, shop, vector.",
    ),
    (
        {"cat_features": ["color", 6]},
        "cat_features=['color', 6] cannot be used: expected positions from 0 to 5. "
        "X has: size, color, review, age, shop, vector.",
    ),
    (
        {"cat_features": ["color"], "text_features": ["review", "color"]},
        "text_features=['review', 'color'] cannot be used: expected a column of one kind, "
        "and 'color' is in cat_features too. Name it once.",
    ),
    (
        {"cat_features": "color"},
        "cat_features='color' cannot be used: expected a list of columns of X, by name or position. "
        'Write cat_features=["color"], for example.',
    ),
]


@pytest.mark.parametrize(("given", "words"), REFUSALS)
def test_parameter_that_cannot_be_used_is_named(goods: pd.DataFrame, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make(**given).fit(goods[COLUMNS], goods["y"])
    assert str(caught.value) == words


def test_names_beside_an_array(goods: pd.DataFrame) -> None:
    with pytest.raises(ParameterError) as caught:
        make(cat_features=["color"]).fit(goods[COLUMNS].to_numpy(dtype=object), goods["y"])
    assert str(caught.value) == (
        "cat_features=['color'] cannot be used: expected positions, as X has no column names. X has 6 columns."
    )


def test_pool_holds_numbers_alone(client: Client, goods: pd.DataFrame) -> None:
    numeric = goods[["size", "age"]]
    with DaskPool(numeric, goods["y"], client=client) as pool:
        with pytest.raises(ParameterError) as caught:
            make(cat_features=["age"]).fit(pool)
        with pytest.raises(ParameterError):
            make(client, cat_features=["age"]).fit(numeric, goods["y"], eval_set=pool)
    assert str(caught.value) == (
        "cat_features=['age'] cannot be used: expected it to be left out with a DaskPool, "
        "which holds bins of numeric columns alone. Pass the collections themselves."
    )


def test_models_with_such_columns_are_not_gone_on_from(goods: pd.DataFrame) -> None:
    numeric = make().fit(goods[["size", "age"]], goods["y"])
    with pytest.raises(ParameterError) as caught:
        make(cat_features=["color"]).fit(goods[["size", "color"]], goods["y"], init_model=numeric)
    assert str(caught.value) == (
        "init_model='a model' cannot be used: expected None with cat_features: CatBoost cannot add such models up. "
        "Train anew, or go on with numeric columns alone."
    )


def test_bad_value_is_named_with_column_and_partition(client: Client, goods: pd.DataFrame, tasks_left: Any) -> None:
    review = goods["review"].where(goods.index != 1_000, None)
    frame = lazy(goods.assign(review=review), 4)
    with pytest.raises(DataError, match=r"column 'review' of partition 2: found 1 missing value\(s\), expected a text"):
        make(client, **KINDS).fit(frame[COLUMNS], frame["y"])
    assert tasks_left() == []
    frame = lazy(goods)
    model = make(client, **KINDS).fit(frame[COLUMNS], frame["y"])
    broken = lazy(goods.assign(color=1.5), 4)
    with pytest.raises(DataError, match=r"column 'color' of partition \d: found 1.5, expected strings or integers"):
        model.predict(broken[COLUMNS]).compute()


def test_eval_set_must_have_the_same_columns_and_vectors(client: Client, goods: pd.DataFrame) -> None:
    few = goods.iloc[:50]
    for other, words in (
        (few[COLUMNS[:-1]], r"eval_set: found 5 columns, missing 'vector'"),
        (few[COLUMNS[::-1]], r"eval_set: found column 'vector' at position 0, expected 'size' there"),
        (
            few[COLUMNS].assign(vector=[[1.0]] * 50),
            r"eval_set, column 'vector': found vectors of 1 numbers, expected 3, as",
        ),
    ):
        with pytest.raises(DataError, match=words):
            make(**KINDS).fit(goods[COLUMNS], goods["y"], eval_set=(other, few["y"]))
