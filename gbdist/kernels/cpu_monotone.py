"""CPU kernels of monotone constraints: isotonic values of leaves, and the scores of splits with such values.

An *order* is a list of leaves whose values must not fall. Several of one size lie one behind the other in an array; a size of 1
asks nothing. The values nearest to what leaves would have, by weighted squares, come from pooling neighbours that fall (pool
adjacent violators: Ayer et al. 1955), in the steps of CatBoost's monotonic_constraint_utils.cpp.
"""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.cpu_split import choose_border

_LOW = np.int64(0xFFFFFFFF)


@device_function
def _pool(
    values: NDArray[np.float64], weights: NDArray[np.float64], order: NDArray[np.int64], pools: NDArray[np.float64]
) -> None:
    """Make the values of one order isotonic; ``pools`` is float64 [4, size]: value, weight, weighted sum and begin of each."""
    n_pools, size = 0, order.shape[0]
    for rank in range(size):
        leaf = order[rank]
        weight, begin = weights[leaf], float(rank)
        total = weight * values[leaf]
        value = total / weight if weight > 0.0 else 0.0
        while n_pools > 0 and pools[0, n_pools - 1] >= value:
            n_pools -= 1
            weight, total, begin = pools[1, n_pools] + weight, pools[2, n_pools] + total, pools[3, n_pools]
            value = total / weight if weight > 0.0 else 0.0
        pools[0, n_pools], pools[1, n_pools], pools[2, n_pools], pools[3, n_pools] = value, weight, total, begin
        n_pools += 1
    stop = size
    for pool in range(n_pools - 1, -1, -1):
        begin = pools[3, pool]
        for rank in range(int(begin), stop):
            values[order[rank]] = pools[0, pool]
        stop = int(begin)


@kernel
def make_isotonic(
    values: NDArray[np.float64], weights: NDArray[np.float64], orders: NDArray[np.int64], size: int
) -> None:
    """Make values isotonic in every order.

    Parameters
    ----------
    values : float64 [n_leaves], IN and OUT
    weights : float64 [n_leaves], IN
        A leaf without weight takes the value of a neighbour it falls behind, else 0.
    orders : int64 [n_leaves], IN
        Leaves, ``size`` for each order.
    """
    pools = np.empty((4, size))
    for start in range(0, orders.shape[0], size):
        _pool(values, weights, orders[start : start + size], pools)


@device_function
def _score(
    table: NDArray[np.int64],
    equals: bool,
    orders: NDArray[np.int64],
    size: int,
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
    scores: NDArray[np.float64],
) -> None:
    """Score every border of one feature, float64 [n_borders] OUT, with the values that its children may have."""
    dimensions, n_leaves, _ = table.shape
    l2, cosine, wide = options
    denominators = np.full(scores.shape[0], 1e-100)
    scores[:] = 0.0
    values, weights = np.empty(2 * n_leaves), np.empty(2 * n_leaves)
    sums, amounts = np.empty(2 * n_leaves), np.empty(2 * n_leaves)
    pools = np.empty((4, size))
    totals, below = np.empty((2, n_leaves), np.int64), np.empty((2, n_leaves), np.int64)
    weight_unit = units[dimensions]
    for k in range(dimensions):
        totals[:], below[:] = 0, 0
        for leaf in range(n_leaves):
            cells = table[k, leaf]
            if wide:
                for b in range(cells.shape[0] // 2):
                    totals[0, leaf] += cells[2 * b]
                    totals[1, leaf] += cells[2 * b + 1]
            else:
                packed = np.int64(0)
                for b in range(cells.shape[0]):
                    packed += cells[b]
                totals[0, leaf], totals[1, leaf] = packed >> 32, packed & _LOW
        for border in range(scores.shape[0]):
            for leaf in range(n_leaves):
                cells = table[k, leaf]
                own = cells[2 * border] if wide else cells[border] >> 32
                own_weight = cells[2 * border + 1] if wide else cells[border] & _LOW
                below[0, leaf] += own
                below[1, leaf] += own_weight
                right = own if equals else totals[0, leaf] - below[0, leaf]
                right_weight = own_weight if equals else totals[1, leaf] - below[1, leaf]
                sums[leaf] = np.float64(totals[0, leaf] - right) * units[k]
                sums[n_leaves + leaf] = np.float64(right) * units[k]
                amounts[leaf] = np.float64(totals[1, leaf] - right_weight) * weight_unit
                amounts[n_leaves + leaf] = np.float64(right_weight) * weight_unit
            for leaf in range(2 * n_leaves):
                weights[leaf] = amounts[leaf] + l2
                values[leaf] = sums[leaf] / weights[leaf] if amounts[leaf] > 0.0 else 0.0
            if size > 1:
                for start in range(0, 2 * n_leaves, size):
                    _pool(values, weights, orders[start : start + size], pools)
            for leaf in range(2 * n_leaves):
                scores[border] += values[leaf] * sums[leaf]
                denominators[border] += values[leaf] * values[leaf] * amounts[leaf]
    if cosine:
        for border in range(scores.shape[0]):
            scores[border] /= np.sqrt(denominators[border])


@kernel
def best_monotone_borders(
    table: NDArray[np.int64],
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
    """Find the best border of each feature where some features must not lower, or not raise, predictions.

    As ``cpu_split.best_borders``, with scores Σ v·Σd and Σ v²·Σw of values v that are isotonic among all children, in each
    dimension by itself (CatBoost's scoring.cpp, UpdateScores).

    Parameters
    ----------
    table, n_bins, equals, features, units, options, sigma, keys, best
        See ``cpu_split.best_borders``.
    constraints : (which, orders, sizes)
        which int64 [n_features], IN: 0 of a feature that must not raise predictions with rising values, 1 of one that is free,
        2 of one that must not lower them; orders int64 [3, 2·n_leaves], IN: of all children of the level, those above the
        border last, for a split of each; sizes int64 [3], IN.
    """
    borders, noisy, _ = best
    which, orders, sizes = constraints
    all_scores = np.empty(65536, np.float64)
    for f in range(table.shape[0]):
        borders[f], noisy[f] = -1, -np.inf
        if n_bins[f] < 2:
            continue
        scores = all_scores[: n_bins[f] if equals[f] != 0 else n_bins[f] - 1]
        kind = which[f]
        _score(table[f], equals[f] != 0, orders[kind], sizes[kind], units, options, scores)
        choose_border(scores, f, features[f], sigma, keys, best)
