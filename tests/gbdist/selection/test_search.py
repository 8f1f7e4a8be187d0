"""``DaskSearchCV`` in this process: Optuna's searches trial for trial, scikit-learn's interface, and what is refused at once."""

import pickle
import re
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.samplers import CmaEsSampler, NSGAIISampler, TPESampler
from optuna.storages import InMemoryStorage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskMLPClassifier
from gbdist.errors import ModelError, ParameterError
from gbdist.selection import DaskSearchCV, KFold
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.searching.events import TrialEnded, TrialStarted

TREES = {"iterations": 4, "depth": 2, "learning_rate": 0.3}
NUMBERS = {"depth": {"low": 1, "high": 4}, "learning_rate": {"low": 0.01, "high": 1.0, "log": True}}


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(4)
    X = pd.DataFrame(draw.normal(size=(90, 3)), columns=list("abc"))
    y = (X["a"] + X["b"] * X["c"] + 0.5 * draw.normal(size=90) > 0).map({True: "yes", False: "no"})
    return X, y


def trees(**more: Any) -> DaskCatBoostClassifier:
    return DaskCatBoostClassifier(**{**TREES, **more})


def search(space: Any = NUMBERS, estimator: Any = None, **more: Any) -> DaskSearchCV:
    given = trees(depth=None, learning_rate=None) if estimator is None else estimator
    return DaskSearchCV(given, space, **{"n_trials": 4, "cv": 3, **more})


def by_optuna(sampler: Any, X: Any, y: Any, n_trials: int) -> optuna.Study:
    """The same search, written with Optuna."""

    def objective(trial: optuna.Trial) -> float:
        depth = trial.suggest_int("depth", 1, 4)
        rate = trial.suggest_float("learning_rate", 0.01, 1.0, log=True)
        estimator = trees(depth=depth, learning_rate=rate)
        return float(Evaluation(estimator, X, y, cv=3).run(estimator).test["score"].mean())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    study.optimize(objective, n_trials=n_trials)
    return study


@pytest.mark.parametrize(
    ("name", "sampler", "n_trials"),
    [
        ("bayesian", TPESampler(seed=7), 14),  # ten are drawn at random first
        ("genetic", NSGAIISampler(seed=7), 5),
        ("cmaes", CmaEsSampler(seed=7), 5),
        (NSGAIISampler(seed=7, population_size=3), NSGAIISampler(seed=7, population_size=3), 8),
    ],
)
def test_one_trial_at_a_time_is_plain_optuna(rows: Any, name: Any, sampler: Any, n_trials: int) -> None:
    theirs = by_optuna(sampler, *rows, n_trials)
    ours = search(search=name, random_state=7, n_trials=n_trials, n_jobs=1, refit=False).fit(*rows)
    assert ours.cv_results_["params"] == [trial.params for trial in theirs.trials]
    assert ours.cv_results_["mean_test_score"].tolist() == [trial.value for trial in theirs.trials]
    assert ours.best_params_ == theirs.best_params


def test_grid_search_is_scikit_learns(rows: Any) -> None:
    X, y = rows[0].clip(-1, 1).round(), rows[1]  # of so few values that all folds have the same borders
    grid = {"depth": [3, 1], "learning_rate": [0.1, 0.5]}
    theirs = GridSearchCV(trees(), grid, cv=KFold(3), return_train_score=True).fit(X, y)
    ours = search(grid, trees(), search="grid", cv=KFold(3), return_train_score=True).fit(X, y)
    for name in ("params", "rank_test_score", "mean_test_score", "split1_test_score", "mean_train_score"):
        np.testing.assert_array_equal(ours.cv_results_[name], theirs.cv_results_[name])
    np.testing.assert_array_equal(ours.cv_results_["param_depth"], theirs.cv_results_["param_depth"])
    assert (ours.best_index_, ours.best_params_, ours.best_score_) == (
        theirs.best_index_,
        theirs.best_params_,
        theirs.best_score_,
    )
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_the_number_of_trials_side_by_side_changes_nothing(rows: Any) -> None:
    one, three = (search(n_trials=6, n_jobs=n_jobs, refit=False).fit(*rows) for n_jobs in (1, 3))
    timed = re.compile("time")
    assert {name: list(value) for name, value in one.cv_results_.items() if not timed.search(name)} == {
        name: list(value) for name, value in three.cv_results_.items() if not timed.search(name)
    }


def test_the_best_estimator_is_fitted_on_all_rows(rows: Any) -> None:
    X, y = rows
    found = search().fit(X, y)
    again = trees(**found.best_params_).fit(X, y)
    np.testing.assert_array_equal(found.predict(X), again.predict(X))
    assert found.score(X, y) == again.score(X, y)
    assert found.classes_.tolist() == ["no", "yes"]
    assert found.n_features_in_ == 3
    assert found.refit_time_ > 0
    assert found.n_splits_ == 3


