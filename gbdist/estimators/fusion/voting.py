"""Members that vote: the average of their predictions, or the label that most of them give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ParameterError
from gbdist.estimators.fusion.answers import Voice
from gbdist.estimators.fusion.base import Ensemble, EnsembleClassifier, EnsembleRegressor
from gbdist.estimators.fusion.members import checked_weights, require_method
from gbdist.estimators.fusion.rows import rows_of


@dataclass(frozen=True, eq=False)
class Vote:
    """Weighs the members' answers; ``hard`` counts labels, else values are averaged."""

    voices: Sequence[Voice]
    weights: NDArray[np.float64]
    classes: NDArray[Any] | None
    hard: bool = False
    sees_rows: ClassVar[bool] = False

    def answer(self, kind: str, rows: Any, columns: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
        """Labels, probabilities or numbers; of labels with as many votes the first in the order of the classes."""
        if self.classes is None:
            return np.asarray(sum(w * each[:, 0] for w, each in zip(self.weights, columns, strict=True)))
        if self.hard:
            numbers = np.arange(len(self.classes))
            columns = [(each == numbers).astype(np.float64) for each in columns]
        average = np.asarray(sum(w * each for w, each in zip(self.weights, columns, strict=True)))
        return average if kind == "predict_proba" else np.asarray(self.classes[average.argmax(axis=1)])


class _Voting(Ensemble):
    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        weights: Sequence[float] | None = None,
        client: Any = None,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.client = client

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit every member on all rows; everything given is checked before anything is started.

        Partitions of collections are computed once and held on the workers by Dask until the last member is fitted.

        Parameters
        ----------
        X : Dask DataFrame or Array, pandas or polars DataFrame, NumPy array, PyArrow table, scipy sparse matrix
            Features, [n_rows, n_features].
        y : vector, or name of a column of X
            One label or number a row.
        sample_weight : vector, or name of a column of X, optional
            All members must take it.

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        members, parts = self._checked(X, y, sample_weight)
        self._check_votes(members)
        every, kept = [name for name, _ in self._named()], [name for name, _ in members]
        weights = checked_weights(self.weights, every, kept)
        with rows_of(parts, self._client) as rows:
            classes = self._learn_labels(rows)
            data = rows.whole()
            fitted = [self._fitted_member(estimator, data, name) for name, estimator in members]
        self._adopt(parts, fitted, classes)
        self._shares = weights
        return self

    def _check_votes(self, members: Sequence[tuple[str, Any]]) -> None:
        """What a kind of voting needs of its members."""

    def _fusion(self) -> Vote:
        return Vote(self._voices(["predict"] * len(self.estimators_)), self._shares, None)


class DaskVotingClassifier(EnsembleClassifier, _Voting):
    """Classifiers of any kind that vote, on Dask collections or in memory; scikit-learn's VotingClassifier.

    Parameters
    ----------
    estimators : list of (name, estimator); "drop" in place of an estimator leaves it out
        ``set_params(trees="drop", network__max_iter=20)`` changes members by their names. For collections they must take
        collections, as gbdist's do.
    voting : "soft" or "hard"
        Whether probabilities are averaged (the default, and not scikit-learn's), or labels counted.
    weights : list of numbers, one a member, optional
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Members without one of their own have it too.

    Attributes
    ----------
    estimators_, named_estimators_, classes_, n_features_in_, feature_names_in_ : as scikit-learn's
    """

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        voting: str = "soft",
        weights: Sequence[float] | None = None,
        client: Any = None,
    ) -> None:
        super().__init__(estimators, weights=weights, client=client)
        self.voting = voting

    def predict_proba(self, X: Any) -> Any:
        """Average probability of each class, float64 [n_rows, n_classes] in the order of ``classes_``; of soft voting only."""
        if self.voting == "hard":
            raise ParameterError("voting", self.voting, '"soft" for predict_proba', "Fit it with soft voting.")
        return self._answer(X, self._of_classes("predict_proba"))

    def _check_votes(self, members: Sequence[tuple[str, Any]]) -> None:
        if self.voting not in ("soft", "hard"):
            raise ParameterError("voting", self.voting, '"soft" or "hard"', "Leave it out for soft.")
        if self.voting == "soft":
            require_method(members, "predict_proba", 'Use voting="hard", which counts labels.')

    def _fusion(self) -> Vote:
        hard = self.voting == "hard"
        method = "predict" if hard else "predict_proba"
        return Vote(self._voices([method] * len(self.estimators_)), self._shares, self.classes_, hard)


class DaskVotingRegressor(EnsembleRegressor, _Voting):
    """Regressors of any kind whose predictions are averaged, on Dask collections or in memory; scikit-learn's VotingRegressor.

    Parameters
    ----------
    estimators : list of (name, estimator); "drop" in place of an estimator leaves it out
        ``set_params(trees="drop", network__max_iter=20)`` changes members by their names. For collections they must take
        collections, as gbdist's do.
    weights : list of numbers, one a member, optional
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Members without one of their own have it too.

    Attributes
    ----------
    estimators_, named_estimators_, n_features_in_, feature_names_in_ : as scikit-learn's
    """
