"""What a search leaves: a table of all trials with scikit-learn's columns, and which one is best."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gbdist.errors import ModelError
from gbdist.selection.searching.events import COMPLETE
from gbdist.selection.searching.study import Record


def result_of(scores: Any, curve: Sequence[tuple[int, float]] = ()) -> dict[str, Any]:
    """An evaluation's ``FoldScores`` in what JSON has, as a study keeps them; with them mean scores on the way, by iteration."""
    return {
        "test": _lists(scores.test),
        "train": None if scores.train is None else _lists(scores.train),
        "fit_time": _list(scores.fit_time),
        "score_time": _list(scores.score_time),
        "iterations": int(scores.iterations),
        "stopped": str(scores.stopped),
        "curve": [[iteration, score] for iteration, score in curve],
    }


def table_of(
    records: Sequence[Record], names: Sequence[str], scores: Sequence[str], n_splits: int, error_score: float
) -> dict[str, Any]:
    """``cv_results_``: one value a trial, in the order of their numbers.

    Parameters
    ----------
    names : of the parameters in the space
    scores : names of the scores
    error_score : what a failed trial has for scores

    Returns
    -------
    dict of arrays [n_trials], and ``params``, a list
        scikit-learn's columns, where a parameter that a trial does not have is masked; and ``state``, ``iterations`` and
        ``error``. Trials that were pruned keep the scores that they had then; they and those that failed rank last.
    """
    table: dict[str, Any] = {}
    for what in ("fit_time", "score_time"):
        values = np.array([_row(record.result.get(what), n_splits, np.nan) for record in records]).reshape(-1, n_splits)
        table[f"mean_{what}"], table[f"std_{what}"] = _mean(values), _std(values)
    for name in names:
        table[f"param_{name}"] = _masked([record.params for record in records], name)
    table["params"] = [dict(record.params) for record in records]
    complete = np.array([record.state == COMPLETE for record in records], np.bool_)
    kinds = ["test", "train"] if any(record.result.get("train") for record in records) else ["test"]
    for kind in kinds:
        for name in scores:
            found = [(record.result.get(kind) or {}).get(name) for record in records]
            filled = [
                _row(one, n_splits, np.nan if record.result else error_score)
                for record, one in zip(records, found, strict=True)
            ]
            values = np.array(filled).reshape(-1, n_splits)
            for split in range(n_splits):
                table[f"split{split}_{kind}_{name}"] = values[:, split]
            table[f"mean_{kind}_{name}"], table[f"std_{kind}_{name}"] = _mean(values), _std(values)
            if kind == "test":
                table[f"rank_test_{name}"] = _ranks(table[f"mean_test_{name}"], complete)
    table["state"] = np.array([record.state for record in records], object)
    table["iterations"] = np.array([record.result.get("iterations", 0) for record in records], np.int64)
    table["error"] = np.array([record.error for record in records], object)
    return table


def best_of(records: Sequence[Record]) -> int | None:
    """Place of the best trial: the highest score, the first of equal ones; None if none has ended well."""
    scores = [-np.inf if record.state != COMPLETE or record.score is None else record.score for record in records]
    at = int(np.argmax(scores)) if scores else 0
    return at if scores and records[at].state == COMPLETE else None


def no_trial(records: Sequence[Record], timeout: float | None) -> ModelError:
    """What is raised where no trial has ended well."""
    if not records:
        return ModelError(f"No trial has ended within timeout={timeout!r}", "Give it more time.")
    failed = [record for record in records if record.error]
    if not failed:
        return ModelError(f"All {len(records)} trials were pruned", "Use another pruner.")
    first = failed[0]
    return ModelError(
        f"{len(failed)} of {len(records)} trials failed and none ended well; the first one, with {dict(first.params)}, "
        f"of {first.error.rstrip('.')}",
        "Change the space, or the estimator's other parameters.",
    )


def _ranks(means: NDArray[np.float64], complete: NDArray[np.bool_]) -> NDArray[np.int32]:
    """From 1, as scikit-learn's; all that are not complete share the last one."""
    ranks = np.full(len(means), int(complete.sum()) + 1, np.int32)
    ranks[complete] = rankdata(-means[complete], method="min")
    return ranks


def _masked(params: Sequence[Mapping[str, Any]], name: str) -> Any:
    """Values of a parameter, masked where a trial does not have it; numbers where all are, as in scikit-learn."""
    missing = [name not in one for one in params]
    given = [one[name] for one in params if name in one]
    kind: Any = object
    if given and all(type(one) is type(given[0]) and isinstance(one, bool | int | float) for one in given):
        kind = np.array(given).dtype
    column = np.ma.MaskedArray(np.empty(len(params), kind), mask=True)
    for at, one in enumerate(params):
        if not missing[at]:
            column[at] = one[name]
    return column


def _row(values: Sequence[float] | None, n: int, otherwise: float) -> list[float]:
    """One value a fold; those that were not reached are missing."""
    if values is None:
        return [otherwise] * n
    return [*values, *[np.nan] * (n - len(values))]


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([np.mean(row[~np.isnan(row)]) if not np.isnan(row).all() else np.nan for row in values])


def _std(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([np.std(row[~np.isnan(row)]) if not np.isnan(row).all() else np.nan for row in values])


def _lists(scores: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: _list(values) for name, values in scores.items()}


def _list(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(values).ravel()]
