"""Estimators keep what they are given, answer with their model, and travel without their client."""

import copy
import pickle
import subprocess
import sys

import catboost
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, r2_score

import gbdist
from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DataError, ModelError, ParameterError
from gbdist.estimators.prediction.questions import Labels

NAMES = ["a", "b", "c"]
BOTH = pytest.mark.parametrize("kind", [DaskCatBoostClassifier, DaskCatBoostRegressor])


def make_frame(n_rows=120, seed=0):
    frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(n_rows, 3)), columns=NAMES)
    frame["target"] = np.where(frame["a"] + 0.3 * frame["b"] > 0, "up", "down")
    frame["number"] = frame["a"] - frame["c"] ** 2
    frame["weight"] = np.random.default_rng(seed + 1).uniform(0.1, 2, n_rows)
    return frame


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    frame = make_frame()
    settings = {"iterations": 9, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    catboost.CatBoostClassifier(**settings).fit(frame[NAMES], frame["target"]).save_model(str(folder / "classes.cbm"))
    catboost.CatBoostRegressor(**settings).fit(frame[NAMES], frame["number"]).save_model(str(folder / "numbers.cbm"))
    return folder


@pytest.fixture
def classifier(files):
    return DaskCatBoostClassifier().load_model(files / "classes.cbm")


@pytest.fixture
def regressor(files):
    return DaskCatBoostRegressor().load_model(files / "numbers.cbm")


class Connection:
    """Like a Dask client: can be neither copied nor pickled."""

    def __reduce_ex__(self, protocol):
        raise TypeError("a connection cannot be pickled")


# ---- parameters


@BOTH
def test_parameters_of_any_name_are_kept_as_given(kind):
    model = kind(depth=3, n_estimators=7, eta=0.5, wrong_name="kept until fit")
    params = model.get_params()
    assert (params["depth"], params["n_estimators"], params["eta"]) == (3, 7, 0.5)
    assert params["wrong_name"] == "kept until fit"
    assert model.given_parameters() == {"depth": 3, "n_estimators": 7, "eta": 0.5, "wrong_name": "kept until fit"}


@BOTH
def test_clone_has_the_same_parameters_and_the_very_same_client(kind):
    client = Connection()
    model = kind(iterations=5, max_depth=2, class_weights=[1, 2], client=client)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.client is client
    assert twin.class_weights is not model.class_weights
    twin.set_params(max_depth=9, reg_lambda=1.0)
    assert model.get_params()["max_depth"] == 2
    assert "reg_lambda" not in model.get_params()


def test_clone_keeps_metadata_requests():
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        twin = clone(DaskCatBoostClassifier().set_fit_request(sample_weight=True))
        assert twin.get_metadata_routing().fit.requests["sample_weight"] is True


@BOTH
def test_set_params_returns_itself_and_changes_both_kinds_of_names(kind):
    model = kind(iterations=5)
    assert model.set_params(iterations=6, random_state=1) is model
    assert (model.iterations, model.get_params()["random_state"]) == (6, 1)


@BOTH
def test_repr_shows_what_was_set(kind):
    assert repr(kind(depth=3, eta=0.1)) == f"{kind.__name__}(depth=3, eta=0.1)"
    assert "depth" in kind(depth=3, eta=0.1)._repr_html_()


@BOTH
def test_bad_parameter_is_refused_at_fit_by_its_name(kind):
    model = kind(iteratoins=5)
    with pytest.raises(ParameterError, match=r"^iteratoins=5 cannot be used: expected a parameter of CatBoost"):
        model.fit([[0.0], [1.0]], [0, 1])


@BOTH
def test_bad_callback_is_refused_at_fit(kind):
    with pytest.raises(ParameterError, match=r"^callbacks="):
        kind(iterations=1).fit([[0.0], [1.0]], [0, 1], callbacks=[len])


# ---- before fit


@BOTH
@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.predict([[0.0]]),
        lambda model: model.staged_predict([[0.0]]),
        lambda model: model.calc_leaf_indexes([[0.0]]),
        lambda model: model.shap_values([[0.0]]),
        lambda model: model.score([[0.0]], [0]),
        lambda model: model.score(da.ones((2, 1)), da.ones(2)),
        lambda model: model.get_feature_importance(),
        lambda model: model.save_model("nowhere.cbm"),
        lambda model: model.to_local(),
        lambda model: model.feature_importances_,
        lambda model: model.tree_count_,
    ],
)
def test_asking_before_fit(kind, ask):
    with pytest.raises(NotFittedError) as caught:
        ask(kind())
    assert str(caught.value) == (
        f"This {kind.__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator."
    )


