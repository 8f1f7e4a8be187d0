"""Derivatives and losses of ``grouped`` on a card, a thread a group; the twins of ``cpu_grouped``, with the same bits."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import hashing
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
from gbdist.kernels.cuda_elementary import CARD, hash_number, unit_draw
from gbdist.kernels.cuda_losses import add_block, add_to_leaf, four_scales, launch_sums, weight_of
from gbdist.kernels.grouped import LambdaOptions, YetiOptions, grouped

_of = grouped(CARD, times, device_function, hashing.Draws(hash_number, unit_draw))
_query_rmse, _query_softmax, _label_pairs, _listed_pairs, _lambda_mart, _yeti_rank = _of


@kernel
def _query_rmse_derivatives(
    label: Any, weight: Any, weighted: Any, starts: Any, prediction: Any, first: Any, second: Any, loss: Any
) -> None:
    for g in range(card.grid(1), starts.shape[0] - 1, card.gridsize(1)):
        loss[g] = _query_rmse(label, weight, weighted, prediction, starts[g], starts[g + 1], first, second)


def query_rmse_derivatives(
    label: Any, weight: Any, starts: Any, prediction: Any, first: Any, second: Any, loss: Any
) -> None:
    """See ``reference_grouped.query_rmse_derivatives``."""
    rows = (label, *weights_or(weight, label), starts, prediction)
    launch(_query_rmse_derivatives, blocks_for(loss.shape[0]), *rows, first, second, loss)


@kernel
def _query_softmax_derivatives(
    label: Any, weight: Any, weighted: Any, starts: Any, prediction: Any, options: Any, first: Any, second: Any,
    loss: Any,
) -> None:  # fmt: skip
    for g in range(card.grid(1), starts.shape[0] - 1, card.gridsize(1)):
        begin, end = starts[g], starts[g + 1]
        loss[g] = _query_softmax(label, weight, weighted, prediction, begin, end, options, first, second)


def query_softmax_derivatives(
    label: Any, weight: Any, starts: Any, prediction: Any, options: tuple[float, float], first: Any, second: Any, loss: Any
) -> None:  # fmt: skip
    """See ``reference_grouped.query_softmax_derivatives``."""
    rows = (label, *weights_or(weight, label), starts, prediction)
    launch(_query_softmax_derivatives, blocks_for(loss.shape[0]), *rows, options, first, second, loss)


@kernel
def _label_pair_derivatives(
    label: Any, weight: Any, weighted: Any, starts: Any, prediction: Any, with_loss: Any, first: Any, second: Any,
    count: Any, loss: Any,
) -> None:  # fmt: skip
    for g in range(card.grid(1), starts.shape[0] - 1, card.gridsize(1)):
        begin, end = starts[g], starts[g + 1]
        w = weight_of(weight, weighted, begin)
        loss[g] = _label_pairs(label, prediction, begin, end, w, with_loss, first, second, count)


def label_pair_derivatives(
    label: Any, weight: Any, starts: Any, prediction: Any, with_loss: bool, first: Any, second: Any, count: Any, loss: Any
) -> None:  # fmt: skip
    """See ``reference_grouped.label_pair_derivatives``."""
    rows = (label, *weights_or(weight, label), starts, prediction)
    launch(_label_pair_derivatives, blocks_for(loss.shape[0]), *rows, with_loss, first, second, count, loss)


@kernel
def _listed_pair_derivatives(
    pairs: Any, pair_starts: Any, starts: Any, prediction: Any, with_loss: Any, first: Any, second: Any, count: Any,
    loss: Any,
) -> None:  # fmt: skip
    for g in range(card.grid(1), starts.shape[0] - 1, card.gridsize(1)):
        rows = (starts[g], starts[g + 1])
        begin, end = pair_starts[g], pair_starts[g + 1]
        loss[g] = _listed_pairs(pairs, begin, end, prediction, rows, with_loss, first, second, count)


def listed_pair_derivatives(
    pairs: tuple[Any, Any, Any],
    pair_starts: Any,
    starts: Any,
    prediction: Any,
    with_loss: bool,
    first: Any,
    second: Any,
    count: Any,
    loss: Any,
) -> None:
    """See ``reference_grouped.listed_pair_derivatives``."""
    out = (first, second, count, loss)
    launch(_listed_pair_derivatives, blocks_for(loss.shape[0]), pairs, pair_starts, starts, prediction, with_loss, *out)


@kernel
def _lambda_mart_derivatives(
    label: Any, starts: Any, prediction: Any, options: Any, scratch: Any, first: Any, second: Any
) -> None:
    key, order = scratch
    for g in range(card.grid(1), starts.shape[0] - 1, card.gridsize(1)):
        _lambda_mart(label, prediction, starts[g], starts[g + 1], options, key, order, first, second)


def lambda_mart_derivatives(
    label: Any, starts: Any, prediction: Any, options: LambdaOptions, scratch: tuple[Any, Any], first: Any, second: Any
) -> None:
    """See ``reference_grouped.lambda_mart_derivatives``."""
    blocks = blocks_for(starts.shape[0] - 1)
    launch(_lambda_mart_derivatives, blocks, label, starts, prediction, options, scratch, first, second)


@kernel
def _yeti_rank_derivatives(
    label: Any, weight: Any, weighted: Any, starts: Any, ranked_by: Any, prediction: Any, draws: Any, options: Any,
    scratch: Any, first: Any, second: Any, count: Any,
) -> None:  # fmt: skip
    first_rows, keys = draws
    for g in range(card.grid(1), starts.shape[0] - 1, card.gridsize(1)):
        begin = starts[g]
        group = (weight_of(weight, weighted, begin), first_rows[g], keys)
        _yeti_rank(label, ranked_by, prediction, begin, starts[g + 1], group, options, scratch, first, second, count)


def yeti_rank_derivatives(
    label: Any,
    weight: Any,
    starts: Any,
    ranked_by: Any,
    prediction: Any,
    draws: tuple[Any, NDArray[np.uint64]],
    options: YetiOptions,
    scratch: tuple[Any, Any, Any],
    first: Any,
    second: Any,
    count: Any,
) -> None:
    """See ``reference_grouped.yeti_rank_derivatives``; the keys of ``draws`` lie in the host's memory."""
    rows = (label, *weights_or(weight, label), starts, ranked_by, prediction)
    there = (draws[0], given("keys", draws[1], np.uint64))
    out = (first, second, count)
    launch(_yeti_rank_derivatives, blocks_for(starts.shape[0] - 1), *rows, there, options, scratch, *out)


