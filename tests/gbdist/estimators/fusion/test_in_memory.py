"""Voting and stacking on data in memory: scikit-learn's answers, and what members say of rows that they had not seen."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import PredefinedSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

from gbdist import (
    DaskCatBoostClassifier,
    DaskMLPClassifier,
    DaskStackingClassifier,
    DaskStackingRegressor,
    DaskVotingClassifier,
    DaskVotingRegressor,
)
from gbdist.errors import ModelError
from gbdist.selection.folds import Folds

N_ROWS = 150
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, 3))
TARGET = X @ [1.0, -2.0, 0.5] + X[:, 0] ** 2 + RNG.normal(size=N_ROWS) * 0.3
LABELS = np.array(["low", "middle", "top"])[np.digitize(TARGET, [-0.5, 1.5])]
WEIGHT = RNG.random(N_ROWS) + 0.5
CLASSIFIERS = [("linear", LogisticRegression()), ("bayes", GaussianNB())]
REGRESSORS = [("linear", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]


def same_folds(n_folds: int) -> PredefinedSplit:
    """Our folds as scikit-learn takes them."""
    return PredefinedSplit(Folds(n_folds).of_rows(0, N_ROWS))


@pytest.mark.parametrize("voting", ["soft", "hard"])
@pytest.mark.parametrize("weights", [None, [1, 3]])
def test_votes_are_those_of_scikit_learn(voting, weights):
    ours = DaskVotingClassifier(CLASSIFIERS, voting=voting, weights=weights).fit(X, LABELS, WEIGHT)
    theirs = VotingClassifier(CLASSIFIERS, voting=voting, weights=weights).fit(X, LABELS, sample_weight=WEIGHT)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, LABELS) == theirs.score(X, LABELS)
    if voting == "soft":
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))


def test_votes_of_regressors_are_those_of_scikit_learn():
    ours = DaskVotingRegressor(REGRESSORS, weights=[2, 1]).fit(X, TARGET)
    theirs = VotingRegressor(REGRESSORS, weights=[2, 1]).fit(X, TARGET)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("labels", [LABELS, LABELS == "low"], ids=["three", "two"])
def test_stacks_are_those_of_scikit_learn(passthrough, labels):
    final = LogisticRegression(max_iter=1000)
    ours = DaskStackingClassifier(CLASSIFIERS, final, cv=3, passthrough=passthrough).fit(X, labels, WEIGHT)
    theirs = StackingClassifier(CLASSIFIERS, final, cv=same_folds(3), passthrough=passthrough)
    theirs.fit(X, labels, sample_weight=WEIGHT)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    assert ours.stack_method_ == theirs.stack_method_
    if not passthrough:
        np.testing.assert_allclose(ours.transform(X), theirs.transform(X))


def test_stacks_of_regressors_are_those_of_scikit_learn():
    ours = DaskStackingRegressor(REGRESSORS, LinearRegression(), cv=4).fit(X, TARGET)
    theirs = StackingRegressor(REGRESSORS, LinearRegression(), cv=same_folds(4)).fit(X, TARGET)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))


def test_default_stacks_are_not_worse_than_their_members():
    classifier = DaskStackingClassifier(CLASSIFIERS, cv=3).fit(X, LABELS)
    regressor = DaskStackingRegressor(REGRESSORS, cv=3).fit(X, TARGET)
    assert classifier.score(X, LABELS) >= max(each.score(X, LABELS) for each in classifier.estimators_) - 0.02
    assert regressor.final_estimator_.coef_.sum() == pytest.approx(1.0)
    assert set(classifier.classes_) == set(LABELS)


def test_fitted_members_are_taken_as_they_are():
    members = [(name, each.fit(X, LABELS)) for name, each in CLASSIFIERS]
    stack = DaskStackingClassifier(members, cv="prefit").fit(X, LABELS)
    assert stack.estimators_[0] is members[0][1]
    assert stack.predict_proba(X).shape == (N_ROWS, 3)


def test_class_that_a_fold_misses_has_no_probability_there():
    labels = LABELS.copy()
    labels[0] = "rare"
    stack = DaskStackingClassifier(CLASSIFIERS, cv=2).fit(X, labels)
    assert list(stack.classes_) == ["low", "middle", "rare", "top"]
    assert stack.predict_proba(X).shape == (N_ROWS, 4)


def test_frames_keep_their_columns_for_a_final_estimator_that_sees_them():
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(N_ROWS) * 3)
    stack = DaskStackingRegressor(REGRESSORS, LinearRegression(), cv=2, passthrough=True).fit(frame, TARGET)
    assert list(stack.final_estimator_.feature_names_in_) == ["a", "b", "c", "linear", "tree"]
    assert stack.predict(frame).shape == (N_ROWS,)


def test_sparse_rows_are_given_on():
    stack = DaskStackingRegressor(REGRESSORS, LinearRegression(), cv=2, passthrough=True)
    dense, thin = stack.fit(X, TARGET).predict(X), stack.fit(sparse.csr_matrix(X), TARGET).predict(sparse.csr_matrix(X))
    np.testing.assert_allclose(thin, dense, atol=1e-6)


def test_columns_of_y_and_weight_are_no_features():
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=TARGET, w=WEIGHT)
    ensemble = DaskVotingRegressor(REGRESSORS).fit(frame, "y", "w")
    expected = DaskVotingRegressor(REGRESSORS).fit(frame[["a", "b", "c"]], TARGET, WEIGHT)
    np.testing.assert_allclose(ensemble.predict(frame[["a", "b", "c"]]), expected.predict(frame[["a", "b", "c"]]))
    assert list(ensemble.feature_names_in_) == ["a", "b", "c"]


def test_trees_and_network_survive_a_pickle():
    members = [
        ("trees", DaskCatBoostClassifier(iterations=5, thread_count=1)),
        ("network", DaskMLPClassifier((4,), max_iter=2)),
    ]
    stack = DaskStackingClassifier(members, cv=2).fit(X, LABELS)
    twin = pickle.loads(pickle.dumps(stack))
    np.testing.assert_array_equal(twin.predict_proba(X), stack.predict_proba(X))


def test_members_that_know_other_labels_are_refused():
    stranger = DummyClassifier().fit(X, np.where(LABELS == "low", "deep", LABELS))
    with pytest.raises(ModelError, match="A member cannot take part: the label 'deep' is not among those of y"):
        DaskStackingClassifier([("other", stranger)], cv="prefit").fit(X, LABELS)
