"""Scorers: scikit-learn's names say what they say there, CatBoost's names keep their sense, and mistakes are named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor
from gbdist.errors import ParameterError
from gbdist.metrics.auc import TOLERANCE
from gbdist.selection import KFold
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.scoring import Scorer, Target, scorers_of

SMALL = {"iterations": 4, "depth": 2, "learning_rate": 0.5, "verbose": False}
TWO, THREE = Target("classes", "Logloss", 2), Target("classes", "MultiClass", 3)
NUMBERS, RANKING = Target("numbers", "RMSE", 1), Target("ranking", "YetiRank", 1)
OF_ANY_CLASSES = ["accuracy", "f1_macro", "f1_micro", "f1_weighted", "matthews_corrcoef", "neg_log_loss"]


def rows(n_classes: int) -> tuple[pd.DataFrame, Any, Any]:
    """Features, labels (numbers for no classes) and weights of 240 rows."""
    draw = np.random.default_rng(3)
    X = pd.DataFrame(draw.normal(size=(240, 3)), columns=list("abc"))
    y = X["a"] + 0.5 * X["b"] + draw.normal(size=240)
    if n_classes:
        y = pd.Series(np.digitize(y, np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1])))
    return X, y, pd.Series(draw.uniform(0.2, 3.0, 240))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("estimator", "n_classes", "scoring"),
    [
        (
            DaskCatBoostClassifier(**SMALL),
            2,
            [*OF_ANY_CLASSES, "roc_auc", "f1", "precision", "recall", "neg_brier_score"],
        ),
        (DaskCatBoostClassifier(**SMALL), 3, OF_ANY_CLASSES),
        (DaskCatBoostClassifier(**SMALL, loss_function="MultiClass"), 2, OF_ANY_CLASSES),
        (
            DaskCatBoostRegressor(**SMALL, custom_metric=["MAE", "R2:use_weights=false"]),
            0,
            ["r2", "neg_root_mean_squared_error", "neg_mean_squared_error", "neg_mean_absolute_error"],
        ),
    ],
)
def test_names_of_scikit_learn_say_what_its_scorers_do(
    estimator: Any, n_classes: int, scoring: list[str], weighted: bool
) -> None:
    X, y, weight = rows(n_classes)
    given = {"sample_weight": weight} if weighted else {}
    evaluation = Evaluation(estimator, X, y, cv=3, scoring=scoring, **given)
    scores = evaluation.run(estimator, return_models=True, train_scores=True)
    assert all(scorer.in_training for scorer in evaluation.scorers)
    for side, found in enumerate((scores.train, scores.test)):
        for name in scoring:
            told = []
            for model, pair in zip(scores.models, evaluation.rows.pairs, strict=True):
                of_rows = {"sample_weight": weight.iloc[pair[side]]} if weighted else {}
                told.append(get_scorer(name)(model, X.iloc[pair[side]], y.iloc[pair[side]], **of_rows))
            # An area is known to TOLERANCE; labels and weights are float32 while trees are grown.
            np.testing.assert_allclose(found[name], told, rtol=1e-5, atol=TOLERANCE if name == "roc_auc" else 1e-6)


def test_a_mean_over_classes_is_scikit_learns() -> None:
    X, y, _ = rows(3)
    model = DaskCatBoostClassifier(**SMALL)
    evaluation = Evaluation(model, X, y, cv=2, scoring=["roc_auc_ovr", "AUC"])
    scores = evaluation.run(model, return_models=True)
    told = [
        get_scorer("roc_auc_ovr")(fitted, X.iloc[test], y.iloc[test])
        for fitted, (_, test) in zip(scores.models, evaluation.rows.pairs, strict=True)
    ]
    np.testing.assert_allclose(scores.test["roc_auc_ovr"], told, atol=TOLERANCE)


def test_losses_of_catboost_have_their_sign_turned_and_say_so() -> None:
    found = scorers_of(["Logloss", "AUC", "neg_BrierScore", "F1:proba_border=0.3"], TWO, lazy=True)
    assert {scorer.name: (scorer.metric, scorer.sign) for scorer in found} == {
        "neg_Logloss": ("Logloss", -1.0),
        "AUC": ("AUC", 1.0),
        "neg_BrierScore": ("BrierScore:use_weights=true", -1.0),
        "F1:proba_border=0.3": ("F1:proba_border=0.3;use_weights=true", 1.0),
    }


@pytest.mark.parametrize(
    ("target", "metric", "name"),
    [
        (TWO, "Accuracy:use_weights=true", "accuracy"),
        (NUMBERS, "R2:use_weights=true", "r2"),
        (RANKING, "NDCG", None),
        (Target("numbers", "Poisson", 1), None, None),
        (Target("numbers", "MultiRMSE", 2), None, None),
    ],
)
def test_nothing_is_the_estimators_own_score(target: Target, metric: str | None, name: str | None) -> None:
    """Of losses whose raw values are not what is predicted it is asked of the estimator."""
    (own,) = scorers_of(None, target, lazy=False)
    assert (own.name, own.metric, own.in_training) == ("score", metric, metric is not None)
    if name is not None:
        (named,) = scorers_of(name, target, lazy=True)
        assert named == own


def test_names_of_ones_own_and_callables() -> None:
    def mine(estimator: Any, X: Any, y: Any) -> float:
        return 0.0

    first, second = scorers_of({"hits": "accuracy", "other": mine}, TWO, lazy=False)
    assert (first.name, first.metric) == ("hits", "Accuracy:use_weights=true")
    assert (second.name, second.function, second.in_training) == ("other", mine, False)
    assert scorers_of(mine, TWO, lazy=False)[0].name == "score"


def test_values_are_found_under_the_names_that_catboost_gives_them() -> None:
    names = ["Logloss", "F1:use_weights=true", "F1:use_weights=true;proba_border=0.3", "Quantile:alpha=0.123"]
    assert Scorer("", "F1:use_weights=true").found_in(names) == ["F1:use_weights=true"]
    assert Scorer("", "F1:proba_border=0.30;use_weights=true").found_in(names) == [names[2]]
    assert Scorer("", "Quantile:alpha=0.12345").found_in(names) == [names[3]]
    of_classes = ["AUC:type=Mu", "AUC:class=0", "AUC:class=1"]
    assert Scorer("", "AUC:type=OneVsAll", of_classes=True).found_in(of_classes) == of_classes[1:]
    assert Scorer("", "AUC").found_in(of_classes) == of_classes[:1]
    with pytest.raises(KeyError):
        Scorer("", "F1").found_in(names)  # the one without weights is another metric
    assert Scorer("", "RMSE", sign=-1.0, squared=True).of({"RMSE": 3.0}) == -9.0


@pytest.mark.parametrize(
    ("scoring", "target", "text"),
    [
        (
            "acuracy",
            NUMBERS,
            "scoring='acuracy' cannot be used: expected one of Expectile, Huber, ",
        ),
        (
            "Acuracy",
            THREE,
            "scoring='Acuracy' cannot be used: expected one of Accuracy, accuracy, AUC, F1, f1_macro, f1_micro, f1_weighted, "
            "matthews_corrcoef, MCC, MultiClass, neg_log_loss, Precision, Recall, roc_auc_ovr, TotalF1, ZeroOneLoss with "
            "loss_function='MultiClass'. Did you mean 'Accuracy'?",
        ),
        (
            "roc_auc",
            Target("classes", "CrossEntropy", 2),
            "expected one of AUC, Accuracy, ",
        ),
        (
            "neg_AUC",
            TWO,
            "scoring='neg_AUC' cannot be used: expected 'AUC', which is the greater the better. Leave neg_ out.",
        ),
        (
            "F1",
            THREE,
            "scoring='F1' cannot be used: expected one value. It has one for each class; 'f1_macro' is a mean over them.",
        ),
        (
            ["accuracy", "accuracy"],
            TWO,
            "scoring='accuracy' cannot be used: expected each score once. 'accuracy' is given twice.",
        ),
        (
            [len],
            TWO,
            'expected names in a list. Give a callable a name: scoring={"mine": …}.',
        ),
        (
            [],
            TWO,
            "scoring=[] cannot be used: expected a name, a callable, a list of names, or a dictionary of such under names of "
            'one\'s own. As in scoring=["accuracy", "roc_auc"].',
        ),
        (
            {"mine": 3},
            TWO,
            "scoring=3 cannot be used: expected a name or a callable. As scorer(estimator, X, y).",
        ),
        (
            "F1:proba_border",
            TWO,
            "scoring='F1:proba_border' cannot be used: expected a description such as 'AUC' or "
            "'F1:use_weights=false;proba_border=0.3'. Write options as key=value, with ';' between them.",
        ),
        (
            "NDGC:top=5",
            RANKING,
            "Did you mean 'NDCG'?",
        ),
    ],
)
def test_what_is_no_score_is_refused(scoring: Any, target: Target, text: str) -> None:
    with pytest.raises(ParameterError) as error:
        scorers_of(scoring, target, lazy=True)
    assert text in str(error.value)


def test_scores_of_scikit_learn_that_are_no_metrics_are_for_rows_in_memory() -> None:
    (scorer,) = scorers_of("average_precision", TWO, lazy=False)
    assert (scorer.in_training, scorer.takes_weights) == (False, True)
    with pytest.raises(ParameterError, match="'average_precision'"):
        scorers_of("average_precision", TWO, lazy=True)


def test_a_ranker_is_scored_by_its_groups() -> None:
    """Bit for bit as a fit on the groups of a fold: each column has few values, all of which every fold has."""
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(120, 3)).round().clip(-1, 1), columns=list("abc")).assign(
        q=np.repeat(np.arange(20), 6)
    )
    y = (X["a"] + draw.normal(size=120) > 0).astype(int)
    ranker, metrics = DaskCatBoostRanker(**SMALL), ["NDCG:top=3", "MAP:top=2", "QueryRMSE"]
    evaluation = Evaluation(ranker, X, y, groups="q", cv=3, scoring=metrics)
    scores = evaluation.run(ranker)
    for fold, (train, test) in enumerate(evaluation.rows.pairs):
        alone = DaskCatBoostRanker(**SMALL, custom_metric=metrics, use_best_model=False)
        held_out = {"X": X.iloc[test], "y": y.iloc[test], "group_id": "q"}
        alone.fit(X.iloc[train], y.iloc[train], group_id="q", eval_set=held_out)
        told = alone.evals_result_["validation"]
        assert scores.test["NDCG:top=3"][fold] == told["NDCG:top=3;type=Base"][-1]
        assert scores.test["MAP:top=2"][fold] == told["MAP:top=2"][-1]
        assert scores.test["neg_QueryRMSE"][fold] == -told["QueryRMSE"][-1]


def test_the_splitter_may_be_any() -> None:
    X, y, _ = rows(0)
    model = DaskCatBoostRegressor(**SMALL)
    scores = Evaluation(model, X, y, cv=KFold(4, shuffle=True)).run(model)
    assert scores.test["score"].shape == (4,)


def in_memory(scoring: str, target: Target) -> list[str]:
    """The names that an error lists."""
    with pytest.raises(ParameterError) as error:
        scorers_of(scoring, target, lazy=False)
    return str(error.value).split("expected one of ")[1].split(", another name of")[0].split(", ")


def test_names_in_memory_are_told_once_and_are_those_of_the_task() -> None:
    names = in_memory("acuracy", TWO)
    assert {"accuracy", "top_k_accuracy"} <= set(names)
    assert len(names) == len(set(names))
    assert "explained_variance" in in_memory("explained_varianc", NUMBERS)
    assert "explained_variance" not in in_memory("explained_varianc", TWO)
