"""``select_features``: CatBoost's recursive elimination of columns, on a Dask cluster."""

from typing import Any

from gbdist.errors import ParameterError
from gbdist.estimators.base import DaskCatBoost


def select_features(estimator: Any, X: Any, y: Any = None, **given: Any) -> dict[str, Any]:
    """Eliminate columns step by step, and train ``estimator`` on those that are left.

    Parameters
    ----------
    estimator : DaskCatBoostClassifier, DaskCatBoostRegressor or DaskCatBoostRanker
        Fitted in place, unless ``train_final_model=False`` is given.
    X, y, given : as of its method ``select_features``, which this calls
        ``eval_set``, ``features_for_select``, ``num_features_to_select``, ``algorithm``, ``steps``, …

    Returns
    -------
    dict, CatBoost's summary: ``selected_features``, ``eliminated_features``, names of both, and ``loss_graph``

    Raises
    ------
    ParameterError, DataError, ClusterError
    """
    if not isinstance(estimator, DaskCatBoost):
        expected = "a DaskCatBoostClassifier, DaskCatBoostRegressor or DaskCatBoostRanker"
        raise ParameterError(
            "estimator", type(estimator).__name__, expected, "Select with one, and train what you like."
        )
    return estimator.select_features(X, y, **given)
