"""Labels of data sets find the model's classes however they are written, and wrong ones are named."""

from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.errors import DataError
from gbdist.report.labels import labels_for

FEW = {"iterations": 2, "verbose": False, "allow_writing_files": False}
X = np.random.default_rng(0).normal(size=(60, 2))


def classifier(classes: list[Any]) -> Any:
    return catboost.CatBoostClassifier(**FEW).fit(X, np.asarray(classes * (60 // len(classes))))


@pytest.mark.parametrize(
    ("classes", "given"),
    [
        (["no", "yes"], ["yes", "no", "yes"]),
        ([0, 1], [1.0, 0.0, 1.0]),
        ([0, 1], ["1", "0", "1"]),
        ([0, 1], [True, False, np.True_]),
        ([False, True], [1, 0, 1]),
        ([False, True], ["True", "False", "True"]),
        (["0", "1"], [1, 0.0, np.int8(1)]),
        ([1.5, 2.5], [2.5, 1.5, np.float32(2.5)]),
    ],
)
def test_classes_are_found(classes: list[Any], given: list[Any]) -> None:
    assert labels_for(classifier(classes), given, "y").tolist() == [1, 0, 1]


def test_numbers_of_a_regressor() -> None:
    model = catboost.CatBoostRegressor(**FEW).fit(X, X[:, 0])
    assert labels_for(model, [1, 2.5, True], "y").tolist() == [1.0, 2.5, 1.0]


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (
            "classes",
            ["yes", "maybe"],
            "column 'y' of a.csv: found the label 'maybe', expected the model's classes 'no', 'yes'. "
            "Name the column that the model was trained to predict, or leave those rows out.",
        ),
        (
            "classes",
            ["yes", None, None],
            "column 'y' of a.csv: found 2 missing value(s), expected a label in every row. Leave those rows out.",
        ),
        (
            "numbers",
            [1.0, "cheap"],
            "column 'y' of a.csv: found the value 'cheap', expected finite numbers. "
            "Name the column of numbers that the model was trained to predict.",
        ),
        (
            "numbers",
            [1.0, float("inf")],
            "column 'y' of a.csv: found the value inf, expected finite numbers. "
            "Name the column of numbers that the model was trained to predict.",
        ),
    ],
)
def test_wrong_labels_are_named(kind: str, given: list[Any], message: str) -> None:
    model = classifier(["no", "yes"]) if kind == "classes" else catboost.CatBoostRegressor(**FEW).fit(X, X[:, 0])
    with pytest.raises(DataError) as caught:
        labels_for(model, given, "column 'y' of a.csv")
    assert str(caught.value) == message
