"""``cross_val_predict``: each row by the model that had not seen it, lazily on collections, whatever the partitions."""

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs
from distributed import Client
from sklearn.linear_model import LogisticRegression

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskMLPClassifier, DaskPool
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.selection import (
    KFold,
    OverlappingSplit,
    PredefinedSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)

from ..estimators import conftest as of_estimators
from .conftest import as_frame, as_unknown_frame

three_workers, client = of_estimators.three_workers, of_estimators.client

SMALL = {"iterations": 4, "depth": 2, "learning_rate": 0.5, "verbose": False}
FEATURES = ["a", "b"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    made = pd.DataFrame(draw.normal(size=(90, 2)).round(1), columns=FEATURES)
    label = np.where(made["a"] + draw.normal(size=90) > 0, "yes", "no")
    return made.assign(y=label, n=made["b"] + draw.normal(size=90), fold=np.arange(90) % 3, some=np.arange(90) % 3 - 1)


@pytest.mark.parametrize("cv", [3, StratifiedKFold(3, shuffle=True), PredefinedSplit("fold"), theirs.KFold(3)])
def test_each_row_is_predicted_by_the_fold_that_tested_it(data: pd.DataFrame, cv: Any) -> None:
    model, X = DaskCatBoostClassifier(**SMALL), data[[*FEATURES, "fold"]]
    found = cross_validate(model, X, data["y"], cv=cv, return_estimator=True, return_indices=True)
    told = cross_val_predict(model, X, data["y"], cv=cv, method="predict_proba")
    labels = cross_val_predict(model, X, data["y"], cv=cv)
    for fitted, test in zip(found["estimator"], found["indices"]["test"], strict=True):
        assert np.array_equal(told[test], fitted.predict_proba(X.iloc[test]))
        assert np.array_equal(labels[test], fitted.predict(X.iloc[test]))


def test_they_are_scikit_learns(data: pd.DataFrame) -> None:
    model = LogisticRegression()
    for method in ("predict", "predict_proba", "decision_function"):
        ours = cross_val_predict(model, data[FEATURES], data["y"], cv=3, method=method)
        assert np.array_equal(ours, theirs.cross_val_predict(model, data[FEATURES], data["y"], cv=3, method=method))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "RawFormulaVal"])
def test_partitioning_changes_nothing(data: pd.DataFrame, client: Client, method: str) -> None:
    model = DaskCatBoostClassifier(**SMALL)
    told = cross_val_predict(model, data[FEATURES], data["y"], cv=3, method=method)
    for make, n_parts in ((as_frame, 1), (as_unknown_frame, 3)):
        X = make(data[[*FEATURES, "y"]], n_parts)
        found = cross_val_predict(model, X, "y", cv=3, method=method, client=client)
        assert (found.npartitions, found.divisions) == (X.npartitions, X.divisions)
        computed = found.compute()
        assert computed.index.equals(data.index)
        assert np.array_equal(computed.to_numpy(), told)


def test_arrays_give_arrays(data: pd.DataFrame, client: Client) -> None:
    X = da.from_array(data[FEATURES].to_numpy(), chunks=(40, -1))
    model = DaskCatBoostRegressor(**SMALL)
    found = cross_val_predict(model, X, data["n"].to_numpy(), cv=KFold(3, shuffle=True), client=client)
    assert found.chunks == ((40, 40, 10),)
    told = cross_val_predict(model, data[FEATURES].to_numpy(), data["n"].to_numpy(), cv=KFold(3, shuffle=True))
    assert np.array_equal(found.compute(), told)


def test_predictions_are_lazy(data: pd.DataFrame, client: Client) -> None:
    network = DaskMLPClassifier(hidden_layer_sizes=(3,), max_iter=1, verbose=False)
    X = as_frame(data[[*FEATURES, "y"]], 3)
    found = cross_val_predict(network, X, "y", cv=2, method="predict_proba", client=client)
    assert list(found.columns) == ["no", "yes"]
    part = found.partitions[1].compute()
    assert part.index.equals(X.partitions[1].compute().index)
    np.testing.assert_allclose(part.sum(axis=1), 1.0)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_class_that_a_fold_has_not_met_has_the_probability_0(data: pd.DataFrame, client: Client, lazy: bool) -> None:
    model = DaskMLPClassifier(hidden_layer_sizes=(3,), max_iter=1, verbose=False)
    label = np.repeat(["a", "b", "c"], 30)  # so that the first fold trains on two of them
    given = data[FEATURES].assign(y=label)
    X = as_unknown_frame(given, 2) if lazy else given
    ask = {"cv": KFold(3), "client": client if lazy else None}
    found = cross_val_predict(model, X, "y", method="predict_proba", **ask)
    values = found.compute().to_numpy() if lazy else found
    assert [values[30 * fold : 30 * fold + 30, fold].max() for fold in range(3)] == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(values.sum(axis=1), 1.0)
    with pytest.raises(ModelError, match="Folds that know different classes give answers of 'predict_raw'"):
        cross_val_predict(model, X, "y", method="predict_raw", **ask)


@pytest.mark.parametrize("cv", [OverlappingSplit(2, kind="overlapping"), PredefinedSplit("some")])
def test_folds_must_test_each_row_once(data: pd.DataFrame, client: Client, cv: Any) -> None:
    given = data[[*FEATURES, "n", "some"]]
    for X, how in ((given, {}), (as_frame(given, 3), {"client": client})):
        with pytest.raises(DataError) as error:
            cross_val_predict(DaskCatBoostRegressor(**SMALL), X, "n", cv=cv, **how)
        assert f"cv: found {cv!r}, which tests some row " in str(error.value)
        assert "expected folds that test each row once. Use one that does, such as KFold" in str(error.value)


def test_a_pool_and_methods_that_there_are_not_are_refused(data: pd.DataFrame, client: Client) -> None:
    with (
        DaskPool(as_frame(data[[*FEATURES, "n"]], 2), "n", client=client) as pool,
        pytest.raises(DataError, match="X: found a DaskPool, expected rows with their raw values"),
    ):
        cross_val_predict(DaskCatBoostRegressor(**SMALL), pool)
    with pytest.raises(ParameterError) as error:
        cross_val_predict(DaskCatBoostClassifier(**SMALL), data[FEATURES], data["y"], method="decision_function")
    assert str(error.value) == (
        "method='decision_function' cannot be used: expected one of predict, predict_proba, predict_log_proba, Class, "
        "RawFormulaVal, Probability, LogProbability, which DaskCatBoostClassifier has. Change it."
    )
