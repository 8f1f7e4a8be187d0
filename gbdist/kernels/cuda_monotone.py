"""CUDA kernels of monotone constraints; the twins of ``cpu_monotone``, with the same bits.

A thread scores some borders, one after the other: it adds up the bins of every leaf, and pools the children's values in memory
of its own.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import (
    THREADS,
    blocks_for,
    brought,
    card,
    device_function,
    given,
    kernel,
    launch,
    room,
    times,
)
from gbdist.kernels.cuda_split import choose_border

_LOW = np.int64(0xFFFFFFFF)
#: What all threads together have, in bytes; a block's threads have theirs in any case.
_WORK_BYTES = 1 << 28
#: Rows of a thread's memory, in the order of ``_score_border``.
_ROWS = 8


@device_function
def _pool(work: Any, me: Any, orders: Any, start: Any, stop: Any) -> None:
    """Make the values of one order isotonic: see ``cpu_monotone``."""
    values, weights = work[0], work[1]
    pooled, heavy, totals, begins = work[4], work[5], work[6], work[7]
    n_pools = 0
    for place in range(start, stop):
        leaf = orders[place]
        weight, begin = weights[leaf, me], float(place)
        total = times(weight, values[leaf, me])
        value = total / weight if weight > 0.0 else 0.0
        while n_pools > 0 and pooled[n_pools - 1, me] >= value:
            n_pools -= 1
            weight, total = heavy[n_pools, me] + weight, totals[n_pools, me] + total
            begin = begins[n_pools, me]
            value = total / weight if weight > 0.0 else 0.0
        pooled[n_pools, me], heavy[n_pools, me] = value, weight
        totals[n_pools, me], begins[n_pools, me] = total, begin
        n_pools += 1
    end = stop
    while n_pools > 0:
        n_pools -= 1
        begin = int(begins[n_pools, me])
        for place in range(begin, end):
            values[orders[place], me] = pooled[n_pools, me]
        end = begin


@device_function
def _read(cells: Any, border: Any, wide: Any, one_hot: Any) -> Any:
    """Sums of derivatives and weights of one leaf, in units: left of a border, and right of it."""
    left, left_weight, total, total_weight = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    if wide:
        for b in range(cells.shape[0] // 2):
            below = b == border if one_hot else b <= border
            total += cells[2 * b]
            total_weight += cells[2 * b + 1]
            left += cells[2 * b] if below else np.int64(0)
            left_weight += cells[2 * b + 1] if below else np.int64(0)
    else:
        for b in range(cells.shape[0]):
            below = b == border if one_hot else b <= border
            total += cells[b]
            left += cells[b] if below else np.int64(0)
        left, left_weight, total, total_weight = left >> 32, left & _LOW, total >> 32, total & _LOW
    if one_hot:  # its value goes right
        left, left_weight = total - left, total_weight - left_weight
    return left, left_weight, total - left, total_weight - left_weight


@device_function
def _score_border(
    cells: Any, border: Any, one_hot: Any, orders: Any, size: Any, units: Any, options: Any, work: Any
) -> Any:
    """The score of one border of a feature, of whose cells [dimensions, n_leaves, width] are given."""
    l2, cosine, wide = options
    me = card.grid(1)
    values, weights, sums, amounts = work[0], work[1], work[2], work[3]
    dimensions, n_leaves = cells.shape[0], cells.shape[1]
    weight_unit = units[dimensions]
    score, denominator = 0.0, 1e-100
    for k in range(dimensions):
        for leaf in range(n_leaves):
            left, left_weight, right, right_weight = _read(cells[k, leaf], border, wide, one_hot)
            sums[leaf, me] = np.float64(left) * units[k]
            sums[n_leaves + leaf, me] = np.float64(right) * units[k]
            amounts[leaf, me] = times(np.float64(left_weight), weight_unit)
            amounts[n_leaves + leaf, me] = times(np.float64(right_weight), weight_unit)
        for leaf in range(2 * n_leaves):
            weights[leaf, me] = amounts[leaf, me] + l2
            values[leaf, me] = sums[leaf, me] / weights[leaf, me] if amounts[leaf, me] > 0.0 else 0.0
        if size > 1:
            for start in range(0, 2 * n_leaves, size):
                _pool(work, me, orders, start, start + size)
        for leaf in range(2 * n_leaves):
            value = values[leaf, me]
            score += times(value, sums[leaf, me])
            denominator += times(value * value, amounts[leaf, me])
    return score / math.sqrt(denominator) if cosine else score


@kernel
def _score_monotone(
    table: Any, n_bins: Any, equals: Any, constraints: Any, units: Any, options: Any, work: Any, scores: Any
) -> None:
    which, orders, sizes = constraints
    width = scores.shape[1]
    for place in range(card.grid(1), table.shape[0] * width, card.gridsize(1)):
        f, border = place // width, place % width
        one_hot = equals[f] != 0
        if n_bins[f] >= 2 and border < (n_bins[f] if one_hot else n_bins[f] - 1):
            kind = which[f]
            scores[f, border] = _score_border(
                table[f], border, one_hot, orders[kind], sizes[kind], units, options, work
            )


@kernel
def _choose_borders(scores: Any, n_bins: Any, equals: Any, features: Any, sigma: Any, keys: Any, best: Any) -> None:
    f = card.blockIdx.x
    if n_bins[f] < 2:
        if card.threadIdx.x == 0:
            best[0][f], best[1][f], best[2][f] = -1, -math.inf, -math.inf
        return
    n_borders = n_bins[f] if equals[f] != 0 else n_bins[f] - 1
    choose_border(scores[f], n_borders, f, features[f], sigma, keys, best)


def best_monotone_borders(
    table: Any,
    n_bins: NDArray[np.int64],
    equals: NDArray[np.uint8],
    features: NDArray[np.int64],
    constraints: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
    sigma: float,
    keys: tuple[np.uint64, np.uint64],
    best: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """See ``cpu_monotone.best_monotone_borders``."""
    n_features, width, n_children = table.shape[0], int(n_bins.max(initial=2)), 2 * table.shape[2]
    blocks = blocks_for(n_features * width, max(1, _WORK_BYTES // (8 * _ROWS * n_children * THREADS)))
    work = room("pools of children", (_ROWS, n_children, blocks * THREADS), np.float64)
    scores = room("scores of borders", (n_features, width), np.float64)
    bins, one_hot = given("bins", n_bins, np.int64), given("equals", equals, np.uint8)
    rules = (float(options[0]), bool(options[1]), bool(options[2]))
    of_level = tuple(
        given(name, values, np.int64)
        for name, values in zip(("constraints", "orders", "sizes of orders"), constraints, strict=True)
    )
    launch(
        _score_monotone, blocks, table, bins, one_hot, of_level, given("units", units, np.float64), rules, work, scores
    )
    found = room("best", (3, n_features), np.float64)  # all three in one copy; a border's number is exact
    numbers = given("features", features, np.int64)
    launch(_choose_borders, n_features, scores, bins, one_hot, numbers, float(sigma), keys, found)
    for one, values in zip(best, brought(found), strict=True):
        one[...] = values
