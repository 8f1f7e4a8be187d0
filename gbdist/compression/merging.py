"""Several CatBoost models as one: those of folds, of rounds, of workers, or of trials."""

import math
from collections.abc import Sequence
from typing import Any

import catboost

from gbdist.compression.given import trees_of
from gbdist.compression.passes.union import weighted_sum
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, read_cbm
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.history import forget_record
from gbdist.models.loss import described_loss
from gbdist.models.missing import cat_nan_of
from gbdist.models.rewriting import rewritten


def merge_models(models: Sequence[Any], weights: Sequence[float] | None = None) -> catboost.CatBoost:
    """One model whose raw predictions are the weighted sum of the models': their average by default.

    It has all their trees, with leaf values times the weights, and the union of their borders, categories and tables. Unlike
    ``catboost.sum_models`` it keeps statistics of categories exact: tables that differ are kept apart, some of them at the cost
    of twice as many rows. It says of itself what the first model does, without the history of its training.
    ``MergeTrees`` makes it smaller without changing it.

    Parameters
    ----------
    models : CatBoost models, fitted estimators of trees or paths of .cbm files
        At least one, trained for one loss on the same columns. They stay as they are.
    weights : one finite number a model

    Raises
    ------
    ModelError
        Where the models differ in columns, classes, loss, or what they take missing values for; or one cannot be read
        (``from_catboost``).
    ParameterError
        For no models, what is no CatBoost model, or weights that are not one number for each.
    """
    models = [trees_of(model, "merge_models") for model in models]
    if not models:
        raise ParameterError("models", models, "at least one model", "Pass the models to be merged.")
    factors = _weights(weights, len(models))
    ensembles = [from_catboost(model) for model in models]
    _require_same("columns", [list(ensemble.feature_names) for ensemble in ensembles])
    _require_same("categorical columns", [_categorical(ensemble) for ensemble in ensembles])
    _require_same("classes", [ensemble.class_names for ensemble in ensembles])
    _require_same("number of raw values", [ensemble.dimension for ensemble in ensembles])
    _require_same("loss", [described_loss(model) for model in models])
    _require_same("text for missing categories", [cat_nan_of(model) for model in models])
    like = read_cbm(cbm_bytes(models[0]), type(models[0])())
    forget_record(like)
    return rewritten(weighted_sum(ensembles, factors), like)


def _weights(weights: Sequence[float] | None, n_models: int) -> list[float]:
    if weights is None:
        return [1.0 / n_models] * n_models
    found = [float(weight) for weight in weights]
    if len(found) != n_models or not all(map(math.isfinite, found)):
        raise ParameterError(
            "weights", found, f"{n_models} finite numbers, one for each model", "Leave them out to get the average."
        )
    return found


def _categorical(ensemble: Ensemble) -> list[str]:
    return [ensemble.feature_names[position] for position in ensemble.categories.positions]


def _require_same(what: str, values: Sequence[Any]) -> None:
    for number, value in enumerate(values):
        if value != values[0]:
            raise ModelError(
                f"the models have different {what}: {values[0]!r} in the first, {value!r} in number {number + 1}",
                "Merge models that were trained for the same thing, on the same columns in the same order.",
            )
