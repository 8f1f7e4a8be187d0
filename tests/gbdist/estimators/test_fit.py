"""What ``fit`` takes and leaves behind, on data small enough to be trained in this process and on a cluster."""

import io
import pickle
import sys

import catboost
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool, DataError, ParameterError
from gbdist.models.catboost_format import fixed_cbm_bytes

NAMES = ["a", "b", "c"]
SETTINGS = {"iterations": 8, "depth": 3, "thread_count": 1}


def make_frame(n_rows=300, seed=0):
    frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(n_rows, 3)).astype(np.float32), columns=NAMES)
    frame["target"] = np.where(frame["a"] + 0.3 * frame["b"] > 0, "up", "down")
    frame["number"] = frame["a"] - frame["c"] ** 2
    frame["weight"] = np.random.default_rng(seed + 1).uniform(0.1, 2, n_rows)
    return frame


FRAME = make_frame()
VALUES = FRAME[NAMES].to_numpy()


def regressor(**more):
    return DaskCatBoostRegressor(**SETTINGS, **more)


def classifier(**more):
    return DaskCatBoostClassifier(**SETTINGS, **more)


def test_what_fit_leaves_behind():
    valid = make_frame(seed=3)
    model = classifier(custom_metric=["Accuracy"])
    assert model.fit(FRAME[NAMES], FRAME["target"], eval_set=(valid[NAMES], valid["target"])) is model
    assert type(model.model_) is catboost.CatBoostClassifier
    assert model.classes_.tolist() == ["down", "up"]
    assert model.feature_names_in_.tolist() == NAMES
    assert model.n_features_in_ == 3
    assert model.tree_count_ == model.best_iteration_ + 1
    losses = model.evals_result_["validation"]["Logloss"]
    assert model.best_score_["validation"]["Logloss"] == min(losses) == losses[model.best_iteration_]
    assert model.best_score_["learn"]["Accuracy"] == max(model.evals_result_["learn"]["Accuracy"])
    assert model.feature_importances_.argmax() == 0
    assert 0 < model.learning_rate_ <= 0.5
    assert model.score(valid[NAMES], valid["target"]) > 0.9


def test_without_an_eval_set_there_is_no_best_iteration():
    model = regressor().fit(VALUES, FRAME["number"])
    assert model.best_iteration_ is None
    assert model.tree_count_ == 8
    assert list(model.best_score_) == ["learn"]
    assert not hasattr(model, "feature_names_in_")


def test_second_fit_forgets_the_first():
    model = regressor().fit(FRAME[NAMES], FRAME["number"])
    model.fit(VALUES[:, :2], FRAME["number"])
    assert model.n_features_in_ == 2
    assert not hasattr(model, "feature_names_in_")
    assert model.predict(VALUES[:, :2]).shape == (300,)


def test_loaded_model_forgets_the_fit_and_knows_its_own(tmp_path):
    model = regressor().fit(FRAME[NAMES], FRAME["number"], eval_set=(FRAME[NAMES], FRAME["number"]))
    expected = model.predict(FRAME[NAMES])
    told = model.evals_result_, model.best_iteration_, model.best_score_
    model.save_model(tmp_path / "model.cbm")
    model.fit(VALUES[:, :2], FRAME["number"]).load_model(tmp_path / "model.cbm")
    np.testing.assert_array_equal(model.predict(FRAME[NAMES]), expected)
    assert (model.evals_result_, model.best_iteration_, model.best_score_) == told
    catboost.sum_models([model.model_, model.model_]).save_model(str(tmp_path / "sum.cbm"))
    model.load_model(tmp_path / "sum.cbm")
    assert not any(hasattr(model, name) for name in ("evals_result_", "best_iteration_", "best_score_"))


def test_best_scores_by_the_direction_of_each_metric():
    model = classifier(custom_metric=["AUC", "F1", "BrierScore"]).fit(
        VALUES, FRAME["target"], eval_set=(VALUES, FRAME["target"])
    )
    for data_set, metrics in model.evals_result_.items():
        assert set(metrics) >= {"Logloss", "F1", "BrierScore"}
        best = {name: (max if name in ("AUC", "F1") else min)(values) for name, values in metrics.items()}
        assert model.best_score_[data_set] == best


