"""Derivatives, leaf sums and metric sums of RMSEWithUncertainty. The twins are in ``reference_uncertainty``."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import SCALAR
from gbdist.kernels.hashing import product
from gbdist.kernels.uncertainty import uncertainty

_parts = uncertainty(SCALAR, product, device_function)


@kernel
def uncertainty_derivatives(
    label: NDArray[np.float32], weight: NDArray[np.float32], predictions: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """See ``reference_uncertainty.uncertainty_derivatives``."""
    weighted = weight.shape[0] != 0
    for i in range(np.uint64(label.shape[0])):
        w = np.float64(weight[i]) if weighted else 1.0
        _, by_mean, by_deviation, _ = _parts(np.float64(label[i]), predictions[0, i], predictions[1, i])
        out[0, i] = by_mean * w
        out[1, i] = by_deviation * w


@kernel
def add_uncertainty_leaf_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    predictions: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_uncertainty.add_uncertainty_leaf_sums``."""
    weighted = weight.shape[0] != 0
    total = np.int64(0)
    for i in range(np.uint64(label.shape[0])):
        leaf = np.uint64(leaf_of_row[i])
        w = np.float64(weight[i]) if weighted else 1.0
        mean, deviation = predictions[0, i] + shift[leaf, 0], predictions[1, i] + shift[leaf, 1]
        loss, by_mean, by_deviation, second = _parts(np.float64(label[i]), mean, deviation)
        if scales[0] != 0.0:
            total += np.int64(np.rint(loss * w * scales[0]))
        if scales[1] != 0.0:
            sums[leaf, 1] += np.int64(np.rint(w * scales[1]))
        if scales[2] != 0.0:
            sums[leaf, 2] += np.int64(np.rint(by_mean * w * scales[2]))
            sums[leaf, 3] += np.int64(np.rint(by_deviation * w * scales[2]))
            sums[leaf, 4] += np.int64(np.rint(-1.0 * w * scales[3]))
            sums[leaf, 5] += np.int64(np.rint(second * w * scales[3]))
    sums[0, 0] += total


@kernel
def add_uncertainty_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    predictions: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_uncertainty.add_uncertainty_sums``."""
    weighted = weight.shape[0] != 0
    loss_sum, weight_sum = np.int64(0), np.int64(0)
    for i in range(np.uint64(label.shape[0])):
        w = np.float64(weight[i]) if weighted else 1.0
        loss, _, _, _ = _parts(np.float64(label[i]), predictions[0, i], predictions[1, i])
        loss_sum += np.int64(np.rint(loss * w * scales[0]))
        weight_sum += np.int64(np.rint(w * scales[1]))
    sums[0] += loss_sum
    sums[1] += weight_sum
