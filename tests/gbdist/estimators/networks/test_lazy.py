"""Networks asked about Dask collections: lazily, partition by partition, with the answers that data in memory give."""

import pickle
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from gbdist import DaskMLPClassifier, DaskMLPRegressor
from gbdist.errors import DataError

N_ROWS = 120


@pytest.fixture(autouse=True)
def in_this_thread() -> Any:
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"a": rng.normal(size=N_ROWS), "town": rng.choice(["Oslo", "Rome"], N_ROWS), "b": rng.integers(0, 9, N_ROWS)},
        index=np.arange(N_ROWS) * 10,
    )


@pytest.fixture(scope="module")
def classifier(frame: pd.DataFrame) -> DaskMLPClassifier:
    y = np.array(["x", "y", "z"])[np.digitize(frame["a"], [-0.5, 0.5])]
    return DaskMLPClassifier((6,), max_iter=3).fit(frame, y)


@pytest.fixture(scope="module")
def regressor() -> DaskMLPRegressor:
    X = np.random.default_rng(1).normal(size=(N_ROWS, 3))
    return DaskMLPRegressor((6,), max_iter=3).fit(X, X[:, :2])


def test_frames_give_series_and_frames_with_their_index(classifier, frame):
    X = dd.from_pandas(frame, npartitions=4)
    labels, proba, raw = classifier.predict(X), classifier.predict_proba(X), classifier.predict_raw(X)
    assert labels.divisions == proba.divisions == X.divisions
    assert list(proba.columns) == ["x", "y", "z"]
    for lazy, method in ((labels, "predict"), (proba, "predict_proba"), (raw, "predict_raw")):
        found = lazy.compute()
        np.testing.assert_array_equal(found.index, frame.index)
        # Rows that are multiplied beside fewer others may differ in the last bits.
        expected = getattr(classifier, method)(frame)
        if found.ndim == 1:
            np.testing.assert_array_equal(found, expected)
            assert lazy.dtype == found.dtype
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
            assert list(lazy.dtypes) == list(found.dtypes)
    log_proba = classifier.predict_log_proba(X).compute()
    np.testing.assert_allclose(np.exp(log_proba), proba.compute(), rtol=1e-12)


def test_arrays_give_arrays_with_their_chunks(regressor):
    values = np.random.default_rng(2).normal(size=(N_ROWS, 3))
    lazy = regressor.predict(da.from_array(values, chunks=(50, 3)))
    assert lazy.chunks == ((50, 50, 20), (2,))
    assert lazy.dtype == np.float64
    np.testing.assert_allclose(lazy.compute(), regressor.predict(values), rtol=1e-12, atol=1e-12)


def test_partition_without_rows_keeps_dtypes(classifier, frame):
    X = dd.from_pandas(frame, npartitions=3)
    empty = X[X["a"] > 100.0]
    assert classifier.predict(empty).compute().dtype == classifier.predict(X).dtype
    assert classifier.predict_proba(empty).compute().shape == (0, 3)


def test_model_is_one_key_of_the_graph(classifier, frame):
    lazy = classifier.predict_proba(dd.from_pandas(frame, npartitions=6))
    (optimized,) = dask.optimize(lazy)
    data = classifier.model_.to_bytes()[:200]
    heavy = [key for key, task in dict(optimized.__dask_graph__()).items() if data in pickle.dumps(task)]
    assert len(heavy) == 1


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_data_in_memory(classifier, regressor, frame, weighted):
    y = classifier.predict(frame)
    y[:30] = "x"
    weight = np.arange(N_ROWS) + 1.0
    beside = {"y": y, "w": weight} if weighted else {"y": y}
    X = dd.from_pandas(frame.assign(**beside), npartitions=4)
    given, name = (weight, "w") if weighted else (None, None)
    assert classifier.score(X, "y", name) == pytest.approx(classifier.score(frame, y, given))
    values = np.random.default_rng(3).normal(size=(N_ROWS, 3))
    targets = regressor.predict(values) + values[:, :2]
    chunks = [da.from_array(each, chunks=(40, each.shape[1])) for each in (values, targets)]
    lazy_weight = da.from_array(weight, chunks=40) if weighted else None
    assert regressor.score(*chunks, lazy_weight) == pytest.approx(regressor.score(values, targets, given))


def test_columns_are_checked_before_anything_is_computed(classifier, frame):
    X = dd.from_pandas(frame, npartitions=2)
    with pytest.raises(DataError, match="Feature names must be in the same order as they were in fit"):
        classifier.predict(X[["town", "a", "b"]])
    with pytest.raises(DataError, match=r"Feature names seen at fit time, yet now missing:\n- town"):
        classifier.predict_proba(X[["a", "b"]])
    lazy = classifier.predict(X.assign(a=X["a"].mask(X["a"] > 1.0, np.inf)))
    with pytest.raises(DataError, match=r"column 'a' of partition \d: found 1?\d value\(s\) that are infinite"):
        lazy.compute()
