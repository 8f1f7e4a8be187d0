"""What of an object as loss or metric is refused before any data are seen, and what beside them."""

import threading
from typing import Any

import pytest

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.check import check_parameters
from gbdist.estimators.parameters.facts import DataFacts
from gbdist.estimators.parameters.objects import dimension_of
from gbdist.estimators.parameters.resolve import resolve

from ...custom.objects import Logistic, LogisticByRange, MeanLoss, Softmax, SoftmaxByRow, Squared


class Holding(Logistic):
    """Holds what cannot be sent to workers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __repr__(self) -> str:
        return "Holding()"


class Plain:
    """Has no method at all."""

    def __repr__(self) -> str:
        return "Plain()"


class Five(Squared):
    dimension = 5


def facts(classes: int) -> DataFacts:
    names = tuple(range(classes)) if classes else None
    return DataFacts(rows=100, features=3, class_names=names, label_min=0.0, label_max=max(classes - 1.0, 1.0))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"loss_function": Plain()},
            "loss_function=Plain() cannot be used: expected the name of a loss, or an object with a method derivatives, "
            "calc_ders_range or calc_ders_multi. docs/custom.md says how such an object looks.",
        ),
        (
            {"objective": Logistic},
            f"objective={Logistic!r} cannot be used: expected an object, not its class. "
            "Pass Logistic(), an object of it.",
        ),
        (
            {"objective": Holding(), "eval_metric": "AUC"},
            "objective=Holding() cannot be used: expected an object that can be pickled, as workers are sent it "
            "(TypeError: cannot pickle '_thread.lock' object). Make what it holds when it is called.",
        ),
        (
            {"eval_metric": Plain()},
            "eval_metric=Plain() cannot be used: expected the name of a metric, or an object with methods row_values and "
            "is_max_optimal, or CatBoost's evaluate, get_final_error and is_max_optimal. "
            "It lacks evaluate and get_final_error and is_max_optimal.",
        ),
        (
            {"custom_metric": [MeanLoss()]},
            "An object can be the eval_metric alone.",
        ),
        (
            {"loss_function": Logistic(), "eval_metric": "AUC", "aggregate": "models"},
            "loss_function='Logistic' cannot be used: expected the name of a loss: CatBoost compiles an object's methods from "
            'their source, which workers do not have. Leave out aggregate="models".',
        ),
        (
            {"loss_function": Logistic(), "eval_metric": "AUC", "boost_from_average": True},
            "boost_from_average=True cannot be used: expected a value that CatBoost takes together with the other parameters.",
        ),
    ],
)
def test_what_is_refused_without_data(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        check_parameters(given, classifier=True)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "classes", "words"),
    [
        (
            {"loss_function": Logistic()},
            2,
            "eval_metric=None cannot be used: expected a metric: a loss that is an object has none of its own, and CatBoost "
            "wants one too. Name one, or pass an object.",
        ),
        (
            {"loss_function": Logistic(), "eval_metric": MeanLoss()},
            3,
            "loss_function='Logistic.dimension=1' cannot be used: expected 3, one raw value a class. "
            'Set eval_metric="MultiClass", which gives a loss that is an object one raw value a class.',
        ),
        (
            {"loss_function": Five(), "eval_metric": "AUC"},
            2,
            "loss_function='Five.dimension=5' cannot be used: expected 1 with this eval_metric. "
            'Set eval_metric="MultiClass", which gives a loss that is an object one raw value a class.',
        ),
        (
            {"loss_function": Five(), "eval_metric": "RMSE"},
            0,
            "eval_metric='RMSE' cannot be used: expected an object, for 5 raw values a row. Pass a metric that is an object.",
        ),
        (
            {"loss_function": Squared(), "eval_metric": "MultiClass"},
            0,
            "eval_metric='MultiClass' cannot be used: expected a metric of numbers. Use DaskCatBoostClassifier.",
        ),
        (
            {"loss_function": type("Zero", (Squared,), {"dimension": 0})(), "eval_metric": "RMSE"},
            0,
            "loss_function='Zero.dimension=0' cannot be used: expected an integer of at least 1. Leave it out for 1.",
        ),
        (
            {"loss_function": Squared(), "eval_metric": "RMSE", "leaf_estimation_backtracking": "AnyImprovement"},
            0,
            "leaf_estimation_backtracking='AnyImprovement' cannot be used: expected 'No' with a loss that is an object, of which "
            "only derivatives are known. Leave it out.",
        ),
        (
            {"loss_function": LogisticByRange(), "eval_metric": "MultiClass"},
            2,
            "expected an object with a method derivatives, or CatBoost's calc_ders_multi for 2 raw value(s) a row.",
        ),
        (
            {"loss_function": Logistic(), "eval_metric": "RMSE"},
            2,
            "eval_metric='RMSE' cannot be used: expected one of",
        ),
    ],
)
def test_what_is_refused_beside_the_data(given: dict[str, Any], classes: int, words: str) -> None:
    _, checked = check_parameters(given, classifier=classes > 0)
    with pytest.raises(ParameterError) as refusal:
        resolve(checked, facts(classes))
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("loss", "metric", "classes", "dimension"),
    [
        (Logistic(), "AUC", 2, 1),
        (Softmax(), "MultiClass", 2, 2),
        (SoftmaxByRow(), "MultiClassOneVsAll", 4, 4),
        (type("Three", (Softmax,), {"dimension": 3})(), MeanLoss(), 3, 3),
        (Squared(), "RMSE", None, 1),
        (Five(), MeanLoss(), None, 5),
    ],
)
def test_raw_values_a_row(loss: object, metric: object, classes: int | None, dimension: int) -> None:
    assert dimension_of({"loss_function": loss, "eval_metric": metric}, classes) == dimension


def test_defaults_are_catboosts_for_an_object() -> None:
    _, checked = check_parameters({"loss_function": Logistic(), "eval_metric": "AUC"}, classifier=True)
    resolved = resolve(checked, facts(2))
    assert resolved.params.leaf_estimation_backtracking == "No"
    assert resolved.params.leaf_estimation_iterations == 1
    assert resolved.params.learning_rate == pytest.approx(0.03)
    assert resolved.options["loss_function"]["type"] == "PythonUserDefinedPerObject"


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("MultiRMSE", {"classifier": False}),
        ("SurvivalAft:dist=Normal", {"classifier": False}),
        ("MultiLogloss", {"classifier": True}),
        ("YetiRank", {"classifier": False, "ranker": True}),
        (None, {"classifier": False, "ranker": True}),
    ],
)
def test_metrics_of_one_label_a_row_stay_alone(loss: str | None, kind: dict[str, bool]) -> None:
    with pytest.raises(ParameterError, match="an object is given one label a row, and no groups"):
        check_parameters({"loss_function": loss, "eval_metric": MeanLoss()}, **kind)
