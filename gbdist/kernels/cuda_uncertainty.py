"""Derivatives and sums of RMSEWithUncertainty on a card; the twins of ``cpu_uncertainty``, with the same bits."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import (
    add_over_block,
    blocks_for,
    card,
    clear_halves,
    device_function,
    given,
    kernel,
    launch,
    on_device,
    rint,
    times,
    weights_or,
)
from gbdist.kernels.cuda_elementary import CARD
from gbdist.kernels.cuda_losses import add_block, add_to_leaf, four_scales, launch_sums, weight_of
from gbdist.kernels.uncertainty import uncertainty

_parts = uncertainty(CARD, times, device_function)


@kernel
def _uncertainty_derivatives(label: Any, weight: Any, weighted: Any, predictions: Any, out: Any) -> None:
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        w = weight_of(weight, weighted, i)
        _, by_mean, by_deviation, _ = _parts(np.float64(label[i]), predictions[0, i], predictions[1, i])
        out[0, i] = by_mean * w
        out[1, i] = by_deviation * w


def uncertainty_derivatives(label: Any, weight: Any, predictions: Any, out: Any) -> None:
    """See ``reference_uncertainty.uncertainty_derivatives``."""
    some = weights_or(weight, label)
    launch(_uncertainty_derivatives, blocks_for(label.shape[0]), label, *some, predictions, out)


@kernel
def _add_uncertainty_leaf_sums(
    label: Any, weight: Any, weighted: Any, predictions: Any, leaf_of_row: Any, shift: Any, scales: Any, in_block: Any,
    sums: Any,
) -> None:  # fmt: skip
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    total = np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        w = weight_of(weight, weighted, i)
        mean, deviation = predictions[0, i] + shift[leaf, 0], predictions[1, i] + shift[leaf, 1]
        loss, by_mean, by_deviation, second = _parts(np.float64(label[i]), mean, deviation)
        if scales[0] != 0.0:
            total += rint(loss * w * scales[0])
        add_to_leaf(mine, in_block, sums, leaf, 1, rint(w * scales[1]))
        if scales[2] != 0.0:
            add_to_leaf(mine, in_block, sums, leaf, 2, rint(by_mean * w * scales[2]))
            add_to_leaf(mine, in_block, sums, leaf, 3, rint(by_deviation * w * scales[2]))
            add_to_leaf(mine, in_block, sums, leaf, 4, rint(-1.0 * w * scales[3]))
            add_to_leaf(mine, in_block, sums, leaf, 5, rint(second * w * scales[3]))
    add_block(mine, in_block, sums)
    add_over_block(total, sums, (0, 0))


def add_uncertainty_leaf_sums(
    label: Any,
    weight: Any,
    predictions: Any,
    leaf_of_row: Any,
    shift: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_uncertainty.add_uncertainty_leaf_sums``."""
    rows = (label, *weights_or(weight, label), predictions, leaf_of_row, given("shift", shift, np.float64))
    launch_sums(_add_uncertainty_leaf_sums, rows, (four_scales(scales),), sums)


@kernel
def _add_uncertainty_sums(label: Any, weight: Any, weighted: Any, predictions: Any, scales: Any, sums: Any) -> None:
    loss_sum, weight_sum = np.int64(0), np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        w = weight_of(weight, weighted, i)
        loss, _, _, _ = _parts(np.float64(label[i]), predictions[0, i], predictions[1, i])
        loss_sum += rint(loss * w * scales[0])
        weight_sum += rint(w * scales[1])
    add_over_block(loss_sum, sums, 0)
    add_over_block(weight_sum, sums, 1)


def add_uncertainty_sums(
    label: Any, weight: Any, predictions: Any, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_uncertainty.add_uncertainty_sums``."""
    some, units = weights_or(weight, label), (float(scales[0]), float(scales[1]))
    with on_device(sums) as there:
        launch(_add_uncertainty_sums, blocks_for(label.shape[0]), label, *some, predictions, units, there)
