"""One call for folds: from what the user gave to a model of each fold, and their scores."""

from collections.abc import Mapping
from typing import Any

from gbdist.boosting.events import Listener
from gbdist.errors import DataError
from gbdist.estimators.columns import ColumnRules
from gbdist.estimators.folds import AnyFolds, CodedFolds
from gbdist.estimators.listeners import callback_listener
from gbdist.estimators.outcome import FoldsResult
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.request import Request
from gbdist.estimators.sources import Given, groups_of, sources_of
from gbdist.estimators.strict_folds import train_apart
from gbdist.estimators.training import run


def train_folds(
    data: Given,
    folds: AnyFolds,
    *,
    parameters: Mapping[str, object],
    classifier: bool,
    ranker: bool = False,
    listener: Listener | None = None,
    callbacks: Any = None,
    client: Any = None,
    cat_nan: str | None = None,
    on_disk: bool | None = False,
    strict_borders: bool = False,
) -> FoldsResult:
    """Train a model for each fold of a data set in lock-step (decision 0046); see ``training.train``.

    ``callbacks`` are told the means over all folds, and stop all of them. ``strict_borders``: those of a fold are chosen from the
    rows that it trains on; ``folds`` are such that partitions can tell them.
    """
    if isinstance(folds, CodedFolds) and isinstance(data.X, DaskPool) and not data.X.data.row.folded:
        fix = "Give DaskPool the fold of each row, or pass the rows."
        raise DataError("X", "a DaskPool without the numbers that folds go by", "one that has them", fix)
    columns = ColumnRules(parameters, True, cat_nan)
    request = Request(
        parameters=parameters,
        classifier=classifier,
        pool=data.X if isinstance(data.X, DaskPool) else None,
        sources=sources_of(data, [], None, columns),
        eval_pools=(),
        initial=None,
        listener=listener,
        callbacks=callback_listener(callbacks),
        aggregation=None,
        columns=columns,
        groups=groups_of(data, [], of_models=False) if ranker else (),
        on_disk=on_disk,
        folds=folds,
    )
    if strict_borders:
        return train_apart(request, client)
    found = run(request, client)
    if not isinstance(found, FoldsResult):
        raise TypeError("a plain fit was asked for")
    return found
