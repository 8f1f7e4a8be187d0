"""``cross_validate`` and ``cross_val_score``: scikit-learn's return values, failures as there, and estimators of every kind."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs
from distributed import Client
from sklearn.exceptions import FitFailedWarning

from gbdist import (
    DaskCatBoostClassifier,
    DaskCatBoostRanker,
    DaskCatBoostRegressor,
    DaskMLPClassifier,
    DaskMLPRegressor,
    DaskVotingClassifier,
)
from gbdist.errors import ModelError, ParameterError
from gbdist.selection import GroupKFold, KFold, ShuffleSplit, cross_val_score, cross_validate

from ..estimators import conftest as of_estimators
from .conftest import as_unknown_frame

three_workers, client = of_estimators.three_workers, of_estimators.client

SMALL = {"iterations": 4, "depth": 2, "learning_rate": 0.5, "verbose": False}
FEATURES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(8)
    made = pd.DataFrame(draw.normal(size=(120, 3)).round(1), columns=FEATURES)
    label = (made["a"] + draw.normal(size=120) > 0).astype(int)
    group = np.repeat(np.arange(24), 5)
    return made.assign(y=label, n=made["b"] + draw.normal(size=120), w=draw.uniform(0.5, 2.0, 120), q=group)


def test_what_is_returned_is_scikit_learns(data: pd.DataFrame) -> None:
    model, cv = DaskCatBoostClassifier(**SMALL), KFold(3)
    given = {"cv": cv, "scoring": ["accuracy", "roc_auc"], "return_train_score": True, "return_estimator": True}
    ours = cross_validate(model, data[FEATURES], data["y"], **given, return_indices=True, strict_borders=True)
    other = theirs.cross_validate(model, data[FEATURES], data["y"], **given, return_indices=True)
    assert set(ours) == set(other)
    for name in ("test_accuracy", "train_accuracy", "test_roc_auc", "train_roc_auc"):
        np.testing.assert_allclose(ours[name], other[name], atol=1e-4)
    for side in ("train", "test"):
        for one, two in zip(ours["indices"][side], other["indices"][side], strict=True):
            assert np.array_equal(one, two)
    for one, two in zip(ours["estimator"], other["estimator"], strict=True):
        assert np.array_equal(one.predict_proba(data[FEATURES]), two.predict_proba(data[FEATURES]))
    assert set(cross_validate(model, data[FEATURES], data["y"], cv=cv)) == {"fit_time", "score_time", "test_score"}


def test_one_score_a_fold(data: pd.DataFrame) -> None:
    model = DaskCatBoostRegressor(**SMALL)
    scores = cross_val_score(model, data[FEATURES], data["n"], cv=4, scoring="neg_mean_absolute_error")
    assert scores.shape == (4,)
    assert (scores < 0).all()
    with pytest.raises(ParameterError) as error:
        cross_val_score(model, data[FEATURES], data["n"], scoring=["r2"])
    assert str(error.value) == (
        "scoring=['r2'] cannot be used: expected one name or callable. For several scores use cross_validate."
    )


@pytest.mark.parametrize(
    ("estimator", "label", "scoring"),
    [
        (
            DaskMLPClassifier(hidden_layer_sizes=(4,), max_iter=3, verbose=False),
            "y",
            ["accuracy", "roc_auc", "Logloss"],
        ),
        (DaskMLPRegressor(hidden_layer_sizes=(4,), max_iter=3, verbose=False), "n", ["r2", "neg_mean_squared_error"]),
        (DaskVotingClassifier([("trees", DaskCatBoostClassifier(**SMALL))], voting="soft"), "y", ["accuracy", "f1"]),
        (
            DaskCatBoostRegressor(**SMALL, loss_function="Poisson"),
            "count",
            ["r2", "neg_mean_absolute_error", "Poisson"],
        ),
    ],
)
def test_predictions_on_collections_are_scored_as_in_memory(
    data: pd.DataFrame, client: Client, estimator: Any, label: str, scoring: list[str]
) -> None:
    """By metrics there, and by scikit-learn's own scorers here."""
    data = data.assign(count=data["n"].abs().round())
    lazy = as_unknown_frame(data[[*FEATURES, label, "w"]], 3)
    how = {"cv": 2, "scoring": scoring, "error_score": "raise"}
    here = cross_validate(estimator, data[FEATURES], data[label], sample_weight=data["w"], **how)
    there = cross_validate(estimator, lazy, label, sample_weight="w", client=client, **how)
    names = [name for name in here if name.startswith("test_")]
    assert len(names) == len(scoring)
    for name in names:
        np.testing.assert_allclose(there[name], here[name], rtol=1e-5, atol=1e-4)


def test_rankers_have_folds_of_whole_groups(data: pd.DataFrame, client: Client) -> None:
    ranker, lazy = DaskCatBoostRanker(**SMALL), dd.from_pandas(data[[*FEATURES, "y", "q"]], npartitions=2, sort=False)
    given = {"cv": 3, "scoring": ["NDCG:top=3", "QueryRMSE"], "groups": "q", "return_train_score": True}
    here = cross_validate(ranker, data[[*FEATURES, "q"]], data["y"], **given)
    there = cross_validate(ranker, lazy, "y", client=client, **given)
    assert {"test_NDCG:top=3", "train_NDCG:top=3", "test_neg_QueryRMSE"} <= set(here)
    for name in here:
        if not name.endswith("_time"):
            assert here[name].tolist() == there[name].tolist()
    alone = cross_val_score(
        ranker, data[[*FEATURES, "q"]], data["y"], cv=3, params={"group_id": "q"}, strict_borders=True
    )
    assert alone.shape == (3,)


