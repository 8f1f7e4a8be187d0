"""Derivatives and leaf sums of the losses on a card; the twins of ``cpu_losses``, with the same bits.

Every block adds its rows up in shared memory, int64 in two halves, and then adds that to the sums of all. Leaves and columns
that no block can hold are added to the card's sums at once.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import (
    SHARED_BYTES,
    THREADS,
    add_in_halves,
    add_over_block,
    blocks_for,
    card,
    clear_halves,
    device_function,
    given,
    kernel,
    launch,
    of_halves,
    on_device,
    rint,
    times,
    weights_or,
)
from gbdist.kernels.cuda_elementary import decay, exp, log, sigmoid, sigmoid_of_decay, softplus_of_decay

#: Blocks that add up leaves: each clears and adds up a table of its own.
_SUMMING_BLOCKS = 528


@device_function
def target_of(label: Any, positive: Any) -> Any:
    """The target of a row; ``positive`` as in ``reference_losses``."""
    if positive == -1:
        return np.float64(label)
    if positive < 0:
        return 1.0 if label > np.float32(0.5) else 0.0
    return 1.0 if label == np.float32(positive) else 0.0


@device_function
def weight_of(weight: Any, weighted: Any, row: Any) -> Any:
    """The weight of a row, 1 where there are none."""
    return np.float64(weight[row]) if weighted else 1.0


@kernel
def _residual_derivatives(label: Any, weight: Any, weighted: Any, prediction: Any, out: Any) -> None:
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        out[i] = (np.float64(label[i]) - prediction[i]) * weight_of(weight, weighted, i)


def residual_derivatives(label: Any, weight: Any, prediction: Any, out: Any) -> None:
    """See ``reference_losses.residual_derivatives``."""
    launch(_residual_derivatives, blocks_for(label.shape[0]), label, *weights_or(weight, label), prediction, out)


@kernel
def _logistic_derivatives(label: Any, weight: Any, weighted: Any, prediction: Any, positive: Any, out: Any) -> None:
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        target = target_of(label[i], positive)
        out[i] = (target - sigmoid(prediction[i])) * weight_of(weight, weighted, i)


def logistic_derivatives(label: Any, weight: Any, prediction: Any, positive: int, out: Any) -> None:
    """See ``reference_losses.logistic_derivatives``."""
    some = weights_or(weight, label)
    launch(_logistic_derivatives, blocks_for(label.shape[0]), label, *some, prediction, positive, out)


@device_function
def softmax_parts(predictions: Any, shift: Any, leaf: Any, row: Any) -> Any:
    """Largest raw value of a row, and Σ e^(a − largest) in the order of the classes; ``shift[leaf]`` is added to the values."""
    top = predictions[0, row] + shift[leaf, 0]
    for k in range(1, predictions.shape[0]):
        top = max(top, predictions[k, row] + shift[leaf, k])
    total = 0.0
    for k in range(predictions.shape[0]):
        total += exp((predictions[k, row] + shift[leaf, k]) - top)
    return top, total


@kernel
def _softmax_derivatives(label: Any, weight: Any, weighted: Any, predictions: Any, shift: Any, out: Any) -> None:
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        top, total = softmax_parts(predictions, shift, 0, i)
        w = weight_of(weight, weighted, i)
        for k in range(predictions.shape[0]):
            p = exp(predictions[k, i] - top) / total
            out[k, i] = (target_of(label[i], k) - p) * w


def softmax_derivatives(label: Any, weight: Any, predictions: Any, out: Any) -> None:
    """See ``reference_losses.softmax_derivatives``."""
    unmoved = given("unmoved", np.zeros((1, predictions.shape[0])), np.float64)
    some = weights_or(weight, label)
    launch(_softmax_derivatives, blocks_for(label.shape[0]), label, *some, predictions, unmoved, out)


@device_function
def add_to_leaf(mine: Any, in_block: Any, sums: Any, leaf: Any, column: Any, value: Any) -> None:
    """Add an int64 to a leaf's column, in the block's table if there is one."""
    if value != 0:
        if in_block:
            add_in_halves(mine, 2 * (leaf * sums.shape[1] + column), value)
        else:
            card.atomic.add(sums, (leaf, column), value)


@device_function
def add_block(mine: Any, in_block: Any, sums: Any) -> None:
    """Add the block's table to the sums of all."""
    card.syncthreads()
    if in_block:
        for place in range(card.threadIdx.x, sums.size, THREADS):
            value = of_halves(mine, 2 * place)
            if value != 0:
                leaf = place // sums.shape[1]
                card.atomic.add(sums, (leaf, place - leaf * sums.shape[1]), value)
    card.syncthreads()


