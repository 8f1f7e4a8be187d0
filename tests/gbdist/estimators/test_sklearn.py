"""scikit-learn's own checks of the conventions of an estimator."""

import numpy as np
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor

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
