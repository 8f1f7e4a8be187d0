"""Voting and stacking on Dask collections: the answers of data in memory, each partition computed once, nothing left behind."""

from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from gbdist import (
    DaskCatBoostClassifier,
    DaskCatBoostRegressor,
    DaskMLPClassifier,
    DaskStackingClassifier,
    DaskStackingRegressor,
    DaskVotingClassifier,
    DaskVotingRegressor,
)
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.fusion import final
from gbdist_cluster.monitor.reporting import read_board

N_ROWS = 240
FEATURES = ["a", "b", "c"]


class Linear(RegressorMixin, BaseEstimator):
    """Least squares on some features, of data in memory and of collections."""

    def __init__(self, first: int = 0, client: Any = None) -> None:
        self.first, self.client = first, client

    def fit(self, X, y, sample_weight=None):
        X, y = dask.compute(X, y, scheduler=self.client) if dask.is_dask_collection(X) else (X, y)
        self.coef_ = np.linalg.lstsq(np.asarray(X)[:, self.first :], np.asarray(y), rcond=None)[0]
        return self

    def predict(self, X):
        if isinstance(X, dd.DataFrame):
            return X.map_partitions(line, self.coef_, self.first, meta=(None, "f8"))
        if isinstance(X, da.Array):
            return X.map_blocks(line, self.coef_, self.first, dtype="f8", drop_axis=1)
        return line(X, self.coef_, self.first)


def line(X: Any, coef: np.ndarray, first: int) -> Any:
    values = np.asarray(X)[:, first:] @ coef
    return pd.Series(values, index=X.index) if isinstance(X, pd.DataFrame) else values


