"""Members and their parameters: names, nested parameters, what is refused before anything is started."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from gbdist import (
    DaskCatBoostClassifier,
    DaskStackingClassifier,
    DaskStackingRegressor,
    DaskVotingClassifier,
    DaskVotingRegressor,
)
from gbdist.errors import DataError, ParameterError

X, Y = np.arange(40.0).reshape(20, 2), np.tile([0, 1], 10)


class Untouched(DummyClassifier):
    """A member that must not be fitted."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted before all was checked")


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (DaskVotingClassifier([]), "estimators=[] cannot be used: expected a list of pairs of a name and an estimator"),
        (DaskVotingClassifier([("a", Untouched()), "b"]), "estimators='b' cannot be used: expected pairs of a name"),
        (
            DaskVotingClassifier([("a", Untouched()), ("a", Untouched())]),
            "estimators='a' cannot be used: expected each name once",
        ),
        (DaskVotingClassifier([("a__b", Untouched())]), "estimators='a__b' cannot be used: expected names without __"),
        (
            DaskVotingClassifier([("voting", Untouched())]),
            "estimators='voting' cannot be used: expected names without __",
        ),
        (
            DaskVotingClassifier([("a", "drop")]),
            "estimators=['a'] cannot be used: expected at least one that is not dropped",
        ),
        (DaskVotingClassifier([("a", DummyRegressor())]), "the estimator a should be a classifier"),
        (DaskVotingRegressor([("a", Untouched())]), "the estimator a should be a regressor"),
        (
            DaskVotingClassifier([("a", None)]),
            'a=None cannot be used: expected an estimator with fit and predict, or "drop"',
        ),
        (
            DaskVotingClassifier([("a", Untouched()), ("b", RidgeClassifier())]),
            "b='RidgeClassifier' cannot be used: expected an estimator with predict_proba. Use voting=\"hard\"",
        ),
        (DaskVotingClassifier([("a", Untouched())], voting="loud"), "voting='loud' cannot be used"),
        (
            DaskVotingClassifier([("a", Untouched())], weights=[1, 2]),
            "weights=[1, 2] cannot be used: expected 1 numbers",
        ),
        (DaskVotingClassifier([("a", Untouched())], weights=[-1]), "weights=[-1] cannot be used"),
        (DaskVotingClassifier([("a", Untouched())], weights=[0.0]), "expected one that is not 0"),
        (DaskStackingClassifier([("a", Untouched())], cv=1), "cv=1 cannot be used: expected a whole number of folds"),
        (
            DaskStackingClassifier([("a", Untouched())], cv=21),
            "X: found 20 row(s) (n_samples=20), expected at least as many",
        ),
        (DaskStackingClassifier([("a", Untouched())], stack_method="votes"), "stack_method='votes' cannot be used"),
        (
            DaskStackingClassifier([("a", RidgeClassifier())], LogisticRegression(), stack_method="predict_proba"),
            "a='RidgeClassifier' cannot be used: expected an estimator with predict_proba",
        ),
        (
            DaskStackingClassifier([("a", RidgeClassifier())]),
            "final_estimator=None cannot be used: expected a final_estimator",
        ),
        (DaskStackingClassifier([("a", Untouched())], passthrough=True), "passthrough=True cannot be used"),
        (DaskStackingClassifier([("a", Untouched())], DummyRegressor()), "final_estimator should be a classifier"),
    ],
    ids=lambda each: "" if isinstance(each, str) else type(each).__name__,
)
def test_refused_before_anything_is_started(ensemble, message):
    with pytest.raises((ParameterError, DataError)) as raised:
        ensemble.fit(X, Y)
    assert message in str(raised.value)


def test_weights_need_members_that_take_them():
    ensemble = DaskVotingClassifier([("a", Untouched()), ("near", KNeighborsClassifier())])
    with pytest.raises(
        ParameterError, match=r"near='KNeighborsClassifier' cannot be used: .* whose fit takes sample_weight"
    ):
        ensemble.fit(X, Y, np.ones(20))


def test_several_labels_a_row_are_refused():
    with pytest.raises(DataError, match=r"y: found 2 labels a row, expected one\. "):
        DaskVotingClassifier([("a", Untouched())]).fit(X, np.stack([Y, Y], axis=1))


def test_missing_labels_are_refused():
    with pytest.raises(DataError, match="y: found missing values"):
        DaskStackingClassifier([("a", Untouched())]).fit(X, np.where(Y == 0, np.nan, 1.0))


def test_parameters_of_members_are_parameters():
    ensemble = DaskStackingClassifier([("trees", DaskCatBoostClassifier(depth=3)), ("other", DummyClassifier())])
    params = ensemble.get_params()
    assert params["trees__depth"] == 3
    assert params["trees"] is ensemble.estimators[0][1]
    ensemble.set_params(trees__depth=5, other=Untouched(), cv=3)
    assert ensemble.estimators[0][1].depth == 5
    assert isinstance(dict(ensemble.estimators)["other"], Untouched)
    assert ensemble.cv == 3
    ensemble.set_params(final_estimator=LogisticRegression(), final_estimator__C=7.0)
    assert ensemble.final_estimator.C == 7.0
    assert "trees__depth" not in ensemble.get_params(deep=False)


def test_parameters_that_are_none_are_refused():
    ensemble = DaskVotingClassifier([("a", DummyClassifier())])
    with pytest.raises(
        ParameterError, match=r"b__depth=3 cannot be used: .* There are: client, estimators, voting, weights, a\."
    ):
        ensemble.set_params(b__depth=3)
    ensemble.set_params(a="drop")
    with pytest.raises(
        ParameterError, match="a__depth=3 cannot be used: expected a to be an estimator, and it is 'drop'"
    ):
        ensemble.set_params(a__depth=3)


def test_clone_has_members_of_its_own_and_the_same_client():
    client = object()
    ensemble = DaskVotingClassifier([("a", DummyClassifier())], client=client)
    twin = clone(ensemble)
    assert twin.client is client
    assert twin.estimators[0][1] is not ensemble.estimators[0][1]


def test_dropped_members_take_no_part():
    members = [("a", Untouched()), ("b", DummyClassifier(strategy="constant", constant=1))]
    ensemble = DaskVotingClassifier(members, weights=[5, 1]).set_params(a="drop").fit(X, Y)
    assert len(ensemble.estimators_) == 1
    assert ensemble.named_estimators_["a"] == "drop"
    assert ensemble.named_estimators_["b"] is ensemble.estimators_[0]
    np.testing.assert_array_equal(ensemble.predict(X), 1)


def test_members_that_were_given_stay_unfitted():
    given = DummyRegressor()
    DaskStackingRegressor([("a", given)], cv=2).fit(X, Y)
    assert not hasattr(given, "constant_")
