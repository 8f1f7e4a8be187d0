"""A CatBoost model answers for lazy collections as it does for the same rows in memory."""

import pickle

import catboost
import dask
import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from gbdist.errors import DataError
from gbdist.estimators.prediction import answers
from gbdist.estimators.prediction.answers import ShippedModel, answer
from gbdist.estimators.prediction.features import Expected, FeaturesError
from gbdist.estimators.prediction.questions import Labels, LeafIndexes, Shap, Trees, Values, VirtualEnsembles
from gbdist_cluster.launch.local import start_local

NAMES = ("a", "b", "c", "d")
EXPECTED = Expected(4, NAMES, "DaskCatBoostClassifier")
FROM_ARRAY = Expected(4, None, "DaskCatBoostClassifier")
CLASSES = ("low", "mid", "top")


def make_table(n_rows=203, seed=0):
    values = np.random.default_rng(seed).normal(size=(n_rows, 4)).astype(np.float32)
    values[::17, 2] = np.nan
    return values


def train(kind):
    values = make_table(400, seed=1)
    score = values[:, 0] + 0.5 * values[:, 1] ** 2
    settings = {"iterations": 12, "depth": 4, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    if kind == "regression":
        return catboost.CatBoostRegressor(**settings).fit(values, score)
    if kind == "binary":
        return catboost.CatBoostClassifier(**settings).fit(values, score > 0)
    return catboost.CatBoostClassifier(**settings).fit(values, np.digitize(score, [0.0, 0.8]))


@pytest.fixture(scope="module")
def models():
    return {kind: train(kind) for kind in ("binary", "multi", "regression")}


QUESTIONS = {
    "raw": ("binary", Values("RawFormulaVal", ("no", "yes"))),
    "probability": ("binary", Values("Probability", ("no", "yes"))),
    "log probability, several classes": ("multi", Values("LogProbability", CLASSES)),
    "raw, some trees": ("multi", Values("RawFormulaVal", CLASSES, Trees(2, 7))),
    "regression": ("regression", Values("RawFormulaVal", ())),
    "boolean labels": ("binary", Labels(np.array([False, True]))),
    "text labels": ("multi", Labels(np.array(CLASSES))),
    "object labels": ("multi", Labels(np.array(CLASSES, dtype=object))),
    "number labels": ("multi", Labels(np.array([5, 7, 11]))),
    "leaves": ("multi", LeafIndexes(Trees(3, 8))),
    "shap": ("binary", Shap("ShapValues", NAMES, ("no", "yes"))),
    "shap, several classes": ("multi", Shap("ShapValues", NAMES, CLASSES)),
    "shap interactions": ("regression", Shap("ShapInteractionValues", NAMES, ())),
    "shap interactions, several classes": ("multi", Shap("ShapInteractionValues", NAMES, CLASSES)),
    "ensembles": ("binary", VirtualEnsembles("VirtEnsembles", 3, 0, ("no", "yes"))),
    "ensembles, several classes": ("multi", VirtualEnsembles("VirtEnsembles", 3, 0, CLASSES)),
    "uncertainty": ("regression", VirtualEnsembles("TotalUncertainty", 3, 0, ())),
}
every_question = pytest.mark.parametrize(("kind", "question"), QUESTIONS.values(), ids=QUESTIONS.keys())


@every_question
def test_dask_array_gives_the_same_as_memory_in_known_chunks(models, kind, question):
    values = make_table()
    at_once = answer(models[kind], values, question, FROM_ARRAY)
    lazy = answer(models[kind], da.from_array(values, chunks=(60, 4)), question, FROM_ARRAY)
    assert isinstance(lazy, da.Array)
    assert lazy.chunks == ((60, 60, 60, 23), *((size,) for size in at_once.shape[1:]))
    assert lazy.dtype == at_once.dtype
    assert lazy._meta.ndim == at_once.ndim
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), at_once)


@every_question
def test_dask_frame_keeps_index_and_divisions_and_names_columns(models, kind, question):
    frame = pd.DataFrame(make_table(), columns=NAMES, index=np.arange(203) * 3)
    at_once = answer(models[kind], frame, question, EXPECTED)
    X = dd.from_pandas(frame, npartitions=3)
    lazy = answer(models[kind], X, question, EXPECTED)
    result = lazy.compute(scheduler="sync")
    assert lazy.divisions == X.divisions
    assert lazy.known_divisions
    pd.testing.assert_index_equal(result.index, frame.index)
    if at_once.ndim == 1:
        assert isinstance(lazy, dd.Series)
        assert lazy.name == result.name == "prediction"
        assert lazy.dtype == result.dtype
    else:
        assert list(lazy.columns) == list(result.columns) == question.column_names(at_once.shape[1:])
        assert len(set(lazy.columns)) == len(lazy.columns)
        assert lazy.dtypes.equals(result.dtypes)
    np.testing.assert_array_equal(result.to_numpy().reshape(at_once.shape), at_once)


