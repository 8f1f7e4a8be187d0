"""The regressor that users import."""

from typing import Any

from sklearn.base import RegressorMixin

from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.prediction.questions import Labels, Values
from gbdist.estimators.prediction.scoring import number_moments
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.models.loss import default_prediction


class DaskCatBoostRegressor(RegressorMixin, DaskCatBoost):  # type: ignore[misc]  # scikit-learn is not typed
    """Trains a CatBoost regressor on a Dask cluster; what comes out is a plain ``catboost.CatBoostRegressor``.

    Losses: ``RMSE`` (default), ``MAE``, ``Quantile:alpha=…``, ``MAPE``, ``Huber:delta=…``, ``Expectile:alpha=…``, ``LogCosh``,
    ``Lq:q=…``, ``LogLinQuantile:alpha=…``; of labels that are not negative ``Poisson`` and ``Tweedie:variance_power=…``, whose
    ``predict`` is e to the raw value by default, as CatBoost's. ``MultiQuantile:alpha=…,…`` predicts several quantiles a row.

    Parameters
    ----------
    iterations, learning_rate, depth, … : CatBoost's parameters under any of its names, left out: CatBoost's defaults
        docs/parity.md lists them; ``fit`` refuses a misspelt one, or one that is not trained here, by name.
    cat_features : names or positions of categorical columns; left out: the columns of categories and of strings, by their types
        (with ``aggregate="models"``: none)
    verbose : False, True or n for a line every n trees; left out: a bar in a terminal, silence elsewhere
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Fewer than 10,000 rows in memory are trained in this process, without a cluster.

    Attributes
    ----------
    model_ : catboost.CatBoostRegressor
    n_features_in_, feature_names_in_ : as scikit-learn's
    cat_features_ : positions of the categorical columns
    evals_result_ : {data set: {metric: [value of each iteration]}}
    best_iteration_, best_score_ : of the eval set
    """

    _is_classifier = False
    _prediction_types = ("RawFormulaVal", "Exponent")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² on X and y, with weights.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        if is_lazy(X):
            return self._lazy_moments(X, y, sample_weight, number_moments).r2
        return float(super().score(X, y, sample_weight))

    def _question(self, prediction_type: str | None, start: int, end: int) -> Values | Labels:
        if prediction_type is None:
            prediction_type = default_prediction(self._fitted())
        return super()._question(prediction_type, start, end)

    def _new_model(self) -> Any:
        from catboost import CatBoostRegressor

        return CatBoostRegressor()
