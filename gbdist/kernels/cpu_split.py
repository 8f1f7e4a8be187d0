"""CPU kernels that score splits: sums over bins, CatBoost's Cosine or L2 score, noise, the best border of each feature.

A binned feature is tested by bin > border, a one-hot one by bin == value; where both are meant, *border* stands for either.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import normal_quantile
from gbdist.kernels.hashing import unit_draw

_LOW = np.int64(0xFFFFFFFF)


@device_function
def _n_borders(n_bins: int, equals: bool) -> Any:
    """Every value of a one-hot feature is a candidate; no row is above the last bin of another."""
    return n_bins if equals else n_bins - 1


@kernel
def score_borders(
    table: NDArray[np.int64],
    n_bins: int,
    equals: bool,
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
    scores: NDArray[np.float64],
) -> None:
    """Score every border of one feature over all leaves of the level.

    The score is CatBoost's (short_vector_ops.h, score_calcers.h): with avg = Σd / (Σw + l2) on each side of each leaf,
    num = Σ avg·Σd and den = Σ avg²·Σw; Cosine is num / √den, L2 is num. The sides are the bins up to the border and those
    above it; of a one-hot feature, the value's bin and all others. Which side is which does not matter to the score.

    Parameters
    ----------
    table : int64 [dimensions, n_leaves, bins] packed, or [dimensions, n_leaves, bins, 2] wide, flattened to
        [dimensions, n_leaves, width], IN
    n_bins : bins that the feature has
    equals : whether the feature is one-hot
    units : float64 [dimensions + 1], IN
        Value of one unit of the derivative of each dimension, and last that of the weight.
    options : (scaled l2, whether Cosine (else L2), whether cells are wide)
    scores : float64 [n_bins − 1], or [n_bins] where ``equals``, OUT
    """
    dimensions, n_leaves, _ = table.shape
    l2, cosine, wide = options
    n_borders = _n_borders(n_bins, equals)
    denominators = np.full(n_borders, 1e-100)
    high = np.empty(n_bins, np.int64)
    low = np.empty(n_bins, np.int64)
    weight_unit = units[dimensions]
    scores[:] = 0.0
    for leaf in range(n_leaves):
        for k in range(dimensions):
            cells = table[k, leaf]
            if wide:
                total_high, total_low = np.int64(0), np.int64(0)
                for b in range(np.uint64(n_bins)):
                    total_high += cells[b << np.uint64(1)]
                    total_low += cells[(b << np.uint64(1)) | np.uint64(1)]
                    high[b], low[b] = total_high, total_low
            else:
                total = np.int64(0)
                for b in range(np.uint64(n_bins)):
                    total += cells[b]
                    high[b] = total
                total_high, total_low = total >> 32, total & _LOW
                for b in range(np.uint64(n_bins)):
                    packed = high[b]
                    high[b], low[b] = packed >> 32, packed & _LOW
            if equals:  # each bin alone; taken from the sums, as a choice within the loops above slows all features
                for b in range(n_bins - 1, 0, -1):
                    high[b] -= high[b - 1]
                    low[b] -= low[b - 1]
            if total_low == 0:
                continue
            unit = units[k]
            for b in range(np.uint64(n_borders)):
                left, left_weight = np.float64(high[b]) * unit, np.float64(low[b]) * weight_unit
                right = np.float64(total_high - high[b]) * unit
                right_weight = np.float64(total_low - low[b]) * weight_unit
                left_average = left / (left_weight + l2) if left_weight > 0.0 else 0.0
                right_average = right / (right_weight + l2) if right_weight > 0.0 else 0.0
                scores[b] += left_average * left + right_average * right
                denominators[b] += (
                    left_average * left_average * left_weight + right_average * right_average * right_weight
                )
    if cosine:
        for b in range(np.uint64(n_borders)):
            scores[b] /= np.sqrt(denominators[b])


@device_function
def _noise(sigma: float, key: np.uint64, number: int) -> Any:
    """A draw of N(0, σ); 0 without noise."""
    if sigma <= 0.0:
        return 0.0
    return sigma * normal_quantile(unit_draw(key, np.uint64(number)) + 2.0**-54)


@device_function
def choose_border(
    scores: NDArray[np.float64],
    f: int,
    feature: int,
    sigma: float,
    keys: tuple[np.uint64, np.uint64],
    best: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Choose the best of a feature's borders by scores with noise, float64 [n_borders]; ``f`` is its place in ``best``."""
    borders, noisy, plain = best
    top = -np.inf
    for b in range(scores.shape[0]):
        value = scores[b] + _noise(sigma, keys[0], (feature << 16) + b)
        if value > top:
            top = value
            borders[f] = b
    if borders[f] >= 0:
        plain[f] = scores[borders[f]]
        noisy[f] = plain[f] + _noise(sigma, keys[1], feature)