def test_labels_beyond_float32_are_refused():
    huge = FRAME["number"].to_numpy(dtype=np.float64) * 1e38
    for fit, where in (
        (lambda: regressor().fit(VALUES, huge), "y"),
        (lambda: regressor().fit(VALUES, FRAME["number"], eval_set=(VALUES, huge)), "eval_set, y"),
    ):
        with pytest.raises(DataError) as caught:
            fit()
        assert str(caught.value) == (
            f"{where}: found labels from {huge.min():g} to {huge.max():g}, expected numbers that float32 can hold. "
            "Divide y by a constant."
        )


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.5), (0.0, 2.0)])
def test_labels_of_cross_entropy_are_probabilities_in_every_data_set(low, high):
    good, bad = np.linspace(0, 1, 300), np.linspace(low, high, 300)
    model = classifier(loss_function="CrossEntropy")
    for fit, where in (
        (lambda: model.fit(VALUES, bad), "y"),
        (lambda: model.fit(VALUES, good, eval_set=(VALUES, bad)), "eval_set, y"),
    ):
        with pytest.raises(DataError) as caught:
            fit()
        assert str(caught.value) == (
            f"{where}: found labels from {low:g} to {high:g}, expected probabilities from 0 to 1 for CrossEntropy. "
            "Check y, or use another loss_function."
        )


@pytest.mark.parametrize("loss", ["Poisson", "Tweedie:variance_power=1.5"])
def test_labels_of_counts_are_not_negative(loss):
    bad = np.linspace(-0.5, 1.0, 300)
    with pytest.raises(DataError) as caught:
        DaskCatBoostRegressor(loss_function=loss, iterations=2).fit(VALUES, bad)
    assert str(caught.value) == (
        f"y: found labels from -0.5 to 1, expected labels of at least 0 for {loss.partition(':')[0]}. "
        "Check y, or use another loss_function."
    )


@pytest.mark.parametrize("aggregate", ["histograms", "models"])
def test_what_is_predicted_of_counts_is_e_to_the_raw_value(aggregate):
    counts = np.random.default_rng(1).poisson(3.0, 300)
    model = DaskCatBoostRegressor(objective="Poisson", iterations=3, aggregate=aggregate).fit(VALUES, counts)
    raw = model.predict(VALUES, prediction_type="RawFormulaVal")
    assert np.asarray(model.predict(VALUES)) == pytest.approx(np.exp(np.asarray(raw)), rel=1e-9)


def test_a_loaded_model_predicts_what_the_fitted_one_did(tmp_path):
    counts = np.random.default_rng(1).poisson(3.0, 300)
    model = DaskCatBoostRegressor(loss_function="Poisson", iterations=3).fit(VALUES, counts)
    model.save_model(str(tmp_path / "model.cbm"))
    loaded = DaskCatBoostRegressor().load_model(str(tmp_path / "model.cbm"))
    assert np.array_equal(loaded.predict(VALUES), model.predict(VALUES))
    (*_, staged) = model.staged_predict(VALUES)  # raw values, as CatBoost's
    assert np.array_equal(staged, model.predict(VALUES, prediction_type="RawFormulaVal"))
    model.set_params(loss_function="RMSE")
    assert np.array_equal(loaded.predict(VALUES), model.predict(VALUES))


def test_labels_of_a_steep_loss_are_small():
    with pytest.raises(DataError) as caught:
        DaskCatBoostRegressor(loss_function="Lq:q=9", iterations=2).fit(VALUES, np.linspace(0.0, 1e37, 300))
    assert str(caught.value) == (
        "y: found labels from 0 to 1e+37, expected labels from -3.23e+30 to 3.23e+30 for Lq:q=9. "
        "Divide y by a constant, or lower q."
    )


def test_focal_loss_is_for_two_classes():
    labels = np.arange(300) % 3
    loss = "Focal:focal_alpha=0.3;focal_gamma=2"
    with pytest.raises(ParameterError, match="expected a loss for 3 classes"):
        DaskCatBoostClassifier(loss_function=loss, iterations=2).fit(VALUES, labels)
    assert DaskCatBoostClassifier(loss_function=loss, iterations=2).fit(VALUES, labels > 0).classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["thread_count", "n_jobs"])
def test_threads_of_predict_in_memory_by_any_name(name, monkeypatch):
    model = DaskCatBoostRegressor(iterations=2, **{name: 1}).fit(VALUES, FRAME["number"])
    asked = []
    own = catboost.CatBoost.predict
    monkeypatch.setattr(
        catboost.CatBoost, "predict", lambda *args, **more: asked.append(more["thread_count"]) or own(*args, **more)
    )
    model.predict(VALUES)
    assert asked == [1]


