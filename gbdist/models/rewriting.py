"""Another model in place of a model: with trees of its own, and all that the first says of itself."""

import catboost

from gbdist.models.catboost_format import as_fitted, cbm_bytes, read_cbm, to_catboost
from gbdist.models.ensemble import Ensemble


def rewritten(ensemble: Ensemble, like: catboost.CatBoost) -> catboost.CatBoost:
    """The ensemble as a fitted estimator of the class of ``like``, with its parameters, labels and history of training.

    The guid is a digest of the ensemble: equal ensembles in place of one model give equal ``.cbm`` bytes. ``like`` stays as
    it is.
    """
    written = to_catboost(ensemble)
    return described_as(written, like, dict(written.get_metadata())["model_guid"])


def described_as(model: catboost.CatBoost, like: catboost.CatBoost, guid: str) -> catboost.CatBoost:
    """An estimator of the class of ``like``, with the trees of ``model`` and what ``like`` says of itself."""
    _take_metadata(model, like, guid)
    read = read_cbm(cbm_bytes(model), type(like)())
    _take_metadata(read, like, guid)  # CatBoost has put the parameters in another order
    return as_fitted(read)


def _take_metadata(model: catboost.CatBoost, like: catboost.CatBoost, guid: str) -> None:
    metadata = model.get_metadata()
    for key in list(metadata.keys()):
        del metadata[key]
    for key, value in like.get_metadata().items():
        metadata[key] = value
    metadata["model_guid"] = guid
