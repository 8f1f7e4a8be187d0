"""``fit`` and ``partial_fit`` of networks on data of this process: what they leave, and what they refuse."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from gbdist import DaskMLPClassifier, DaskMLPRegressor, DaskPool
from gbdist.errors import DataError, ModelError, ParameterError

not_converged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
#: Small and quick.
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 4}
SKLEARN: dict[str, Any] = {"hidden_layer_sizes": (7, 5), "max_iter": 6, "shuffle": False, "random_state": 3}
#: Attributes that scikit-learn's MLP has, of which ours have the same values.
ATTRIBUTES = ("loss_", "best_loss_", "n_iter_", "t_", "n_layers_", "n_outputs_", "n_features_in_")


def make_numbers(n_rows: int = 300, seed: int = 0) -> np.ndarray:
    """Numbers that float32 has, so that scikit-learn is given the same ones."""
    return np.random.default_rng(seed).normal(size=(n_rows, 4)).astype(np.float32).astype(np.float64)


def make_frame(n_rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"a": rng.normal(size=n_rows), "town": rng.choice(["Oslo", "Rome", "Bonn"], n_rows)})


@not_converged
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_preset_sklearn_is_scikit_learns_classifier(solver, n_classes):
    X = make_numbers()
    y = np.array(["x", "y", "z"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5][: n_classes - 1])]
    weight = np.random.default_rng(2).integers(1, 4, len(y)).astype(float)
    theirs = MLPClassifier(solver=solver, **SKLEARN).fit(X, y, weight)
    ours = DaskMLPClassifier(preset="sklearn", solver=solver, **SKLEARN).fit(X, y, weight)
    for a, b in zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(theirs.predict_log_proba(X), ours.predict_log_proba(X), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(theirs.predict(X), ours.predict(X))
    np.testing.assert_array_equal(theirs.classes_, ours.classes_)
    np.testing.assert_allclose(theirs.loss_curve_, ours.loss_curve_, rtol=1e-12)
    for name in ATTRIBUTES:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-12), name
    assert ours.out_activation_ == theirs.out_activation_
    assert ours.validation_scores_ is ours.best_validation_score_ is ours.best_iteration_ is None
    assert ours.score(X, y, weight) == pytest.approx(theirs.score(X, y, weight))


@not_converged
@pytest.mark.parametrize("n_targets", [1, 2])
def test_preset_sklearn_is_scikit_learns_regressor(n_targets):
    X = make_numbers()
    y = np.stack([X[:, 0] * X[:, 1], X[:, 2]], axis=1)[:, :n_targets].astype(np.float32).squeeze()
    theirs = MLPRegressor(**SKLEARN).fit(X, y)
    ours = DaskMLPRegressor(preset="sklearn", **SKLEARN).fit(X, y)
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=0, atol=1e-10)
    assert ours.predict(X).shape == y.shape
    for name in ATTRIBUTES:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9), name
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


@not_converged
def test_partial_fit_and_warm_start_are_scikit_learns():
    X = make_numbers()
    y = (X[:, 0] > 0).astype(int)
    theirs, ours = MLPClassifier(**SKLEARN), DaskMLPClassifier(preset="sklearn", **SKLEARN)
    for half in (slice(0, 150), slice(150, 300), slice(0, 150)):
        theirs.partial_fit(X[half], y[half], classes=[0, 1])
        ours.partial_fit(X[half], y[half], classes=[0, 1])
    assert (ours.n_iter_, ours.t_, len(ours.loss_curve_)) == (theirs.n_iter_, theirs.t_, len(theirs.loss_curve_))
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-12)
    # The optimizer's moments travel with a pickle.
    ours = pickle.loads(pickle.dumps(ours)).partial_fit(X, y)
    np.testing.assert_allclose(theirs.partial_fit(X, y).predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-12)
    for model in (theirs, ours):
        model.set_params(warm_start=True).fit(X, y)
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(theirs.loss_curve_, ours.loss_curve_, rtol=1e-10)
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)


def test_warning_of_scikit_learn_is_given_where_more_epochs_might_help():
    X = make_numbers(60)
    y = X[:, 0] > 0
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        DaskMLPClassifier((3,), preset="sklearn", max_iter=2).fit(X, y)
    DaskMLPClassifier((3,), max_iter=2).fit(X, y)  # a cosine has come to its end
    DaskMLPClassifier((3,), preset="sklearn").partial_fit(X, y, classes=[False, True])


def test_default_preset_learns_what_needs_a_bend_and_categories():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.lognormal(2, 2, 900), "town": rng.choice(["Oslo", "Rome", "Bonn"], 900)})
    frame.loc[::9, "a"] = np.nan
    y = np.where((frame["a"] > 7) ^ (frame["town"] == "Rome"), "yes", "no")
    model = DaskMLPClassifier((32,), max_iter=30).fit(frame[:600], y[:600])
    assert model.score(frame[600:], y[600:]) > 0.93
    assert model.cat_features_ == [1]
    assert list(model.feature_names_in_) == ["a", "town"]
    assert list(model.evals_result_) == ["learn", "validation"]
    assert len(model.loss_curve_) == len(model.validation_scores_) == model.n_iter_
    assert (
        model.best_validation_score_ == min(model.validation_scores_) == model.validation_scores_[model.best_iteration_]
    )
    # A category that was not seen is no error, nor is a missing number.
    proba = model.predict_proba(pd.DataFrame({"a": [np.nan, 3.0], "town": ["Paris", "Oslo"]}))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@pytest.mark.parametrize("precision", ["float64", "float32", "fp16", "bf16"])
def test_a_fit_can_be_repeated(precision):
    X = make_numbers()
    fits = [DaskMLPRegressor(**SMALL, precision=precision).fit(X, X[:, 0]).predict(X) for _ in range(2)]
    np.testing.assert_array_equal(*fits)
    other = DaskMLPRegressor(**SMALL, precision=precision, random_state=1).fit(X, X[:, 0])
    assert not np.array_equal(fits[0], other.predict(X))


def test_targets_may_be_far_from_zero():
    X = make_numbers()
    y = 1e6 + 1e3 * X[:, 0]
    model = DaskMLPRegressor((16,), max_iter=20).fit(X, y)
    assert model.score(X, y) > 0.8
    # Metrics are in the targets' own unit.
    assert 1 < model.best_validation_score_ < 1e3


def test_eval_sets_are_scored_and_the_last_one_decides():
    X = make_numbers()
    y = (X[:, 0] > 0).astype(int)
    sets = [(X[:100], y[:100]), (X[100:200], y[100:200], np.ones(100))]
    model = DaskMLPClassifier(**SMALL, eval_metric=["AUC", "Logloss"]).fit(X, y, eval_set=sets)
    assert {name: list(of_set) for name, of_set in model.evals_result_.items()} == {
        "learn": ["loss"],
        "validation_0": ["AUC", "Logloss"],
        "validation_1": ["AUC", "Logloss"],
    }
    assert model.validation_scores_ == model.evals_result_["validation_1"]["AUC"]
    assert model.best_validation_score_ == max(model.validation_scores_)
    only_scored = DaskMLPClassifier(**SMALL, early_stopping=False).fit(X, y, eval_set=sets[:1])
    assert only_scored.best_iteration_ is None
    assert len(only_scored.evals_result_["validation"]["Logloss"]) == 4


def test_callbacks_hear_of_epochs_and_may_stop():
    heard: list[Any] = []

    class Callback:
        def after_iteration(self, info: Any) -> bool:
            heard.append((info.iteration, len(info.metrics["validation"]["RMSE"])))
            return info.iteration < 2

    X = make_numbers()
    model = DaskMLPRegressor(**SMALL).fit(X, X[:, 0], callbacks=[Callback()])
    assert heard == [(1, 1), (2, 2)]
    assert model.n_iter_ == 2
    assert model.model_.record.stopped == "callback"


def test_class_weight_shifts_predictions_towards_a_class():
    X = make_numbers(400)
    y = np.where(X[:, 0] + np.random.default_rng(0).normal(size=400) > 1.2, "rare", "usual")
    share = {
        name: float(
            np.mean(
                DaskMLPClassifier(hidden_layer_sizes=(8,), max_iter=20, class_weight=weights).fit(X, y).predict(X)
                == "rare"
            )
        )
        for name, weights in {"none": None, "balanced": "balanced", "given": {"rare": 20.0}}.items()
    }
    assert share["none"] < share["balanced"] < share["given"]


def test_several_labels_a_row():
    X = make_numbers(600)
    y = (X[:, :3] > 0).astype(int)
    model = DaskMLPClassifier((32,), max_iter=30).fit(X, y)
    assert model.predict(X).shape == (600, 3)
    assert model.predict_proba(X).shape == (600, 3)
    assert model.score(X, y) > 0.8
    assert list(model.classes_) == [0, 1, 2]


def test_sparse_polars_and_arrow_are_read_as_pandas_is():
    scipy_sparse, pa = pytest.importorskip("scipy.sparse"), pytest.importorskip("pyarrow")
    frame = make_frame()
    y = frame["a"] > 0
    model = DaskMLPClassifier(**SMALL).fit(frame, y)
    table = pa.Table.from_pandas(frame)
    np.testing.assert_array_equal(
        DaskMLPClassifier(**SMALL).fit(table, y.to_numpy()).predict_proba(table), model.predict_proba(frame)
    )
    numbers = np.round(make_numbers())
    dense = DaskMLPRegressor(**SMALL).fit(numbers, numbers[:, 0]).predict(numbers)
    sparse = scipy_sparse.csr_matrix(numbers)
    np.testing.assert_array_equal(DaskMLPRegressor(**SMALL).fit(sparse, numbers[:, 0]).predict(sparse), dense)


def test_saved_and_pickled_estimators_predict_the_same(tmp_path):
    frame = make_frame()
    model = DaskMLPClassifier(**SMALL, cat_nan="none").fit(frame, frame["a"] > 0)
    path = tmp_path / "network.mlp"
    model.save_model(path)
    expected = model.predict_proba(frame)
    loaded = DaskMLPClassifier().load_model(path)
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(frame), expected)
        assert list(other.feature_names_in_) == ["a", "town"]
        assert other.evals_result_ == model.evals_result_
        np.testing.assert_array_equal(other.classes_, [False, True])
    frame.loc[0, "town"] = None
    assert loaded.predict_proba(frame).shape == (300, 2)
    with pytest.raises(ModelError, match=r"is not of a DaskMLPRegressor\. Load it with DaskMLPClassifier"):
        DaskMLPRegressor().load_model(path)
    # Something of a pickle would run on loading; the model's part of it is no pickle.
    state = model.__getstate__()
    assert isinstance(state["model_"], bytes)
    assert isinstance(state["_state"], bytes)
    assert not hasattr(clone(model), "model_")


def test_labels_of_any_type_survive_a_pickle():
    frame = make_frame()[["a"]].assign(b=1.0)
    frame.columns = pd.MultiIndex.from_tuples([("x", 1), ("x", 2)])
    model = pickle.loads(pickle.dumps(DaskMLPRegressor(**SMALL).fit(frame, frame["x", 1])))
    assert model.predict(frame).shape == (300,)
    with pytest.raises(DataError, match="Feature names must be in the same order"):
        model.predict(frame.iloc[:, ::-1])


def refused(error: type[Exception], model: Any, *data: Any, **more: Any) -> str:
    with pytest.raises(error) as caught:
        model.fit(*data, **more)
    assert not hasattr(model, "model_")
    return str(caught.value)


def test_what_cannot_be_trained_is_refused_in_words():
    X = make_numbers(50)
    frame = make_frame(50).assign(y=1)
    assert refused(DataError, DaskMLPClassifier(), X, np.zeros(50)) == (
        "y: found 1 class, 0.0, expected at least two classes. "
        "Add rows of another class: with one there is nothing to tell apart."
    )
    assert refused(DataError, DaskMLPClassifier(), X, X[:, 0]).startswith("y: found continuous values such as")
    assert refused(DataError, DaskMLPRegressor(), X, np.array(["a"] * 50)) == (
        "y: found strings, expected numbers. Use a classifier, or convert y to numbers."
    )
    assert refused(DataError, DaskMLPRegressor(), frame, "price").startswith("y: found the column name 'price'")
    assert refused(DataError, DaskMLPRegressor(early_stopping=True), X[:9], X[:9, 0]) == (
        "validation_fraction: found 1 of 9 row(s) held out (n_samples=9), expected at least 2. "
        "Raise validation_fraction, pass eval_set, or set early_stopping=False."
    )
    assert refused(ParameterError, DaskMLPClassifier(class_weight={"blue": 2.0}), X, X[:, 0] > 0) == (
        "class_weight={'blue': 2.0} cannot be used: expected labels of y. "
        "The classes are [False, True]; 'blue' is none of them."
    )
    assert refused(ParameterError, DaskMLPClassifier(eval_metric="RMSE"), X, X[:, 0] > 0).startswith(
        "eval_metric='RMSE' cannot be used: expected one of"
    )
    assert refused(ParameterError, DaskMLPClassifier(hidden_layers=3), X, X[:, 0] > 0).startswith("hidden_layers=3")
    missing = np.where(X > 1, np.nan, X)
    assert "missing values" in refused(DataError, DaskMLPRegressor(preset="sklearn"), missing, X[:, 0])
    assert "infinite" in refused(DataError, DaskMLPRegressor(), np.where(X > 1, np.inf, X), X[:, 0])
    assert refused(DataError, DaskMLPRegressor(), X, X[:, 0], eval_set=(X[:, :3], X[:, 0])).startswith("eval_set")


def test_a_pool_is_refused(monkeypatch):
    pool = object.__new__(DaskPool)
    expected = (
        "X: found a DaskPool, expected rows with their raw values. "
        "Pass the collection that it was made of: a DaskPool keeps bins, and a network is trained on numbers."
    )
    assert refused(DataError, DaskMLPRegressor(), pool) == expected


def test_going_on_needs_the_same_network_columns_and_labels():
    X = make_numbers()
    y = X[:, 0] > 0
    model = DaskMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    before = model.model_
    with pytest.raises(
        ParameterError, match=r"hidden_layer_sizes=\(9,\) cannot be used: expected \(8,\), as in the model"
    ):
        model.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    with pytest.raises(DataError, match="X has 3 features, but DaskMLPClassifier is expecting 4 features"):
        model.partial_fit(X[:, :3], y)
    with pytest.raises(DataError, match=r"classes: found .* as on the first call"):
        model.partial_fit(X, y, classes=["a", "b"])
    with pytest.raises(DataError, match="label True"):
        DaskMLPClassifier(**SMALL).partial_fit(X, y, classes=[False, 2])
    with pytest.raises(DataError, match="classes: found None, expected all labels, on the first call"):
        DaskMLPClassifier(**SMALL).partial_fit(X, y)
    with pytest.raises(ParameterError, match="early_stopping=True cannot be used: expected False with partial_fit"):
        DaskMLPClassifier(**SMALL, early_stopping=True).partial_fit(X, y, classes=[False, True])
    assert model.model_ is before


def test_partial_fit_scales_as_the_first_call_did():
    X = make_numbers()
    model = DaskMLPRegressor(**SMALL).partial_fit(X, X[:, 0])
    scales, unit = model.model_.scales, model.model_.target_scale
    model.partial_fit(100 * X, 100 * X[:, 0])
    assert model.model_.scales == scales
    assert model.model_.target_scale == unit
    assert replace(model.model_.record, loss_curve=()).epochs == 1
    assert len(model.loss_curve_) == 2
