"""Every metric is CatBoost's, weighted or not, also where it is degenerate."""

import math
from dataclasses import replace

import numpy as np
import pytest
from catboost.utils import eval_metric

from gbdist.metrics import Scored, evaluate, make_metrics

BINARY = ["Logloss", "CrossEntropy", "Accuracy", "AUC", "F1", "Precision", "Recall", "MCC", "BrierScore", "ZeroOneLoss"]
BINARY += ["TotalF1", "TotalF1:average=Macro", "TotalF1:average=Micro"]
BINARY += ["AUC:type=Ranking", "Accuracy:proba_border=0.3", "F1:proba_border=0.7", "MCC:proba_border=0.45"]
MULTI = ["Accuracy", "AUC", "AUC:type=OneVsAll", "F1", "Precision", "Recall", "MCC", "ZeroOneLoss"]
MULTI += ["TotalF1", "TotalF1:average=Macro", "TotalF1:average=Micro"]
SOFT = ["Logloss", "CrossEntropy", "Accuracy", "AUC", "F1", "MCC", "BrierScore"]
CASES = [("binary", name, "Logloss") for name in BINARY]
CASES += [("soft", name, "CrossEntropy") for name in SOFT]
CASES += [("regression", name, "RMSE") for name in ("RMSE", "MAE", "R2")]
RULES = [
    "Quantile",
    "Quantile:alpha=0.9",
    "Quantile:alpha=0.2;delta=0.01",
    "MAPE",
    "LogLinQuantile:alpha=0.3",
    "Poisson",
]
RULES += ["Lq:q=1.5", "Lq:q=3", "Expectile:alpha=0.25", "Huber:delta=1.5", "LogCosh", "Tweedie:variance_power=1.25"]
CASES += [("regression", name, "MAE") for name in RULES]
CASES += [("binary", "Focal:focal_alpha=0.25;focal_gamma=2", loss) for loss in ("Focal", "Logloss")]
CASES += [("multi", "MultiQuantile:alpha=0.2,0.5,0.7", "MultiQuantile")]
CASES += [("multi", name, "MultiClass") for name in ["MultiClass", *MULTI]]
CASES += [("multi", name, "MultiClassOneVsAll") for name in ["MultiClassOneVsAll", "Accuracy"]]
CASES += [("numbers", name, "MultiRMSE") for name in ("MultiRMSE", "MultiRMSEWithMissingValues")]
CASES += [("missing", "MultiRMSEWithMissingValues", "MultiRMSEWithMissingValues")]
LABELS = ["MultiLogloss", "MultiCrossEntropy", "HammingLoss", "F1", "Precision", "Recall"]
LABELS += ["Accuracy", "Accuracy:type=PerClass"]
CASES += [("labels", name, "MultiLogloss") for name in LABELS]
CASES += [("soft_labels", "MultiCrossEntropy", "MultiCrossEntropy")]
CASES += [("uncertain", name, "RMSEWithUncertainty") for name in ("RMSEWithUncertainty", "RMSE", "MAE", "R2")]
CASES += [("times", name, "SurvivalAft") for name in ("SurvivalAft", "SurvivalAft:dist=Logistic;scale=0.5")]


def catboost_values(scored: Scored, description: str) -> list[float]:
    approx = scored.predictions.T if scored.predictions.shape[0] > 1 else scored.predictions[0]
    weight = None if scored.weight is None else scored.weight.astype(np.float64)
    found = eval_metric(scored.label.T.astype(np.float64), approx, description, weight=weight)
    if description in ("MultiLogloss", "MultiCrossEntropy") and weight is not None:
        return [found[0] * np.floor(weight).sum() / weight.sum()]  # CatBoost adds up whole weights, in float32
    return found


def values(scored: Scored, description: str, objective: str) -> list[float]:
    if scored.weight is not None:
        # eval_metric takes the weights whatever the metric's default is
        description += (";" if ":" in description else ":") + "use_weights=true"
    metrics = make_metrics(description, 3, objective)
    return list(evaluate(metrics, scored, lambda vector: vector).values())