@kernel
def _add_residual_leaf_sums(
    label: Any, weight: Any, weighted: Any, prediction: Any, leaf_of_row: Any, shift: Any, scales: Any, in_block: Any,
    sums: Any,
) -> None:  # fmt: skip
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    loss = np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        w = weight_of(weight, weighted, i)
        d = np.float64(label[i]) - (prediction[i] + shift[leaf, 0])
        loss += rint(0.5 * d * d * w * scales[0])
        add_to_leaf(mine, in_block, sums, leaf, 1, rint(w * scales[1]))
        if scales[2] != 0.0:
            add_to_leaf(mine, in_block, sums, leaf, 2, rint(d * w * scales[2]))
            add_to_leaf(mine, in_block, sums, leaf, 3, rint(-1.0 * w * scales[3]))
    add_block(mine, in_block, sums)
    add_over_block(loss, sums, (0, 0))


def add_residual_leaf_sums(
    label: Any,
    weight: Any,
    prediction: Any,
    leaf_of_row: Any,
    shift: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_losses.add_residual_leaf_sums``."""
    rows = (label, *weights_or(weight, label), prediction, leaf_of_row, given("shift", shift, np.float64))
    launch_sums(_add_residual_leaf_sums, rows, (four_scales(scales),), sums)


@kernel
def _add_logistic_leaf_sums(
    label: Any, weight: Any, weighted: Any, prediction: Any, leaf_of_row: Any, shift: Any, positive: Any, scales: Any,
    in_block: Any, sums: Any,
) -> None:  # fmt: skip
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    column = max(positive, 0)
    second = 2 + column + (sums.shape[1] - 2) // 2
    loss = np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        w, y = weight_of(weight, weighted, i), target_of(label[i], positive)
        a = prediction[i] + shift[leaf, column]
        e = decay(a)
        if scales[0] != 0.0:
            loss += rint((softplus_of_decay(a, e) - times(y, a)) * w * scales[0])
        if scales[2] != 0.0:
            p = sigmoid_of_decay(a, e)
            add_to_leaf(mine, in_block, sums, leaf, 2 + column, rint((y - p) * w * scales[2]))
            add_to_leaf(mine, in_block, sums, leaf, second, rint(-p * (1.0 - p) * w * scales[3]))
        if column == 0:
            add_to_leaf(mine, in_block, sums, leaf, 1, rint(w * scales[1]))
    add_block(mine, in_block, sums)
    add_over_block(loss, sums, (0, 0))


def add_logistic_leaf_sums(
    label: Any,
    weight: Any,
    prediction: Any,
    leaf_of_row: Any,
    shift: NDArray[np.float64],
    positive: int,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_losses.add_logistic_leaf_sums``."""
    rows = (label, *weights_or(weight, label), prediction, leaf_of_row, given("shift", shift, np.float64))
    launch_sums(_add_logistic_leaf_sums, rows, (positive, four_scales(scales)), sums)


@kernel
def _add_softmax_leaf_sums(
    label: Any, weight: Any, weighted: Any, predictions: Any, leaf_of_row: Any, shift: Any, scales: Any, in_block: Any,
    sums: Any,
) -> None:  # fmt: skip
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    n_classes = predictions.shape[0]
    loss = np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        w = weight_of(weight, weighted, i)
        top, total = softmax_parts(predictions, shift, leaf, i)
        if scales[0] != 0.0:
            own = predictions[np.int64(label[i]), i] + shift[leaf, np.int64(label[i])]
            loss += rint(((log(total) + top) - own) * w * scales[0])
        add_to_leaf(mine, in_block, sums, leaf, 1, rint(w * scales[1]))
        if scales[2] != 0.0:
            column = 2 + n_classes
            for k in range(n_classes):
                p = exp((predictions[k, i] + shift[leaf, k]) - top) / total
                add_to_leaf(mine, in_block, sums, leaf, 2 + k, rint((target_of(label[i], k) - p) * w * scales[2]))
                for m in range(k, n_classes):
                    q = exp((predictions[m, i] + shift[leaf, m]) - top) / total
                    same = 1.0 if k == m else 0.0
                    add_to_leaf(mine, in_block, sums, leaf, column, rint(p * (q - same) * w * scales[3]))
                    column += 1
    add_block(mine, in_block, sums)
    add_over_block(loss, sums, (0, 0))


def add_softmax_leaf_sums(
    label: Any,
    weight: Any,
    predictions: Any,
    leaf_of_row: Any,
    shift: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_losses.add_softmax_leaf_sums``."""
    rows = (label, *weights_or(weight, label), predictions, leaf_of_row, given("shift", shift, np.float64))
    launch_sums(_add_softmax_leaf_sums, rows, (four_scales(scales),), sums)


def launch_sums(kernel_of_loss: Any, rows: tuple[Any, ...], rest: tuple[Any, ...], sums: NDArray[np.int64]) -> None:
    """Start a kernel that adds rows to the sums of leaves, in tables of the blocks where these fit."""
    shared = 8 * sums.size
    in_block = int(shared <= SHARED_BYTES - 8 * THREADS)  # less what ``add_over_block`` takes
    blocks = blocks_for(rows[0].shape[0], _SUMMING_BLOCKS)
    with on_device(sums) as there:
        launch(kernel_of_loss, blocks, *rows, *rest, in_block, there, shared=shared if in_block else 0)


def four_scales(scales: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Scales as kernels take them."""
    loss, weight, first, second = scales.tolist()
    return loss, weight, first, second
