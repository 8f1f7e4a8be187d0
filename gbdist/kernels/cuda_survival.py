"""Derivatives and sums of SurvivalAft on a card; the twins of ``cpu_survival``, with the same bits."""

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
from gbdist.kernels.survival import Noise, interval_distance, survival

_parts = survival(CARD, times, device_function)
_distance = interval_distance(CARD, device_function)


@kernel
def _survival_derivatives(
    low: Any, high: Any, weight: Any, weighted: Any, prediction: Any, noise: Any, out: Any
) -> None:
    for i in range(card.grid(1), low.shape[0], card.gridsize(1)):
        _, first, _ = _parts(noise, np.float64(low[i]), np.float64(high[i]), prediction[i])
        out[i] = first * weight_of(weight, weighted, i)


def survival_derivatives(low: Any, high: Any, weight: Any, prediction: Any, noise: Noise, out: Any) -> None:
    """See ``reference_survival.survival_derivatives``."""
    some = weights_or(weight, low)
    launch(_survival_derivatives, blocks_for(low.shape[0]), low, high, *some, prediction, noise, out)


@kernel
def _add_survival_leaf_sums(
    low: Any, high: Any, weight: Any, weighted: Any, prediction: Any, leaf_of_row: Any, shift: Any, noise: Any, scales: Any,
    in_block: Any, sums: Any,
) -> None:  # fmt: skip
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    total = np.int64(0)
    for i in range(card.grid(1), low.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        w = weight_of(weight, weighted, i)
        loss, first, second = _parts(noise, np.float64(low[i]), np.float64(high[i]), prediction[i] + shift[leaf, 0])
        if scales[0] != 0.0:
            total += rint(loss * w * scales[0])
        add_to_leaf(mine, in_block, sums, leaf, 1, rint(w * scales[1]))
        if scales[2] != 0.0:
            add_to_leaf(mine, in_block, sums, leaf, 2, rint(first * w * scales[2]))
            add_to_leaf(mine, in_block, sums, leaf, 3, rint(second * w * scales[3]))
    add_block(mine, in_block, sums)
    add_over_block(total, sums, (0, 0))


def add_survival_leaf_sums(
    low: Any,
    high: Any,
    weight: Any,
    prediction: Any,
    leaf_of_row: Any,
    shift: NDArray[np.float64],
    noise: Noise,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_survival.add_survival_leaf_sums``."""
    rows = (low, high, *weights_or(weight, low), prediction, leaf_of_row, given("shift", shift, np.float64))
    launch_sums(_add_survival_leaf_sums, rows, (noise, four_scales(scales)), sums)


@kernel
def _add_interval_sums(
    low: Any, high: Any, weight: Any, weighted: Any, prediction: Any, scales: Any, sums: Any
) -> None:
    distance_sum, weight_sum = np.int64(0), np.int64(0)
    for i in range(card.grid(1), low.shape[0], card.gridsize(1)):
        w = weight_of(weight, weighted, i)
        distance = _distance(np.float64(low[i]), np.float64(high[i]), prediction[i])
        distance_sum += rint(distance * w * scales[0])
        weight_sum += rint(w * scales[1])
    add_over_block(distance_sum, sums, 0)
    add_over_block(weight_sum, sums, 1)


def add_interval_sums(
    low: Any, high: Any, weight: Any, prediction: Any, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_survival.add_interval_sums``."""
    some, units = weights_or(weight, low), (float(scales[0]), float(scales[1]))
    with on_device(sums) as there:
        launch(_add_interval_sums, blocks_for(low.shape[0]), low, high, *some, prediction, units, there)