@BOTH
def test_what_fit_leaves_is_not_there_before(kind):
    for name in ("model_", "tree_count_", "feature_importances_", "n_features_in_", "classes_", "best_score_"):
        assert not hasattr(kind(), name)


# ---- travelling


def test_pickle_carries_the_model_but_not_the_client(classifier):
    classifier.set_params(client=Connection(), eta=0.1)
    for twin in (pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)):
        assert twin.client is None
        assert twin.get_params()["eta"] == 0.1
        assert type(twin.model_) is catboost.CatBoostClassifier
        np.testing.assert_array_equal(twin.predict(make_frame()[NAMES]), classifier.predict(make_frame()[NAMES]))
    assert isinstance(classifier.client, Connection)
    assert pickle.loads(pickle.dumps(DaskCatBoostRegressor(depth=2))).depth == 2


def test_saved_model_is_one_of_catboost(regressor, tmp_path):
    regressor.save_model(tmp_path / "model.cbm")
    plain = catboost.CatBoostRegressor().load_model(str(tmp_path / "model.cbm"))
    X = make_frame()[NAMES]
    np.testing.assert_array_equal(plain.predict(X), regressor.predict(X))


def test_files_that_cannot_be_read_or_written_are_named(regressor, tmp_path):
    with pytest.raises(ModelError) as caught:
        DaskCatBoostRegressor().load_model(tmp_path / "no.cbm")
    assert str(caught.value) == (
        f"load_model: there is no file '{tmp_path}/no.cbm'. Pass the path of a saved CatBoost model."
    )
    with pytest.raises(ModelError) as caught:
        DaskCatBoostRegressor().load_model(tmp_path)
    assert str(caught.value) == f"load_model: '{tmp_path}' is a folder. Pass the path of a saved CatBoost model."
    (tmp_path / "text.cbm").write_text("text")
    with pytest.raises(ModelError) as caught:
        DaskCatBoostRegressor().load_model(tmp_path / "text.cbm")
    # In brackets are CatBoost's own words, which begin with a line of its source.
    assert str(caught.value).startswith(f"load_model: CatBoost cannot read '{tmp_path}/text.cbm' in its format 'cbm' (")
    assert str(caught.value).endswith("). Pass a file that CatBoost or gbdist saved, and the format it was saved in.")
    with pytest.raises(ModelError) as caught:
        regressor.save_model(tmp_path / "no/model.json", format="json")
    assert str(caught.value).startswith(
        f"save_model: CatBoost cannot write '{tmp_path}/no/model.json' in its format 'json' ("
    )
    assert str(caught.value).endswith("). Check that the folder is there and can be written to, and the format.")


def test_local_model_is_a_copy(classifier):
    local = classifier.to_local()
    assert type(local) is catboost.CatBoostClassifier
    local.shrink(ntree_end=2)
    assert (local.tree_count_, classifier.tree_count_) == (2, 9)


def test_loaded_model_knows_features_classes_and_rate(classifier, regressor):
    assert classifier.feature_names_in_.tolist() == NAMES
    assert classifier.n_features_in_ == 3
    assert classifier.classes_.tolist() == ["down", "up"]
    assert not hasattr(regressor, "classes_")
    assert regressor.learning_rate_ == regressor.model_.learning_rate_
    np.testing.assert_allclose(regressor.feature_importances_.sum(), 100.0)


# ---- answers


