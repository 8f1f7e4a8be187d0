"""The regressor that users import."""

from typing import Any

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.prediction.questions import LabelFlags, Labels, Values
from gbdist.estimators.prediction.scoring import mean_moments, number_moments, require_columns
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.models.loss import WITH_VARIANCE, default_prediction, loss_of


class DaskCatBoostRegressor(RegressorMixin, DaskCatBoost):  # type: ignore[misc]  # scikit-learn is not typed
    """Trains a CatBoost regressor on a Dask cluster; what comes out is a plain ``catboost.CatBoostRegressor``.

    Losses: ``RMSE`` (default), ``MAE``, ``Quantile:alpha=…``, ``MAPE``, ``Huber:delta=…``, ``Expectile:alpha=…``, ``LogCosh``,
    ``Lq:q=…``, ``LogLinQuantile:alpha=…``; of labels that are not negative ``Poisson`` and ``Tweedie:variance_power=…``, whose
    ``predict`` is e to the raw value by default, as CatBoost's. ``MultiQuantile:alpha=…,…`` predicts several quantiles a row,
    ``RMSEWithUncertainty`` mean and variance. ``MultiRMSE`` and ``MultiRMSEWithMissingValues`` are for several labels a row,
    ``SurvivalAft:dist=…;scale=…`` for two, the ends of a time (-1: none); it predicts the logarithm of the time.
    ``Cox`` ranks by hazard: its labels are times, negative where nothing happened.

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
    _prediction_types = ("RawFormulaVal", "Exponent", "RMSEWithUncertainty")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² on X and y, with weights; of several labels the mean of theirs, of ``RMSEWithUncertainty`` that of the mean.

        Of ``Cox`` and ``SurvivalAft`` predictions are no times, so that R² says little: compare by their metrics.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        with_variance = loss_of(self._fitted()) == WITH_VARIANCE
        if is_lazy(X):
            compare = mean_moments if with_variance else number_moments
            return self._lazy_moments(X, y, sample_weight, compare).r2
        if with_variance:
            return float(r2_score(y, self.predict(X)[:, 0], sample_weight=sample_weight))
        predicted = self.predict(X)
        require_columns(y, predicted)
        return float(r2_score(y, predicted, sample_weight=sample_weight))

    def _question(self, prediction_type: str | None, start: int, end: int) -> Values | Labels | LabelFlags:
        if prediction_type is None:
            prediction_type = default_prediction(self._fitted())
        return super()._question(prediction_type, start, end)

    def _new_model(self) -> Any:
        from catboost import CatBoostRegressor

        return CatBoostRegressor()
