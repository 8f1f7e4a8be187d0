"""Derivatives and losses of ``grouped``, group by group. The twins are in ``reference_grouped``."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import hashing
from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import SCALAR
from gbdist.kernels.grouped import LambdaOptions, YetiOptions, grouped
from gbdist.kernels.hashing import product

_of = grouped(SCALAR, product, device_function, hashing.Draws(hashing.hash_number, hashing.unit_draw))
_query_rmse, _query_softmax, _label_pairs, _listed_pairs, _lambda_mart, _yeti_rank = _of


@kernel
def query_rmse_derivatives(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    starts: NDArray[np.int64],
    prediction: NDArray[np.float64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    loss: NDArray[np.float64],
) -> None:
    """See ``reference_grouped.query_rmse_derivatives``."""
    weighted = weight.shape[0] != 0
    for g in range(starts.shape[0] - 1):
        loss[g] = _query_rmse(label, weight, weighted, prediction, starts[g], starts[g + 1], first, second)


@kernel
def query_softmax_derivatives(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    starts: NDArray[np.int64],
    prediction: NDArray[np.float64],
    options: tuple[float, float],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    loss: NDArray[np.float64],
) -> None:
    """See ``reference_grouped.query_softmax_derivatives``."""
    weighted = weight.shape[0] != 0
    for g in range(starts.shape[0] - 1):
        loss[g] = _query_softmax(label, weight, weighted, prediction, starts[g], starts[g + 1], options, first, second)


@kernel
def label_pair_derivatives(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    starts: NDArray[np.int64],
    prediction: NDArray[np.float64],
    with_loss: bool,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    count: NDArray[np.float32],
    loss: NDArray[np.float64],
) -> None:
    """See ``reference_grouped.label_pair_derivatives``."""
    weighted = weight.shape[0] != 0
    for g in range(starts.shape[0] - 1):
        begin = starts[g]
        w = np.float64(weight[begin]) if weighted else 1.0
        loss[g] = _label_pairs(label, prediction, begin, starts[g + 1], w, with_loss, first, second, count)


@kernel
def listed_pair_derivatives(
    pairs: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]],
    pair_starts: NDArray[np.int64],
    starts: NDArray[np.int64],
    prediction: NDArray[np.float64],
    with_loss: bool,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    count: NDArray[np.float32],
    loss: NDArray[np.float64],
) -> None:
    """See ``reference_grouped.listed_pair_derivatives``."""
    for g in range(starts.shape[0] - 1):
        rows = (starts[g], starts[g + 1])
        begin, end = pair_starts[g], pair_starts[g + 1]
        loss[g] = _listed_pairs(pairs, begin, end, prediction, rows, with_loss, first, second, count)


@kernel
def lambda_mart_derivatives(
    label: NDArray[np.float32],
    starts: NDArray[np.int64],
    prediction: NDArray[np.float64],
    options: LambdaOptions,
    scratch: tuple[NDArray[np.float64], NDArray[np.int32]],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> None:
    """See ``reference_grouped.lambda_mart_derivatives``."""
    key, order = scratch
    for g in range(starts.shape[0] - 1):
        _lambda_mart(label, prediction, starts[g], starts[g + 1], options, key, order, first, second)


@kernel
def yeti_rank_derivatives(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    starts: NDArray[np.int64],
    ranked_by: NDArray[np.float64],
    prediction: NDArray[np.float64],
    draws: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    options: YetiOptions,
    scratch: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    count: NDArray[np.float32],
) -> None:
    """See ``reference_grouped.yeti_rank_derivatives``."""
    weighted = weight.shape[0] != 0
    first_rows, keys = draws
    for g in range(starts.shape[0] - 1):
        begin = starts[g]
        w = np.float64(weight[begin]) if weighted else 1.0
        group = (w, first_rows[g], keys)
        _yeti_rank(label, ranked_by, prediction, begin, starts[g + 1], group, options, scratch, first, second, count)


@kernel
def add_row_leaf_sums(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    weight: NDArray[np.float32],
    leaf_of_row: NDArray[np.uint16],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_grouped.add_row_leaf_sums``."""
    weighted = weight.shape[0] != 0
    for i in range(np.uint64(first.shape[0])):
        leaf = np.uint64(leaf_of_row[i])
        w = np.float64(weight[i]) if weighted else 1.0
        sums[leaf, 1] += np.int64(np.rint(w * scales[1]))
        sums[leaf, 2] += np.int64(np.rint(first[i] * scales[2]))
        sums[leaf, 3] += np.int64(np.rint(second[i] * scales[3]))


@kernel
def add_group_losses(loss: NDArray[np.float64], scale: float, sums: NDArray[np.int64]) -> None:
    """See ``reference_grouped.add_group_losses``."""
    total = np.int64(0)
    for g in range(np.uint64(loss.shape[0])):
        total += np.int64(np.rint(loss[g] * scale))
    sums[0, 0] += total


@kernel
def shift_predictions(
    prediction: NDArray[np.float64],
    leaf_of_row: NDArray[np.uint16],
    shift: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """See ``reference_grouped.shift_predictions``."""
    for i in range(np.uint64(prediction.shape[0])):
        out[i] = prediction[i] + shift[leaf_of_row[i]]
