"""Metrics are reported under CatBoost's names, and what is not CatBoost's is refused."""

import pickle

import numpy as np
import pytest
from catboost import CatBoost, Pool

from gbdist.errors import ParameterError
from gbdist.metrics import make_metrics, make_ranking_metric


def reported_by_catboost(loss: str, description: str, weighted: bool) -> set[str]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 2)), np.arange(90) % (3 if loss.startswith("Multi") else 2)
    pool = Pool(X, y, weight=1 + rng.random(90) if weighted else None)
    model = CatBoost(
        {
            "loss_function": loss,
            "custom_metric": [description],
            "iterations": 1,
            "allow_writing_files": False,
            "verbose": False,
        }
    )
    model.fit(pool, eval_set=pool)
    return set(model.evals_result_["validation"]) - {loss}


CUSTOM = [
    ("Logloss", "AUC"),
    ("Logloss", "AUC:use_weights=true"),
    ("Logloss", "AUC:use_weights=true;type=Ranking"),
    ("Logloss", "F1"),
    ("Logloss", "F1:proba_border=0.3"),
    ("Logloss", "MCC:proba_border=.4"),
    ("Logloss", "TotalF1:average=Macro"),
    ("Logloss", "BrierScore:use_weights=false"),
    ("Logloss", "Accuracy:type=Classic;hints=skip_train~true"),
    ("MultiClass", "F1"),
    ("MultiClass", "AUC"),
    ("MultiClass", "AUC:type=OneVsAll;use_weights=true"),
    ("MultiClass", "Accuracy"),
    ("MultiClassOneVsAll", "Recall:use_weights=true"),
    ("RMSE", "MAE"),
    ("RMSE", "R2:use_weights=false"),
    ("RMSE", "Quantile"),
    ("MAE", "Quantile:alpha=0.30"),
    ("RMSE", "Quantile:delta=0.001;alpha=0.3"),
    ("Poisson", "Tweedie:variance_power=1.20"),
    ("RMSE", "Huber:delta=1.5"),
    ("RMSE", "LogLinQuantile"),
    ("MAPE", "LogCosh:use_weights=true"),
    ("Logloss", "Focal:focal_alpha=0.3;focal_gamma=2"),
]


@pytest.mark.parametrize(("loss", "description"), CUSTOM)
def test_names_of_custom_metrics_with_weights(loss, description) -> None:
    found = {metric.name for metric in make_metrics(description, 3, loss, expand_weights=True)}
    assert found == reported_by_catboost(loss, description, weighted=True)


@pytest.mark.parametrize(("loss", "description"), [case for case in CUSTOM if "use_weights" not in case[1]])
def test_names_of_custom_metrics_without_weights(loss, description) -> None:
    found = {metric.name for metric in make_metrics(description, 3, loss)}
    assert found == reported_by_catboost(loss, description, weighted=False)


def test_auc_is_skipped_on_the_learn_set_unless_asked_for() -> None:
    assert make_metrics("AUC", 2, "Logloss")[0].skip_train
    assert not make_metrics("AUC:hints=skip_train~false", 2, "Logloss")[0].skip_train
    assert not make_metrics("Accuracy", 2, "Logloss")[0].skip_train
    assert make_metrics("Accuracy:hints=skip_train~true", 2, "Logloss")[0].skip_train


def test_direction() -> None:
    for name in ("AUC", "Accuracy", "F1", "Precision", "Recall", "MCC", "TotalF1"):
        assert make_metrics(name, 2, "Logloss")[0].is_max_optimal
    for name in ("Logloss", "CrossEntropy", "BrierScore", "ZeroOneLoss"):
        assert not make_metrics(name, 2, "Logloss")[0].is_max_optimal
    assert [make_metrics(name, 0, "RMSE")[0].is_max_optimal for name in ("RMSE", "MAE", "R2")] == [False, False, True]
    assert not make_metrics("MultiClass", 3, "MultiClass")[0].is_max_optimal


def test_metrics_survive_pickling() -> None:
    for loss, description in CUSTOM:
        metrics = make_metrics(description, 3, loss)
        assert pickle.loads(pickle.dumps(metrics)) == metrics


def test_errors_name_the_parameter_that_a_metric_came_with() -> None:
    with pytest.raises(ParameterError) as caught:
        make_metrics("AUC:use_weights=maybe", 2, "Logloss", parameter="custom_metric")
    assert str(caught.value) == (
        "custom_metric='AUC:use_weights=maybe' cannot be used: expected use_weights to be true or false. "
        "Write use_weights=true or use_weights=false."
    )
    with pytest.raises(ParameterError, match=r"^custom_metric='NDCG:top=x' cannot be used"):
        make_ranking_metric("NDCG:top=x", group_weighted=False, parameter="custom_metric")


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(ParameterError) as caught:
        make_metrics("Kappa", 2, "RMSE")
    assert str(caught.value) == (
        "eval_metric='Kappa' cannot be used: expected one of Expectile, Huber, LogCosh, LogLinQuantile, Lq, MAE, MAPE, Poisson, "
        "Quantile, R2, RMSE, Tweedie with loss_function='RMSE'. Choose one of these, or compute it from the predictions."
    )


@pytest.mark.parametrize(
    ("loss", "description", "says"),
    [
        ("Logloss", "AUC:", "Write options as key=value, with ';' between them."),
        ("Logloss", "AUC:use_weights", "Write options as key=value, with ';' between them."),
        ("Logloss", "AUC:use_weights=maybe", "Write use_weights=true or use_weights=false."),
        ("Logloss", "AUC:type=Mu", "Correct the type, or leave it out."),
        ("Logloss", "AUC:border=0.3", "Leave 'border' out."),
        ("CrossEntropy", "AUC:type=Ranking", "Correct the type, or leave it out."),
        ("Logloss", "F1:proba_border=2", "Leave proba_border out, or correct it."),
        ("MultiClass", "F1:proba_border=0.3", "Leave proba_border out, or correct it."),
        ("Logloss", "F1:class=1", "Leave 'class' out."),
        ("Logloss", "TotalF1:average=Mean", "Correct the average."),
        ("Logloss", "Accuracy:type=PerClass", "Leave the type out: PerClass is for several labels a row."),
        ("RMSE", "MAE:alpha=0.3", "Leave 'alpha' out."),
        ("RMSE", "Quantile:beta=0.3", "Leave 'beta' out."),
        ("RMSE", "Quantile:alpha=1.3", "Correct alpha."),
        ("RMSE", "Huber", "Write it as in 'Huber:delta=1'."),
        ("RMSE", "Focal:focal_alpha=0.3;focal_gamma=2", "Choose one of these, or compute it from the predictions."),
        ("RMSE", "AUC", "Choose one of these, or compute it from the predictions."),
        ("Logloss", "RMSE", "Choose one of these, or compute it from the predictions."),
        ("MultiClass", "MultiClassOneVsAll", "Choose one of these, or compute it from the predictions."),
    ],
)
def test_what_does_not_fit_is_refused(loss, description, says) -> None:
    with pytest.raises(ParameterError) as caught:
        make_metrics(description, 3, loss)
    assert caught.value.args[:2] == ("eval_metric", description)
    assert str(caught.value).endswith(says)
