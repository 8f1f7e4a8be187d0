"""The losses in NumPy: what the kernels of ``cpu_losses`` must equal, bit for bit.

Shapes and types, here and there:

label : float32 [n], IN. Target value, or number of the class.
weight : float32 [n], IN. Without elements where every weight is 1.
prediction(s) : float64 [n], or [n_classes, n], IN. Raw values.
positive : target that a label stands for: −1 itself (a probability), −2 whether it is above ½, else whether it is that class
leaf_of_row : uint16 [n], IN
shift : float64 [n_leaves, dimension], IN. Added to the prediction of the leaf's rows.
scales : float64 [4], IN. Powers of two for loss, weight, first and second derivative; 0 leaves these columns out.
sums : int64 [n_leaves, n_sums], IN and OUT. Columns as in ``gbdist.objectives.base.Objective``; ``sums[0, 0]`` gets the loss of
    all rows.
out : float64, as prediction(s), OUT. Weight × derivative of minus the loss.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.elementary import (
    decay_array,
    exp_array,
    log_array,
    sigmoid_array,
    sigmoid_of_decay_array,
    softplus_of_decay_array,
)

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]
_U2: TypeAlias = NDArray[np.uint16]
_I8: TypeAlias = NDArray[np.int64]


def residual_derivatives(label: _F4, weight: _F4, prediction: _F8, out: _F8) -> None:
    """Derivative of minus half the squared error: label − prediction."""
    out[:] = (label.astype(np.float64) - prediction) * _ones_or(weight, label)


def logistic_derivatives(label: _F4, weight: _F4, prediction: _F8, positive: int, out: _F8) -> None:
    """Derivative of the log-likelihood: target − sigmoid."""
    out[:] = (target(label, positive) - sigmoid_array(prediction)) * _ones_or(weight, label)


def softmax_derivatives(label: _F4, weight: _F4, predictions: _F8, out: _F8) -> None:
    """Derivative of the log-likelihood of the label's class: [k = label] − softmax_k."""
    p, _, _ = _softmax(predictions)
    w = _ones_or(weight, label)
    for k in range(predictions.shape[0]):
        out[k] = ((label == k).astype(np.float64) - p[k]) * w


def add_residual_leaf_sums(
    label: _F4, weight: _F4, prediction: _F8, leaf_of_row: _U2, shift: _F8, scales: _F8, sums: _I8
) -> None:
    """Columns: half the squared error, weight, residual, −1."""
    w = _ones_or(weight, label)
    d = label.astype(np.float64) - (prediction + shift[leaf_of_row, 0])
    _add_loss(0.5 * d * d * w, scales[0], sums)
    for column, value in enumerate((w, d * w, -1.0 * w), start=1):
        _add(value, scales[column], leaf_of_row, sums[:, column])


def add_logistic_leaf_sums(
    label: _F4, weight: _F4, prediction: _F8, leaf_of_row: _U2, shift: _F8, positive: int, scales: _F8, sums: _I8
) -> None:
    """Columns: log-loss, weight, target − p, −p(1 − p); for positive ≥ 0 those of that class, and the weight once."""
    k = max(positive, 0)
    w, y = _ones_or(weight, label), target(label, positive)
    a = prediction + shift[leaf_of_row, k]
    e = decay_array(a)
    p = sigmoid_of_decay_array(a, e)
    _add_loss((softplus_of_decay_array(a, e) - y * a) * w, scales[0], sums)
    if k == 0:
        _add(w, scales[1], leaf_of_row, sums[:, 1])
    _add((y - p) * w, scales[2], leaf_of_row, sums[:, 2 + k])
    _add(-p * (1.0 - p) * w, scales[3], leaf_of_row, sums[:, 2 + (sums.shape[1] - 2) // 2 + k])


def add_softmax_leaf_sums(
    label: _F4, weight: _F4, predictions: _F8, leaf_of_row: _U2, shift: _F8, scales: _F8, sums: _I8
) -> None:
    """Columns: log-loss, weight, [k = label] − p_k for each k, p_k (p_m − [k = m]) for each k ≤ m."""
    n_classes = predictions.shape[0]
    w = _ones_or(weight, label)
    a = predictions + shift[leaf_of_row].T
    p, top, total = _softmax(a)
    own = a[label.astype(np.int64), np.arange(label.shape[0])]
    _add_loss(((log_array(total) + top) - own) * w, scales[0], sums)
    _add(w, scales[1], leaf_of_row, sums[:, 1])
    for k in range(n_classes):
        _add(((label == k).astype(np.float64) - p[k]) * w, scales[2], leaf_of_row, sums[:, 2 + k])
    column = 2 + n_classes
    for k in range(n_classes):
        for m in range(k, n_classes):
            _add(p[k] * (p[m] - float(k == m)) * w, scales[3], leaf_of_row, sums[:, column])
            column += 1


def _ones_or(weight: _F4, label: _F4) -> _F8:
    return weight.astype(np.float64) if weight.shape[0] else np.ones(label.shape[0])


def target(label: _F4, positive: int) -> _F8:
    """float64 [n] of the labels."""
    if positive == -1:
        return label.astype(np.float64)
    return (label == positive if positive >= 0 else label > 0.5).astype(np.float64)


def _softmax(a: _F8) -> tuple[_F8, _F8, _F8]:
    """Probabilities, maximum and Σ e^(a − maximum), added in the order of the classes."""
    top = a.max(axis=0)
    e = exp_array(a - top)
    total = np.zeros(a.shape[1])
    for row in e:
        total += row
    return e / total, top, total


def _add(value: _F8, scale: float, leaf_of_row: _U2, column: _I8) -> None:
    np.add.at(column, leaf_of_row, np.rint(value * scale).astype(np.int64))


def _add_loss(value: _F8, scale: float, sums: _I8) -> None:
    sums[0, 0] += np.rint(value * scale).astype(np.int64).sum()