def test_predictions_in_memory_are_catboosts(classifier, regressor):
    X = make_frame()[NAMES]
    np.testing.assert_array_equal(classifier.predict(X), classifier.model_.predict(X))
    np.testing.assert_array_equal(classifier.predict_proba(X), classifier.model_.predict_proba(X))
    np.testing.assert_array_equal(classifier.predict_log_proba(X), classifier.model_.predict_log_proba(X))
    np.testing.assert_array_equal(regressor.predict(X), regressor.model_.predict(X))
    np.testing.assert_array_equal(
        regressor.predict(X, "Exponent", 1, 5),
        regressor.model_.predict(X, prediction_type="Exponent", ntree_start=1, ntree_end=5),
    )
    np.testing.assert_array_equal(classifier.calc_leaf_indexes(X, 2), classifier.model_.calc_leaf_indexes(X, 2))
    np.testing.assert_array_equal(
        regressor.virtual_ensembles_predict(X, "TotalUncertainty", virtual_ensembles_count=3),
        regressor.model_.virtual_ensembles_predict(X, "TotalUncertainty", virtual_ensembles_count=3),
    )
    np.testing.assert_array_equal(
        regressor.shap_values(X), regressor.model_.get_feature_importance(catboost.Pool(X), type="ShapValues")
    )


def test_lazy_answers_of_every_method(classifier, regressor):
    frame = make_frame()[NAMES]
    X, A = dd.from_pandas(frame, npartitions=3), da.from_array(frame.to_numpy(), chunks=(50, 3))
    B = A.rechunk((7, 3))
    for model in (classifier, regressor):
        model_on_arrays = copy.deepcopy(model)
        model_on_arrays._column_labels = None
        methods = {"predict": {}, "calc_leaf_indexes": {}, "shap_values": {}}
        methods["virtual_ensembles_predict"] = {"virtual_ensembles_count": 2}
        if model is classifier:
            methods |= {"predict_proba": {}, "predict_log_proba": {}}
        for method, arguments in methods.items():
            at_once = getattr(model, method)(frame, **arguments)
            lazy = getattr(model, method)(X, **arguments)
            assert lazy.divisions == X.divisions
            np.testing.assert_array_equal(lazy.compute(scheduler="sync").to_numpy().reshape(at_once.shape), at_once)
            for array in (A, B):
                lazy = getattr(model_on_arrays, method)(array, **arguments)
                assert lazy.chunks[0] == array.chunks[0]
                np.testing.assert_array_equal(lazy.compute(scheduler="sync"), at_once)


def test_columns_of_probabilities_are_the_classes(classifier):
    X = dd.from_pandas(make_frame()[NAMES], npartitions=2)
    assert list(classifier.predict_proba(X).columns) == ["down", "up"]


def test_probability_threshold_of_the_model_is_kept(classifier):
    X = make_frame()[NAMES]
    classifier.model_.set_probability_threshold(0.8)
    ours = classifier.predict(X)
    np.testing.assert_array_equal(ours, np.where(classifier.predict_proba(X)[:, 1] > 0.8, "up", "down"))
    np.testing.assert_array_equal(ours, classifier.model_.predict(X))


@pytest.mark.parametrize("labels", [[False, True], [3, 8], ["n", "y"], [0.5, 2.5], ["n", 7]])
def test_labels_come_back_as_they_went_in(files, labels):
    model = DaskCatBoostClassifier().load_model(files / "classes.cbm")
    model._take_classes(model.model_, tuple(labels))
    X = make_frame()[NAMES]
    predicted = model.predict(X).tolist()
    assert set(predicted) == set(labels)
    assert {type(label) for label in predicted} == {type(label) for label in labels}
    lazy = model.predict(dd.from_pandas(X, npartitions=2))
    assert lazy.compute(scheduler="sync").tolist() == predicted
    assert lazy.dtype == lazy.compute(scheduler="sync").dtype


def test_staged_predictions_end_with_all_trees(classifier, regressor):
    frame = make_frame()[NAMES]
    X = dd.from_pandas(frame, npartitions=2)
    for model, kind in ((classifier, "Class"), (classifier, "Probability"), (regressor, "RawFormulaVal")):
        at_once = list(model.staged_predict(frame, kind, eval_period=4))
        lazy = [stage.compute(scheduler="sync") for stage in model.staged_predict(X, kind, eval_period=4)]
        assert len(at_once) == len(lazy) == 3
        for end, now, later in zip((4, 8, 9), at_once, lazy, strict=True):
            np.testing.assert_array_equal(later, model.predict(frame, kind, ntree_end=end))
            if kind == "Class":
                np.testing.assert_array_equal(now, later)
            else:
                np.testing.assert_allclose(now, later, rtol=1e-12)


