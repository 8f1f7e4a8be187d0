"""What the page about a cross-validation is made of, from what the folds left."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.estimators.outcome import FoldsResult
from gbdist.metrics.base import Metric
from gbdist.models.history import HELD_OUT, LEARN, MetricTable
from gbdist.report.folds import FoldsFacts, MetricCurves, Spread, folds_page

_STOPPED = {
    "iterations": "",
    "overfitting": ", stopped early by the mean of all folds",
    "callback": ", stopped by a callback",
}


def page_of_folds(result: FoldsResult, loss: str, details: tuple[tuple[str, str], ...] = ()) -> str:
    """The page as HTML; ``details`` are more lines for the table on top of it."""
    return folds_page(folds_facts(result, loss, details))


def folds_facts(result: FoldsResult, loss: str, details: tuple[tuple[str, str], ...] = ()) -> FoldsFacts:
    """The curves of all metrics, at the iterations at which they were computed of rows held out."""
    found = [_curves(result, metric, decides=number == 0) for number, metric in enumerate(result.metrics)]
    curves = tuple(one for one in found if one is not None)
    name = f"Cross-validation of {loss}"
    told = (("Iterations", f"{len(result.scores):,}{_STOPPED[result.stopped]}"), *details)
    return FoldsFacts(name, len(result.records), curves, told)


def _curves(result: FoldsResult, metric: Metric, *, decides: bool) -> MetricCurves | None:
    """The curves of a metric, the first of which decides; None where it was never computed."""
    at = [i for i, table in enumerate(result.scores) if metric.name in table.get(HELD_OUT, {})]
    if not at:
        return None
    train = [i for i in at if metric.name in result.scores[i].get(LEARN, {})] == at
    return MetricCurves(
        metric=metric.name,
        greater_is_better=metric.is_max_optimal,
        iterations=np.array(at, dtype=np.int64),
        test=_spread(result, HELD_OUT, metric.name, at),
        train=_spread(result, LEARN, metric.name, at) if train else None,
        decides=decides,
    )


def _spread(result: FoldsResult, data_set: str, metric: str, at: list[int]) -> Spread:
    folds = [record.scores for record in result.records]
    mean, deviation, *of_folds = (
        _values(tables, data_set, metric, at) for tables in (result.scores, result.deviations, *folds)
    )
    return Spread(mean, deviation, np.stack(of_folds))


def _values(tables: tuple[MetricTable, ...], data_set: str, metric: str, at: list[int]) -> NDArray[np.float64]:
    values: list[Any] = [tables[i][data_set][metric] for i in at]
    return np.array(values, dtype=np.float64)
