"""The classifier that users import."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin

from gbdist.errors import DataError
from gbdist.estimators.fitted import label_array
from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.networks.prediction import (
    LOG_PROBABILITY,
    PROBABILITY,
    NetworkFlags,
    NetworkLabels,
    NetworkValues,
)
from gbdist.estimators.prediction.questions import Question
from gbdist.estimators.prediction.scoring import label_moments
from gbdist.estimators.preparation.inputs import is_lazy


class DaskMLPClassifier(ClassifierMixin, DaskMLP):  # type: ignore[misc]  # scikit-learn is not typed
    """Trains a multilayer perceptron on the log loss, on a Dask cluster; scikit-learn's MLPClassifier for any size of data.

    Several labels a row are given as a matrix of 0 and 1; ``predict`` then gives one, and ``classes_`` are the labels' numbers.

    Parameters
    ----------
    hidden_layer_sizes, activation, … : see ``NetworkHyperparameters``; left out: what ``preset`` says
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Fewer than 10,000 rows in memory are trained in this process, without a cluster.

    Attributes
    ----------
    model_ : NetworkModel
    classes_ : array of the labels as they came, sorted
    coefs_, intercepts_, n_layers_, n_outputs_, out_activation_, n_iter_, t_, loss_curve_, loss_, best_loss_, \
validation_scores_, best_validation_score_ : as scikit-learn's
        ``validation_scores_`` are values of the metric that decides: the smaller the better, if it is a loss.
    n_features_in_, feature_names_in_ : as scikit-learn's
    cat_features_ : positions of the categorical columns
    evals_result_ : {data set: {metric: [value of each epoch]}}
    best_iteration_ : the epoch whose parameters the model has, from 0, with ``early_stopping``; else None
    """

    _is_classifier = True

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch over X and y, from where the model is; the first call needs all ``classes`` that there will be.

        Columns are scaled, and categories known, as in the first call.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, float64 [n_rows, n_classes] in the order of ``classes_``; columns are their names."""
        return self._answer(X, self._values(PROBABILITY))

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of ``predict_proba``, also where that is too small for a number."""
        return self._answer(X, self._values(LOG_PROBABILITY))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on X and y, with weights; of several labels a row the share of rows where all are right.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        if is_lazy(X):
            return self._lazy_moments(X, y, sample_weight, label_moments).accuracy
        return float(super().score(X, y, sample_weight))

    def __sklearn_tags__(self) -> Any:
        """A row may have several labels."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _values(self, kind: str) -> NetworkValues:
        self._fitted()
        return NetworkValues(kind, self._class_names(), several=self._several)

    @property
    def _several(self) -> bool:
        """Whether a row has several labels."""
        spec = self.model_.spec
        return spec.output == "logistic" and spec.n_outputs > 1

    def _predicted(self) -> Question:
        self._fitted()
        if self._several:
            return NetworkFlags(self._class_names())
        return NetworkLabels(self.classes_)

    def _take_classes(self, model: NetworkModel) -> None:
        self.classes_ = label_array(model.classes or ())

    def _known_classes(self, classes: Any) -> tuple[Any, ...] | None:
        known = self.model_.classes if hasattr(self, "model_") else None
        if classes is None:
            if known is None:
                fix = "Pass partial_fit(X, y, classes=all_labels)."
                raise DataError("classes", "None", "all labels, on the first call to partial_fit", fix)
            return known
        given = tuple(np.unique(np.asarray(classes)).tolist())
        if known is not None and given != known:
            found, expected = f"{list(given)!r}", f"{list(known)!r}, as on the first call to partial_fit"
            raise DataError("classes", found, expected, "Leave it out after the first call.")
        return given