@kernel
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
    """Find the best border of each feature, and the noisy score with which the feature competes against others.

    Noise as in CatBoost's greedy_tensor_search.cpp (SetBestScore): N(0, σ) is drawn for every border to pick the
    feature's best one, and once more when the features compete. A feature that loses within its family even with its best
    score keeps that score's border, and no noise is drawn for its borders: most of them, and the draws are most of the work.

    Parameters
    ----------
    table : int64 [n_features, dimensions, n_leaves, width], IN
        Histograms of the features in ``features``.
    n_bins : int64 [n_features], IN
        Bins of each; below 2 means that the feature does not compete.
    equals : uint8 [n_features], IN
        1 where the feature is one-hot.
    families : int64 [n_features], IN
        Number of each feature's family, below n_features. Whoever asks may weigh scores, those of a family alike.
    features : int64 [n_features], IN
        Global feature numbers, for the noise.
    units : see ``score_borders``
    options : see ``score_borders``
    sigma : standard deviation of the noise, 0 for none
    keys : (border, feature)
        Keys of the two draws.
    best : (border int64, noisy score float64, score float64) each [n_features], OUT
        border is −1 where the feature does not compete.
    """
    feature_key = keys[1]
    borders, noisy, plain = best
    scores = np.empty(65536, np.float64)
    for f in range(table.shape[0]):
        borders[f], noisy[f] = -1, -np.inf
        if n_bins[f] < 2:
            continue
        n_borders = _n_borders(n_bins[f], equals[f] != 0)
        score_borders(table[f], n_bins[f], equals[f] != 0, units, options, scores[:n_borders])
        top = -np.inf
        for b in range(n_borders):
            if scores[b] > top:
                top = scores[b]
                borders[f], plain[f] = b, top
        noisy[f] = plain[f] + _noise(sigma, feature_key, features[f])
    if sigma <= 0.0:
        return
    winners = np.full(table.shape[0], -np.inf)
    for f in np.argsort(-noisy):  # the most promising first, so that few are left
        if borders[f] < 0 or noisy[f] < winners[families[f]]:
            continue
        n_borders = _n_borders(n_bins[f], equals[f] != 0)
        score_borders(table[f], n_bins[f], equals[f] != 0, units, options, scores[:n_borders])
        choose_border(scores[:n_borders], f, features[f], sigma, keys, best)
        winners[families[f]] = max(winners[families[f]], noisy[f])


@kernel
def best_of_each(
    noisy: NDArray[np.float64], borders: NDArray[np.int64], families: NDArray[np.int64], tops: NDArray[np.int64]
) -> int:
    """Write the place of the best feature of each family that has one, of equals the first; return how many there are.

    Parameters
    ----------
    noisy : float64 [n_features], IN
        Scores; one that is not finite does not compete.
    borders : int64 [n_features], IN
        −1 where a feature does not compete.
    families : int64 [n_features], IN
        Ascending.
    tops : int64 [n_features], OUT
        The rest is not written.
    """
    count, best, top = 0, -1, -np.inf
    for f in range(noisy.shape[0]):
        if borders[f] >= 0 and noisy[f] > top and noisy[f] < np.inf:
            best, top = f, noisy[f]
        if f + 1 == noisy.shape[0] or families[f + 1] != families[f]:
            if best >= 0:
                tops[count] = best
                count += 1
            best, top = -1, -np.inf
    return count