CONTAINERS = {
    "list": lambda: VALUES.tolist(),
    "NumPy": lambda: VALUES,
    "float64": lambda: VALUES.astype(np.float64),
    "sparse": lambda: scipy.sparse.csr_matrix(VALUES),
}
NAMED = {
    "pandas": lambda: FRAME[NAMES],
    "polars": lambda: pl.DataFrame(VALUES, schema=NAMES),
    "arrow": lambda: pa.table({name: VALUES[:, i] for i, name in enumerate(NAMES)}),
}


@pytest.mark.parametrize("container", [*CONTAINERS.values(), *NAMED.values()], ids=[*CONTAINERS, *NAMED])
def test_container_does_not_change_the_predictions(container):
    model = regressor().fit(container(), FRAME["number"].to_numpy())
    expected = regressor().fit(VALUES, FRAME["number"]).predict(VALUES)
    np.testing.assert_array_equal(model.predict(container()), expected)


@pytest.mark.parametrize(
    "labels", [np.array([False, True]), np.array([3, 8]), np.array(["n", "y"]), np.array([-1.0, 1.0])], ids=str
)
@pytest.mark.parametrize("as_list", [False, True])
def test_labels_come_back_as_they_went_in(labels, as_list):
    y = labels[(FRAME["a"] > 0).to_numpy().astype(int)]
    model = classifier().fit(VALUES, y.tolist() if as_list else y)
    predicted = model.predict(VALUES)
    assert model.classes_.dtype.kind == labels.dtype.kind
    assert predicted.dtype == model.classes_.dtype
    assert np.mean(predicted == y) > 0.95
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict(VALUES), predicted)
    assert twin.classes_.dtype == model.classes_.dtype


def test_several_classes_and_their_probabilities():
    y = np.array(["low", "mid", "top"])[np.digitize(FRAME["a"], [-0.4, 0.4])]
    model = classifier().fit(VALUES, y)
    assert model.classes_.tolist() == ["low", "mid", "top"]
    np.testing.assert_allclose(model.predict_proba(VALUES).sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.classes_[model.predict_proba(VALUES).argmax(axis=1)], model.predict(VALUES))
    assert model.score(VALUES, y) > 0.9


def test_target_and_weight_as_columns():
    by_name = regressor().fit(FRAME[[*NAMES, "number", "weight"]], "number", sample_weight="weight")
    apart = regressor().fit(FRAME[NAMES], FRAME["number"], sample_weight=FRAME["weight"])
    assert by_name.feature_names_in_.tolist() == NAMES
    assert fixed_cbm_bytes(by_name.model_) == fixed_cbm_bytes(apart.model_)


def test_callbacks_follow_and_stop_the_run():
    class Stop:
        def after_iteration(self, info):
            self.seen = (info.iteration, info.metrics["learn"]["RMSE"][:])
            return info.iteration < 3

    stop = Stop()
    model = regressor().fit(VALUES, FRAME["number"], callbacks=[stop])
    assert model.tree_count_ == 3
    assert stop.seen == (3, model.evals_result_["learn"]["RMSE"])


def test_training_goes_on_from_an_estimator():
    first = regressor().fit(VALUES, FRAME["number"])
    second = regressor().fit(VALUES, FRAME["number"], init_model=first)
    assert second.tree_count_ == 16
    np.testing.assert_array_equal(second.predict(VALUES, ntree_end=8), first.predict(VALUES))
    assert second.score(VALUES, FRAME["number"]) > first.score(VALUES, FRAME["number"])


@pytest.mark.parametrize("more", [{}, {"model_shrink_mode": "Decreasing"}])
@pytest.mark.parametrize("start", ["baseline", "init_model"])
def test_what_a_constrained_run_starts_from_is_not_shrunk(start, more):
    far = FRAME["number"] + 20.0
    given = (
        {"baseline": np.full(len(far), 20.0)} if start == "baseline" else {"init_model": regressor().fit(VALUES, far)}
    )
    model = regressor(monotone_constraints=[1] + [0] * (VALUES.shape[1] - 1), **more).fit(VALUES, far, **given)
    found = model.model_.predict(VALUES) + (20.0 if start == "baseline" else 0.0)
    assert np.sqrt(np.mean((found - far) ** 2)) == pytest.approx(model.evals_result_["learn"]["RMSE"][-1], rel=1e-6)


def test_silent_unless_asked_or_in_a_terminal(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    regressor().fit(VALUES, FRAME["number"])
    assert stream.getvalue() == ""
    regressor(verbose=4).fit(VALUES, FRAME["number"])
    lines = stream.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines[1:-1]] == ["0", "4", "7"]
    stream.truncate(0)
    regressor(logging_level="Silent").fit(VALUES, FRAME["number"])
    assert stream.getvalue().strip("\0") == ""