@pytest.mark.parametrize("more", [{}, {"use_best_model": True}])  # for which all rows have no eval set
def test_a_search_that_stops_early_refits_with_the_best_number_of_trees(rows: Any, more: dict[str, Any]) -> None:
    estimator = DaskCatBoostClassifier(iterations=40, learning_rate=0.9, early_stopping_rounds=3, **more)
    found = search({"depth": [4]}, estimator, search="grid").fit(*rows)
    best = found.cv_results_["iterations"][0]
    assert best < 40
    assert found.best_estimator_.tree_count_ == best
    np.testing.assert_array_equal(
        found.predict_proba(rows[0]),
        DaskCatBoostClassifier(iterations=int(best), learning_rate=0.9, depth=4).fit(*rows).predict_proba(rows[0]),
    )


def test_several_scores_are_told_and_one_decides(rows: Any) -> None:
    found = search(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss").fit(*rows)
    table = found.cv_results_
    assert found.best_index_ == int(np.argmax(table["mean_test_neg_log_loss"]))
    assert found.best_score_ == table["mean_test_neg_log_loss"].max()
    assert set(found.scorer_) == {"accuracy", "neg_log_loss"}
    with pytest.raises(ParameterError, match="refit='f1' cannot be used"):
        search(scoring=["accuracy"], refit="f1").fit(*rows)


def test_networks_are_searched(rows: Any) -> None:
    network = DaskMLPClassifier(hidden_layer_sizes=(4,), max_iter=2)
    space = {"hidden_layer_sizes": [(2,), (4, 2)], "alpha": [0.0, 0.1]}
    found = search(space, network, search="grid").fit(*rows)
    assert [one["hidden_layer_sizes"] for one in found.cv_results_["params"]] == [(2,), (4, 2)] * 2
    assert found.best_params_ in found.cv_results_["params"]
    assert found.predict(rows[0]).shape == (90,)


def test_estimators_and_pipelines_of_scikit_learn_are_searched_in_memory(rows: Any) -> None:
    X, y = rows
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    found = search({"logisticregression__C": [0.01, 1.0]}, pipeline, search="grid").fit(X, y)
    assert set(found.best_params_) == {"logisticregression__C"}
    with pytest.raises(ParameterError, match="Did you mean 'logisticregression__C'"):
        search({"logisticregression__D": [1]}, pipeline, search="grid").fit(X, y)


def test_a_search_is_an_estimator_of_scikit_learn(rows: Any) -> None:
    X, y = rows
    given = search(space={"depth": [1, 2]}, estimator=trees(), search="grid")
    twin = clone(given).set_params(estimator__iterations=2)
    assert (given.estimator.iterations, twin.estimator.iterations) == (4, 2)
    assert cross_val_score(given, X, y, cv=2).shape == (2,)
    with pytest.raises(NotFittedError):
        given.predict(X)
    assert hasattr(given, "predict_proba")
    assert not hasattr(search(estimator=DaskCatBoostRegressor()), "predict_proba")
    fitted = pickle.loads(pickle.dumps(given.fit(X, y)))
    np.testing.assert_array_equal(fitted.predict(X), given.predict(X))


def test_all_trials_failed_is_one_error_with_the_first_reason(rows: Any) -> None:
    bad = search({"bootstrap_type": ["No"], "subsample": [0.5, 0.6]}, trees(), search="grid")
    with pytest.raises(ModelError) as caught:
        bad.fit(*rows)
    assert str(caught.value).startswith("2 of 2 trials failed and none ended well; the first one, with {'boot")
    assert bad.cv_results_["state"].tolist() == ["failed", "failed"]
    assert not hasattr(bad, "best_params_")
    with pytest.raises(ParameterError):
        clone(bad).set_params(error_score="raise").fit(*rows)


def test_trials_that_fail_have_the_score_that_was_asked_for(rows: Any) -> None:
    space = [{"bootstrap_type": ["No"], "subsample": [0.5]}, {"depth": [2]}]
    found = search(space, trees(depth=None), search="grid", error_score=-5.0).fit(*rows)
    assert found.cv_results_["mean_test_score"][0] == -5.0
    assert found.best_index_ == 1
    assert found.cv_results_["error"][0].startswith("ParameterError: ")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"space": {"dept": [1]}},
            "space: dept=1 cannot be used: expected a parameter of CatBoost. Did you mean depth?",
        ),
        (
            {"space": {"depth": {"low": 2, "high": 40}}},
            "space: depth=40 cannot be used: expected an integer from 1 to 16",
        ),
        (
            {"space": {"max_depth": [2]}, "estimator": trees()},
            "space: max_depth=2 cannot be used: expected depth under",
        ),
        ({"space": {}}, "space={} cannot be used"),
        ({"n_trials": 0}, "n_trials=0 cannot be used"),
        ({"n_trials": None}, "n_trials=None cannot be used: expected a number, or a timeout"),
        ({"search": "greedy"}, "search='greedy' cannot be used"),
        ({"scoring": "acuracy"}, "Did you mean 'accuracy'?"),
        ({"cv": 1}, "cv=1 cannot be used"),
        ({"cv": 100}, "X: found 90 rows, expected at least as many as folds, n_splits=100"),
        ({"trial_workers": "two"}, "trial_workers='two' cannot be used"),
        ({"timeout": 0}, "timeout=0 cannot be used"),
        ({"error_score": "ignore"}, "error_score='ignore' cannot be used"),
        ({"warm_start_from": [({"depth": 1}, 1.0)]}, "expected None with search='random', which learns nothing"),
        (
            {"estimator": DaskMLPClassifier(), "space": {"alpha": {"low": -1.0, "high": 1.0}}},
            "space: alpha=-1.0 cannot be used: expected a number of at least 0",
        ),
        ({"estimator": DaskMLPClassifier(), "space": {"epochs": [1]}}, "Epochs are max_iter."),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_trained(
    rows: Any, given: dict[str, Any], message: str
) -> None:
    heard: list[Any] = []
    with pytest.raises(ValueError) as caught:
        search(**given).fit(*rows, listener=heard.append)
    assert message in str(caught.value)
    assert [event for event in heard if isinstance(event, TrialEnded)] == []


