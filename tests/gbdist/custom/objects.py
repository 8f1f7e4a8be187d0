"""Losses and metrics as users write them, in both forms; the tests import them, as workers would.

``no_jit`` keeps CatBoost from compiling their methods with Numba.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Logistic:
    """Log-loss, vectorised."""

    def derivatives(self, predictions: Array, label: Array) -> tuple[Array, Array]:
        p = 1.0 / (1.0 + np.exp(-predictions[0]))
        return label - p, -p * (1.0 - p)


class LogisticByRange:
    """Log-loss, as CatBoost wants it."""

    no_jit = True

    def calc_ders_range(self, approxes: Array, targets: Array, weights: Array | None) -> list[tuple[float, float]]:
        p = 1.0 / (1.0 + np.exp(-np.asarray(approxes)))
        w = np.ones(len(p)) if weights is None else np.asarray(weights)
        return list(zip(w * (targets - p), -w * p * (1.0 - p), strict=True))


class Squared:
    """Half the squared error, vectorised."""

    def derivatives(self, predictions: Array, label: Array) -> tuple[Array, Array]:
        return label - predictions[0], np.full(label.shape, -1.0)


class SquaredByRange:
    """Half the squared error, as CatBoost wants it."""

    no_jit = True

    def calc_ders_range(self, approxes: Array, targets: Array, weights: Array | None) -> Array:
        w = np.ones(len(targets)) if weights is None else np.asarray(weights, np.float64)
        return np.stack([w * (targets - np.asarray(approxes)), -w], axis=1)


class Softmax:
    """Cross-entropy of several classes, vectorised."""

    hessian = "full"

    def derivatives(self, predictions: Array, label: Array) -> tuple[Array, Array]:
        e = np.exp(predictions - predictions.max(axis=0))
        p = e / e.sum(axis=0)
        classes = np.arange(len(p))
        second = p[:, None] * p[None]
        second[classes, classes] -= p
        return (classes[:, None] == label) - p, second


class SoftmaxByRow:
    """Cross-entropy of several classes, as CatBoost wants it."""

    no_jit = True

    def calc_ders_multi(self, approxes: Array, target: float, weight: float) -> tuple[list[float], list[list[float]]]:
        e = np.exp(np.asarray(approxes) - max(approxes))
        p = e / e.sum()
        first = -p
        first[int(target)] += 1.0
        return (weight * first).tolist(), (weight * (np.outer(p, p) - np.diag(p))).tolist()


class MeanLoss:
    """Log-loss, vectorised."""

    def is_max_optimal(self) -> bool:
        return False

    def row_values(self, predictions: Array, label: Array) -> Array:
        return np.log1p(np.exp(predictions[0])) - label * predictions[0]


class MeanLossByRow:
    """Log-loss, as CatBoost wants it."""

    no_jit = True

    def is_max_optimal(self) -> bool:
        return False

    def evaluate(self, approxes: Any, target: Array, weight: Array | None) -> tuple[float, float]:
        w = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64)
        raw = np.asarray(approxes[0])
        return float((w * (np.log1p(np.exp(raw)) - target * raw)).sum()), float(w.sum())

    def get_final_error(self, error: float, weight: float) -> float:
        return error / weight
