"""scikit-learn's own checks of the conventions of an estimator."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from gbdist import (
    DaskCatBoostClassifier,
    DaskCatBoostRegressor,
    DaskStackingClassifier,
    DaskStackingRegressor,
    DaskVotingClassifier,
    DaskVotingRegressor,
)

#: The checks that are expected to fail, each with its reason. There is no other list.
EXPECTED_FAILURES: dict[str, str] = {
    "check_sample_weight_equivalence_on_dense_data": "trees are made of rows, and folds are cut by rows: a row of weight 2 is "
    "not that row twice, nor a row of weight 0 its absence",
    "check_sample_weight_equivalence_on_sparse_data": "the same on sparse matrices",
    "check_dtype_object": "an object that is no number is refused with a DataError that names its column, not a TypeError",
}

TREES = {"iterations": 3, "depth": 2, "thread_count": 1}
CLASSIFIERS = [("trees", DaskCatBoostClassifier(**TREES)), ("linear", LogisticRegression())]
REGRESSORS = [("trees", DaskCatBoostRegressor(**TREES)), ("linear", Ridge())]


@parametrize_with_checks(
    [DaskStackingClassifier(CLASSIFIERS, cv=2)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_conventions(estimator, check):
    check(estimator)


@pytest.mark.soak
@parametrize_with_checks(
    [DaskVotingClassifier(CLASSIFIERS), DaskVotingRegressor(REGRESSORS), DaskStackingRegressor(REGRESSORS, cv=2)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_conventions_of_the_others(estimator, check):
    check(estimator)
