"""Accuracy and R² of a model on Dask collections: sums of each partition, merged in order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.prediction.answers import Job, ShippedModel, answer_part, ship
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.tables import as_matrix, as_vector, column, count_rows, label_of, select_columns


@dataclass(frozen=True, slots=True)
class Moments:
    """What one partition, or several, add to a score.

    ``weight`` Σw, ``mean`` of y, ``spread`` Σw(y − mean)², ``missed`` Σw(y − p)² for R² or Σw[y ≠ p] for accuracy. For R² all
    but the weight are float64 [n_labels].
    """

    weight: float = 0.0
    mean: Any = 0.0
    spread: Any = 0.0
    missed: Any = 0.0

    def merged(self, other: "Moments") -> "Moments":
        """Sum of both; the spread by Chan, Golub and LeVeque's update, which does not cancel as Σwy² − (Σwy)²/Σw does."""
        weight = self.weight + other.weight
        if weight == 0.0:
            return self
        apart = other.mean - self.mean
        return Moments(
            weight=weight,
            mean=self.mean + apart * other.weight / weight,
            spread=self.spread + other.spread + apart**2 * self.weight * other.weight / weight,
            missed=self.missed + other.missed,
        )

    @property
    def accuracy(self) -> float:
        """Weighted share of rows whose label was predicted."""
        return float(1.0 - self.missed / self.weight)

    @property
    def r2(self) -> float:
        """Coefficient of determination as scikit-learn's: mean over labels; of a constant one 1 if predicted exactly, else 0."""
        spread = np.where(self.spread == 0.0, 1.0, self.spread)
        constant = np.where(self.missed == 0.0, 1.0, 0.0)
        return float(np.where(self.spread == 0.0, constant, 1.0 - self.missed / spread).mean())


Compare = Callable[[NDArray[Any], NDArray[Any], NDArray[np.float64]], Moments]


def label_moments(y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[np.float64]) -> Moments:
    """Rows of which a label is another one than predicted."""
    wrong = np.asarray(y != predicted, dtype=bool)
    missed = float(weight[wrong if wrong.ndim == 1 else wrong.any(axis=1)].sum())
    return Moments(weight=float(weight.sum()), missed=missed)


def require_columns(y: Any, predicted: NDArray[Any]) -> None:
    """DataError unless rows have as many labels as they have predictions, to be compared with one another."""
    labels, values = (1 if np.ndim(each) < 2 else np.shape(each)[1] for each in (y, predicted))
    if labels != values:
        fix = "Pass the labels that the predictions are of, or compare what predict gives yourself."
        raise DataError("y", f"{labels} column(s)", f"{values}, as many as predictions have", fix)


def number_moments(y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[np.float64]) -> Moments:
    """Squared distances of y from the predictions and from its own mean."""
    total = float(weight.sum())
    if total == 0.0:
        return Moments()
    require_columns(y, predicted)
    # One column a label.
    y, predicted, weight = y.astype(np.float64).reshape(len(y), -1), predicted.reshape(len(y), -1), weight[:, None]
    mean = (weight * y).sum(axis=0) / total
    return Moments(
        weight=total,
        mean=mean,
        spread=(weight * (y - mean) ** 2).sum(axis=0),
        missed=(weight * (y - predicted) ** 2).sum(axis=0),
    )


def mean_moments(y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[np.float64]) -> Moments:
    """The same, of predictions that are mean and variance."""
    return number_moments(y, predicted[:, 0], weight)


def lazy_moments(model: Any, parts: Parts, job: Job, compare: Compare, scheduler: Any = None) -> Moments:
    """Predict and compare each partition where it is; see ``moments_of_parts``."""
    return moments_of_parts(_part_moments, parts, compare, scheduler, shipped=ship(model, job.family), job=job)


def moments_of_parts(
    piece: Callable[..., Moments],
    parts: Parts,
    compare: Compare,
    scheduler: Any,
    others: Sequence[Any] = (),
    **same: Any,
) -> Moments:
    """What ``piece`` says of each partition where it is; only sums come back, in one computation.

    ``piece`` is given X, y and weight of a partition, its part of ``others`` (collections with the same partitions), and then
    ``compare``, ``layout`` and ``number`` as ``compared`` has them, and ``same``.

    Raises
    ------
    DataError
        A partition's y or weight has another number of rows than its X, y is missing somewhere, or there are no rows.
    """
    from gbdist.estimators.preparation.lazy_parts import LazyParts  # loads distributed, which only collections need

    task = dask.delayed(piece, pure=True)
    given = [parts.features, parts.label, parts.weight, *others]
    # A vector in memory is a list, cut like X.
    pieces = LazyParts([None if isinstance(one, list) else one for one in given], parts.n_parts)
    columns = [
        one if isinstance(one, list) else pieces.delayed(number) or [None] * parts.n_parts
        for number, one in enumerate(given)
    ]
    layout = (parts.labels, parts.label_columns, parts.weight_column)
    tasks = [
        task(*items, compare=compare, layout=layout, number=number, **same)
        for number, items in enumerate(zip(*columns, strict=True))
    ]
    return _total_of(dask.compute(*tasks, scheduler=scheduler) if scheduler is not None else dask.compute(*tasks))


def _total_of(moments: Iterable[Moments]) -> Moments:
    """All partitions together, in order; DataError if there are no rows."""
    total = Moments()
    for part in moments:
        total = total.merged(part)
    if total.weight == 0.0:
        raise DataError("X", "no rows, or only rows of weight 0", "rows to score", "Pass a collection that has rows.")
    return total


def _part_moments(
    x: Any, y: Any, w: Any, *, compare: Compare, layout: Any, number: int, shipped: ShippedModel, job: Job
) -> Moments:
    return compared(x, y, w, compare, layout, number, lambda features: answer_part(features, shipped, job, number))


def compared(
    x: Any, y: Any, w: Any, compare: Compare, layout: Any, number: int, predict: Callable[[Any], NDArray[Any]]
) -> Moments:
    """Compare y of partition ``number`` with what ``predict`` says of its features.

    ``layout`` are labels of the features of a frame, of the columns that y is, and of the weight's, each None or empty where y
    and w are given apart.
    """
    labels, label_columns, weight_column = layout
    y = label_of(x, label_columns) if label_columns else y
    w = column(x, weight_column) if weight_column is not None else w
    if label_columns or weight_column is not None:
        x = select_columns(x, list(labels))
    rows = count_rows(x)
    y = _vector(y, "y", rows, number)
    weight = np.ones(rows) if w is None else _vector(w, "sample_weight", rows, number).astype(np.float64)
    if np.any(pd.isna(y)):
        raise DataError(f"y of partition {number}", "missing values", "a value for each row", "Drop those rows.")
    return compare(y, predict(x), weight)


def _vector(values: Any, name: str, rows: int, number: int) -> NDArray[Any]:
    several = name == "y" and len(np.shape(values)) == 2 and np.shape(values)[1] > 1
    vector = as_matrix(values, name) if several else as_vector(values, name)
    if len(vector) != rows:
        raise DataError(
            f"{name} of partition {number}",
            f"{len(vector)} rows",
            f"as many as X has there, {rows}",
            f"Give X and {name} the same rows in each partition; take both from one collection if you can.",
        )
    return vector
