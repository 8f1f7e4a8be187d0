"""What a model's file says of its training is what CatBoost's own files say, and CatBoost itself reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.models.catboost_format import cbm_bytes, read_cbm, to_catboost
from gbdist.models.history import TrainingRecord, forget_curves, record_of

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 3))
Y = (X[:, 0] + RNG.normal(size=300) * 0.3 > 0).astype(int)


def plain(evals: int, **given: Any) -> catboost.CatBoost:
    given = {"iterations": 8, "depth": 2, "custom_metric": ["F1"], "verbose": 0, "allow_writing_files": False, **given}
    sets = [(X[i * 50 : i * 50 + 50], Y[i * 50 : i * 50 + 50]) for i in range(evals)]
    return catboost.CatBoostClassifier(**given).fit(X, Y, eval_set=sets or None)


@pytest.mark.parametrize("evals", [0, 1, 2])
@pytest.mark.parametrize("given", [{}, {"metric_period": 3}, {"metric_period": 3, "early_stopping_rounds": 8}])
def test_catboosts_own_models_are_read(evals: int, given: dict[str, Any]) -> None:
    model = plain(evals, **given)
    record = record_of(model)
    assert record is not None
    told = {name: {metric: pytest.approx(each) for metric, each in of.items()} for name, of in record.history.items()}
    assert told == model.evals_result_
    assert record.best_iteration == (-1 if model.best_iteration_ is None else model.best_iteration_)
    best = {
        name: {metric: pytest.approx(each) for metric, each in of.items()} for name, of in record.best_scores.items()
    }
    assert best == model.best_score_
    assert (len(record.scores), record.rows) == (8, None)
    scored = [number for number, table in enumerate(record.scores) if "F1" in table.get("learn", {})]
    assert scored == ([0, 3, 6, 7] if given else list(range(8)))


def test_catboost_reads_what_is_written(make_ensemble: Callable[..., Any]) -> None:
    table = {"learn": {"F1": 0.25}, "validation_0": {"F1": 1 / 3, "AUC": 0.1}, "validation_1": {"F1": 0.5, "AUC": 0.9}}
    scores = (table, {"validation_1": {"AUC": 0.7}}, table)
    record = TrainingRecord(scores, 0, table, 12_345)
    ensemble = make_ensemble([2])
    model = read_cbm(cbm_bytes(to_catboost(ensemble, record)))
    assert record_of(model) == record
    assert record_of(model).metadata == record.metadata
    assert model.evals_result_["validation_1"] == {"F1": [0.5, 0.5], "AUC": [0.9, 0.7, 0.9]}
    assert (model.best_iteration_, model.best_score_["validation_0"]["F1"]) == (0, pytest.approx(1 / 3))
    guids = [dict(each.get_metadata())["model_guid"] for each in (model, to_catboost(ensemble))]
    assert guids[0] == guids[1]  # the trees' own


def test_values_that_json_lacks_do_not_make_a_file_that_cannot_be_loaded(make_ensemble: Callable[..., Any]) -> None:
    table = {"learn": {"AUC": float("nan"), "RMSE": float("inf"), "MAE": 2.0}}
    model = read_cbm(cbm_bytes(to_catboost(make_ensemble([2]), TrainingRecord((table,), -1, table, None))))
    assert model.evals_result_ == {"learn": {"MAE": [2.0]}}
    assert record_of(model) == TrainingRecord(({"learn": {"MAE": 2.0}},), -1, {"learn": {"MAE": 2.0}}, None)


def test_models_that_say_nothing(make_ensemble: Callable[..., Any], tmp_path: Path) -> None:
    model = to_catboost(make_ensemble([2]))
    assert record_of(model) is None
    assert record_of(catboost.sum_models([plain(1), plain(0)])) is None
    for nonsense in ("", "no json", "[]", '{"metrics":{}}', '{"metrics":{"learn_metrics_history":[]}}'):
        model.get_metadata()["training"] = nonsense
        assert record_of(model) is None


@pytest.mark.parametrize("evals", [0, 1, 2])
def test_forgotten_curves_leave_best_scores_and_predictions(evals: int) -> None:
    model = plain(evals)
    before = record_of(model)
    assert before is not None
    copy = read_cbm(cbm_bytes(model), catboost.CatBoostClassifier())
    forget_curves(copy)
    again = read_cbm(cbm_bytes(copy), catboost.CatBoostClassifier())
    assert record_of(again) == TrainingRecord((), -1, before.best_scores, None)
    assert again.best_iteration_ is None
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert record_of(model) == before


def test_a_model_without_curves_has_none_to_forget(make_ensemble: Callable[..., Any]) -> None:
    model = to_catboost(make_ensemble([2]))
    before = dict(model.get_metadata())
    forget_curves(model)
    assert dict(model.get_metadata()) == before


def test_the_written_form_is_compact() -> None:
    one = TrainingRecord(({"learn": {"MAE": 2.0}},), -1, {}, 5)
    assert one.metadata == {
        "training": '{"metrics":{"learn_metrics_history":[{"MAE":2.0}],"test_metrics_history":[],"learn_best_error":{},'
        '"test_best_error":[]}}',
        "gbdist_rows": "5",
    }
