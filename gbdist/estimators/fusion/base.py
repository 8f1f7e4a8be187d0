"""What all ensembles share: members that are fitted one after another on the same rows, columns, scores."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Bunch, get_tags

from gbdist.errors import DataError
from gbdist.estimators.clusters import resolve_client
from gbdist.estimators.fitted import Fitted, is_pool, scheduler_of
from gbdist.estimators.fusion.answers import Asked, Fusion, Voice, fused
from gbdist.estimators.fusion.members import (
    DROP,
    Team,
    checked_members,
    fit_member,
    fresh,
    require_collections,
    require_weights,
)
from gbdist.estimators.fusion.rows import FitRows, several_labels
from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.prediction.questions import text_of
from gbdist.estimators.prediction.scoring import (
    Compare,
    Moments,
    compared,
    label_moments,
    moments_of_parts,
    number_moments,
)
from gbdist.estimators.preparation.inputs import Parts, collect, is_lazy
from gbdist.estimators.preparation.tables import as_table
from gbdist_cluster.monitor.reporting import part_of_run

_POOL = "Pass the collection that it was made of: members of other kinds need raw values."


class Ensemble(Team, Fitted):
    """Estimators that answer together. Use ``DaskVotingClassifier`` or one of its siblings."""

    _is_classifier: ClassVar[bool] = False
    estimators_: list[Any]
    classes_: NDArray[Any]

    def predict(self, X: Any) -> Any:
        """Predict; lazily on a Dask collection, with X's index and divisions or chunks of rows, else at once."""
        self._require_fit()
        dtype = self.classes_.dtype if self._is_classifier else np.dtype(np.float64)
        return self._answer(X, Asked("predict", (), dtype))

    @property
    def named_estimators_(self) -> Bunch:
        """The fitted members by name; those that were dropped are "drop"."""
        self._require_fit()
        fitted = iter(self.estimators_)
        return Bunch(**{name: DROP if each == DROP else next(fitted) for name, each in self._named()})

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are fitted members."""
        return hasattr(self, "estimators_")

    def __sklearn_tags__(self) -> Any:
        """What all members take is taken."""
        tags = super().__sklearn_tags__()
        of_members = [get_tags(each).input_tags for _, each in self._named() if hasattr(each, "fit")]
        tags.input_tags.allow_nan = all(each.allow_nan for each in of_members)
        tags.input_tags.sparse = all(each.sparse for each in of_members)
        tags.input_tags.categorical = all(each.categorical for each in of_members)
        return tags

    # ---- what the ensembles differ in

    def _fusion(self) -> Fusion:
        """What is made of the members' answers."""
        raise TypeError(
            "use DaskVotingClassifier, DaskVotingRegressor, DaskStackingClassifier or DaskStackingRegressor"
        )

    # ---- fit

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[list[tuple[str, Any]], Parts]:
        """The members that take part, and the data; nothing is computed."""
        members = checked_members(self, classifier=self._is_classifier)
        if is_pool(X):
            raise DataError("X", "a DaskPool", "rows with their raw values", _POOL)
        self._check_target(X, y)
        parts = collect(X, y, sample_weight)
        if not parts.lazy and parts.label is not None and parts.label.ndim == 2:
            raise several_labels(parts.label.shape[1])
        if len(parts.label_columns) > 1:
            raise several_labels(len(parts.label_columns))
        if parts.lazy:
            require_collections(members)
        if parts.has_weight:
            require_weights(members)
        return members, parts

    def _client(self) -> Any:
        return resolve_client(self.client)

    def _fitted_member(self, estimator: Any, data: Sequence[Any], part: str) -> Any:
        """A member, fitted on X, y and weight; the board calls the run ``part`` of the ensemble's fit."""
        with part_of_run(f"{part} of {type(self).__name__}"):
            return fit_member(fresh(estimator, self.client), *data)

    def _learn_labels(self, rows: FitRows) -> NDArray[Any] | None:
        """The labels of a classifier."""
        return rows.labels() if self._is_classifier else None

    def _adopt(self, parts: Parts, fitted: Sequence[Any], classes: NDArray[Any] | None) -> None:
        self._take_columns(len(parts.feature_names), parts.labels)
        self._names = parts.feature_names
        self.estimators_ = list(fitted)
        if classes is not None:
            self.classes_ = classes

    # ---- predict

    def _expected(self) -> Expected:
        return Expected(self.n_features_in_, self._column_labels, type(self).__name__, self._names)

    def _answer(self, X: Any, asked: Asked) -> Any:
        X = X if is_lazy(X) else as_table(X)
        self._expected().check(X)
        return fused(self._fusion(), self.estimators_, X, asked)

    def _voices(self, methods: Sequence[str]) -> list[Voice]:
        classes = self.classes_ if self._is_classifier else None
        names = [name for name, each in self._named() if each != DROP]
        return [
            Voice.of(member, method, name, classes)
            for member, method, name in zip(self.estimators_, methods, names, strict=True)
        ]

    def _of_classes(self, kind: str) -> Asked:
        self._require_fit()
        names = text_of(self.classes_.tolist())
        return Asked(kind, (len(names),), np.dtype(np.float64), names)

    def _lazy_moments(self, X: Any, y: Any, sample_weight: Any, compare: Compare) -> Moments:
        parts = collect(X, y, sample_weight)
        features = X if parts.labels is None else X[list(parts.labels)]
        scheduler = scheduler_of(self.client)
        return moments_of_parts(_compared_piece, parts, compare, scheduler, others=[self.predict(features)])


def _compared_piece(x: Any, y: Any, w: Any, predicted: Any, *, compare: Compare, layout: Any, number: int) -> Moments:
    return compared(x, y, w, compare, layout, number, lambda _: np.asarray(predicted))


class EnsembleClassifier(ClassifierMixin, Ensemble):  # type: ignore[misc]  # scikit-learn is not typed
    """What ensembles of classifiers share."""

    _is_classifier = True

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on X and y, with weights.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        if is_lazy(X):
            return self._lazy_moments(X, y, sample_weight, label_moments).accuracy
        return float(super().score(X, y, sample_weight))


class EnsembleRegressor(RegressorMixin, Ensemble):  # type: ignore[misc]  # scikit-learn is not typed
    """What ensembles of regressors share."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² on X and y, with weights.

        On Dask collections every partition is predicted and compared where it is, and only sums travel; y and the weight may
        then be names of columns of X.
        """
        if is_lazy(X):
            return self._lazy_moments(X, y, sample_weight, number_moments).r2
        return float(super().score(X, y, sample_weight))