@kernel
def _add_row_leaf_sums(
    first: Any, second: Any, weight: Any, weighted: Any, leaf_of_row: Any, scales: Any, in_block: Any, sums: Any
) -> None:
    mine = card.shared.array(0, numba.uint32)
    clear_halves(mine, 2 * sums.size * in_block)
    for i in range(card.grid(1), first.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        add_to_leaf(mine, in_block, sums, leaf, 1, rint(weight_of(weight, weighted, i) * scales[1]))
        add_to_leaf(mine, in_block, sums, leaf, 2, rint(first[i] * scales[2]))
        add_to_leaf(mine, in_block, sums, leaf, 3, rint(second[i] * scales[3]))
    add_block(mine, in_block, sums)


def add_row_leaf_sums(
    first: Any, second: Any, weight: Any, leaf_of_row: Any, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_grouped.add_row_leaf_sums``."""
    some = (weight, True) if weight.shape[0] else (given("no weight", np.zeros(1), np.float32), False)
    launch_sums(_add_row_leaf_sums, (first, second, *some, leaf_of_row), (four_scales(scales),), sums)


@kernel
def _add_group_losses(loss: Any, scale: Any, sums: Any) -> None:
    total = np.int64(0)
    for g in range(card.grid(1), loss.shape[0], card.gridsize(1)):
        total += rint(loss[g] * scale)
    add_over_block(total, sums, (0, 0))


def add_group_losses(loss: Any, scale: float, sums: NDArray[np.int64]) -> None:
    """See ``reference_grouped.add_group_losses``."""
    with on_device(sums) as there:
        launch(_add_group_losses, blocks_for(loss.shape[0]), loss, scale, there)


@kernel
def _shift_predictions(prediction: Any, leaf_of_row: Any, shift: Any, out: Any) -> None:
    for i in range(card.grid(1), prediction.shape[0], card.gridsize(1)):
        out[i] = prediction[i] + shift[leaf_of_row[i]]


def shift_predictions(prediction: Any, leaf_of_row: Any, shift: Any, out: Any) -> None:
    """See ``reference_grouped.shift_predictions``."""
    launch(_shift_predictions, blocks_for(out.shape[0]), prediction, leaf_of_row, shift, out)
