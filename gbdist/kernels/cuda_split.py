"""CUDA kernel that scores splits; the twin of ``cpu_split``: a block a feature, a thread some of its borders.

Leaves are taken in turn, so that the scores are added in the CPU's order and have its bits.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import (
    THREADS,
    add_up_block,
    brought,
    card,
    device_function,
    given,
    kernel,
    launch,
    room,
    times,
)
from gbdist.kernels.cuda_elementary import normal_quantile, unit_draw

_LOW = np.int64(0xFFFFFFFF)


@device_function
def _add_up(cells: Any, step: Any, n_bins: Any, equals: Any, parts: Any, sums: Any) -> Any:
    """Inclusive sums of ``cells[0], cells[step], …`` into ``sums``, or where ``equals`` the cells themselves.

    All threads get the total. ``parts`` is shared [THREADS].
    """
    me = card.threadIdx.x
    carry = np.int64(0)
    for start in range(0, n_bins, THREADS):
        b = start + me
        own = cells[step * b] if b < n_bins else np.int64(0)
        parts[me] = own
        add_up_block(parts)
        if b < n_bins:
            sums[b] = own if equals else carry + parts[me]
        carry += parts[THREADS - 1]
        card.syncthreads()
    return carry


@device_function
def _score_leaf(high: Any, low: Any, totals: Any, n_borders: Any, units: Any, l2: Any, scores: Any) -> None:
    """Add one leaf's part, in one dimension, to ``scores`` [2, n_borders]: numerator and denominator of each border."""
    unit, weight_unit = units
    for b in range(card.threadIdx.x, n_borders, THREADS):
        left, right = np.float64(high[b]) * unit, np.float64(totals[0] - high[b]) * unit
        left_weight = times(np.float64(low[b]), weight_unit)
        right_weight = times(np.float64(totals[1] - low[b]), weight_unit)
        left_average = left / (left_weight + l2) if left_weight > 0.0 else 0.0
        right_average = right / (right_weight + l2) if right_weight > 0.0 else 0.0
        scores[0, b] += times(left_average, left) + times(right_average, right)
        scores[1, b] += times(left_average * left_average, left_weight) + times(
            right_average * right_average, right_weight
        )


@device_function
def _best_of_block(value: Any, border: Any) -> Any:
    """The largest value of all threads and its border, the lowest of equals; −1 where no thread has one."""
    values = card.shared.array(THREADS, numba.float64)
    borders = card.shared.array(THREADS, numba.int64)
    me = card.threadIdx.x
    values[me], borders[me] = value, border
    card.syncthreads()
    half = THREADS // 2
    while half > 0:
        if me < half:
            theirs, at = values[me + half], borders[me + half]
            if at >= 0 and (borders[me] < 0 or theirs > values[me] or (theirs == values[me] and at < borders[me])):
                values[me], borders[me] = theirs, at
        card.syncthreads()
        half //= 2
    border = borders[0]
    card.syncthreads()
    return border


@device_function
def choose_border(scores: Any, n_borders: Any, f: Any, feature: Any, sigma: Any, keys: Any, best: Any) -> None:
    """Choose the best of a feature's borders; each of the block's threads has written the scores it reads here."""
    borders, noisy, plain = best[0], best[1], best[2]
    top, border = -math.inf, np.int64(-1)
    for b in range(card.threadIdx.x, n_borders, THREADS):
        value = scores[b]
        if sigma > 0.0:
            value += times(sigma, normal_quantile(unit_draw(keys[0], np.uint64((feature << 16) + b)) + 2.0**-54))
        if value > top:
            top, border = value, np.int64(b)
    border = _best_of_block(top, border)
    if card.threadIdx.x == 0:
        borders[f] = border
        noisy[f] = -math.inf
        plain[f] = -math.inf
        if border >= 0:
            plain[f] = scores[border]
            noisy[f] = plain[f]
            if sigma > 0.0:
                draw = unit_draw(keys[1], np.uint64(feature)) + 2.0**-54
                noisy[f] += times(sigma, normal_quantile(draw))


@device_function
def score_borders(table: Any, n_bins: Any, one_hot: Any, units: Any, options: Any, parts: Any, memory: Any) -> Any:
    """Score every border of one feature; all threads of the block call it, and get the number of borders, 0 of one bin.

    ``table`` is [dimensions, n_leaves, width], ``parts`` shared [THREADS]; ``memory`` is (sums, scores), [2, n_bins] each, where
    scores[0] is the result.
    """
    sums, scores = memory
    l2, cosine, wide = options
    if n_bins < 2:
        return 0
    me = card.threadIdx.x
    n_borders = n_bins if one_hot else n_bins - 1
    high, low = sums[0], sums[1]
    for b in range(me, n_borders, THREADS):
        scores[0, b], scores[1, b] = 0.0, 1e-100
    dimensions, n_leaves = table.shape[0], table.shape[1]
    for leaf in range(n_leaves):
        for k in range(dimensions):
            cells = table[k, leaf]
            if wide:
                total_high = _add_up(cells, 2, n_bins, one_hot, parts, high)
                total_low = _add_up(cells[1:], 2, n_bins, one_hot, parts, low)
            else:
                total = _add_up(cells, 1, n_bins, one_hot, parts, high)
                total_high, total_low = total >> 32, total & _LOW
                for b in range(me, n_bins, THREADS):
                    low[b] = high[b] & _LOW
                    high[b] = high[b] >> 32
            if total_low != 0:
                both = (units[k], units[dimensions])
                _score_leaf(high, low, (total_high, total_low), n_borders, both, l2, scores)
    if cosine:
        for b in range(me, n_borders, THREADS):
            scores[0, b] /= math.sqrt(scores[1, b])
    return n_borders


@kernel
def _best_borders(
    table: Any,
    n_bins: Any,
    equals: Any,
    features: Any,
    units: Any,
    options: Any,
    sigma: Any,
    keys: Any,
    memory: Any,
    best: Any,
) -> None:
    f = card.blockIdx.x
    parts = card.shared.array(THREADS, numba.int64)
    mine = memory[0][f], memory[1][f]
    n_borders = score_borders(table[f], n_bins[f], equals[f] != 0, units, options, parts, mine)
    choose_border(mine[1][0], n_borders, f, features[f], sigma, keys, best)


def best_borders(
    table: Any,
    n_bins: NDArray[np.int64],
    equals: NDArray[np.uint8],
    families: NDArray[np.int64],
    features: NDArray[np.int64],
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
    sigma: float,
    keys: tuple[np.uint64, np.uint64],
    best: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """See ``cpu_split.best_borders``; noise is drawn for all borders, also of features that lose whatever it is."""
    n_features = table.shape[0]
    width = int(n_bins.max(initial=2))
    memory = (
        room("sums of bins", (n_features, 2, width), np.int64),
        room("scores", (n_features, 2, width), np.float64),
    )
    told = (
        given("bins", n_bins, np.int64),
        given("equals", equals, np.uint8),
        given("features", features, np.int64),
        given("units", units, np.float64),
    )
    rules = (float(options[0]), bool(options[1]), bool(options[2]))
    found = room("best", (3, n_features), np.float64)  # all three in one copy; a border's number is exact
    launch(_best_borders, n_features, table, *told, rules, float(sigma), keys, memory, found)
    for one, values in zip(best, brought(found), strict=True):
        one[...] = values
