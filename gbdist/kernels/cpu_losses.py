"""Derivatives and leaf sums of the losses. The twins, which say what each computes, are in ``reference_losses``.

Rows go through in blocks that stay in L1: first vectorised arithmetic into small buffers, then one pass that adds the
buffers' integers to their leaves. A weight array without elements means that every weight is 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import decay, exp, log, sigmoid, sigmoid_of_decay, softplus_of_decay

BLOCK = 256
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)


@kernel
def residual_derivatives(
    label: NDArray[np.float32], weight: NDArray[np.float32], prediction: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """See ``reference_losses.residual_derivatives``."""
    if weight.shape[0] == 0:
        for i in range(np.uint64(label.shape[0])):
            out[i] = np.float64(label[i]) - prediction[i]
    else:
        for i in range(np.uint64(label.shape[0])):
            out[i] = (np.float64(label[i]) - prediction[i]) * np.float64(weight[i])


@kernel
def logistic_derivatives(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    positive: int,
    out: NDArray[np.float64],
) -> None:
    """See ``reference_losses.logistic_derivatives``."""
    n_rows = np.uint64(label.shape[0])
    load_targets(label, positive, _ZERO, n_rows, out)
    for i in range(n_rows):
        out[i] -= sigmoid(prediction[i])
    if weight.shape[0] != 0:
        for i in range(n_rows):
            out[i] *= np.float64(weight[i])


@kernel
def softmax_derivatives(
    label: NDArray[np.float32], weight: NDArray[np.float32], predictions: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """See ``reference_losses.softmax_derivatives``."""
    n_rows, n_classes = np.uint64(label.shape[0]), np.uint64(predictions.shape[0])
    p = np.empty((predictions.shape[0], BLOCK))
    top, total, w = np.empty(BLOCK), np.empty(BLOCK), np.ones(BLOCK)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for k in range(n_classes):
            for j in range(size):
                p[k, j] = predictions[k, start + j]
        softmax_block(p, size, top, total)
        for k in range(n_classes):
            for j in range(size):
                target = np.float64(label[start + j] == np.float32(k))
                out[k, start + j] = (target - p[k, j]) * w[j]


@kernel
def add_residual_leaf_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_losses.add_residual_leaf_sums``."""
    n_rows = np.uint64(label.shape[0])
    w, der, der2 = np.ones(BLOCK), np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    loss = np.int64(0)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for j in range(size):
            i = start + j
            d = np.float64(label[i]) - (prediction[i] + shift[leaf_of_row[i], _ZERO])
            loss += np.int64(np.rint(0.5 * d * d * w[j] * scales[0]))
            der[j] = np.int64(np.rint(d * w[j] * scales[2]))
            der2[j] = np.int64(np.rint(-1.0 * w[j] * scales[3]))
        if scales[2] != 0.0:
            _add_pairs(der, der2, leaf_of_row, start, size, _TWO, _TWO + _ONE, sums)
        _add_weights(w, scales[1], leaf_of_row, start, size, sums)
    sums[0, 0] += loss


