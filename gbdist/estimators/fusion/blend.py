"""What weighs the members of a stack where the user names no final estimator: linear models that begin at the members' mean.

Both are fitted by sums over pieces of rows, so that predictions stay where they are.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize, nnls
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from gbdist.estimators.fusion.places import Here, Place

#: Probabilities below are taken to be that, before their logarithm.
_LEAST = 1e-6
#: How strongly coefficients are held at the mean's, in rows.
_HELD = 1.0
_MOST_PASSES = 200
#: Relative change of the loss at which a fit ends.
_CLOSE = 1e-6


class BlendClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """Softmax of a linear function of the logarithms of all members' probabilities.

    Its coefficients minimize the log loss plus half the squared distance from those of the geometric mean of the members, which
    are 1/n_members for a class's own logarithms, and 0 for others'. So few rows give the mean, and many whatever corrects and
    weighs the members best.

    Attributes
    ----------
    classes_ : array of labels
    coef_ : float64 [n_members × n_classes, n_classes], of the logarithms, a member after another
    intercept_ : float64 [n_classes]
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on probabilities of members, float64 [n_rows, n_members × n_classes]; of two classes the second's alone."""
        classes, codes = np.unique(np.asarray(y), return_inverse=True)
        return self.fit_pieces(Here(), [np.asarray(X)], [codes], [sample_weight], classes)

    def fit_pieces(
        self, place: Place, X: Sequence[Any], codes: Sequence[Any], weights: Sequence[Any], classes: NDArray[Any]
    ) -> Self:
        """The same of pieces that lie in ``place``, some dozen times; ``codes`` are numbers of classes."""
        n_classes = len(classes)
        features = place.map(log_features, X, n_classes=n_classes)
        sums = place.fetch(place.map(_square_sums, features, weights))
        squares, total, n_rows = (sum(each[k] for each in sums) for k in range(3))
        n_members = (len(squares) - 1) // n_classes
        mean = np.vstack([np.tile(np.eye(n_classes), (n_members, 1)), np.zeros((1, n_classes))]) / n_members
        held = _HELD * total / n_rows
        # The log loss curves at most as half these squares do (Böhning 1992, theorem 1): steps are taken where they are 1.
        root = cholesky(squares / 2 + held * np.eye(len(squares)))

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            apart = solve_triangular(root, flat.reshape(-1, n_classes))
            parts = place.fetch(place.map(_loss_sums, features, codes, weights, coef=mean + apart))
            value = sum(part[0] for part in parts) + held / 2 * (apart**2).sum()
            slope = sum(part[1] for part in parts) + held * apart
            return value / total, (solve_triangular(root, slope, trans=1) / total).ravel()

        options = {"maxfun": _MOST_PASSES, "ftol": _CLOSE}
        found = minimize(loss, np.zeros(mean.size), jac=True, method="L-BFGS-B", options=options)
        coef = mean + solve_triangular(root, found.x.reshape(-1, n_classes))
        self.classes_, self.coef_, self.intercept_ = classes, coef[:-1], coef[-1]
        self.n_passes_ = int(found.nfev)
        place.drop(features)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, float64 [n_rows, n_classes]."""
        features = log_features(np.asarray(X, dtype=np.float64), n_classes=len(self.classes_))
        return _softmax(features @ np.vstack([self.coef_, self.intercept_]))[0]

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of the largest probability."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class BlendRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """Average of the members with the weights, none negative and of sum 1, that minimize the squared error.

    Attributes
    ----------
    coef_ : float64 [n_members], the weights
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on predictions of members, float64 [n_rows, n_members]."""
        return self.fit_pieces(Here(), [np.asarray(X)], [np.asarray(y, dtype=np.float64)], [sample_weight])

    def fit_pieces(self, place: Place, X: Sequence[Any], y: Sequence[Any], weights: Sequence[Any]) -> Self:
        """The same of pieces that lie in ``place``, in one pass over them."""
        squares = sum(place.fetch(place.map(_error_sums, X, y, weights)))
        self.coef_ = simplex_weights(np.asarray(squares))
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """float64 [n_rows]."""
        return np.asarray(np.asarray(X, dtype=np.float64) @ self.coef_)


def simplex_weights(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The a ≥ 0 of sum 1 that minimizes aᵀ ``squares`` a, for a matrix of sums of products of errors.

    It is where aᵀSa + s(1 − Σa)² is least, scaled to the sum 1: whatever s, its direction is that of the best weights.
    """
    n_members = len(squares)
    size = float(np.trace(squares)) / n_members
    if size <= 0.0:  # nobody errs
        return np.full(n_members, 1.0 / n_members)
    values, vectors = np.linalg.eigh(squares / size)
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    weights, _ = nnls(np.vstack([root, np.ones(n_members)]), np.append(np.zeros(n_members), 1.0))
    return np.asarray(weights / weights.sum())


def log_features(X: NDArray[np.float64], *, n_classes: int) -> NDArray[np.float64]:
    """Logarithms of probabilities and a column of ones, float64 [n_rows, n_members × n_classes + 1]."""
    if n_classes == 2:
        X = np.stack([1.0 - X, X], axis=2).reshape(len(X), 2 * X.shape[1])  # also of no rows
    return np.hstack([np.log(np.clip(X, _LEAST, 1.0)), np.ones((len(X), 1))])


def _softmax(raw: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities, and the logarithm of each row's sum of exponentials."""
    most = raw.max(axis=1, keepdims=True)
    powers = np.exp(raw - most)
    total = powers.sum(axis=1, keepdims=True)
    return powers / total, (most + np.log(total))[:, 0]


def _square_sums(features: NDArray[np.float64], weight: Any) -> tuple[NDArray[np.float64], float, int]:
    """Σ w x xᵀ, Σ w and the number of rows of a piece."""
    w = _weights(weight, len(features))
    return (features * w[:, None]).T @ features, float(w.sum()), len(features)


def _loss_sums(
    features: NDArray[np.float64], codes: NDArray[np.int64], weight: Any, *, coef: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Σ w × log loss of a piece, and its derivative by the coefficients."""
    w = _weights(weight, len(features))
    raw = features @ coef
    proba, log_sum = _softmax(raw)
    rows = np.arange(len(raw))
    value = float((w * (log_sum - raw[rows, codes])).sum())
    proba[rows, codes] -= 1.0
    return value, features.T @ (proba * w[:, None])


def _error_sums(X: NDArray[np.float64], y: NDArray[np.float64], weight: Any) -> NDArray[np.float64]:
    """Σ w e eᵀ of a piece, e the errors of all members."""
    errors = X - y[:, None]
    w = _weights(weight, len(errors))
    return np.asarray((errors * w[:, None]).T @ errors)


def _weights(weight: Any, n_rows: int) -> NDArray[np.float64]:
    """Weight of each row of a piece, 1 where there are none."""
    return np.ones(n_rows) if weight is None else np.asarray(weight, dtype=np.float64)
