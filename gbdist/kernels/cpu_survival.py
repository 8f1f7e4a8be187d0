"""Derivatives, leaf sums and metric sums of SurvivalAft. The twins are in ``reference_survival``."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import SCALAR
from gbdist.kernels.hashing import product
from gbdist.kernels.survival import Noise, interval_distance, survival

_parts = survival(SCALAR, product, device_function)
_distance = interval_distance(SCALAR, device_function)


@kernel
def survival_derivatives(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    noise: Noise,
    out: NDArray[np.float64],
) -> None:
    """See ``reference_survival.survival_derivatives``."""
    weighted = weight.shape[0] != 0
    for i in range(np.uint64(low.shape[0])):
        _, first, _ = _parts(noise, np.float64(low[i]), np.float64(high[i]), prediction[i])
        out[i] = first * np.float64(weight[i]) if weighted else first


@kernel
def add_survival_leaf_sums(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    noise: Noise,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_survival.add_survival_leaf_sums``."""
    weighted = weight.shape[0] != 0
    total = np.int64(0)
    for i in range(np.uint64(low.shape[0])):
        leaf = np.uint64(leaf_of_row[i])
        w = np.float64(weight[i]) if weighted else 1.0
        a = prediction[i] + shift[leaf, 0]
        loss, first, second = _parts(noise, np.float64(low[i]), np.float64(high[i]), a)
        if scales[0] != 0.0:
            total += np.int64(np.rint(loss * w * scales[0]))
        if scales[1] != 0.0:
            sums[leaf, 1] += np.int64(np.rint(w * scales[1]))
        if scales[2] != 0.0:
            sums[leaf, 2] += np.int64(np.rint(first * w * scales[2]))
            sums[leaf, 3] += np.int64(np.rint(second * w * scales[3]))
    sums[0, 0] += total


@kernel
def add_interval_sums(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_survival.add_interval_sums``."""
    weighted = weight.shape[0] != 0
    distance_sum, weight_sum = np.int64(0), np.int64(0)
    for i in range(np.uint64(low.shape[0])):
        w = np.float64(weight[i]) if weighted else 1.0
        distance = _distance(np.float64(low[i]), np.float64(high[i]), prediction[i])
        distance_sum += np.int64(np.rint(distance * w * scales[0]))
        weight_sum += np.int64(np.rint(w * scales[1]))
    sums[0] += distance_sum
    sums[1] += weight_sum