@kernel
def add_logistic_leaf_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    positive: int,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_losses.add_logistic_leaf_sums``."""
    n_rows = np.uint64(label.shape[0])
    column = np.uint64(max(positive, 0))
    first = _TWO + column
    second = first + np.uint64((sums.shape[1] - 2) // 2)
    a, e, y, w = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.ones(BLOCK)
    der, der2 = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    loss = np.int64(0)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        load_targets(label, positive, start, size, y)
        for j in range(size):
            a[j] = prediction[start + j] + shift[leaf_of_row[start + j], column]
        for j in range(size):
            e[j] = decay(a[j])
        if scales[0] != 0.0:
            for j in range(size):
                loss += np.int64(np.rint((softplus_of_decay(a[j], e[j]) - y[j] * a[j]) * w[j] * scales[0]))
        if scales[2] != 0.0:
            for j in range(size):
                p = sigmoid_of_decay(a[j], e[j])
                der[j] = np.int64(np.rint((y[j] - p) * w[j] * scales[2]))
                der2[j] = np.int64(np.rint(-p * (1.0 - p) * w[j] * scales[3]))
            _add_pairs(der, der2, leaf_of_row, start, size, first, second, sums)
        if column == 0:
            _add_weights(w, scales[1], leaf_of_row, start, size, sums)
    sums[0, 0] += loss


@kernel
def add_softmax_leaf_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    predictions: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_losses.add_softmax_leaf_sums``."""
    n_rows, n_classes = np.uint64(label.shape[0]), np.uint64(predictions.shape[0])
    p = np.empty((predictions.shape[0], BLOCK))
    top, total, own, w = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.ones(BLOCK)
    term = np.empty(BLOCK, np.int64)
    loss = np.int64(0)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for k in range(n_classes):
            for j in range(size):
                p[k, j] = predictions[k, start + j] + shift[leaf_of_row[start + j], k]
        for j in range(size):
            own[j] = p[np.uint64(label[start + j]), j]
        softmax_block(p, size, top, total)
        if scales[0] != 0.0:
            for j in range(size):
                loss += np.int64(np.rint(((log(total[j]) + top[j]) - own[j]) * w[j] * scales[0]))
        _add_weights(w, scales[1], leaf_of_row, start, size, sums)
        if scales[2] == 0.0:
            continue
        for k in range(n_classes):
            for j in range(size):
                target = np.float64(label[start + j] == np.float32(k))
                term[j] = np.int64(np.rint((target - p[k, j]) * w[j] * scales[2]))
            _add_terms(term, leaf_of_row, start, size, _TWO + k, sums)
        column = _TWO + n_classes
        for k in range(n_classes):
            for m in range(k, n_classes):
                same = np.float64(k == m)
                for j in range(size):
                    term[j] = np.int64(np.rint(p[k, j] * (p[m, j] - same) * w[j] * scales[3]))
                _add_terms(term, leaf_of_row, start, size, column, sums)
                column += _ONE
    sums[0, 0] += loss


@device_function
def load_weights(weight: Any, start: Any, size: Any, w: Any) -> None:
    """Weights of a block into ``w``, which the caller filled with ones."""
    if weight.shape[0] != 0:
        for j in range(size):
            w[j] = np.float64(weight[start + j])


@device_function
def load_targets(label: Any, positive: Any, start: Any, size: Any, y: Any) -> None:
    """Targets of a block into ``y``; ``positive`` as in ``reference_losses``."""
    if positive == -1:
        for j in range(size):
            y[j] = np.float64(label[start + j])
    elif positive < 0:
        for j in range(size):
            y[j] = np.float64(label[start + j] > np.float32(0.5))
    else:
        for j in range(size):
            y[j] = np.float64(label[start + j] == np.float32(positive))


@device_function
def softmax_block(p: Any, size: Any, top: Any, total: Any) -> None:
    """Raw values of a block to probabilities, in place; ``top`` gets the maxima, ``total`` Σ e^(a − top)."""
    n_classes = np.uint64(p.shape[0])
    for j in range(size):
        top[j] = p[_ZERO, j]
        total[j] = 0.0
    for k in range(_ONE, n_classes):
        for j in range(size):
            top[j] = p[k, j] if p[k, j] > top[j] else top[j]
    for k in range(n_classes):
        for j in range(size):
            p[k, j] = exp(p[k, j] - top[j])
            total[j] += p[k, j]
    for k in range(n_classes):
        for j in range(size):
            p[k, j] = p[k, j] / total[j]


@device_function
def _add_terms(term: Any, leaf_of_row: Any, start: Any, size: Any, column: Any, sums: Any) -> None:
    for j in range(size):
        sums[np.uint64(leaf_of_row[start + j]), column] += term[j]


@device_function
def _add_pairs(
    der: Any, der2: Any, leaf_of_row: Any, start: Any, size: Any, first: Any, second: Any, sums: Any
) -> None:
    for j in range(size):
        leaf = np.uint64(leaf_of_row[start + j])
        sums[leaf, first] += der[j]
        sums[leaf, second] += der2[j]


@device_function
def _add_weights(w: Any, scale: Any, leaf_of_row: Any, start: Any, size: Any, sums: Any) -> None:
    if scale == 0.0:
        return
    for j in range(size):
        sums[np.uint64(leaf_of_row[start + j]), _ONE] += np.int64(np.rint(w[j] * scale))
