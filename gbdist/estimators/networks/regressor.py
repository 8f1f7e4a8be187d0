"""The regressor that users import."""

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.networks.prediction import RAW, NetworkValues
from gbdist.estimators.prediction.questions import Question
from gbdist.estimators.prediction.scoring import number_moments, require_columns
from gbdist.estimators.preparation.inputs import is_lazy


class DaskMLPRegressor(RegressorMixin, DaskMLP):  # type: ignore[misc]  # scikit-learn is not typed
    """Trains a multilayer perceptron on the squared error, on a Dask cluster; scikit-learn's MLPRegressor for any size of data.

    Several numbers a row are given as a matrix; ``predict`` then gives one.

    Parameters
    ----------
    hidden_layer_sizes, activation, … : see ``NetworkHyperparameters``; left out: what ``preset`` says
        Unless ``scaling`` is "none", targets are standardized for training, and losses are told in that unit.
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Fewer than 10,000 rows in memory are trained in this process, without a cluster.

    Attributes
    ----------
    model_ : NetworkModel
    coefs_, intercepts_, n_layers_, n_outputs_, out_activation_, n_iter_, t_, loss_curve_, loss_, best_loss_, \
validation_scores_, best_validation_score_ : as scikit-learn's
        ``validation_scores_`` are values of the metric that decides: the smaller the better, if it is a loss.
    n_features_in_, feature_names_in_ : as scikit-learn's
    cat_features_ : positions of the categorical columns
    evals_result_ : {data set: {metric: [value of each epoch]}}
    best_iteration_ : the epoch whose parameters the model has, from 0, with ``early_stopping``; else None
    """

    _is_classifier = False

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over X and y, from where the model is; columns are scaled, and categories known, as in the first call."""
        return self._partial_fit(X, y, sample_weight, None)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² on X and y, with weights; of several numbers a row the mean of theirs.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        if is_lazy(X):
            return self._lazy_moments(X, y, sample_weight, number_moments).r2
        predicted = self.predict(X)
        require_columns(y, predicted)
        return float(r2_score(y, predicted, sample_weight=sample_weight))

    def _predicted(self) -> Question:
        self._fitted()
        return NetworkValues(RAW)
