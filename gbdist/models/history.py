"""How a model was trained: metrics after each tree. CatBoost's models keep them as "training", which its own loader reads."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

#: metrics[data set][metric name]; data sets are "learn", "validation" or "validation_0", "validation_1", … as CatBoost names them
MetricTable = dict[str, dict[str, float]]
#: history[data set][metric name] = its values, one for every iteration at which the metric was computed
History = dict[str, dict[str, list[float]]]

#: The training set, and the only eval set, as CatBoost calls them; what a fold holds out is one.
LEARN, HELD_OUT = "learn", "validation"

_TRAINING, _ROWS = "training", "gbdist_rows"


@dataclass(frozen=True)
class TrainingRecord:
    """What a run leaves beside trees; the same whatever the cluster, so that it may lie in the model's file.

    Parameters
    ----------
    scores : metrics after each tree that was grown, empty where none were computed; trees of an ``init_model`` are not counted
    best_iteration : int
        −1 without an eval set.
    best_scores : data set → metric → its best value, as CatBoost's ``best_score_``
    rows : int or None
        Rows trained on; None where a model does not say.
    """

    scores: tuple[MetricTable, ...]
    best_iteration: int
    best_scores: dict[str, dict[str, float]]
    rows: int | None

    @property
    def history(self) -> History:
        """CatBoost's ``evals_result_``."""
        return history_of(self.scores)

    @property
    def metadata(self) -> dict[str, str]:
        """Entries of a model's metadata."""
        scored = {name for table in self.scores for name in table}
        evals = set_names(len(scored - {LEARN}))[1:]
        metrics: dict[str, Any] = {
            "learn_metrics_history": [_finite(table.get(LEARN, {})) for table in self.scores],
            "test_metrics_history": [_of_evals(table, evals) for table in self.scores] if evals else [],
            "learn_best_error": _finite(self.best_scores.get(LEARN, {})),
            "test_best_error": [_finite(self.best_scores.get(name, {})) for name in evals],
        }
        if self.best_iteration >= 0:
            metrics["best_iteration"] = self.best_iteration
        told = {_TRAINING: json.dumps({"metrics": metrics}, separators=(",", ":"))}
        return told if self.rows is None else told | {_ROWS: str(self.rows)}


def record_of(model: Any) -> TrainingRecord | None:
    """What a model of gbdist or of CatBoost says of its training; None where it says nothing, as a sum of models does."""
    metadata = dict(model.get_metadata())
    try:
        metrics = json.loads(metadata[_TRAINING])["metrics"]
        learn, evals = metrics["learn_metrics_history"], metrics["test_metrics_history"]
        best = [metrics.get("learn_best_error", {}), *metrics.get("test_best_error", ())]
        names = set_names(max([len(best) - 1, *map(len, evals)]))
        trees: Iterator[tuple[Any, Any]] = zip_longest(learn, evals)
        scores = tuple(
            {name: table for name, table in zip(names, [of_learn, *(of_evals or ())], strict=False) if table}
            for of_learn, of_evals in trees
        )
    except (KeyError, TypeError, ValueError):
        return None
    rows = metadata.get(_ROWS)
    return TrainingRecord(
        scores=scores,
        best_iteration=int(metrics.get("best_iteration", -1)),
        best_scores={name: table for name, table in zip(names, best, strict=False) if table},
        rows=None if rows is None else int(rows),
    )


def forget_curves(model: Any) -> None:
    """Take the metrics of each iteration out of what a model says of its training, in place; best scores and rows stay.

    They are of trees in the order in which they were grown, and of no model whose trees are others.
    """
    metadata = model.get_metadata()
    if record_of(model) is None:
        return
    training = json.loads(metadata[_TRAINING])
    training["metrics"] |= {"learn_metrics_history": [], "test_metrics_history": []}
    training["metrics"].pop("best_iteration", None)
    metadata[_TRAINING] = json.dumps(training, separators=(",", ":"))


def forget_record(model: Any) -> None:
    """Take out all that a model says of its training, in place."""
    metadata = model.get_metadata()
    for key in {_TRAINING, _ROWS}.intersection(metadata.keys()):
        del metadata[key]


def history_of(scores: Sequence[MetricTable]) -> History:
    """All values of each metric, in order."""
    history: History = {}
    for table in scores:
        add_to_history(history, table)
    return history


def add_to_history(history: History, metrics: MetricTable) -> None:
    """Append one iteration's values to ``history``, in place."""
    for data_set, values in metrics.items():
        of_set = history.setdefault(data_set, {})
        for name, value in values.items():
            of_set.setdefault(name, []).append(value)


def set_names(n_evals: int) -> list[str]:
    """Names of the data sets, as CatBoost has them in ``evals_result_``."""
    if n_evals == 1:
        return [LEARN, HELD_OUT]
    return [LEARN, *(f"validation_{i}" for i in range(n_evals))]


def _of_evals(table: MetricTable, names: Sequence[str]) -> list[dict[str, float]]:
    """Metrics of the eval sets after one tree; nothing where none was scored."""
    return [_finite(table.get(name, {})) for name in names] if any(name in table for name in names) else []


def _finite(values: dict[str, float]) -> dict[str, float]:
    """The values that JSON has: CatBoost cannot load a model with others."""
    return {name: value for name, value in values.items() if math.isfinite(value)}