def test_splitters_may_look_at_groups(data: pd.DataFrame) -> None:
    model, groups = DaskCatBoostRegressor(**SMALL), data["q"].to_numpy()
    given = {"groups": groups, "cv": GroupKFold(3), "return_estimator": True, "return_indices": True}
    found = cross_validate(model, data[FEATURES], data["n"], **given)
    other = cross_validate(model, data[FEATURES], data["n"], **given, strict_borders=True)
    np.testing.assert_allclose(found["test_score"], other["test_score"], rtol=0.2)
    for train, test in zip(found["indices"]["train"], found["indices"]["test"], strict=True):
        assert not set(groups[train]) & set(groups[test])


def test_pairs_and_splitters_of_scikit_learn_are_for_rows_in_memory(data: pd.DataFrame) -> None:
    model = DaskCatBoostRegressor(**SMALL)
    pairs = theirs.KFold(3).split(data)  # which can be gone through once
    told = [
        cross_val_score(model, data[FEATURES], data["n"], cv=cv).tolist()
        for cv in (3, KFold(3), theirs.KFold(3), pairs, list(theirs.KFold(3).split(data)))
    ]
    assert all(one == told[0] for one in told)


class FailsOnce(DaskMLPRegressor):
    """A network whose fit fails where row 0 does not train."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **more: Any) -> Any:
        if X.index[0] != 0:
            raise RuntimeError("row 0 is missing")
        return super().fit(X, y, sample_weight, **more)


def test_a_fold_that_fails_has_the_error_score(data: pd.DataFrame) -> None:
    model = FailsOnce(hidden_layer_sizes=(2,), max_iter=1, verbose=False)
    X, y = data[FEATURES], data["n"]
    with pytest.warns(FitFailedWarning, match=r"1 of 3 fits failed; their scores are nan(.|\n)*row 0 is missing"):
        scores = cross_val_score(model, X, y, cv=3)
    assert np.isnan(scores).tolist() == [True, False, False]
    with pytest.warns(FitFailedWarning):
        found = cross_validate(model, X, y, cv=3, error_score=-7, return_estimator=True, return_train_score=True)
    assert (found["test_score"][0], found["train_score"][0], len(found["estimator"])) == (-7.0, -7.0, 3)
    with pytest.raises(RuntimeError, match="row 0 is missing"):
        cross_val_score(model, X, y, cv=3, error_score="raise")
    with pytest.raises(ModelError, match=r"All 2 fits failed, the first of them so:\n(.|\n)*row 0 is missing"):
        cross_val_score(model, X.iloc[1:], y.iloc[1:], cv=2)


def test_folds_in_lock_step_fail_together(data: pd.DataFrame) -> None:
    model = DaskCatBoostRegressor(**SMALL, eval_metric="AUC")
    with pytest.raises(ParameterError, match="AUC"):
        cross_val_score(model, data[FEATURES], data["n"], cv=3)


def test_a_score_that_fails_is_told_of(data: pd.DataFrame) -> None:
    def bad(estimator: Any, X: Any, y: Any) -> float:
        raise RuntimeError("no score today")

    model = DaskCatBoostRegressor(**SMALL)
    with pytest.warns(
        UserWarning, match=r"Scoring failed\. The score 'mine' of this fold is set to nan(.|\n)*no score today"
    ):
        found = cross_validate(model, data[FEATURES], data["n"], cv=2, scoring={"mine": bad, "fine": "r2"})
    assert np.isnan(found["test_mine"]).all()
    assert np.isfinite(found["test_fine"]).all()
    with pytest.raises(RuntimeError, match="no score today"):
        cross_validate(model, data[FEATURES], data["n"], cv=2, scoring=bad, error_score="raise")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"error_score": "nan"},
            "error_score='nan' cannot be used: expected 'raise' or a number. Leave it out for NaN.",
        ),
        (
            {"params": {"eval_set": 1}},
            "params={'eval_set': 1} cannot be used: expected sample_weight or group_id alone. "
            "Set parameters of the estimator in the estimator.",
        ),
        (
            {"params": {"sample_weight": 1}, "sample_weight": 1},
            "params='sample_weight beside sample_weight' cannot be used: expected one of the two. Leave one of them out.",
        ),
        ({"return_indices": 1}, "return_indices=1 cannot be used: expected True or False. Change it."),
        ({"cv": "many"}, "cv='many' cannot be used: expected a splitter, a number of folds, or pairs"),
    ],
)
def test_bad_arguments_are_refused(data: pd.DataFrame, given: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterError) as error:
        cross_validate(DaskCatBoostRegressor(**SMALL), data[FEATURES], data["n"], **given)
    assert text in str(error.value)


@pytest.mark.parametrize("cv", ["many", 0.5, {"a": 1}])
def test_what_are_no_folds_is_told_of_networks_too(data: pd.DataFrame, cv: Any) -> None:
    with pytest.raises(ParameterError, match="expected a splitter, a number of folds, or pairs of row numbers"):
        cross_val_score(DaskMLPRegressor(), data[FEATURES], data["n"], cv=cv)


def test_sets_of_rows_need_not_cover_all(data: pd.DataFrame) -> None:
    splitter = ShuffleSplit(2, test_size=30, random_state=1)
    assert cross_val_score(DaskCatBoostRegressor(**SMALL), data[FEATURES], data["n"], cv=splitter).shape == (2,)
