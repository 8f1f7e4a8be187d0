"""The model that is to be compressed: opened from whatever it was given as, and written anew with other trees."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost

from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, load_file, read_cbm
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.history import forget_curves
from gbdist.models.rewriting import rewritten


@dataclass(frozen=True, eq=False)
class GivenModel:
    """A model to compress.

    Parameters
    ----------
    name : str
        What reports call it.
    model : catboost.CatBoost
        The model itself, which nothing here changes.
    ensemble : Ensemble
        The same in gbdist's terms.
    like : catboost.CatBoost
        What compressed models say of themselves: the parameters, labels and best scores of the training, but not its curves,
        whose iterations are trees that are gone. Their bytes would not shrink with the trees.
    """

    name: str
    model: Any
    ensemble: Ensemble
    like: Any

    def written(self, ensemble: Ensemble) -> Any:
        """An ensemble as a CatBoost model in place of the given one: a classifier or a regressor, as that is."""
        return rewritten(ensemble, self.like)


def open_model(model: Any) -> GivenModel:
    """Read a model that is a ``catboost.CatBoost``, a fitted estimator of trees of gbdist's, or the path of a ``.cbm``.

    Raises
    ------
    ParameterError
        For anything else.
    ModelError
        It is not fitted, cannot be read, or has what an ensemble cannot hold.
    """
    found = trees_of(model, "compress")
    name = Path(model).name if isinstance(model, str | os.PathLike) else type(model).__name__
    ensemble = from_catboost(found)
    if not ensemble.trees:
        raise ModelError("the model has no trees", "There is nothing to make smaller")
    return GivenModel(name, found, ensemble, _without_curves(found, ensemble))


def trees_of(model: Any, what: str) -> Any:
    """The CatBoost model that ``model`` is, or is the path of, or that an estimator has fitted; it may be without trees.

    Raises
    ------
    ParameterError
        For anything else.
    ModelError
        An estimator is not fitted or has no trees, or a file cannot be read: then it begins with ``what``.
    """
    if isinstance(model, str | os.PathLike):
        return load_file(catboost.CatBoost(), Path(model), what=what)
    return model if isinstance(model, catboost.CatBoost) else _model_of(model)


def _model_of(estimator: Any) -> Any:
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        expected = "a CatBoost model, a fitted DaskCatBoostClassifier or DaskCatBoostRegressor, or the path of a .cbm"
        raise ParameterError("model", estimator, expected, "Pass one of these.")
    if not hasattr(estimator, "model_"):
        raise ModelError(f"{type(estimator).__name__} is not fitted: it has no trees", "Fit it, or load a saved model.")
    if not isinstance(estimator.model_, catboost.CatBoost):
        fix = "Networks are made smaller by gbdist.compression.networks; of several models, compress each"
        raise ModelError(f"{type(estimator).__name__} is no model of trees", fix)
    return estimator.model_


def _without_curves(model: Any, ensemble: Ensemble) -> Any:
    kind = type(model)
    if kind is catboost.CatBoost:  # as a file has it, which does not say whose it was
        kind = catboost.CatBoostRegressor if ensemble.class_names is None else catboost.CatBoostClassifier
    copy = read_cbm(cbm_bytes(model), kind())
    forget_curves(copy)
    return copy
