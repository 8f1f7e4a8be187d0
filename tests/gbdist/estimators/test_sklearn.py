"""scikit-learn's own checks of the conventions of an estimator, and its tools around ours: pipelines, searches, scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, selection

#: The checks that are expected to fail, each with its reason. There is no other list.
EXPECTED_FAILURES: dict[str, str] = {
    "check_sample_weight_equivalence_on_dense_data": "rows are sampled, and borders and learning rate chosen, by rows and not "
    "by weight, as in CatBoost: a row of weight 2 is not that row twice, nor a row of weight 0 its absence",
    "check_sample_weight_equivalence_on_sparse_data": "the same on sparse matrices",
    "check_dtype_object": "an object that is no number is refused with a DataError that names its column, not a TypeError",
}

SETTINGS = {"iterations": 10, "depth": 3, "thread_count": 1}


@parametrize_with_checks(
    [DaskCatBoostClassifier(**SETTINGS), DaskCatBoostRegressor(**SETTINGS)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_conventions(estimator, check):
    check(estimator)


def test_grid_search_over_an_alias_in_a_pipeline():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = np.where(X[:, 0] > 0, "up", "down")
    model = make_pipeline(StandardScaler(), DaskCatBoostClassifier(n_estimators=5, thread_count=1, max_depth=1))
    search = GridSearchCV(model, {"daskcatboostclassifier__max_depth": [1, 2]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    assert set(search.predict(X)) == {"up", "down"}


def test_cross_validation_of_a_regressor():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    scores = cross_val_score(DaskCatBoostRegressor(iterations=100, thread_count=1), X, X[:, 0], cv=2)
    assert scores.min() > 0.7


def table():
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(90, 3)).round(1), columns=list("abc"))
    return X, np.where(X["a"] + rng.normal(size=90) > 0, "up", "down")


@pytest.mark.parametrize(
    "cv",
    [
        selection.KFold(3, shuffle=True),
        selection.StratifiedKFold(3, shuffle=True, random_state=2),
        selection.RepeatedKFold(n_splits=2, n_repeats=2),
        selection.ShuffleSplit(2, test_size=0.3),
        selection.TimeSeriesSplit(2),
        selection.OverlappingSplit(2),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_scikit_learns_functions_take_our_estimators_and_splitters(cv):
    """And ours have the same scores, where folds choose their own borders."""
    X, y = table()
    model = DaskCatBoostClassifier(**SETTINGS, learning_rate=0.3)
    scores = cross_val_score(model, X, y, cv=cv, error_score="raise")
    assert scores.shape == (cv.get_n_splits(),)
    if not isinstance(cv, selection.OverlappingSplit):  # whose repeated rows folds side by side cannot have
        ours = selection.cross_val_score(model, X, y, cv=cv, strict_borders=True)
        np.testing.assert_allclose(ours, scores, rtol=1e-12)


def test_grid_search_by_splitters_of_ours():
    X, y = table()
    model = DaskCatBoostClassifier(**SETTINGS, learning_rate=0.3)
    search = GridSearchCV(model, {"depth": [1, 2]}, cv=selection.StratifiedKFold(3), scoring="roc_auc", refit=True)
    search.fit(X, y)
    best = selection.cross_validate(
        clone(model).set_params(**search.best_params_), X, y, cv=3, scoring="roc_auc", strict_borders=True
    )
    assert search.best_score_ == pytest.approx(best["test_score"].mean(), abs=1e-4)  # an area is known to that
    assert set(search.predict(X)) == {"up", "down"}


def test_a_pipeline_is_evaluated_by_our_functions():
    X, y = table()
    model = make_pipeline(StandardScaler(), DaskCatBoostClassifier(**SETTINGS, learning_rate=0.3))
    ours = selection.cross_validate(model, X, y, cv=3, scoring=["accuracy", "roc_auc"], error_score="raise")
    theirs = cross_validate(model, X, y, cv=3, scoring=["accuracy", "roc_auc"])
    for name in ("test_accuracy", "test_roc_auc"):
        assert ours[name].tolist() == theirs[name].tolist()
    said = selection.cross_val_predict(model, X, y, cv=3, method="predict_proba")
    assert np.array_equal(said, cross_val_predict(model, X, y, cv=3, method="predict_proba"))
