"""Derivatives, leaf sums and metric sums of the losses of ``pointwise``. The twins are in ``reference_pointwise``."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import SCALAR
from gbdist.kernels.hashing import product
from gbdist.kernels.pointwise import Rule, pointwise

_parts = pointwise(SCALAR, product, device_function)


@kernel
def pointwise_derivatives(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    rule: Rule,
    out: NDArray[np.float64],
) -> None:
    """See ``reference_pointwise.pointwise_derivatives``."""
    weighted = weight.shape[0] != 0
    for i in range(np.uint64(label.shape[0])):
        _, first, _ = _parts(rule, np.float64(label[i]), prediction[i])
        out[i] = first * np.float64(weight[i]) if weighted else first


@kernel
def add_pointwise_leaf_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    rule: Rule,
    place: int,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_pointwise.add_pointwise_leaf_sums``."""
    weighted = weight.shape[0] != 0
    at_first = np.uint64(2 + place)
    at_second = at_first + np.uint64((sums.shape[1] - 2) // 2)
    total = np.int64(0)
    for i in range(np.uint64(label.shape[0])):
        leaf = np.uint64(leaf_of_row[i])
        w = np.float64(weight[i]) if weighted else 1.0
        loss, first, second = _parts(rule, np.float64(label[i]), prediction[i] + shift[leaf, place])
        if scales[0] != 0.0:
            total += np.int64(np.rint(loss * w * scales[0]))
        if scales[1] != 0.0 and place == 0:
            sums[leaf, 1] += np.int64(np.rint(w * scales[1]))
        if scales[2] != 0.0:
            sums[leaf, at_first] += np.int64(np.rint(first * w * scales[2]))
            sums[leaf, at_second] += np.int64(np.rint(second * w * scales[3]))
    sums[0, 0] += total


@kernel
def add_pointwise_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    rule: Rule,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_pointwise.add_pointwise_sums``."""
    weighted = weight.shape[0] != 0
    loss_sum, weight_sum = np.int64(0), np.int64(0)
    for i in range(np.uint64(label.shape[0])):
        w = np.float64(weight[i]) if weighted else 1.0
        loss, _, _ = _parts(rule, np.float64(label[i]), prediction[i])
        loss_sum += np.int64(np.rint(loss * w * scales[0]))
        if label[i] == label[i]:  # else it is missing
            weight_sum += np.int64(np.rint(w * scales[1]))
    sums[0] += loss_sum
    sums[1] += weight_sum
