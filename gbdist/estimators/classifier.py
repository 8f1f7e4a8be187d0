"""The classifier that users import."""

from collections.abc import Hashable, Sequence
from math import log
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.fitted import label_array
from gbdist.estimators.prediction.questions import LabelFlags, Labels, Values
from gbdist.estimators.prediction.scoring import label_moments
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.models.loss import has_several_labels


class DaskCatBoostClassifier(ClassifierMixin, DaskCatBoost):  # type: ignore[misc]  # scikit-learn is not typed
    """Trains a CatBoost classifier on a Dask cluster; what comes out is a plain ``catboost.CatBoostClassifier``.

    Losses: ``Logloss`` (default for two classes), ``CrossEntropy``, ``MultiClass`` (default for more), ``MultiClassOneVsAll``,
    and for two classes ``Focal:focal_alpha=…;focal_gamma=…``. ``MultiLogloss`` and ``MultiCrossEntropy`` are for several labels a
    row, a column of 0 and 1 (or probabilities) each; ``predict`` then gives a column each, and ``classes_`` are their numbers.

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
    model_ : catboost.CatBoostClassifier
    classes_ : array of the labels as they came, sorted; or in the order of ``class_weights``, if that is a dictionary
    n_features_in_, feature_names_in_ : as scikit-learn's
    cat_features_ : positions of the categorical columns
    evals_result_ : {data set: {metric: [value of each iteration]}}
    best_iteration_, best_score_ : of the eval set
    """

    _is_classifier = True
    _prediction_types = ("Class", "RawFormulaVal", "Probability", "LogProbability")

    def predict_proba(self, X: Any, ntree_start: int = 0, ntree_end: int = 0) -> Any:
        """Probability of each class, float64 [n_rows, n_classes] in the order of ``classes_``; columns are their names."""
        return self.predict(X, "Probability", ntree_start, ntree_end)

    def predict_log_proba(self, X: Any, ntree_start: int = 0, ntree_end: int = 0) -> Any:
        """Logarithm of ``predict_proba``."""
        return self.predict(X, "LogProbability", ntree_start, ntree_end)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on X and y, with weights; of several labels a row the share of rows where all are right.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        if is_lazy(X):
            return self._lazy_moments(X, y, sample_weight, label_moments).accuracy
        return float(super().score(X, y, sample_weight))

    def _question(self, prediction_type: str | None, start: int, end: int) -> Values | Labels | LabelFlags:
        question = super()._question(prediction_type, start, end)
        if prediction_type not in (None, "Class"):
            return question
        threshold = float(self.model_.get_probability_threshold())
        border = 0.0 if threshold == 0.5 else log(threshold / (1.0 - threshold))
        trees = self._trees(start, end)
        if has_several_labels(self.model_):
            return LabelFlags(self._class_names(), border, trees)
        return Labels(self.classes_, border, trees)

    def _new_model(self) -> Any:
        from catboost import CatBoostClassifier

        return CatBoostClassifier()

    def _take_classes(self, model: Any, class_names: Sequence[Hashable] | None) -> None:
        self.classes_ = np.asarray(model.classes_) if class_names is None else label_array(class_names)
