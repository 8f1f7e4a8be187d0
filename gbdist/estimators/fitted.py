"""What estimators of trees and of networks share: what a fit leaves beside its model, and scores of collections."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning, NotFittedError

from gbdist.errors import DataError
from gbdist.estimators.kept_parameters import KeptParameters
from gbdist.estimators.prediction.answers import CATBOOST, Family, Job, answer_shape
from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.prediction.questions import Question, text_of
from gbdist.estimators.prediction.scoring import Compare, Moments, lazy_moments
from gbdist.estimators.preparation.inputs import collect, is_lazy


class Fitted(KeptParameters):
    """An estimator whose ``fit`` leaves ``model_``."""

    _family: ClassVar[Family] = CATBOOST
    model_: Any

    if TYPE_CHECKING:

        def _expected(self) -> Expected:
            """The columns that the model expects."""
            ...

        def _predicted(self) -> Question:
            """What ``predict`` asks of the model."""
            ...

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a model."""
        return hasattr(self, "model_")

    def _require_fit(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before "
                "using this estimator."
            )

    def _fitted(self) -> Any:
        self._require_fit()
        return self.model_

    def _check_target(self, X: Any, y: Any) -> None:
        """What scikit-learn says about y in the same words; whatever needs the data is checked when they are read."""
        if y is None and not is_pool(X):
            raise DataError(
                "y",
                f"None: {type(self).__name__} requires y to be passed, but the target y is None",
                "one value a row, or the name of a column of X",
                "Pass fit(X, y).",
            )
        if not is_lazy(y) and getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
            warn(
                "A column-vector y was passed when a 1d array was expected. Pass y.ravel() or the column itself.",
                DataConversionWarning,
                stacklevel=3,
            )

    def _class_names(self) -> tuple[str, ...]:
        """Labels as text, in the order of ``classes_``; none where there are none."""
        labels = getattr(self, "classes_", None)
        return () if labels is None else text_of(np.asarray(labels).tolist())

    def _take_columns(self, n_features: int, labels: tuple[Hashable, ...] | None) -> None:
        """Remember the columns that were trained on; ``labels`` are those of a frame."""
        self.n_features_in_ = n_features
        self._column_labels = labels
        if labels is not None and all(isinstance(label, str) for label in labels):
            self.feature_names_in_ = np.asarray(labels, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _lazy_moments(self, X: Any, y: Any, sample_weight: Any, compare: Compare) -> Moments:
        """Predict and compare every partition of a collection where it is; y and the weight may name columns of X."""
        model = self._fitted()
        parts = collect(X, y, sample_weight)
        expected = self._expected()
        expected.check(parts.features if parts.labels is None else parts.features[list(parts.labels)])
        question = self._predicted()
        job = Job(question, expected, *answer_shape(model, question, expected, self._family), self._family)
        return lazy_moments(model, parts, job, compare, scheduler_of(self.client))


def is_pool(X: Any) -> bool:
    """Whether X is a DaskPool."""
    # By name: whoever has none need not load what a pool needs.
    return type(X).__name__ == "DaskPool"


def as_list(eval_set: Any) -> list[Any]:
    """Several eval sets as a list; a tuple is one of them, (X, y) or (X, y, sample_weight)."""
    if eval_set is None:
        return []
    return list(eval_set) if isinstance(eval_set, list) else [eval_set]


def label_array(labels: Sequence[Hashable]) -> NDArray[Any]:
    """Labels as an array that keeps what they are."""
    array = np.asarray(labels)
    # NumPy turns labels of several types into text; they stay what they are as objects.
    if any(got != given for got, given in zip(array.tolist(), labels, strict=True)):
        array = np.empty(len(labels), dtype=object)
        array[:] = labels
    return array


def scheduler_of(client: Any) -> Any:
    """What ``dask.compute`` should run on: the estimator's own client, if it has one, else whatever is current."""
    if client is None:
        return None
    from gbdist.estimators.clusters import resolve_client

    return resolve_client(client)
