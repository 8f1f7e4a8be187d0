"""Models put together: the trees of an earlier CatBoost model and the new ones, or those of the rounds of a run, as one model."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ModelError
from gbdist.models.catboost_format import read_cbm, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.history import TrainingRecord
from gbdist.models.rewriting import described_as
from gbdist.models.tree import NonSymmetricTree, ObliviousTree, Tree
from gbdist.quantize.borders import FeatureBorders


def sum_with_initial(initial: catboost.CatBoost, new: catboost.CatBoost) -> catboost.CatBoost:
    """An estimator of ``new``'s class with the trees of ``initial``, bit for bit, followed by those of ``new``.

    Start values add up, so ``new`` must have been trained with the raw predictions of ``initial`` as its baseline.
    Parameters and class labels are ``new``'s. ``ModelError`` if the two cannot be one model.
    """
    _check(initial, new)
    return described_as(_sum(initial, new), new, _guid(initial, new))


def sum_of_parts(
    parts: Sequence[tuple[bytes, float]],
    bias: NDArray[np.float64],
    names: Sequence[str],
    class_names: tuple[Any, ...] | None,
    options: Mapping[str, Any],
    record: TrainingRecord | None = None,
) -> catboost.CatBoost:
    """A fitted estimator whose raw predictions are ``bias`` plus the sum of models, each times its factor.

    Parameters
    ----------
    parts : ``.cbm`` of each model, without start value, and its factor; at least one
    bias : float64 [dimension]
    names : of the features
    class_names, options : see ``models.ensemble.Ensemble``
    record : how it was trained
    """
    models = [read_cbm(blob) for blob, _ in parts]
    factors = [factor for _, factor in parts]
    if factors == [1.0]:
        total = models[0]  # CatBoost cannot sum every kind of model, and need not here
    else:
        try:
            total = catboost.sum_models(models, weights=factors)
        except catboost.CatBoostError as error:
            problem = f"CatBoost cannot sum the models of the ranks ({error})"
            raise ModelError(problem, 'Use rounds=1 and merge="best", which keeps one of them.') from None
    total.set_scale_and_bias(1.0, bias.tolist())
    total.set_feature_names(list(names))
    digest = hashlib.sha256(repr((factors, bias.tolist(), class_names)).encode())
    for blob, _ in parts:
        digest.update(blob)
    described = _without_splits(names, class_names, bias.shape[0], options, record=record)
    return described_as(total, described, _spelled(digest.hexdigest()))


def require_same_trees(initial: catboost.CatBoost, dimension: int, *, symmetric: bool) -> None:
    """ModelError unless ``symmetric`` trees, or others, can follow those of ``initial``; found by adding a leaf of zeros."""
    kind = ObliviousTree if symmetric else NonSymmetricTree
    leaf = kind((), np.zeros((1, dimension)), np.zeros(1))
    _sum(initial, _without_splits(initial.feature_names_, tuple(_labels(initial)) or None, dimension, {}, (leaf,)))


def _without_splits(
    names: Sequence[str],
    class_names: tuple[Any, ...] | None,
    dimension: int,
    options: Mapping[str, Any],
    trees: tuple[Tree, ...] = (),
    record: TrainingRecord | None = None,
) -> catboost.CatBoost:
    """An estimator that knows features, classes and parameters, and predicts 0."""
    no_borders = tuple(FeatureBorders(np.empty(0, dtype=np.float32), "AsIs") for _ in names)
    empty = Ensemble(trees, no_borders, np.zeros(dimension), tuple(names), class_names, dict(options))
    return to_catboost(empty, record)


def _sum(initial: catboost.CatBoost, new: catboost.CatBoost) -> catboost.CatBoost:
    try:
        return catboost.sum_models([initial, new])
    except catboost.CatBoostError as error:
        raise ModelError(
            f"init_model cannot be continued ({error})",
            "Train with the nan_mode and the kind of trees that the initial model was trained with.",
        ) from error


def _check(initial: catboost.CatBoost, new: catboost.CatBoost) -> None:
    if list(initial.feature_names_) != list(new.feature_names_):
        raise ModelError(
            f"init_model was trained on the columns {list(initial.feature_names_)}, not on {list(new.feature_names_)}",
            "Give the same columns in the same order.",
        )
    is_classifier = isinstance(new, catboost.CatBoostClassifier)
    if is_classifier and _labels(initial) != _labels(new):
        raise ModelError(
            f"init_model was trained for the classes {_labels(initial)}, not for {_labels(new)}",
            "Train on data with the same labels, or start without init_model.",
        )
    if not is_classifier and len(initial.classes_):
        raise ModelError(
            "init_model is a classifier, and the new model a regressor", "Continue a classifier with a classifier."
        )


def _labels(model: catboost.CatBoost) -> list[object]:
    return list(np.asarray(model.classes_).tolist())


def _guid(initial: catboost.CatBoost, new: catboost.CatBoost) -> str:
    guids = [dict(model.get_metadata()).get("model_guid", "") for model in (initial, new)]
    return _spelled(hashlib.sha256("+".join(guids).encode()).hexdigest())


def _spelled(digest: str) -> str:
    """A digest in the form of a guid."""
    return "-".join(digest[start : start + 8] for start in range(0, 32, 8))
