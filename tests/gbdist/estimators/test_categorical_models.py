"""What a fitted estimator with categorical columns is good for: it travels, explains itself, and says what it cannot do."""

import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catboost
import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from distributed import Client
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool, DataError, ModelError
from gbdist.models.catboost_format import fixed_cbm_bytes

FEATURES = ["size", "color", "shop", "code"]


def make_goods() -> pd.DataFrame:
    """1,200 rows; "kind" is one of three classes, "y" one of two."""
    rng = np.random.default_rng(6)
    color, shop, code = (rng.integers(0, size, 1_200) for size in (2, 50, 12))
    size = rng.normal(size=1_200).astype(np.float32)
    target = size + rng.normal(size=50)[shop] + rng.normal(size=(2, 12))[color, code]
    return pd.DataFrame(
        {
            "size": size,
            "color": pd.Categorical.from_codes(color, ["red", "blue"]),
            "shop": pd.Series([f"shop {number}" for number in shop], dtype=object),
            "code": pd.Series([str(number) for number in code], dtype="string"),
            "y": np.where(target > 0, "yes", "no"),
            "kind": np.digitize(target, [-1, 1]),
            "number": target,
        }
    )


GOODS = make_goods()
X = GOODS[FEATURES]
SETTINGS = {"iterations": 15, "depth": 4, "max_ctr_complexity": 2, "thread_count": 1}


@pytest.fixture(autouse=True)
def columns_keep_their_types() -> Iterator[None]:
    with dask.config.set({"dataframe.convert-string": False}):
        yield


def lazy(table: pd.DataFrame, n_parts: int = 3) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=n_parts, sort=False)


def plain_pool(label: str | None = None) -> catboost.Pool:
    return catboost.Pool(X, None if label is None else GOODS[label], cat_features=FEATURES[1:])


@pytest.fixture(scope="module")
def classifier() -> DaskCatBoostClassifier:
    return DaskCatBoostClassifier(**SETTINGS).fit(X, GOODS["y"])


@pytest.fixture(scope="module", params=["y", "kind", "number"])
def fitted(request: pytest.FixtureRequest) -> Any:
    """A model of two classes, one of three, and a regressor."""
    kind = DaskCatBoostRegressor if request.param == "number" else DaskCatBoostClassifier
    return kind(**SETTINGS).fit(X, GOODS[request.param])


def same(found: Any, expected: Any) -> bool:
    """Equal to the last bit, in whatever container."""
    found = found.compute() if hasattr(found, "compute") else found
    return np.array_equal(np.ravel(np.asarray(found)), np.ravel(np.asarray(expected)))


# ---- it travels


@pytest.mark.parametrize("format_", ["cbm", "json"])
def test_saved_and_loaded(fitted: Any, tmp_path: Path, format_: str) -> None:
    fitted.save_model(tmp_path / "model", format_)
    plain = catboost.CatBoost().load_model(str(tmp_path / "model"), format=format_)
    expected = plain.predict(plain_pool(), prediction_type="RawFormulaVal")
    # CatBoost reads numbers of a JSON model with an error in their last bit.
    assert np.allclose(expected, fitted.predict(X, "RawFormulaVal"), rtol=0, atol=1e-12 if format_ == "json" else 0)
    loaded = type(fitted)().load_model(tmp_path / "model", format_)
    assert loaded.cat_features_ == fitted.cat_features_ == [1, 2, 3]
    assert loaded.feature_names_in_.tolist() == FEATURES
    assert same(loaded.predict(X, "RawFormulaVal"), expected)
    assert same(loaded.predict(lazy(X), "RawFormulaVal"), expected)


def test_pickled_and_copied(fitted: Any) -> None:
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(fitted))))
    assert fixed_cbm_bytes(again.model_) == fixed_cbm_bytes(fitted.model_)
    expected = fitted.model_.predict(plain_pool())
    assert same(again.predict(lazy(X)), expected)
    assert same(again.to_local().predict(plain_pool()), expected)


def test_clone_fits_the_same_model() -> None:
    model = DaskCatBoostClassifier(**SETTINGS, cat_features=["shop", 1, 3], cat_nan="none", one_hot_max_size=20)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    first, second = (one.fit(X, GOODS["y"]) for one in (model, twin))
    assert fixed_cbm_bytes(first.model_) == fixed_cbm_bytes(second.model_)


def test_grid_search() -> None:
    grid = {"one_hot_max_size": [2, 255], "cat_features": [["shop", "color", "code"]]}
    search = GridSearchCV(DaskCatBoostClassifier(**SETTINGS), grid, cv=3).fit(X, GOODS["y"])
    assert search.best_score_ > 0.7
    assert same(search.predict(X), search.best_estimator_.model_.predict(plain_pool()))


# ---- it answers


