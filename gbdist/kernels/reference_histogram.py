"""The obvious NumPy twins of the histogram, split and leaf kernels: slow, same signatures, same bits (tests see to it)."""

import math

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_histogram import Bins
from gbdist.kernels.elementary import exp_array, normal_quantile_array
from gbdist.kernels.hashing import hash_numbers, unit_draws

_TO_UNIT32 = 2.0**-32
_LOW = np.int64(0xFFFFFFFF)
Picked = tuple[NDArray[np.uint32], NDArray[np.uint16]]


def _rounded(values: NDArray[np.float64], scale: float, key: np.uint64, first_row: int) -> NDArray[np.int64]:
    rows = np.uint64(first_row) + np.arange(values.shape[0], dtype=np.uint64)
    draws = (hash_numbers(key, rows) >> np.uint64(32)).astype(np.float64) * _TO_UNIT32
    return np.floor(values * scale + draws).astype(np.int64)


def pack_wide_cells(
    derivatives: NDArray[np.float64],
    weights: NDArray[np.float32],
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_histogram.pack_wide_cells``."""
    cells[:, 0] = _rounded(derivatives, scales[0], keys[0], first_row)
    cells[:, 1] = _rounded(weights.astype(np.float64), scales[1], keys[1], first_row) if weights.shape[0] else 1


def pack_cells(
    derivatives: NDArray[np.float64],
    weights: NDArray[np.float32],
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_histogram.pack_cells``."""
    wide = np.empty((cells.shape[0], 2), np.int64)
    pack_wide_cells(derivatives, weights, scales, keys, first_row, wide)
    cells[:] = (wide[:, 0] << 32) + wide[:, 1]


def pick_rows(
    leaf_of_row: NDArray[np.uint16],
    slot_of_leaf: NDArray[np.int32],
    drawn: NDArray[np.uint8],
    first: int,
    rows: NDArray[np.uint32],
    slots: NDArray[np.uint16],
) -> int:
    """Twin of ``cpu_histogram.pick_rows``."""
    slot = slot_of_leaf[leaf_of_row]
    kept = np.flatnonzero((slot >= 0) & (drawn.astype(np.bool_) if drawn.shape[0] else True))
    rows[: kept.shape[0]] = first + kept
    slots[: kept.shape[0]] = slot[kept]
    return kept.shape[0]


def add_all_rows(
    bins: Bins, first: int, cells: NDArray[np.int64], dimension: int, histogram: NDArray[np.int64]
) -> None:
    """Twin of ``cpu_histogram.add_all_rows``."""
    for f in range(first, first + 4):
        add_all_rows_single(bins, f, cells, dimension, histogram)


def add_all_rows_single(
    bins: Bins, first: int, cells: NDArray[np.int64], dimension: int, histogram: NDArray[np.int64]
) -> None:
    """Twin of ``cpu_histogram.add_all_rows_single``."""
    np.add.at(histogram[first, dimension], bins[first], cells)


def add_picked_rows(
    bins: Bins,
    first: int,
    picked: Picked,
    cells: NDArray[np.int64],
    layout: tuple[int, int],
    histogram: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_histogram.add_picked_rows``."""
    for f in range(first, first + 4):
        add_picked_rows_single(bins, f, picked, cells, layout, histogram)


def add_picked_rows_single(
    bins: Bins,
    first: int,
    picked: Picked,
    cells: NDArray[np.int64],
    layout: tuple[int, int],
    histogram: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_histogram.add_picked_rows_single``."""
    rows, slots = picked
    where = (slots.astype(np.int64) << layout[1]) + bins[first, rows]
    np.add.at(histogram[first, layout[0]], where, cells)


def add_picked_rows_wide(
    bins: Bins,
    first: int,
    picked: Picked,
    cells: NDArray[np.int64],
    layout: tuple[int, int],
    histogram: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_histogram.add_picked_rows_wide``."""
    rows, slots = picked
    where = (slots.astype(np.int64) << layout[1]) + bins[first, rows]
    np.add.at(histogram[first, layout[0]].reshape(-1, 2), where, cells)


def split_parents(
    parents: NDArray[np.int64],
    counted: NDArray[np.int64],
    counted_right: NDArray[np.uint8],
    children: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_histogram.split_parents``."""
    half = parents.shape[2]
    right = counted_right.astype(np.bool_)[None, None, :, None]
    children[:, :, :half] = np.where(right, parents - counted, counted)
    children[:, :, half:] = np.where(right, counted, parents - counted)


def score_borders(
    table: NDArray[np.int64],
    n_bins: int,
    equals: bool,
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
    scores: NDArray[np.float64],
) -> None:
    """Twin of ``cpu_split.score_borders``."""
    l2, cosine, wide = options
    denominators = np.full(scores.shape[0], 1e-100)
    scores[:] = 0.0
    for leaf in range(table.shape[1]):
        for k in range(table.shape[0]):
            cells = table[k, leaf]
            high = cells[0::2] if wide else cells >> 32
            low = cells[1::2] if wide else cells & _LOW
            one, one_weight = high[:n_bins], low[:n_bins]
            if not equals:
                one, one_weight = np.cumsum(one)[:-1], np.cumsum(one_weight)[:-1]
            sides = [(one, one_weight), (high.sum() - one, low.sum() - one_weight)]
            terms = []
            for derivative, weight in sides:
                real, real_weight = derivative * units[k], weight * units[-1]
                average = np.divide(real, real_weight + l2, out=np.zeros_like(real), where=real_weight > 0)
                terms.append((average * real, average * average * real_weight))
            if low.sum() > 0:
                scores += terms[0][0] + terms[1][0]
                denominators += terms[0][1] + terms[1][1]
    if cosine:
        scores /= np.sqrt(denominators)


def best_borders(
    table: NDArray[np.int64],
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
    """Twin of ``cpu_split.best_borders``: draws all noise, then forgets that of features which lose whatever it is."""
    borders, noisy, plain = best
    borders[:], noisy[:] = -1, -np.inf
    competing = np.flatnonzero(n_bins >= 2)
    without = {}
    for f in competing.tolist():
        scores = np.empty(n_bins[f] if equals[f] else n_bins[f] - 1)
        score_borders(table[f], int(n_bins[f]), bool(equals[f]), units, options, scores)
        own, of_border = score_noise(features[f : f + 1], scores.shape[0], sigma, keys)
        best_of_all = int(np.argmax(scores))
        without[f] = (best_of_all, scores[best_of_all] + own, scores[best_of_all])
        borders[f] = int(np.argmax(scores + of_border))
        plain[f] = scores[borders[f]]
        noisy[f] = plain[f] + own
    winners = [noisy[families == family].max() for family in families]
    for f, (border, reachable, score) in without.items():
        if reachable < winners[f]:
            borders[f], noisy[f], plain[f] = border, reachable, score


def score_noise(
    feature: NDArray[np.int64], n_borders: int, sigma: float, keys: tuple[np.uint64, np.uint64]
) -> tuple[float, NDArray[np.float64]]:
    """Noise of a feature, whose number is given as int64 [1], and of each of its borders."""
    if sigma <= 0.0:
        return 0.0, np.zeros(n_borders)
    numbers = (feature << 16) + np.arange(n_borders)
    of_border = sigma * normal_quantile_array(unit_draws(keys[0], numbers.astype(np.uint64)) + 2.0**-54)
    own = sigma * normal_quantile_array(unit_draws(keys[1], feature.astype(np.uint64)) + 2.0**-54)
    return float(own[0]), of_border


def best_of_each(
    noisy: NDArray[np.float64], borders: NDArray[np.int64], families: NDArray[np.int64], tops: NDArray[np.int64]
) -> int:
    """Twin of ``cpu_split.best_of_each``."""
    found = []
    for family in np.unique(families):
        members = np.flatnonzero((families == family) & (borders >= 0) & np.isfinite(noisy))
        if members.shape[0]:
            found.append(members[np.argmax(noisy[members])])
    tops[: len(found)] = found
    return len(found)


def solve_leaves(
    second: NDArray[np.float64],
    first: NDArray[np.float64],
    regularizer: tuple[float, float],
    step: NDArray[np.float64],
) -> None:
    """Twin of ``cpu_leaves.solve_leaves`` by LAPACK: equal to rounding, not in bits."""
    l2, epsilon = regularizer
    size = first.shape[1]
    upper = np.triu_indices(size)
    for leaf in range(first.shape[0]):
        matrix = np.zeros((size, size))
        matrix[upper] = -second[leaf]
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        ridge = max(l2, epsilon * max(l2, float(np.diag(matrix).max())))
        step[leaf] = np.linalg.solve(matrix + ridge * np.eye(size), first[leaf])


def bound_gain(
    step: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64], change: float
) -> tuple[float, float]:
    """Twin of ``cpu_leaves.bound_gain``: equal to rounding, not in bits."""
    most = 0.5 * np.maximum(-second, 0.0) * step * step * exp_array(change * np.abs(step))
    return math.fsum((first * step).ravel().tolist()), math.fsum(most.ravel().tolist())


def bound_next_steps(
    step: NDArray[np.float64], second: NDArray[np.float64], rule: tuple[float, float, float], out: NDArray[np.float64]
) -> None:
    """Twin of ``cpu_leaves.bound_next_steps``."""
    l2, change, longest = rule
    length = np.abs(step)
    curvature = np.maximum(l2 - second, 1e-300)
    bound = exp_array(2.0 * change * length) * (length * (l2 / curvature) + 0.5 * change * length * length)
    out[...] = np.where(length <= longest, bound, np.inf)


def find_settled(
    step: NDArray[np.float64],
    following: NDArray[np.float64],
    point: NDArray[np.float64],
    active: NDArray[np.bool_],
    share: float,
    settled: NDArray[np.bool_],
) -> None:
    """Twin of ``cpu_leaves.find_settled``."""
    small = np.minimum(np.abs(step), following) <= share * np.maximum(1.0, np.abs(point + step))
    settled[:] = active & small.all(axis=1)


def add_by_leaf(
    values: NDArray[np.float64], leaf_of_row: NDArray[np.uint16], scale: float, sums: NDArray[np.int64]
) -> None:
    """Twin of ``cpu_leaves.add_by_leaf``."""
    np.add.at(sums, leaf_of_row, np.rint(values * scale).astype(np.int64))
