"""The table of facts says what CatBoost says of the model."""

from collections.abc import Callable
from typing import Any

import catboost
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

from gbdist.report.facts import facts_of, scores_of
from gbdist.report.subject import Rows, Subject


def test_facts_of_a_classifier(case: Callable[..., Any]) -> None:
    found = case("binary", True, custom_metric="AUC")
    facts = dict(facts_of(found.subject()))
    best = found.model.best_score_
    assert facts | {"Scores of these rows": ""} == {
        "Kind": "classifier of 2 classes",
        "Loss": "Logloss",
        "Trees": str(found.model.tree_count_),
        "Depth": "up to 3 (8 leaves)",
        "Learning rate": f"{found.model.learning_rate_:.6g}",
        "Features": "6 (numbers 4, categories 2)",
        "Classes": "no, yes",
        "Best iteration": str(found.model.best_iteration_),
        "Best scores, learn": f"Logloss {best['learn']['Logloss']:.6g}",
        "Best scores, validation": f"Logloss {best['validation']['Logloss']:.6g}, AUC {best['validation']['AUC']:.6g}",
        "Rows on this page": "all 200 rows of here.parquet",
        "Scores of these rows": "",
    }
    scores = scores_of(found.subject(), found.subject().rows)
    said = found.model.predict(found.features, prediction_type="Probability")[:, 1]
    assert scores["Logloss"] == pytest.approx(log_loss(found.label == "yes", said))
    assert scores["Accuracy"] == pytest.approx(accuracy_score(found.label == "yes", said > 0.5))
    assert list(scores) == ["Logloss", "Accuracy", "AUC"]
    assert facts["Scores of these rows"] == ", ".join(f"{name} {value:.6g}" for name, value in scores.items())


def test_facts_of_a_regressor_whose_rows_have_no_labels(case: Callable[..., Any]) -> None:
    facts = dict(facts_of(case("numbers", grow_policy="Lossguide", max_leaves=6).subject(labels=False)))
    assert (facts["Kind"], facts["Loss"], facts["Depth"]) == ("regressor", "RMSE", "up to 6 leaves a tree")
    assert "Scores of these rows" not in facts
    assert "Classes" not in facts


def test_scores_of_numbers_and_quantiles(case: Callable[..., Any]) -> None:
    found = case("numbers")
    scores = scores_of(found.subject(), found.subject().rows)
    predicted = found.model.predict(found.features)
    assert scores["RMSE"] == pytest.approx(root_mean_squared_error(found.label, predicted))
    assert scores["R2"] == pytest.approx(r2_score(found.label, predicted))
    quantiles = case("quantiles")
    told = scores_of(quantiles.subject(), quantiles.subject().rows)
    assert list(told) == ["MultiQuantile:alpha=0.1,0.5,0.9"]
    assert dict(facts_of(quantiles.subject()))["Kind"] == "regressor of 3 quantiles"


def test_model_that_lost_its_parameters(case: Callable[..., Any]) -> None:
    model = catboost.sum_models([case("numbers").model] * 2)
    facts = dict(facts_of(Subject(model, "m", None, None, "")))
    assert facts["Trees"] == str(2 * case("numbers").model.tree_count_)
    assert facts["Kind"] == "regressor"


def test_many_classes_are_cut_short() -> None:
    draw = np.random.default_rng(1)
    model = catboost.CatBoostClassifier(iterations=1, verbose=False, allow_writing_files=False)
    model.fit(draw.normal(size=(120, 2)), np.arange(120) % 15)
    assert dict(facts_of(Subject(model, "m", None, None, "")))["Classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 5 more"


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("Cox", "regressor of times (Cox)"),
        ("SurvivalAft", "regressor of times (SurvivalAft)"),
        ("RMSEWithUncertainty", "model of several values a row"),
    ],
)
def test_kind_of_models_that_compare_no_number_with_one(loss: str, kind: str) -> None:
    X, y = np.random.default_rng(3).random((60, 2)), np.arange(1.0, 61.0)
    model = catboost.CatBoostRegressor(loss_function=loss, iterations=2, verbose=False, allow_writing_files=False)
    model.fit(X, np.c_[y, y + 1] if loss == "SurvivalAft" else y)
    facts = dict(facts_of(Subject(model, "m", None, Rows(None, y, "y", "here"), "")))
    assert facts["Kind"] == kind
    assert facts["Scores of these rows"] == (
        "none: they are computed for models of one label and one value a row, and of losses that this page knows"
    )


def test_ranker_says_why_it_has_no_scores() -> None:
    X, y = np.random.default_rng(3).random((60, 2)), np.arange(60) % 3
    model = catboost.CatBoostRanker(iterations=2, verbose=False, allow_writing_files=False)
    model.fit(X, y, group_id=np.arange(60) // 6)
    facts = dict(facts_of(Subject(model, "m", None, Rows(None, y, "y", "here"), "")))
    assert facts["Scores of these rows"] == (
        "none: those of a ranker need the groups of the rows, which this page is not given"
    )
    assert "Scores of these rows" not in dict(facts_of(Subject(model, "m", None, Rows(None, None, "y", "here"), "")))