@pytest.mark.parametrize("container", ["categories", "strings", "mixed parts", "polars", "arrow", "objects", "lists"])
def test_columns_of_any_type(client: Client, classifier: DaskCatBoostClassifier, container: str) -> None:
    expected = classifier.model_.predict_proba(plain_pool())
    strings = X.astype(dict.fromkeys(FEATURES[1:], str))
    arrow = pa.Table.from_pandas(X, preserve_index=False)
    rows: Any = {
        "categories": lambda: lazy(X.astype(dict.fromkeys(FEATURES[1:], "category"))),
        "strings": lambda: lazy(strings),
        "mixed parts": lambda: dd.from_map(
            lambda at: [X[:500].astype({"code": "int64"}), X[500:500], strings[500:].astype({"shop": "category"})][at],
            range(3),
            meta=strings[:0],
        ),
        "polars": lambda: pl.from_arrow(arrow),
        "arrow": lambda: arrow,
        "objects": lambda: strings.to_numpy(dtype=object),
        "lists": lambda: strings.to_numpy(dtype=object).tolist(),
    }[container]()
    if container in ("objects", "lists"):
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            found = classifier.predict_proba(rows)
    else:
        found = classifier.predict_proba(rows)
    assert same(found, expected)


def test_score_stages_and_leaves(fitted: Any) -> None:
    column = "number" if isinstance(fitted, DaskCatBoostRegressor) else "kind" if len(fitted.classes_) > 2 else "y"
    assert fitted.score(lazy(X), lazy(GOODS)[column]) == pytest.approx(fitted.score(X, GOODS[column]), rel=1e-12)
    raw = list(fitted.model_.staged_predict(plain_pool(), prediction_type="RawFormulaVal", eval_period=5))
    assert all(map(same, fitted.staged_predict(X, "RawFormulaVal", eval_period=5), raw))
    # Of a collection each stage is a prediction of its own, which adds trees up in another order.
    for found, expected in zip(fitted.staged_predict(lazy(X), "RawFormulaVal", eval_period=5), raw, strict=True):
        assert np.allclose(np.ravel(found.compute().to_numpy()), np.ravel(expected), rtol=0, atol=1e-12)
    assert same(fitted.calc_leaf_indexes(lazy(X)), fitted.model_.calc_leaf_indexes(plain_pool()))


def test_explanations(fitted: Any) -> None:
    names = dict(zip(fitted.feature_names_in_, fitted.feature_importances_, strict=True))
    assert sum(names.values()) == pytest.approx(100)
    assert min(names.values()) > 0
    shap = fitted.shap_values(X)
    assert np.allclose(shap.sum(axis=-1), fitted.predict(X, "RawFormulaVal"), atol=1e-9)
    assert np.allclose(np.ravel(fitted.shap_values(lazy(X)).compute().to_numpy()), np.ravel(shap), atol=1e-12)
    # CatBoost counts no interactions of one-hot columns, such as "color".
    pairs = fitted.get_feature_importance("Interaction")[:, :2].astype(int).tolist()
    assert sorted(map(sorted, pairs)) == [[0, 2], [0, 3], [2, 3]]


def test_importance_of_a_loss_is_catboosts(classifier: DaskCatBoostClassifier) -> None:
    changes = classifier.get_feature_importance("LossFunctionChange", plain_pool("y"))
    assert changes.shape == (4,)
    assert min(changes[[0, 2]]) > 0


def test_model_that_catboost_trained(client: Client, tmp_path: Path) -> None:
    plain = catboost.CatBoostClassifier(iterations=10, max_ctr_complexity=2, verbose=False, allow_writing_files=False)
    plain.fit(plain_pool("y")).save_model(str(tmp_path / "model.cbm"))
    model = DaskCatBoostClassifier().load_model(tmp_path / "model.cbm")
    assert same(model.predict_proba(lazy(X)), plain.predict_proba(plain_pool()))


def test_lists_of_texts_and_numbers() -> None:
    values = X.astype({"code": "int64"}).to_numpy(dtype=object)
    of_array, of_lists = (
        DaskCatBoostClassifier(**SETTINGS, cat_features=[1, 2, 3]).fit(rows, GOODS["y"])
        for rows in (values, values.tolist())
    )
    assert fixed_cbm_bytes(of_array.model_) == fixed_cbm_bytes(of_lists.model_)


# ---- it says what it cannot do

NO_CATEGORY = (
    "expected strings or integers. "
    'Convert the column first: to integers (pandas: "Int64" where some are missing), or to text.'
)


def test_rows_that_catboost_would_not_take(client: Client, classifier: DaskCatBoostClassifier) -> None:
    for column, words in (
        ([1.5] * 1_200, f"1.5, {NO_CATEGORY}"),
        ([None] * 1_200, "missing value(s), expected a category in every row: CatBoost takes none without. "),
    ):
        rows = X.assign(shop=column)
        for table in (rows, lazy(rows)):
            with pytest.raises(DataError) as refused:
                np.asarray(classifier.predict(table))
            assert str(refused.value).startswith("column 'shop' of partition ")
            assert words in str(refused.value)