def test_staged_predictions_of_some_trees_and_of_no_rows(regressor):
    frame = make_frame()[NAMES]
    part = list(regressor.staged_predict(frame, ntree_start=2, ntree_end=6, eval_period=2))
    assert len(part) == 2
    np.testing.assert_allclose(part[1], regressor.predict(frame, ntree_start=2, ntree_end=6), rtol=1e-12)
    assert [stage.shape for stage in regressor.staged_predict(frame[:0], eval_period=5)] == [(0,), (0,)]


def test_importances_from_the_model_alone_and_of_rows(regressor):
    X = make_frame()[NAMES]
    assert regressor.get_feature_importance().shape == (3,)
    assert np.shape(regressor.get_feature_importance(type="Interaction"))[1] == 3
    lazy = regressor.get_feature_importance(type="ShapValues", data=dd.from_pandas(X, npartitions=2))
    assert list(lazy.columns) == [*NAMES, "expected_value"]
    np.testing.assert_array_equal(
        regressor.get_feature_importance(type=catboost.EFstrType.ShapValues, data=X), regressor.shap_values(X)
    )
    np.testing.assert_allclose(lazy.sum(axis=1).compute(scheduler="sync"), regressor.predict(X), atol=1e-12)
    pool = catboost.Pool(X, make_frame()["number"])
    np.testing.assert_array_equal(
        regressor.get_feature_importance(type="LossFunctionChange", data=pool),
        regressor.model_.get_feature_importance(pool, type="LossFunctionChange"),
    )


def test_importance_that_is_no_sum_over_rows_is_refused_for_collections(regressor):
    X = dd.from_pandas(make_frame()[NAMES], npartitions=2)
    with pytest.raises(ModelError) as caught:
        regressor.get_feature_importance(type="LossFunctionChange", data=X)
    assert str(caught.value) == (
        "LossFunctionChange of a Dask collection cannot be computed partition by partition. "
        "Pass a sample that fits in memory, as catboost.Pool(X_sample, y_sample)."
    )
    with pytest.raises(DataError, match="rows to explain"):
        regressor.get_feature_importance(type="ShapValues")


def test_what_catboost_cannot_answer_is_refused_at_once(regressor):
    with pytest.raises(ModelError) as caught:
        regressor.virtual_ensembles_predict(dd.from_pandas(make_frame()[NAMES], npartitions=2))
    assert str(caught.value).startswith("CatBoost cannot answer this with the model: ")
    assert "Not enough trees in model for 10 virtual Ensembles" in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda m, X: m.predict(X, "Class"),
            "prediction_type='Class' cannot be used: expected RawFormulaVal or Exponent or RMSEWithUncertainty.",
        ),
        (
            lambda m, X: m.predict(X, ntree_start=9),
            "ntree_start=9 cannot be used: expected 0 to 8. The model has 9 trees.",
        ),
        (lambda m, X: m.predict(X, ntree_end=10), "ntree_end=10 cannot be used: expected 0 or 1 to 9."),
        (lambda m, X: m.calc_leaf_indexes(X, 3, 3), "ntree_end=3 cannot be used: expected 0 or 4 to 9."),
        (lambda m, X: m.staged_predict(X, eval_period=0), "eval_period=0 cannot be used: expected a whole number"),
        (
            lambda m, X: m.virtual_ensembles_predict(X, "Mean"),
            "prediction_type='Mean' cannot be used: expected VirtEns",
        ),
    ],
)
def test_impossible_questions_are_refused_at_once(regressor, ask, words):
    with pytest.raises(ParameterError) as caught:
        ask(regressor, dd.from_pandas(make_frame()[NAMES], npartitions=2))
    assert str(caught.value).startswith(words)


