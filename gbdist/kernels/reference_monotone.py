"""NumPy and Python twins of the kernels of monotone constraints."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.reference_histogram import score_noise

_LOW = np.int64(0xFFFFFFFF)


def make_isotonic(
    values: NDArray[np.float64], weights: NDArray[np.float64], orders: NDArray[np.int64], size: int
) -> None:
    """Twin of ``cpu_monotone.make_isotonic``."""
    for order in orders.reshape(-1, size):
        pools: list[tuple[float, float, list[int]]] = []
        for leaf in order.tolist():
            weight, members = float(weights[leaf]), [leaf]
            total = weight * float(values[leaf])
            while pools and _mean(*pools[-1][:2]) >= _mean(weight, total):
                before = pools.pop()
                weight, total, members = before[0] + weight, before[1] + total, before[2] + members
            pools.append((weight, total, members))
        for weight, total, members in pools:
            values[members] = _mean(weight, total)


def _mean(weight: float, total: float) -> float:
    return total / weight if weight > 0.0 else 0.0


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
    """Twin of ``cpu_monotone.best_monotone_borders``."""
    borders, noisy, plain = best
    which, orders, sizes = constraints
    borders[:], noisy[:] = -1, -np.inf
    for f in np.flatnonzero(n_bins >= 2).tolist():
        order, size = orders[which[f]], int(sizes[which[f]])
        n_borders = int(n_bins[f] if equals[f] else n_bins[f] - 1)
        scores = np.array([_score(table[f], b, bool(equals[f]), order, size, units, options) for b in range(n_borders)])
        own, of_border = score_noise(features[f : f + 1], n_borders, sigma, keys)
        borders[f] = int(np.argmax(scores + of_border))
        plain[f] = scores[borders[f]]
        noisy[f] = plain[f] + own


def _score(
    table: NDArray[np.int64],
    border: int,
    equals: bool,
    order: NDArray[np.int64],
    size: int,
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
) -> float:
    """The score of one border; table int64 [dimensions, n_leaves, width]."""
    l2, cosine, wide = options
    high = table[..., 0::2] if wide else table >> 32
    low = table[..., 1::2] if wide else table & _LOW
    at = np.arange(high.shape[2])
    right = at == border if equals else at > border
    numerator, denominator = 0.0, 1e-100
    for k in range(table.shape[0]):
        sides = [(part[k] @ ~right, part[k] @ right) for part in (high, low)]
        sums, amounts = np.concatenate(sides[0]) * units[k], np.concatenate(sides[1]) * units[-1]
        weights = amounts + l2
        values = np.divide(sums, weights, out=np.zeros_like(sums), where=amounts > 0)
        if size > 1:
            make_isotonic(values, weights, order, size)
        for value, total, amount in zip(values.tolist(), sums.tolist(), amounts.tolist(), strict=True):
            numerator += value * total
            denominator += value * value * amount
    return float(numerator / np.sqrt(denominator) if cosine else numerator)
