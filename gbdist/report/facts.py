"""The table on top of the page: what the model is, and how good it was."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from catboost import CatBoostError
from catboost.utils import eval_metric

from gbdist.models.loss import described_loss, training_params
from gbdist.report.subject import OF_TIMES, Rows, Subject

_MOST_CLASSES = 10
#: CatBoost's metrics that the page computes on its rows, beside the loss.
_SCORES = {"classes": ("Accuracy", "AUC"), "numbers": ("RMSE", "MAE", "R2")}

_NO_SCORES = {
    "ranking": "none: those of a ranker need the groups of the rows, which this page is not given",
    "other": "none: they are computed for models of one label and one value a row, and of losses that this page knows",
}


def facts_of(subject: Subject) -> list[tuple[str, str]]:
    """Names and values, in order; what is not known is left out."""
    model, record = subject.model, subject.record
    found = {
        "Kind": _kind(subject),
        "Loss": described_loss(model) or "",
        "Trees": f"{model.tree_count_:,}",
        "Depth": _depth(model),
        "Learning rate": _number(training_params(model).get("boosting_options", {}).get("learning_rate")),
        "Features": _features(model),
        "Classes": _listed(subject.classes),
        "Rows trained on": "" if record is None or record.rows is None else f"{record.rows:,}",
    }
    if record is not None:
        found["Best iteration"] = (
            f"{record.best_iteration:,}" if record.best_iteration >= 0 else "none: no validation set"
        )
        for data_set, values in record.best_scores.items():
            found[f"Best scores, {data_set}"] = _scores(values)
    if subject.rows is not None:
        found["Rows on this page"] = subject.rows.origin
        found["Scores of these rows"] = _scores_in_words(subject, subject.rows)
    return [(name, value) for name, value in found.items() if value]


def scores_of(subject: Subject, rows: Rows) -> dict[str, float]:
    """The loss and a few metrics of rows with labels, as CatBoost computes them without weights; nothing for ``_NO_SCORES``."""
    if rows.label is None or subject.task in _NO_SCORES:
        return {}
    raw = subject.predicted(rows, "RawFormulaVal")
    answers = {}
    for metric in dict.fromkeys((described_loss(subject.model), *_SCORES.get(subject.task, ()))):
        if metric is None:
            continue
        try:
            (answers[metric],) = eval_metric(rows.label, raw if raw.shape[1] > 1 else raw[:, 0], metric)
        except CatBoostError:  # such as AUC of rows of one class
            continue
    return answers


def _kind(subject: Subject) -> str:
    kinds = {
        "classes": f"classifier of {len(subject.classes):,} classes",
        "probabilities": "classifier of probabilities",
        "numbers": "regressor",
        "quantiles": f"regressor of {len(subject.values)} quantiles",
        "ranking": "ranker",
        "other": "model of several values a row" if subject.n_raw > 1 else _kind_of_loss(subject.loss),
    }
    return kinds[subject.task]


def _kind_of_loss(loss: str) -> str:
    """What has one raw value a row and no label that is one number, or a loss that is not known."""
    return f"regressor of times ({loss})" if loss in OF_TIMES else f"model of the loss {loss}"


def _scores_in_words(subject: Subject, rows: Rows) -> str:
    """The scores; where rows have labels and no scores, why."""
    if rows.label is not None and subject.task in _NO_SCORES:
        return _NO_SCORES[subject.task]
    return _scores(scores_of(subject, rows))


def _depth(model: Any) -> str:
    most = int(np.max(model.get_tree_leaf_counts(), initial=1))
    depth = most.bit_length() - 1
    if most == 1 << depth:
        return f"up to {depth} ({most:,} leaves)"
    return f"up to {most:,} leaves a tree"


def _features(model: Any) -> str:
    kinds = {
        "categories": len(model.get_cat_feature_indices()),
        "texts": len(model.get_text_feature_indices()),
        "embeddings": len(model.get_embedding_feature_indices()),
    }
    every = len(model.feature_names_)
    kinds = {"numbers": every - sum(kinds.values()), **kinds}
    told = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count)
    return f"{every:,} ({told})"


def _listed(classes: tuple[str, ...]) -> str:
    more = f" and {len(classes) - _MOST_CLASSES:,} more" if len(classes) > _MOST_CLASSES else ""
    return ", ".join(classes[:_MOST_CLASSES]) + more


def _scores(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in values.items())


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else ""