def test_bar_is_closed_when_a_run_fails(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    class Fail:
        def after_iteration(self, info):
            raise RuntimeError("stop here")

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(RuntimeError, match="stop here"):
        regressor().fit(VALUES, FRAME["number"], callbacks=[Fail()])
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")


def test_column_vector_is_taken_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = regressor().fit(VALUES, FRAME[["number"]].to_numpy())
    np.testing.assert_array_equal(model.predict(VALUES), regressor().fit(VALUES, FRAME["number"]).predict(VALUES))


def test_missing_target():
    with pytest.raises(DataError) as caught:
        regressor().fit(VALUES)
    assert str(caught.value) == (
        "y: found None: DaskCatBoostRegressor requires y to be passed, but the target y is None, expected one value a row, or "
        "the name of a column of X. Pass fit(X, y)."
    )


def test_measured_numbers_are_no_classes():
    with pytest.raises(DataError) as caught:
        classifier().fit(VALUES, FRAME["number"])
    assert str(caught.value).startswith("y: found continuous values such as -")
    assert str(caught.value).endswith(
        ", expected classes. Use a regressor for numbers, or pass y as text if they name classes."
    )


def test_class_weights_are_refused_for_numbers():
    with pytest.raises(
        ParameterError, match=r"^class_weights=\[1, 2\] cannot be used: expected no classes in regression"
    ):
        regressor(class_weights=[1, 2]).fit(VALUES, FRAME["number"])


def test_cluster_and_this_process_train_the_same_model(client):
    frame = FRAME[[*NAMES, "target"]]
    here = classifier().fit(frame[NAMES], frame["target"])
    model = classifier(client=client)
    lazy = dd.from_pandas(frame, npartitions=3)
    model.fit(lazy, "target")
    assert fixed_cbm_bytes(model.model_) == fixed_cbm_bytes(here.model_)
    assert model.feature_names_in_.tolist() == NAMES
    assert clone(model).client is client
    accuracy = model.score(lazy, "target")
    assert accuracy == here.score(frame[NAMES], frame["target"])
    assert model.set_params(client=client.scheduler.address).score(lazy, "target") == accuracy
    predicted = client.compute(model.predict(lazy[NAMES])).result()
    assert predicted.tolist() == here.predict(frame[NAMES]).tolist()


def test_pool_knows_the_names_of_its_features(client):
    here = classifier().fit(FRAME[NAMES], FRAME["target"])
    with DaskPool(dd.from_pandas(FRAME[[*NAMES, "target"]], npartitions=3), "target", client=client) as pool:
        on_pool = classifier().fit(pool)
        with pytest.raises(DataError, match=r"^X: found a DaskPool, expected rows with their raw values"):
            on_pool.predict(pool)
    assert fixed_cbm_bytes(on_pool.model_) == fixed_cbm_bytes(here.model_)
    assert on_pool.feature_names_in_.tolist() == NAMES


def test_arrays_on_the_cluster(client):
    X, y = da.from_array(VALUES, chunks=(100, 3)), da.from_array(FRAME["number"].to_numpy(), chunks=100)
    model = regressor(client=client).fit(X, y)
    here = regressor().fit(VALUES, FRAME["number"])
    np.testing.assert_array_equal(model.predict(VALUES), here.predict(VALUES))
    assert model.score(X, y) == pytest.approx(here.score(VALUES, FRAME["number"]), rel=1e-12)


@pytest.mark.parametrize("lazy", [False, True])
def test_score_compares_as_many_labels_as_there_are_predictions(client, lazy):
    table = FRAME[NAMES].assign(u=FRAME["number"], v=-FRAME["number"])
    given = dd.from_pandas(table, npartitions=3, sort=False) if lazy else table
    few = {"iterations": 5, "verbose": False, "client": client}
    one = DaskCatBoostRegressor(**few).fit(given[NAMES], given["u"])
    two = DaskCatBoostRegressor(loss_function="MultiQuantile:alpha=0.1,0.9", **few).fit(given[NAMES], given["u"])
    both = DaskCatBoostRegressor(loss_function="MultiRMSE", **few).fit(given[NAMES], given[["u", "v"]])
    assert both.score(given[NAMES], given[["u", "v"]]) > 0.1
    for model, y, labels in ((one, given[["u", "v"]], 2), (two, given["u"], 1), (both, given["u"], 1)):
        expected = f"y: found {labels} column\\(s\\), expected {3 - labels}, as many as predictions have"
        with pytest.raises(DataError, match=expected):
            model.score(given[NAMES], y)