def test_measured_numbers_are_no_categories(client: Client) -> None:
    words = "found {}, " + NO_CATEGORY
    model = DaskCatBoostClassifier(cat_features=["size"], client=client)
    for rows, first in ((X, X["size"]), (lazy(X), X["size"])):
        with pytest.raises(DataError) as refused:
            model.fit(rows[["size"]], GOODS["y"] if rows is X else lazy(GOODS)["y"])
        assert str(refused.value) == "column 'size' of partition 0: " + words.format(repr(float(first[0])))
    # pandas makes such numbers of integers with gaps.
    codes = X[["code"]].astype("int64")
    model = DaskCatBoostClassifier(cat_features=["code"], **SETTINGS).fit(codes, GOODS["y"])
    gaps = codes.assign(code=codes["code"].where(codes.index != 3))
    with pytest.raises(DataError) as refused:
        model.predict(gaps)
    assert str(refused.value) == "column 'code' of partition 0: " + words.format(float(gaps["code"][0]))
    assert same(model.predict(codes), model.predict(codes.astype("Int64")))


@pytest.mark.parametrize("on_cluster", [False, True])
def test_columns_of_an_array_are_called_by_their_positions_in_it(client: Client, on_cluster: bool) -> None:
    def rows(table: pd.DataFrame) -> Any:
        values = table[["color", "size", "shop", "number"]].to_numpy(dtype=object)
        return da.from_array(values, chunks=(400, 4)) if on_cluster else values

    label = da.from_array(GOODS["kind"].to_numpy(), chunks=400) if on_cluster else GOODS["kind"]
    model = DaskCatBoostClassifier(client=client, cat_features=[0, 2], **SETTINGS).fit(rows(GOODS), label)
    assert model.model_.feature_names_ == ["0", "1", "2", "3"]
    broken = rows(GOODS.assign(number="many"))
    fix = "expected numbers. Name it in cat_features, encode it as numbers, or drop it."
    for call in (lambda: model.fit(broken, label), lambda: np.asarray(model.predict(broken))):
        with pytest.raises(DataError) as refused:
            call()
        words = re.sub(r"partition \d", "partition", str(refused.value))
        assert words == f"column '3' of partition: found objects of kind string such as 'many', {fix}"
    model.set_params(nan_mode="Forbidden")
    with pytest.raises(DataError) as refused:
        model.fit(rows(GOODS.assign(number=GOODS["number"].where(GOODS.index > 0))), label)
    assert str(refused.value).startswith("column '3': found missing values (NaN), expected none")
    with pytest.raises(DataError, match="column '2' of partition 0: found objects of kind string"):
        DaskCatBoostClassifier(client=client, cat_features=[0]).fit(rows(GOODS), label)


def test_too_many_classes_for_statistics(client: Client) -> None:
    many = np.arange(1_200) % 300
    with pytest.raises(DataError) as refused:
        DaskCatBoostClassifier(client=client, cat_features=["shop"]).fit(lazy(X[["size", "shop"]].assign(y=many)), "y")
    assert str(refused.value) == (
        "y: found 300 classes, expected at most 256 where categorical columns become target statistics, as 'shop' does. "
        "Join rare classes, leave such columns out of cat_features, or raise one_hot_max_size to their numbers of values."
    )
    allowed = DaskCatBoostClassifier(iterations=1, depth=2, one_hot_max_size=50).fit(X, many)
    assert len(allowed.classes_) == 300


def test_nothing_goes_on_from_a_model_with_categories(client: Client, classifier: DaskCatBoostClassifier) -> None:
    words = "init_model uses categorical, text or embedding features. Continue from a model of numeric features."
    model = DaskCatBoostClassifier(client=client)
    for rows, label in ((X, GOODS["y"]), (X[["size"]], GOODS["y"]), (lazy(X), lazy(GOODS)["y"])):
        with pytest.raises(ModelError) as refused:
            model.fit(rows, label, init_model=classifier)
        assert str(refused.value) == words


def test_pools_are_not_predicted(client: Client, classifier: DaskCatBoostClassifier) -> None:
    with DaskPool(X, GOODS["y"], client=client) as pool:
        assert fixed_cbm_bytes(clone(classifier).fit(pool).model_) == fixed_cbm_bytes(classifier.model_)
        with pytest.raises(DataError, match="Pass the collection it was made of"):
            classifier.predict(pool)


def test_export_that_catboost_has_not(classifier: DaskCatBoostClassifier, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does yet not support categorical features"):
        classifier.save_model(tmp_path / "model.onnx", "onnx")
    with pytest.raises(ModelError, match="Need to use training dataset Pool"):
        classifier.save_model(tmp_path / "model.py", "python")
    classifier.save_model(tmp_path / "model.py", "python", pool=plain_pool())
    assert "def apply_catboost_model" in (tmp_path / "model.py").read_text()
