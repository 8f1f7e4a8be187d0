"""Metrics of what a fitted estimator predicts, on rows in memory or in the partitions of a collection, where they are.

Sums of partitions are added up here round after round, as ranks add up theirs. Between rounds a partition keeps predictions,
labels and weights; nothing of the size of the rows comes to the client.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask
import numpy as np
import pandas as pd
from distributed import futures_of
from numpy.typing import NDArray
from sklearn.base import is_classifier

from gbdist.errors import DataError
from gbdist.estimators.fitted import scheduler_of
from gbdist.estimators.preparation.inputs import Parts, collect
from gbdist.estimators.preparation.tables import as_vector, column, count_rows, label_of, select_columns
from gbdist.estimators.sources import Given
from gbdist.metrics import Metric, Scored, evaluate, make_metrics

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class _Piece:
    """Rows of a partition: raw predictions float64 [dimension, n_rows], labels float32 [n_rows], and weights or None."""

    raw: NDArray[np.float64]
    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None

    @property
    def facts(self) -> NDArray[np.float64]:
        """Rows, their weight, and the largest label and prediction, float64 [4]."""
        n_rows = len(self.label)
        weight = float(n_rows) if self.weight is None else float(self.weight.sum(dtype=np.float64))
        bounds = [float(np.abs(each).max(initial=0.0)) for each in (self.label, self.raw)]
        return np.array([n_rows, weight, *bounds])


class _Asks(Exception):
    """A metric wants the sums over all partitions of ``vector``."""

    def __init__(self, vector: NDArray[np.int64]) -> None:
        super().__init__()
        self.vector = vector


def metrics_of_predictions(model: Any, rows: Given, descriptions: Iterable[str]) -> dict[str, float]:
    """Values by name of metrics under CatBoost's descriptions, from what a classifier or regressor predicts.

    Raw values are log-odds, or logarithms, of probabilities, and the numbers of a regressor. Raises DataError for labels that are
    missing, or that the classifier has not met.
    """
    classes = np.asarray(model.classes_) if is_classifier(model) else None
    parts = collect(rows.X, rows.y, rows.sample_weight)
    features = parts.features
    if parts.labels is not None:
        features = features[list(parts.labels)] if parts.lazy else select_columns(features, list(parts.labels))
    said = model.predict(features) if classes is None else model.predict_proba(features)
    loss, n_classes = "RMSE", 1
    if classes is not None:
        loss, n_classes = ("Logloss" if len(classes) == 2 else "MultiClass"), len(classes)
    made = [make_metrics(one, n_classes, loss, parameter="scoring") for one in descriptions]
    metrics = list({metric.name: metric for several in made for metric in several}.values())
    layout = (parts.label_columns, parts.weight_column)
    if not parts.lazy:
        piece = _piece(parts.features, parts.label, parts.weight, said, layout=layout, classes=classes, number=0)
        return _in_rounds(metrics, lambda *asked: [_answer(piece, *asked)], piece.facts)
    client = scheduler_of(getattr(model, "client", None))
    compute = dask.compute if client is None else partial(dask.compute, scheduler=client)
    pieces = _persisted(parts, said, client, layout=layout, classes=classes)
    facts, answer = dask.delayed(_facts), dask.delayed(_answer, pure=False)
    try:
        of_all = _merged(compute(*[facts(piece) for piece in pieces]))
        return _in_rounds(metrics, lambda *asked: compute(*[answer(piece, *asked) for piece in pieces]), of_all)
    finally:
        for future in futures_of(pieces):  # which an error's traceback would hold
            future.release()


def _in_rounds(
    metrics: Sequence[Metric], ask: Callable[..., Sequence[Any]], facts: NDArray[np.float64]
) -> dict[str, float]:
    """Ask all partitions, with all sums so far, until nothing more has to be added up."""
    sums: list[NDArray[np.int64]] = []
    while True:
        answers = ask(tuple(metrics), facts, tuple(sums))
        if isinstance(answers[0], dict):
            return answers[0]
        sums.append(np.sum(answers, axis=0))


def _answer(
    piece: _Piece, metrics: Sequence[Metric], facts: NDArray[np.float64], sums: Sequence[NDArray[np.int64]]
) -> dict[str, float] | NDArray[np.int64]:
    """The metrics, or what a partition adds to the sums of the next round."""
    told = iter(sums)

    def all_reduce(vector: NDArray[np.int64]) -> NDArray[np.int64]:
        for known in told:
            return known
        raise _Asks(vector)

    n_rows, weight, label_bound, prediction_bound = facts.tolist()
    scored = Scored(piece.raw, piece.label, piece.weight, weight, label_bound, prediction_bound, int(n_rows))
    try:
        return evaluate(metrics, scored, all_reduce)
    except _Asks as asks:
        return asks.vector


def _persisted(parts: Parts, said: Any, client: Any, **same: Any) -> Sequence[Any]:
    """A piece of each partition, held where it is."""
    from gbdist.estimators.preparation.lazy_parts import LazyParts  # loads distributed, which only collections need

    given = [parts.features, parts.label, parts.weight, said]
    # A vector in memory is a list, cut like X.
    lazy = LazyParts([None if isinstance(one, list) else one for one in given], parts.n_parts)
    columns = [
        one if isinstance(one, list) else lazy.delayed(number) or [None] * parts.n_parts
        for number, one in enumerate(given)
    ]
    task = dask.delayed(_piece)
    tasks = [task(*items, number=number, **same) for number, items in enumerate(zip(*columns, strict=True))]
    return list(dask.persist(*tasks) if client is None else client.persist(tasks))


def _piece(x: Any, y: Any, w: Any, said: Any, *, layout: Any, classes: NDArray[Any] | None, number: int) -> _Piece:
    label_columns, weight_column = layout
    y = as_vector(label_of(x, label_columns) if label_columns else y, "y")
    w = column(x, weight_column) if weight_column is not None else w
    if len(y) != count_rows(x):
        fix = "Give X and y the same rows in each partition; take both from one collection if you can."
        raise DataError(f"y of partition {number}", f"{len(y)} rows", f"as many as X has there, {count_rows(x)}", fix)
    if pd.isna(y).any():
        raise DataError(f"y of partition {number}", "missing values", "a value for each row", "Drop those rows.")
    values = np.asarray(said, np.float64)
    label = y if classes is None else _codes(y, classes, number)
    weight = None if w is None else as_vector(w, "sample_weight").astype(np.float32)
    return _Piece(_raw(values[:, None] if values.ndim == 1 else values, classes), label.astype(np.float32), weight)


def _raw(values: NDArray[np.float64], classes: NDArray[Any] | None) -> NDArray[np.float64]:
    """Raw values of predictions [n_rows, n_values], as metrics have them: [dimension, n_rows]."""
    if classes is None:
        return np.ascontiguousarray(values[:, :1].T)
    logarithms = np.log(np.maximum(values, _TINY)).T
    return np.ascontiguousarray(logarithms[1:] - logarithms[:1] if len(classes) == 2 else logarithms)


def _codes(y: NDArray[Any], classes: NDArray[Any], number: int) -> NDArray[np.int64]:
    """Number of each label among the classes."""
    codes = np.asarray(pd.Index(classes).get_indexer(pd.Index(y)), np.int64)
    if (codes < 0).any():
        found = f"the label {y[np.argmax(codes < 0)]!r}"
        fix = "Use fewer folds, or drop or merge such classes."
        raise DataError(f"y of partition {number}", found, "labels that every fold trains on", fix)
    return codes


def _facts(piece: _Piece) -> NDArray[np.float64]:
    return piece.facts


def _merged(facts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Those of all partitions."""
    every = np.array(facts)
    return np.concatenate([every[:, :2].sum(axis=0), every[:, 2:].max(axis=0)])