@every_question
def test_partition_without_rows_keeps_dtype_and_columns(models, kind, question):
    frame = pd.DataFrame(make_table(20), columns=NAMES)
    lazy = answer(models[kind], dd.from_pandas(frame, npartitions=2), question, EXPECTED)
    nothing = dd.from_pandas(frame, npartitions=2)
    nothing = answer(models[kind], nothing[nothing["a"] > 99], question, EXPECTED).compute(scheduler="sync")
    some = lazy.compute(scheduler="sync")
    assert len(nothing) == 0
    if isinstance(some, pd.Series):
        assert nothing.dtype == some.dtype
    else:
        pd.testing.assert_series_equal(nothing.dtypes, some.dtypes)


@every_question
def test_no_rows_in_memory_keep_shape_and_dtype(models, kind, question):
    some = answer(models[kind], make_table(5), question, FROM_ARRAY)
    nothing = answer(models[kind], make_table(0), question, FROM_ARRAY)
    assert nothing.shape == (0, *some.shape[1:])
    assert nothing.dtype == some.dtype


def test_columns_have_names_that_parquet_takes():
    assert Values("Probability", ("no", "yes")).column_names((2,)) == ["no", "yes"]
    assert Values("RawFormulaVal", ()).column_names((2,)) == ["0", "1"]
    assert LeafIndexes(Trees(3, 5)).column_names((2,)) == ["tree_3", "tree_4"]
    assert Shap("ShapValues", ("a", "b"), ("x", "y")).column_names((3,)) == ["a", "b", "expected_value"]
    assert Shap("ShapValues", ("a",), ("x", "y")).column_names((2, 2)) == [
        "x[a]",
        "x[expected_value]",
        "y[a]",
        "y[expected_value]",
    ]
    assert VirtualEnsembles("VirtEnsembles", 2, 0, ()).column_names((2, 1)) == ["ensemble_0", "ensemble_1"]
    assert VirtualEnsembles("VirtEnsembles", 1, 0, ("x", "y")).column_names((1, 2)) == [
        "ensemble_0[x]",
        "ensemble_0[y]",
    ]
    assert VirtualEnsembles("TotalUncertainty", 2, 0, ()).column_names((2,)) == ["uncertainty_0", "uncertainty_1"]


@pytest.mark.parametrize("kind", ["binary", "multi"])
def test_labels_are_those_of_catboost(models, kind):
    values = make_table()
    model = models[kind]
    ours = answer(model, values, Labels(np.asarray(model.classes_)), FROM_ARRAY)
    np.testing.assert_array_equal(ours, model.predict(values).ravel())


def test_values_are_those_of_catboost(models):
    values = make_table()
    for kind, name in (("binary", "Probability"), ("multi", "LogProbability"), ("regression", "RawFormulaVal")):
        np.testing.assert_array_equal(
            answer(models[kind], values, Values(name, ()), FROM_ARRAY),
            models[kind].predict(values, prediction_type=name),
        )
    np.testing.assert_array_equal(
        answer(models["multi"], values, Shap("ShapValues", NAMES, ()), FROM_ARRAY),
        models["multi"].get_feature_importance(catboost.Pool(values), type="ShapValues"),
    )


def large_indices(matrix):
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    return matrix


