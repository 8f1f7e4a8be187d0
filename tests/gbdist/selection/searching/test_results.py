"""What a search leaves: scikit-learn's columns, for trials that ended in any way."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from gbdist.selection.evaluating.result import FoldScores
from gbdist.selection.searching.results import best_of, result_of, table_of
from gbdist.selection.searching.study import Record


def record(number: int, params: Any, state: str, test: Any = None, error: str = "", **more: Any) -> Record:
    result = {} if test is None else {"test": {"score": test}, "fit_time": [1.0, 3.0], "iterations": 4, **more}
    score = float(np.mean(test)) if state == "complete" else None
    return Record(number, params, state, score, result, error)


RECORDS = [
    record(0, {"a": 1, "b": "x"}, "complete", [0.5, 0.7]),
    record(1, {"a": 2, "b": "y"}, "failed", error="DataError: no"),
    record(2, {"a": 3}, "complete", [0.8, 0.8], train={"score": [0.9, 1.0]}),
    record(3, {"a": 4, "b": "z"}, "pruned", [0.9]),
    record(4, {"a": 5, "b": "z"}, "complete", [0.8, 0.8]),
]


def test_columns_are_scikit_learns() -> None:
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2, return_train_score=True)
    theirs = search.fit(np.arange(20).reshape(-1, 1), np.arange(20) % 2).cv_results_
    ours = table_of(RECORDS, ["max_depth"], ["score"], 2, np.nan)
    assert set(ours) == {*theirs, "state", "iterations", "error"}
    assert {type(value) for value in ours.values()} == {type(value) for value in theirs.values()}


def test_trials_that_did_not_end_well_rank_last() -> None:
    table = table_of(RECORDS, ["a", "b"], ["score"], 2, error_score=-1.0)
    assert table["rank_test_score"].tolist() == [3, 4, 1, 4, 1]
    np.testing.assert_allclose(table["mean_test_score"], [0.6, -1.0, 0.8, 0.9, 0.8])
    np.testing.assert_array_equal(table["split1_test_score"], [0.7, -1.0, 0.8, np.nan, 0.8])
    assert table["state"].tolist() == ["complete", "failed", "complete", "pruned", "complete"]
    assert best_of(RECORDS) == 2  # the first of equals
    assert best_of(RECORDS[1:2]) is None
    assert best_of([]) is None


def test_parameters_that_a_trial_does_not_have_are_masked() -> None:
    table = table_of(RECORDS, ["a", "b"], ["score"], 2, np.nan)
    assert table["param_b"].mask.tolist() == [False, False, True, False, False]
    assert table["param_a"].dtype == np.int64
    assert table["param_b"].tolist()[0] == "x"
    assert pd.DataFrame(table).shape[0] == 5


def test_scores_go_through_a_study_as_they_are() -> None:
    found = {"score": np.array([0.1, np.float64(1) / 3])}
    told = result_of(FoldScores(found, None, np.array([1.5, 2.5]), np.zeros(2), None, 7, "iterations"))
    assert told["test"] == {"score": [0.1, 1 / 3]}
    table = table_of([Record(0, {}, "complete", 0.2, told, "")], [], ["score"], 2, np.nan)
    assert table["mean_fit_time"].tolist() == [2.0]
    assert table["split1_test_score"].tolist() == [1 / 3]
