"""scikit-learn's own checks of the conventions of an estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from gbdist import DaskMLPClassifier, DaskMLPRegressor

#: The checks that are expected to fail, each with its reason. There is no other list.
EXPECTED_FAILURES: dict[str, str] = {
    "check_sample_weight_equivalence_on_dense_data": "a batch is a number of rows, as in scikit-learn's MLP: a row of weight 2 "
    "is not that row twice, nor a row of weight 0 its absence",
    "check_sample_weight_equivalence_on_sparse_data": "the same on sparse matrices",
    "check_dtype_object": "an object that is no number is refused with a DataError that names its column, not a TypeError",
}

SETTINGS = {"hidden_layer_sizes": (16,), "max_iter": 30}


@parametrize_with_checks(
    [DaskMLPClassifier(**SETTINGS), DaskMLPRegressor(**SETTINGS)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_conventions(estimator, check):
    check(estimator)


@pytest.mark.soak
@parametrize_with_checks(
    [cls(preset="sklearn", learning_rate_init=0.01, max_iter=100) for cls in (DaskMLPClassifier, DaskMLPRegressor)],
    # Of so few rows a batch has all, so that weights are repetitions.
    expected_failed_checks=lambda estimator: {
        name: why for name, why in EXPECTED_FAILURES.items() if name == "check_dtype_object"
    },
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_conventions_of_preset_sklearn(estimator, check):
    check(estimator)