def tolerance(description: str) -> float:
    # CatBoost's LogCosh has a logarithm of few digits, and some of its losses add up e^prediction in float32.
    few_digits = {"AUC": 1e-4, "LogCosh": 1e-4, "LogLinQuantile": 1e-5, "Quantile": 1e-7, "MultiQuantile": 1e-7}
    return few_digits.get(description.partition(":")[0], 1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("kind", "description", "objective"), CASES)
def test_value(kind, description, objective, weighted, make_scored) -> None:
    scored = make_scored(kind, weighted)
    expected = catboost_values(scored, description)
    few_digits = description in [*RULES, "RMSEWithUncertainty"] or description.startswith("SurvivalAft")
    relative = 1e-6 if few_digits else 2e-3 if weighted and description in ("MultiLogloss", "MultiCrossEntropy") else 0
    assert values(scored, description, objective) == pytest.approx(expected, rel=relative, abs=tolerance(description))


@pytest.mark.parametrize(
    "degenerate", ["all_zero", "all_one", "called_zero", "called_one", "constant", "no_weight", "far"]
)
@pytest.mark.parametrize("description", BINARY[:12])
def test_degenerate_rows(description, degenerate, make_scored) -> None:
    scored = make_scored("binary", weighted=degenerate == "no_weight", n_rows=60)
    a, y = scored.predictions, scored.label
    changes = {
        "all_zero": {"label": np.zeros_like(y)},
        "all_one": {"label": np.ones_like(y)},
        "called_zero": {"predictions": -np.abs(a) - 1},
        "called_one": {"predictions": np.abs(a) + 1},
        "constant": {"predictions": np.zeros_like(a)},
        "no_weight": {"weight": np.zeros_like(y), "total_weight": 0.0},
        "far": {"predictions": a * 1000},
    }
    scored = replace(scored, **changes[degenerate], prediction_bound=1e4)
    expected = catboost_values(scored, description)
    if math.isnan(expected[0]) and description == "AUC":
        assert math.isnan(values(scored, description, "Logloss")[0])
        return
    assert values(scored, description, "Logloss") == pytest.approx(expected, rel=1e-12, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("description", MULTI)
@pytest.mark.parametrize("degenerate", ["all_zero", "class_missing", "ties", "no_weight"])
def test_degenerate_classes(description, degenerate, make_scored) -> None:
    scored = make_scored("multi", weighted=degenerate == "no_weight", n_rows=90)
    changes = {
        "all_zero": {"label": np.zeros_like(scored.label)},
        "class_missing": {"label": np.where(scored.label == 1, 2, scored.label).astype(np.float32)},
        "ties": {"predictions": np.zeros_like(scored.predictions)},
        "no_weight": {"weight": np.zeros_like(scored.label), "total_weight": 0.0},
    }
    scored = replace(scored, **changes[degenerate])
    expected = catboost_values(scored, description)
    assert values(scored, description, "MultiClass") == pytest.approx(
        expected, rel=0, abs=tolerance(description), nan_ok=True
    )


@pytest.mark.parametrize("description", ["RMSE", "MAE", "R2"])
def test_equal_labels(description, make_scored) -> None:
    scored = make_scored("regression", weighted=True)
    scored = replace(scored, label=np.full_like(scored.label, 0.5))
    assert values(scored, description, "RMSE") == pytest.approx(catboost_values(scored, description), abs=1e-9)


def test_r2_of_equal_labels_whose_mean_is_rounded(make_scored) -> None:
    # CatBoost divides by what rounding makes of the variance here, and reports −1e32.
    scored = make_scored("regression", weighted=True)
    scored = replace(scored, label=np.full_like(scored.label, 0.1))
    assert values(scored, "R2", "RMSE") == [1.0]


def test_r2_of_labels_far_from_zero(make_scored) -> None:
    # The variance is 1e-8 of the mean square: it would drown in float64 sums of squares.
    scored = make_scored("regression", weighted=False)
    rng = np.random.default_rng(8)
    label = (1e4 + rng.normal(size=scored.label.shape[0])).astype(np.float32)
    predictions = label[None].astype(np.float64) + rng.normal(size=(1, label.shape[0])) * 0.5
    scored = replace(scored, label=label, predictions=predictions, label_bound=1.1e4, prediction_bound=1.1e4)
    y = label.astype(np.float64)
    expected = 1 - ((y - predictions[0]) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert values(scored, "R2", "RMSE")[0] == pytest.approx(expected, abs=1e-9)
