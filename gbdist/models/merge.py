"""Continue training: the trees of an earlier CatBoost model, then the new ones, as one model."""

import hashlib

import catboost
import numpy as np

from gbdist.errors import ModelError
from gbdist.models.catboost_format import as_fitted, cbm_bytes, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.quantize.borders import FeatureBorders


def sum_with_initial(initial: catboost.CatBoost, new: catboost.CatBoost) -> catboost.CatBoost:
    """An estimator of ``new``'s class with the trees of ``initial``, bit for bit, followed by those of ``new``.

    Start values add up, so ``new`` must have been trained with the raw predictions of ``initial`` as its baseline.
    Parameters and class labels are ``new``'s. ``ModelError`` if the two cannot be one model.
    """
    _check(initial, new)
    total = _sum(initial, new)
    metadata = total.get_metadata()
    for key in list(metadata.keys()):
        del metadata[key]
    for key, value in new.get_metadata().items():
        metadata[key] = value
    metadata["model_guid"] = _guid(initial, new)
    summed = type(new)()
    return as_fitted(summed.load_model(blob=cbm_bytes(total)))


def require_symmetric(initial: catboost.CatBoost, dimension: int) -> None:
    """ModelError unless a model of symmetric trees can be added to ``initial``; found by adding one leaf of zeros."""
    names = tuple(initial.feature_names_)
    no_borders = tuple(FeatureBorders(np.empty(0, dtype=np.float32), "AsIs") for _ in names)
    classes = tuple(_labels(initial)) or None
    _sum(initial, to_catboost(Ensemble((), no_borders, np.zeros(dimension), names, classes)))


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
    words = hashlib.sha256("+".join(guids).encode()).hexdigest()
    return "-".join(words[start : start + 8] for start in range(0, 32, 8))