def test_learning_from_an_earlier_search(rows: Any) -> None:
    first = search(search="bayesian", n_trials=5, refit=False).fit(*rows)
    table = first.cv_results_
    known = list(zip(table["params"], table["mean_test_score"].tolist(), strict=True))
    by_search, by_pairs = (
        search(search="bayesian", n_trials=8, warm_start_from=one, refit=False, n_jobs=1).fit(*rows)
        for one in (first, known)
    )
    assert by_search.cv_results_["params"] == by_pairs.cv_results_["params"]
    assert len(by_search.cv_results_["params"]) == 8
    assert len(by_search.study_.trials) == 13
    cold = search(search="bayesian", n_trials=8, refit=False, n_jobs=1).fit(*rows)
    assert cold.cv_results_["params"] != by_search.cv_results_["params"]


def test_a_line_for_each_trial(rows: Any, capsys: pytest.CaptureFixture[str]) -> None:
    search(verbose=True, n_trials=2).fit(*rows)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "searching: 2 trials, side by side: 1"
    assert re.fullmatch(
        r"1/2: trial 0  score 0\.\d+  best 0\.\d+  4 trees  \d+\.\d s  depth=\d learning_rate=.*", lines[1]
    )
    assert len(lines) == 3
    search(n_trials=1).fit(*rows)
    assert capsys.readouterr().err == ""


def test_a_study_without_a_trial_left_is_said_to_be_over(rows: Any, capsys: pytest.CaptureFixture[str]) -> None:
    storage = InMemoryStorage()
    asked: dict[str, Any] = {"storage": storage, "n_trials": 2, "verbose": True}
    first = search(**asked).fit(*rows)
    capsys.readouterr()
    again = search(**asked).fit(*rows)
    name = first.study_.study_name
    assert capsys.readouterr().err == f"study {name} has 2 of 2 trials: nothing to search\n"
    assert again.best_params_ == first.best_params_
    search(**{**asked, "study_name": name, "n_trials": 1}).fit(*rows)
    assert capsys.readouterr().err == f"study {name} has 2 trials, more than 1: nothing to search\n"
    others = ({"search": "bayesian"}, {"random_state": 1}, {"pruner": "median"})
    names = {search(**{**asked, **other}, refit=False).fit(*rows).study_.study_name for other in others}
    assert len(names | {name}) == 4


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (TrialEnded, "was ended before the best parameters were fitted on all rows. Call 'fit' again"),
        (TrialStarted, "was ended before a trial had ended well. Call 'fit' again"),
    ],
)
def test_a_search_that_was_ended_says_so(rows: Any, ends: type, message: str) -> None:
    def end(event: Any) -> None:
        if isinstance(event, ends):
            raise KeyboardInterrupt

    ended = search()
    with pytest.raises(KeyboardInterrupt):
        ended.fit(*rows, listener=end)
    with pytest.raises(NotFittedError) as caught:
        ended.predict(rows[0])
    assert message in str(caught.value)


def test_a_search_without_a_refit_says_so(rows: Any) -> None:
    with pytest.raises(NotFittedError, match="was fitted with refit=False"):
        search(refit=False, n_trials=1).fit(*rows).predict(rows[0])


def test_a_storage_is_shown_without_its_password() -> None:
    given = search(storage="postgresql://me:secret@host/db")
    assert "storage='postgresql://me:***@host/db'" in repr(given)
    assert "secret" not in given._repr_mimebundle_()["text/html"]
    assert given.storage == "postgresql://me:secret@host/db"