# ---- scores


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("as_columns", [False, True])
def test_score_on_the_cluster_is_scikit_learns(classifier, regressor, weighted, as_columns):
    frame = make_frame(seed=5)
    whole = dd.from_pandas(frame, npartitions=4)
    for model, target, score in ((classifier, "target", accuracy_score), (regressor, "number", r2_score)):
        expected = score(
            frame[target], model.predict(frame[NAMES]), sample_weight=frame["weight"] if weighted else None
        )
        if as_columns:
            columns = [*NAMES, target, *(["weight"] if weighted else [])]
            got = model.score(whole[columns], target, "weight" if weighted else None)
        else:
            got = model.score(whole[NAMES], whole[target], whole["weight"] if weighted else None)
        assert got == pytest.approx(expected, rel=1e-12)
        assert model.score(frame[NAMES], frame[target], frame["weight"] if weighted else None) == pytest.approx(
            expected
        )


def test_score_of_arrays_and_of_a_far_mean(regressor):
    regressor._column_labels = None
    frame = make_frame(seed=6)
    X, y = frame[NAMES].to_numpy(), frame["number"].to_numpy() + 1e8
    lazy = regressor.score(da.from_array(X, chunks=(32, 3)), da.from_array(y, chunks=32))
    assert lazy == pytest.approx(r2_score(y, regressor.predict(X)), rel=1e-6)
    assert regressor.score(da.from_array(X, chunks=(32, 3)), y) == lazy


def test_score_of_files_of_which_few_columns_are_read(regressor, tmp_path):
    """Dask joins small files where it reads little of them, here those of y and not those of X."""
    frame = make_frame(400, seed=7).assign(**{f"unused {i}": 0.0 for i in range(40)})
    for number in range(8):
        frame[50 * number : 50 * (number + 1)].to_parquet(tmp_path / f"{number}.parquet")
    files = dd.read_parquet(tmp_path)
    expected = regressor.score(frame[NAMES], frame["number"])
    assert regressor.score(files[NAMES], files["number"]) == pytest.approx(expected, rel=1e-12)
    weight = frame["weight"]
    assert regressor.score(files[NAMES], files["number"], files["weight"]) == pytest.approx(
        regressor.score(frame[NAMES], frame["number"], weight), rel=1e-12
    )


def test_score_of_a_constant_is_scikit_learns(regressor):
    X = dd.from_pandas(make_frame()[NAMES], npartitions=2)
    assert regressor.score(X, X["a"] * 0) == 0.0
    assert regressor.score(X, regressor.predict(X)) == 1.0


def test_score_with_empty_partitions(classifier):
    whole = dd.from_pandas(make_frame(), npartitions=4)
    some = whole.map_partitions(lambda part: part[part.index < 40])
    assert classifier.score(some[NAMES], some["target"]) == classifier.score(
        make_frame()[NAMES][:40], make_frame()["target"][:40]
    )
    none = whole.map_partitions(lambda part: part[part.index < 0])
    with pytest.raises(DataError, match="no rows"):
        classifier.score(none[NAMES], none["target"])


def test_score_refuses_parts_of_different_length_and_missing_labels(regressor):
    whole = dd.from_pandas(make_frame(), npartitions=3)
    short = da.from_array(np.zeros(119), chunks=(40, 40, 39)[0])
    with pytest.raises(DataError, match=r"^y of partition 2: found 39 rows, expected as many as X has there, 40\."):
        regressor.score(whole[NAMES], short)
    holes = whole["number"].where(whole["number"] > 0)
    with pytest.raises(DataError, match=r"^y of partition \d: found missing values"):
        regressor.score(whole[NAMES], holes)


# ---- the package


def test_import_is_light():
    heavy = "('dask', 'distributed', 'catboost', 'sklearn', 'numba', 'pandas', 'numpy')"
    code = f"import sys, gbdist; gbdist.__version__; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_package_lists_what_it_has():
    assert set(gbdist.__all__) <= set(dir(gbdist))
    for name in gbdist.__all__:
        assert getattr(gbdist, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'DaskCatBoost'"):
        getattr(gbdist, "DaskCatBoost")  # noqa: B009


def test_text_labels_keep_pandas_own_type():
    from gbdist.estimators.prediction.answers import Job, _as_frame

    job = Job(Labels(np.array(["x", "y"], dtype=object)), None, (), np.dtype(object))
    some = _as_frame(np.array(["x"], dtype=object), pd.RangeIndex(1), job)
    assert some.dtype == pd.Series(["x", "y"]).dtype
