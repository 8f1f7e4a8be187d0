"""What an estimator predicts of some data: classes, numbers or ranks, and how many classes there are."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor

from gbdist.description import name_of
from gbdist.errors import ParameterError
from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.clusters import resolve_client
from gbdist.estimators.parameters.losses import CLASSES, NUMBERS
from gbdist.estimators.parameters.table import LABELS_LOSSES, names_in
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.selection.evaluating.rows import beside_arrays
from gbdist.selection.facts import classes_of, labels_of, survey
from gbdist.selection.inputs import given_rows, vector_beside
from gbdist.selection.scoring import Target

#: Losses of one raw value a row, whose labels are two classes or probabilities.
_OF_TWO = ("Logloss", "CrossEntropy", "Focal")


def kind_of(estimator: Any) -> str:
    """``Target.kind`` of what an estimator predicts; ParameterError for one that predicts nothing that could be scored."""
    if getattr(estimator, "_is_ranker", False):
        return "ranking"
    if hasattr(estimator, "__sklearn_tags__"):  # or scikit-learn complains in words of its own
        if is_classifier(estimator):
            return "classes"
        if is_regressor(estimator):
            return "numbers"
    expected = "a classifier, a regressor or a ranker"
    raise ParameterError("estimator", estimator, expected, f"Such as {CLASSES.estimator} or {NUMBERS.estimator}.")


def target_of(estimator: Any, given: Given, scoring: Any, client: Any = None) -> Target:
    """What is predicted. Classes are counted, on the cluster if they are there, where ``scoring`` depends on it."""
    kind, loss, trees = kind_of(estimator), _loss(estimator), isinstance(estimator, DaskCatBoost)
    if kind == "ranking":
        return Target(kind, loss or "YetiRank", 1, trees)
    if kind == "numbers":
        several = name_of(loss or "") in LABELS_LOSSES
        return Target(kind, loss or "RMSE", 2 if several else 1, trees)
    told = scoring is None or callable(scoring) or (isinstance(scoring, str) and scoring == "accuracy")
    if name_of(loss or "") in (*_OF_TWO, *LABELS_LOSSES) or told:
        return Target(kind, loss or "Logloss", 2, trees)
    n_classes = count_classes(given, client)
    return Target(kind, loss or ("MultiClass" if n_classes > 2 else "Logloss"), n_classes, trees)


def _loss(estimator: Any) -> str | None:
    """The loss that was asked for; of an object, that whose metrics may stand beside it is as if none had been named."""
    if not isinstance(estimator, DaskCatBoost):
        return None
    given = estimator.given_parameters()
    found = next((given[name] for name in names_in(given, "loss_function")), None)
    return found if isinstance(found, str) else None


def count_classes(given: Given, client: Any) -> int:
    """Different labels. DataError for labels that are missing, or are no classes."""
    if isinstance(given.X, DaskPool):
        label = given.X.data.survey.label
        return len(label.values or ()) if label is not None else 0
    given = beside_arrays(given)
    rows = given_rows(given.X)
    y = vector_beside(rows, given.y, "y")
    if not rows.lazy:
        return int(pd.Series(np.asarray(y)).nunique())
    with resolve_client(client).as_current():
        classes, _ = classes_of(survey(rows, {"y": y}, labels_of), "y")
    return len(classes.labels)