CONTAINERS = {
    "list": lambda v: v.tolist(),
    "float64": lambda v: v.astype(np.float64),
    "row order": np.ascontiguousarray,
    "column order": np.asfortranarray,
    "pandas": lambda v: pd.DataFrame(v, columns=NAMES),
    "pandas of several types": lambda v: pd.DataFrame(v, columns=NAMES).astype({"a": "float64", "b": "Float32"}),
    "pandas on arrow": lambda v: pd.DataFrame(v, columns=NAMES).astype("float[pyarrow]"),
    "pandas of objects": lambda v: pd.DataFrame(v, columns=NAMES).astype(object),
    "polars": lambda v: pl.DataFrame(v, schema=list(NAMES)),
    "polars, lazy": lambda v: pl.DataFrame(v, schema=list(NAMES)).lazy(),
    "arrow": lambda v: pa.table({name: v[:, i] for i, name in enumerate(NAMES)}),
    "sparse rows": scipy.sparse.csr_matrix,
    "sparse columns": scipy.sparse.csc_array,
    "sparse, large indices": lambda v: large_indices(scipy.sparse.csr_array(v)),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_any_container_in_memory_gives_the_same(models, container):
    values = make_table()
    X = container(values)
    expected = FROM_ARRAY if isinstance(X, np.ndarray | list) or scipy.sparse.issparse(X) else EXPECTED
    question = Values("RawFormulaVal", ())
    np.testing.assert_array_equal(
        answer(models["multi"], X, question, expected), models["multi"].predict(values, prediction_type="RawFormulaVal")
    )


def test_whole_numbers_and_booleans_are_numbers(models):
    whole = pd.DataFrame({"a": [1, 2], "b": pd.array([1, None], dtype="Int64"), "c": [True, False], "d": [0.5, 1e300]})
    plain = np.array([[1, 1, 1, 0.5], [2, np.nan, 0, np.inf]], dtype=np.float32)
    question = Values("RawFormulaVal", ())
    np.testing.assert_array_equal(
        answer(models["binary"], whole, question, EXPECTED), answer(models["binary"], plain, question, FROM_ARRAY)
    )


def test_dask_array_of_unknown_chunks(models):
    X = da.from_array(make_table(), chunks=(60, 4))
    X = X[X[:, 0] > 0]
    lazy = answer(models["multi"], X, Values("Probability", CLASSES), FROM_ARRAY)
    assert np.isnan(lazy.shape[0])
    assert lazy.shape[1] == 3
    values = make_table()
    np.testing.assert_array_equal(
        lazy.compute(scheduler="sync"), models["multi"].predict_proba(values[values[:, 0] > 0])
    )


def test_model_is_one_key_of_the_graph_and_no_task_carries_it(models):
    model = models["multi"]
    shipped = ShippedModel.of(model)
    X = dd.from_pandas(pd.DataFrame(make_table(), columns=NAMES), npartitions=9)
    for lazy in (
        answer(model, X, Values("Probability", CLASSES), EXPECTED),
        answer(model, X.to_dask_array(lengths=True), Values("Probability", CLASSES), FROM_ARRAY),
    ):
        (optimized,) = dask.optimize(lazy)
        heavy = [
            key for key, task in dict(optimized.__dask_graph__()).items() if shipped.data[:99] in pickle.dumps(task)
        ]
        assert len(heavy) == 1


@pytest.mark.parametrize("small", [False, True])
def test_process_reads_a_model_once_and_forgets_old_ones_unless_they_are_small(models, monkeypatch, small):
    monkeypatch.setattr(answers, "_loaded", type(answers._loaded)())
    if not small:
        monkeypatch.setattr(answers, "_KEPT_BYTES", 0)
    shipped = ShippedModel.of(models["binary"])
    again = pickle.loads(pickle.dumps(shipped))
    assert again.load() is shipped.load()
    for start in range(answers._KEPT):
        part = models["multi"].copy()
        part.shrink(ntree_end=start + 2)
        ShippedModel.of(part).load()
    assert len(answers._loaded) == answers._KEPT + small
    assert (shipped.digest in answers._loaded) == small


def test_same_question_on_the_same_rows_has_the_same_keys(models):
    X = dd.from_pandas(pd.DataFrame(make_table(), columns=NAMES), npartitions=2)
    first, second = (answer(models["multi"], X, Labels(np.array(CLASSES)), EXPECTED) for _ in range(2))
    other = answer(models["multi"], X, Labels(np.array(["x", "y", "z"])), EXPECTED)
    assert first._name == second._name != other._name


BAD_COLUMNS = {
    "missing": (
        ["a", "b", "d"],
        "The feature names should match those that were passed during fit.\n"
        "Feature names seen at fit time, yet now missing:\n- c\n\n"
        "Give X all columns of the model, model.feature_names_in_, in that order.",
    ),
    "extra": (
        ["a", "b", "c", "d", "e"],
        "The feature names should match those that were passed during fit.\n"
        "Feature names unseen at fit time:\n- e\n\n"
        "Select the model's columns in the model's order, as in X[list(model.feature_names_in_)].",
    ),
    "reordered": (
        ["b", "a", "c", "d"],
        "The feature names should match those that were passed during fit.\n"
        "Feature names must be in the same order as they were in fit.\n\n"
        "Select the model's columns in the model's order, as in X[list(model.feature_names_in_)].",
    ),
}


@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "dask"])
@pytest.mark.parametrize(("columns", "words"), BAD_COLUMNS.values(), ids=BAD_COLUMNS.keys())
def test_other_columns_are_refused_by_name_before_anything_is_computed(models, columns, words, lazy):
    frame = pd.DataFrame(np.ones((6, len(columns))), columns=columns)
    X = dd.from_pandas(frame, npartitions=2) if lazy else frame
    with pytest.raises(FeaturesError) as caught:
        answer(models["binary"], X, Values("Probability", ()), EXPECTED)
    assert str(caught.value) == words
    assert isinstance(caught.value, DataError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == words


def test_many_missing_columns_are_not_all_listed():
    expected = Expected(20, tuple(f"f{i:02}" for i in range(20)), "DaskCatBoostRegressor")
    with pytest.raises(FeaturesError, match=r"- f04\n- \.\.\.\n"):
        expected.check(pd.DataFrame({"x": [1.0]}))


@pytest.mark.parametrize("make", [np.asarray, lambda v: da.from_array(v, chunks=(2, -1)), scipy.sparse.csr_matrix])
def test_other_width_is_refused(models, make):
    with pytest.raises(FeaturesError) as caught:
        answer(models["binary"], make(np.ones((5, 3))), Values("Probability", ()), FROM_ARRAY)
    assert str(caught.value) == (
        "X has 3 features, but DaskCatBoostClassifier is expecting 4 features as input.\n"
        "Pass the columns that the model was trained on."
    )


def test_number_labels_of_columns_are_checked_too():
    expected = Expected(2, (10, 20), "DaskCatBoostRegressor")
    expected.check(pd.DataFrame([[1.0, 2.0]], columns=[10, 20]))
    with pytest.raises(FeaturesError, match="in the same order"):
        expected.check(pd.DataFrame([[1.0, 2.0]], columns=[20, 10]))


def test_names_on_one_side_only_are_warned_about_as_scikit_learn_does(models):
    question = Values("Probability", ())
    with pytest.warns(UserWarning, match="^X does not have valid feature names, but DaskCatBoostClassifier was fitted"):
        answer(models["binary"], make_table(), question, EXPECTED)
    with pytest.warns(UserWarning, match="^X has feature names, but DaskCatBoostClassifier was fitted without"):
        answer(models["binary"], pd.DataFrame(make_table(), columns=NAMES), question, FROM_ARRAY)


def test_array_cut_along_columns_is_refused(models):
    X = da.ones((10, 4), chunks=(5, 2))
    with pytest.raises(DataError) as caught:
        answer(models["binary"], X, Values("Probability", ()), FROM_ARRAY)
    assert str(caught.value) == (
        "X: found a Dask array in 2 chunks along its columns, expected chunks over rows only. Call X.rechunk({1: -1})."
    )


def test_text_in_a_column_names_the_column(models):
    frame = pd.DataFrame(make_table(4), columns=NAMES).astype({"b": object})
    frame.iloc[2, 1] = "oops"
    with pytest.raises(DataError, match="column 'b'"):
        answer(models["binary"], frame, Values("Probability", ()), EXPECTED)


def test_text_in_a_partition_names_column_and_partition(models):
    frame = pd.DataFrame(make_table(9), columns=NAMES).astype({"b": object})
    frame.iloc[7, 1] = "oops"
    question = Values("Probability", ())
    with pytest.raises(DataError, match="column 'b' of partition 2"):
        answer(models["binary"], dd.from_pandas(frame, npartitions=3), question, EXPECTED).compute(scheduler="sync")
    array = da.from_array(frame.to_numpy(), chunks=(3, 4))
    with pytest.raises(DataError, match="column '1' of partition 2"):
        answer(models["binary"], array, question, FROM_ARRAY).compute(scheduler="sync")


@pytest.mark.parametrize("X", [dask.bag.from_sequence([1]), dask.delayed(1)], ids=["bag", "delayed"])
def test_other_lazy_things_are_refused(models, X):
    with pytest.raises(DataError, match=r"^X: found a Dask "):
        answer(models["binary"], X, Values("Probability", ()), EXPECTED)


def test_partition_with_other_columns_than_its_collection_says_is_refused(models):
    meta = pd.DataFrame(make_table(0), columns=NAMES)
    X = dd.from_map(lambda i: pd.DataFrame(make_table(3), columns=["b", "a", "c", "d"]), [0], meta=meta)
    with pytest.raises(FeaturesError, match="in the same order"):
        answer(models["binary"], X, Values("Probability", ()), EXPECTED).compute(scheduler="sync")


def models_of_this_process():
    return list(answers._loaded)


def test_workers_predict_where_the_rows_are(models):
    model = models["multi"]
    frame = pd.DataFrame(make_table(), columns=NAMES)
    with start_local(workers=2, threads=1, dashboard=False) as local:
        X = local.client.persist(dd.from_pandas(frame, npartitions=8))
        lazy = answer(model, X, Values("Probability", CLASSES), EXPECTED)
        result = local.client.compute(lazy).result()
        kept = local.client.run(models_of_this_process)
    np.testing.assert_array_equal(result.to_numpy(), model.predict_proba(frame))
    assert list(result.columns) == list(CLASSES)
    # Eight tasks, one model in each process.
    assert list(kept.values()) == [[ShippedModel.of(model).digest]] * 2