class Sign(ClassifierMixin, Linear):
    """Whether a line is above 0."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, (y == "up").astype("float64") - 0.5)
        self.classes_ = np.array(["down", "up"])
        return self

    def predict_proba(self, X):
        if isinstance(X, dd.DataFrame):
            return X.map_partitions(shares, self.coef_, self.first, meta=pd.DataFrame({0: [0.5], 1: [0.5]}))
        return shares(X, self.coef_, self.first)


def shares(X: Any, coef: np.ndarray, first: int) -> Any:
    up = 1.0 / (1.0 + np.exp(-np.asarray(line(X, coef, first))))
    proba = np.stack([1.0 - up, up], axis=1)
    return pd.DataFrame(proba, index=X.index) if isinstance(X, pd.DataFrame) else proba


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    made = pd.DataFrame(rng.normal(size=(N_ROWS, 3)), columns=FEATURES, index=np.arange(N_ROWS) * 10)
    target = made["a"] - 2 * made["b"] + rng.normal(size=N_ROWS) * 0.3
    return made.assign(y=target, label=np.where(target > 0, "up", "down"), w=rng.random(N_ROWS) + 0.5)


#: Partitions that ``load`` was asked for: the workers are threads of this process.
COMPUTED: list[int] = []


def load(number: int) -> pd.DataFrame:
    COMPUTED.append(number)
    values = np.random.default_rng(number).normal(size=(30, 4))
    return pd.DataFrame(values, columns=[*FEATURES, "y"])


def regressors() -> list[tuple[str, Any]]:
    return [("all", Linear()), ("some", Linear(1))]


def test_stack_on_frames_is_that_in_memory(client, frame):
    X = dd.from_pandas(frame[[*FEATURES, "y", "w"]], npartitions=4)
    lazy = DaskStackingRegressor(regressors(), cv=3, client=client).fit(X, "y", "w")
    here = DaskStackingRegressor(regressors(), cv=3).fit(frame[FEATURES], frame["y"], frame["w"])
    np.testing.assert_allclose(lazy.final_estimator_.coef_, here.final_estimator_.coef_, rtol=1e-9)
    assert lazy.estimators_[1].client is client
    predicted = lazy.predict(X[FEATURES])
    assert predicted.divisions == X.divisions
    found = predicted.compute(scheduler="sync")
    np.testing.assert_array_equal(found.index, frame.index)
    np.testing.assert_allclose(found, here.predict(frame[FEATURES]))
    assert predicted.dtype == found.dtype
    columns = lazy.transform(X[FEATURES]).compute(scheduler="sync")
    assert list(columns.columns) == ["all", "some"]
    np.testing.assert_allclose(columns, here.transform(frame[FEATURES]))
    expected = here.score(frame[FEATURES], frame["y"], frame["w"])
    assert lazy.score(X, "y", "w") == pytest.approx(expected)


def test_stack_on_arrays_is_that_in_memory(client, frame):
    values, target = frame[FEATURES].to_numpy(), frame["y"].to_numpy()
    # Targets that lie in memory are cut as X is; chunks of other lengths than X's are made its.
    for y in (target, da.from_array(target, chunks=70)):
        X = da.from_array(values, chunks=(100, 3))
        lazy = DaskStackingRegressor(regressors(), cv=3, client=client).fit(X, y)
        here = DaskStackingRegressor(regressors(), cv=3).fit(values, target)
        predicted = lazy.predict(X)
        assert predicted.chunks == ((100, 100, 40),)
        np.testing.assert_allclose(predicted.compute(scheduler="sync"), here.predict(values))


def test_votes_of_classifiers_on_frames(client, frame):
    X = dd.from_pandas(frame[[*FEATURES, "label"]], npartitions=3)
    members = [("all", Sign()), ("some", Sign(1))]
    lazy = DaskVotingClassifier(members, client=client).fit(X, "label")
    here = DaskVotingClassifier([("all", Sign()), ("some", Sign(1))]).fit(frame[FEATURES], frame["label"])
    proba = lazy.predict_proba(X[FEATURES])
    assert list(proba.columns) == ["down", "up"]
    np.testing.assert_allclose(proba.compute(scheduler="sync"), here.predict_proba(frame[FEATURES]))
    labels = lazy.predict(X[FEATURES])
    found = labels.compute(scheduler="sync")
    np.testing.assert_array_equal(found, here.predict(frame[FEATURES]))
    assert labels.dtype == found.dtype
    assert lazy.score(X, "label") == pytest.approx(here.score(frame[FEATURES], frame["label"]))
    empty = X[X["a"] > 100.0][FEATURES]
    assert lazy.predict(empty).compute(scheduler="sync").dtype == found.dtype


def test_partitions_are_computed_once(client):
    X = dd.from_map(load, range(4), meta=load(0).iloc[:0])
    COMPUTED.clear()
    DaskStackingRegressor(regressors(), cv=3, client=client).fit(X, X["y"])
    assert sorted(COMPUTED) == [0, 1, 2, 3]


@pytest.mark.parametrize("passthrough", [False, True])
def test_final_estimator_of_scikit_learn_is_given_all_predictions(client, frame, passthrough):
    X = dd.from_pandas(frame[[*FEATURES, "label"]], npartitions=3)
    members = [("all", Sign())]
    how = {"final_estimator": LogisticRegression(), "cv": 2, "passthrough": passthrough}
    lazy = DaskStackingClassifier(members, client=client, **how).fit(X, "label")
    here = DaskStackingClassifier([("all", Sign())], **how).fit(frame[FEATURES], frame["label"])
    found = lazy.predict_proba(X[FEATURES]).compute(scheduler="sync")
    np.testing.assert_allclose(found, here.predict_proba(frame[FEATURES]), rtol=1e-6)


def test_predictions_that_are_too_many_are_not_gathered(client, frame, monkeypatch):
    monkeypatch.setattr(final, "MOST_BYTES", 1_000)
    X = dd.from_pandas(frame[[*FEATURES, "y"]], npartitions=3)
    stack = DaskStackingRegressor(regressors(), LinearRegression(), cv=2, client=client)
    message = (
        r"final_estimator: found 0 MiB for a LinearRegression, which is trained in this process, expected at most 0 MiB"
    )
    with pytest.raises(DataError, match=message):
        stack.fit(X, "y")


def test_final_estimator_of_ours_is_trained_where_the_rows_are(client, frame):
    X = dd.from_pandas(frame[[*FEATURES, "y"]], npartitions=3)
    trees = DaskCatBoostRegressor(iterations=5, depth=2, verbose=False)
    stack = DaskStackingRegressor(regressors(), trees, cv=2, passthrough=True, client=client).fit(X, "y")
    assert list(stack.final_estimator_.feature_names_in_) == [*FEATURES, "all", "some"]
    found = stack.predict(X[FEATURES]).compute(scheduler="sync")
    np.testing.assert_allclose(found, stack.predict(frame[FEATURES]))


def test_trees_of_folds_are_runs_of_their_own_on_the_board(client, frame):
    X = dd.from_pandas(frame[[*FEATURES, "label"]], npartitions=3)
    trees = DaskCatBoostClassifier(iterations=3, depth=2, verbose=False)
    before = len(read_board(client))
    stack = DaskStackingClassifier([("trees", trees)], cv=2, client=client).fit(X, "label")
    runs = read_board(client)
    assert [run["label"].partition(" (")[2] for run in runs[: len(runs) - before]] == [
        "trees of DaskStackingClassifier)",
        "trees, fold 2 of 2, of DaskStackingClassifier)",
        "trees, fold 1 of 2, of DaskStackingClassifier)",
    ]
    found = stack.predict_proba(X[FEATURES]).compute(scheduler="sync")
    np.testing.assert_allclose(found, stack.predict_proba(frame[FEATURES]))


@pytest.mark.parametrize("stacked", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_trees_and_network_together(client, frame, stacked):
    members = [
        ("trees", DaskCatBoostClassifier(iterations=5, depth=2, verbose=False)),
        ("network", DaskMLPClassifier((8,), max_iter=2, verbose=False)),
    ]
    ensemble: Any = DaskVotingClassifier(members, client=client)
    if stacked:
        ensemble = DaskStackingClassifier(members, cv=2, client=client)
    X = dd.from_pandas(frame[[*FEATURES, "label"]], npartitions=3)
    ensemble.fit(X, "label")
    found = ensemble.predict_proba(X[FEATURES]).compute(scheduler="sync")
    np.testing.assert_allclose(found, ensemble.predict_proba(frame[FEATURES]), rtol=1e-6)
    assert ensemble.score(X, "label") > 0.7


def test_nothing_stays_on_the_workers_when_a_member_fails(client, frame, tasks_left):
    class Failing(Linear):
        def fit(self, X, y, sample_weight=None):
            raise ValueError("no luck")

    X = dd.from_pandas(frame[[*FEATURES, "y"]], npartitions=3)
    with pytest.raises(ValueError, match="no luck") as raised:
        DaskVotingRegressor([("failing", Failing())], client=client).fit(X, "y")
    assert tasks_left() == []
    assert raised.value.args == ("no luck",)


def test_members_that_take_no_collections_are_refused(frame):
    X = dd.from_pandas(frame[[*FEATURES, "y"]], npartitions=3)
    message = (
        "linear='Ridge' cannot be used: expected an estimator that takes Dask collections, as X is one. Use gbdist's"
    )
    with pytest.raises(ParameterError, match=message):
        DaskVotingRegressor([("linear", Ridge())]).fit(X, "y")


def test_pieces_of_other_lengths_are_refused(client, frame):
    X = dd.from_pandas(frame[[*FEATURES, "y"]], npartitions=3)
    short = X[X["a"] > 0]["y"].clear_divisions()
    with pytest.raises(DataError, match=r"y of partition 0: found \d+ rows, expected as many as X has there, 80"):
        DaskVotingRegressor(regressors(), client=client).fit(X[FEATURES], short)
