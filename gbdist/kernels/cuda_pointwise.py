"""Derivatives and sums of the losses of ``pointwise`` on a card; the twins of ``cpu_pointwise``, with the same bits."""

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
from gbdist.kernels.pointwise import Rule, pointwise

_parts = pointwise(CARD, times, device_function)


@kernel
def _pointwise_derivatives(label: Any, weight: Any, weighted: Any, prediction: Any, rule: Any, out: Any) -> None:
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        _, first, _ = _parts(rule, np.float64(label[i]), prediction[i])
        out[i] = first * weight_of(weight, weighted, i)


def pointwise_derivatives(label: Any, weight: Any, prediction: Any, rule: Rule, out: Any) -> None:
    """See ``reference_pointwise.pointwise_derivatives``."""
    some = weights_or(weight, label)
    launch(_pointwise_derivatives, blocks_for(label.shape[0]), label, *some, prediction, rule, out)


@kernel
def _add_pointwise_leaf_sums(
    label: Any, weight: Any, weighted: Any, prediction: Any, leaf_of_row: Any, shift: Any, rule: Any, place: Any,
    scales: Any, in_block: Any, sums: Any,
) -> None:  # fmt: skip
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    total = np.int64(0)
    second_of = 2 + place + (sums.shape[1] - 2) // 2
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        w = weight_of(weight, weighted, i)
        loss, first, second = _parts(rule, np.float64(label[i]), prediction[i] + shift[leaf, place])
        if scales[0] != 0.0:
            total += rint(loss * w * scales[0])
        if place == 0:
            add_to_leaf(mine, in_block, sums, leaf, 1, rint(w * scales[1]))
        if scales[2] != 0.0:
            add_to_leaf(mine, in_block, sums, leaf, 2 + place, rint(first * w * scales[2]))
            add_to_leaf(mine, in_block, sums, leaf, second_of, rint(second * w * scales[3]))
    add_block(mine, in_block, sums)
    add_over_block(total, sums, (0, 0))


def add_pointwise_leaf_sums(
    label: Any,
    weight: Any,
    prediction: Any,
    leaf_of_row: Any,
    shift: NDArray[np.float64],
    rule: Rule,
    place: int,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_pointwise.add_pointwise_leaf_sums``."""
    rows = (label, *weights_or(weight, label), prediction, leaf_of_row, given("shift", shift, np.float64))
    launch_sums(_add_pointwise_leaf_sums, rows, (rule, place, four_scales(scales)), sums)


@kernel
def _add_pointwise_sums(
    label: Any, weight: Any, weighted: Any, prediction: Any, rule: Any, scales: Any, sums: Any
) -> None:
    loss_sum, weight_sum = np.int64(0), np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        w = weight_of(weight, weighted, i)
        loss, _, _ = _parts(rule, np.float64(label[i]), prediction[i])
        loss_sum += rint(loss * w * scales[0])
        if label[i] == label[i]:  # else it is missing
            weight_sum += rint(w * scales[1])
    add_over_block(loss_sum, sums, 0)
    add_over_block(weight_sum, sums, 1)


def add_pointwise_sums(
    label: Any, weight: Any, prediction: Any, rule: Rule, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_pointwise.add_pointwise_sums``."""
    some, units = weights_or(weight, label), (float(scales[0]), float(scales[1]))
    with on_device(sums) as there:
        launch(_add_pointwise_sums, blocks_for(label.shape[0]), label, *some, prediction, rule, units, there)
