"""Metrics of predictions: those of all rows, whatever the partitions, and nothing is left behind."""

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import f1_score, log_loss, mean_absolute_error, roc_auc_score

from gbdist.errors import DataError
from gbdist.estimators.sources import Given
from gbdist.metrics.auc import TOLERANCE
from gbdist.selection.evaluating.predicted import metrics_of_predictions

from ...estimators import conftest as of_estimators
from ..conftest import as_unknown_frame

three_workers, client = of_estimators.three_workers, of_estimators.client


class Says(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """Says for probabilities what stands in the columns of X."""

    def __init__(self, labels: tuple[Any, ...], client: Any = None) -> None:
        self.labels, self.client = labels, client
        self.classes_ = np.array(labels)

    def predict_proba(self, X: Any) -> Any:
        """The columns themselves."""
        return X


class SaysNumbers(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the first column."""

    def predict(self, X: Any) -> Any:
        """The column."""
        return X["a"] if hasattr(X, "columns") else X[:, 0]


def rows(labels: tuple[str, ...], n: int = 60) -> pd.DataFrame:
    draw = np.random.default_rng(6)
    probabilities = draw.dirichlet(np.ones(len(labels)), n)
    frame = pd.DataFrame(probabilities, columns=list("abc")[: len(labels)])
    return frame.assign(y=draw.choice(labels, n), w=draw.uniform(0.1, 2.0, n))


@pytest.mark.parametrize("n_parts", [0, 1, 4])
@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c")])
def test_values_are_those_of_all_rows(client: Client, labels: tuple[str, ...], n_parts: int) -> None:
    given = rows(labels)
    X = as_unknown_frame(given, n_parts) if n_parts else given
    model = Says(labels, client if n_parts else None)
    kinds = (
        ["Logloss", "AUC:use_weights=true"]
        if len(labels) == 2
        else ["MultiClass", "AUC:type=OneVsAll;use_weights=true"]
    )
    found = metrics_of_predictions(model, Given(X, "y", "w"), [*kinds, "TotalF1:average=Macro"])
    p, y, w = given[list("abc")[: len(labels)]].to_numpy(), given["y"], given["w"]
    assert found.pop(kinds[0]) == pytest.approx(log_loss(y, p, sample_weight=w), rel=1e-6)
    macro = f1_score(y, np.array(labels)[p.argmax(axis=1)], sample_weight=w, average="macro")
    assert found.pop("TotalF1:average=Macro") == pytest.approx(macro, rel=1e-6)
    areas = [roc_auc_score(y == label, p[:, k], sample_weight=w) for k, label in enumerate(labels)]
    expected = areas[1:] if len(labels) == 2 else areas
    np.testing.assert_allclose(list(found.values()), expected, atol=TOLERANCE)


def test_arrays_without_weights(client: Client) -> None:
    values = np.random.default_rng(1).normal(size=(40, 2))
    y = values[:, 0] + 1.0
    model = SaysNumbers()
    X = da.from_array(values, chunks=(15, -1))
    lazy = metrics_of_predictions(model, Given(X, da.from_array(y, chunks=15)), ["MAE", "RMSE"])
    assert lazy == metrics_of_predictions(model, Given(values, y), ["MAE", "RMSE"])
    assert lazy["MAE"] == pytest.approx(mean_absolute_error(y, values[:, 0]))


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("other", "y of partition 1: found the label 'other', expected labels that every fold trains on."),
        (None, "y of partition 1: found missing values, expected a value for each row. Drop those rows."),
    ],
)
def test_labels_that_will_not_do_are_named(client: Client, label: Any, text: str) -> None:
    given = rows(("no", "yes"))
    given.loc[59, "y"] = label
    with pytest.raises(DataError) as error:
        metrics_of_predictions(Says(("no", "yes"), client), Given(as_unknown_frame(given, 1), "y"), ["AUC"])
    assert text in str(error.value)
