"""The losses of ``grouped`` in Python and NumPy: what the kernels of ``cpu_grouped`` must equal, bit for bit.

Arrays of all functions
-----------------------
label, weight : float32 [n], IN; ``weight`` without elements where every weight is 1
starts : int64 [n_groups + 1], IN
    Rows ``starts[g] … starts[g+1] − 1`` of the other arrays are group g.
prediction : float64 [n], IN
first, second : float64 [n], OUT
    Derivative and second derivative of minus the loss, weights included.
count : float32 [n], OUT
    Σ weights of the pairs that each row is in.
loss : float64 [n_groups], OUT
    Of each group; of pairs 0 where ``with_loss`` is False.
"""

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import grouped as kinds
from gbdist.kernels.elementary import (
    exp_array,
    log_array,
    normal_quantile_array,
    sigmoid_array,
    softplus_of_decay_array,
)
from gbdist.kernels.grouped import LambdaOptions, YetiOptions
from gbdist.kernels.hashing import unit_draws

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]
_I8: TypeAlias = NDArray[np.int64]
_LN2 = 0.6931471805599453


def _in_order(values: _F8) -> np.float64:
    """Sum from the first to the last."""
    total = np.float64(0.0)
    for value in values:
        total = total + value
    return total


def _groups(starts: _I8) -> list[tuple[int, slice]]:
    return [(g, slice(begin, end)) for g, (begin, end) in enumerate(pairwise(starts.tolist()))]


def _weights(weight: _F4, label: _F4) -> _F8:
    return weight.astype(np.float64) if weight.shape[0] else np.ones(label.shape[0])


def query_rmse_derivatives(
    label: _F4, weight: _F4, starts: _I8, prediction: _F8, first: _F8, second: _F8, loss: _F8
) -> None:
    """Squares of the distances from the group's mean."""
    for g, rows in _groups(starts):
        w, d = _weights(weight, label)[rows], label[rows].astype(np.float64) - prediction[rows]
        whole = _in_order(w)
        d = d - (_in_order(d * w) / whole if whole > 0.0 else 0.0)
        first[rows], second[rows], loss[g] = d * w, -w, _in_order(0.5 * d * d * w)


def query_softmax_derivatives(
    label: _F4,
    weight: _F4,
    starts: _I8,
    prediction: _F8,
    options: tuple[float, float],
    first: _F8,
    second: _F8,
    loss: _F8,
) -> None:
    """Softmax over the rows of a group; ``options`` are (λ, β)."""
    shrink, beta = options
    for g, rows in _groups(starts):
        w, y = _weights(weight, label)[rows], label[rows].astype(np.float64)
        first[rows], second[rows], loss[g] = 0.0, 0.0, 0.0
        target = _in_order((w * np.maximum(y, 0.0))[w > 0.0])
        if not target > 0.0:
            continue
        e = np.where(w > 0.0, exp_array((prediction[rows] - prediction[rows][w > 0.0].max()) * beta) * w, 0.0)
        p = e / _in_order(e)
        first[rows] = np.where(w > 0.0, beta * (w * y - target * p), 0.0)
        second[rows] = np.where(w > 0.0, beta * target * (beta * p * (p - 1.0) - shrink), 0.0)
        known = (w > 0.0) & (y > 0.0)
        loss[g] = 0.0 - _in_order((w * y * log_array(np.maximum(p, 1e-300)))[known])


def _add_pair(prediction: _F8, winner: int, loser: int, weight: float, first: _F8, second: _F8) -> float:
    x = np.array([prediction[loser] - prediction[winner]])
    p = sigmoid_array(x)[0]
    first[winner] += weight * p
    first[loser] -= weight * p
    second[winner] += weight * p * (p - 1.0)
    second[loser] += weight * p * (p - 1.0)
    return float(weight * softplus_of_decay_array(x, exp_array(-np.abs(x)))[0])


def label_pair_derivatives(
    label: _F4,
    weight: _F4,
    starts: _I8,
    prediction: _F8,
    with_loss: bool,
    first: _F8,
    second: _F8,
    count: _F4,
    loss: _F8,
) -> None:
    """All pairs of rows of a group with different labels, each with the weight of the group's first row."""
    for g, rows in _groups(starts):
        w = float(_weights(weight, label)[rows.start])
        first[rows], second[rows], count[rows], total = 0.0, 0.0, 0.0, np.float64(0.0)
        for i in range(rows.start, rows.stop):
            for j in range(rows.start, rows.stop):
                if label[i] > label[j]:
                    total += _add_pair(prediction, i, j, w, first, second)
                    count[i], count[j] = np.float64(count[i]) + w, np.float64(count[j]) + w
        loss[g] = total if with_loss else 0.0


def listed_pair_derivatives(
    pairs: tuple[NDArray[np.int32], NDArray[np.int32], _F4],
    pair_starts: _I8,
    starts: _I8,
    prediction: _F8,
    with_loss: bool,
    first: _F8,
    second: _F8,
    count: _F4,
    loss: _F8,
) -> None:
    """Given pairs: (winner, loser, weight), each [n_pairs], IN; those of group g from ``pair_starts[g]`` on."""
    winners, losers, weights = pairs
    for g, rows in _groups(starts):
        first[rows], second[rows], count[rows], total = 0.0, 0.0, 0.0, np.float64(0.0)
        for k in range(pair_starts[g], pair_starts[g + 1]):
            i, j, w = int(winners[k]), int(losers[k]), float(weights[k])
            total += _add_pair(prediction, i, j, w, first, second)
            count[i], count[j] = np.float64(count[i]) + w, np.float64(count[j]) + w
        loss[g] = total if with_loss else 0.0


def gains(label: _F4, exponential: bool) -> _F8:
    """What rows of that relevance are worth: 2^y − 1, or y."""
    y = label.astype(np.float64)
    return np.asarray(exp_array(y * _LN2) - 1.0) if exponential else y


def discounts(n: int, top: int, by_position: bool) -> _F8:
    """What counts of a row's worth at each of n positions: 1 / log₂(position + 2), or 1 / (position + 1), 0 from ``top`` on."""
    positions = np.arange(n, dtype=np.float64)
    counts = 1.0 / (positions + 1.0) if by_position else _LN2 / log_array(positions + 2.0)
    return np.where(positions < top, counts, 0.0)


def _down(keys: NDArray[np.floating]) -> _I8:
    return np.argsort(-keys, kind="stable")


def ideal(label: _F4, top: int, exponential: bool, by_position: bool) -> np.float64:
    """DCG of the best order of a group."""
    worth = gains(label[_down(label)], exponential) * discounts(len(label), top, by_position)
    return _in_order(worth[: min(top, len(label))])


def lambda_mart_derivatives(
    label: _F4,
    starts: _I8,
    prediction: _F8,
    options: LambdaOptions,
    scratch: tuple[_F8, NDArray[np.int32]],
    first: _F8,
    second: _F8,
) -> None:
    """Pairs by what their swap changes of NDCG; ``scratch`` is float64 [n] and int32 [n], of no meaning."""
    sigma, normalize, top, exponential, by_position = options
    for _, rows in _groups(starts):
        y, a, size = label[rows], prediction[rows], rows.stop - rows.start
        order, worth, counts = _down(a), gains(y, exponential), discounts(size, kinds.ALL, by_position)
        best, spread = ideal(y, top, exponential, by_position), a[order[0]] != a[order[-1]]
        der, bent, total = np.zeros(size), np.zeros(size), np.float64(0.0)
        for ahead in range(size):
            for behind in range(size if ahead < top else min(top, size)):
                i, j = order[ahead], order[behind]
                if not y[i] > y[j]:
                    continue
                delta = (worth[i] - worth[j]) * abs(counts[ahead] - counts[behind]) / best
                if normalize and spread:
                    delta = delta / (0.01 + abs(a[i] - a[j]))
                p = sigmoid_array(np.array([-(sigma * (a[i] - a[j]))]))[0]
                d, b = sigma * delta * p, sigma * sigma * delta * (p * (1.0 - p))
                der[i], der[j], bent[i], bent[j] = der[i] + d, der[j] - d, bent[i] - b, bent[j] - b
                total += 2.0 * d
        if normalize and total > 0.0:
            factor = log_array(1.0 + total) / (_LN2 * total)
            der, bent = der * factor, bent * factor
        first[rows], second[rows] = der, bent


def yeti_rank_derivatives(
    label: _F4,
    weight: _F4,
    starts: _I8,
    ranked_by: _F8,
    prediction: _F8,
    draws: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    options: YetiOptions,
    scratch: tuple[_F8, _F8, NDArray[np.int32]],
    first: _F8,
    second: _F8,
    count: _F4,
) -> None:
    """Pairs of neighbours once noise is added to ``ranked_by``, float64 [n], IN; ``draws`` are uint64 [n_groups], numbers of
    the groups' first rows, and a key a draw.

    ``scratch`` is float64 [n] twice and int32 [n], of no meaning.
    """
    mode, decay, top, neighbours, exponential, by_position, _, _ = options
    first_rows, keys = draws
    for g, rows in _groups(starts):
        y, a, size = label[rows], ranked_by[rows], rows.stop - rows.start
        worth, counts = gains(y, exponential), discounts(size, top, by_position)
        first[rows], second[rows], count[rows] = 0.0, 0.0, 0.0
        scale = float(_weights(weight, label)[rows.start]) / len(keys)
        if mode == kinds.NDCG:
            best = ideal(y, top, exponential, by_position)
            scale = scale / best if best > 0.0 else 0.0
        for key in keys:
            order = _down(_shaken(a, key, first_rows[g], options))
            share = scale * 0.15 if mode == kinds.CLASSIC else scale
            for place in range(min(top, size - 1) if mode != kinds.CLASSIC else size - 1):
                for other in range(place + 1, min(size, place + 1 + neighbours)):
                    i, j = order[place], order[other]
                    if y[i] != y[j]:
                        apart = np.float64(y[i]) - np.float64(y[j])
                        if mode != kinds.CLASSIC:
                            apart = (worth[i] - worth[j]) * (counts[place] - counts[other])
                        w = share * abs(apart)
                        winner, loser = (rows.start + int(k) for k in ((i, j) if y[i] > y[j] else (j, i)))
                        _add_pair(prediction, winner, loser, w, first, second)
                        count[winner], count[loser] = np.float64(count[winner]) + w, np.float64(count[loser]) + w
                share = share * decay if mode == kinds.CLASSIC else share


def _shaken(a: _F8, key: np.uint64, first_row: np.uint64, options: YetiOptions) -> _F8:
    noise, power = options[6:]
    base, u = exp_array(a - a.max()), unit_draws(key, first_row + np.arange(len(a), dtype=np.uint64))
    if noise == kinds.GUMBEL:
        return np.asarray(base * (u / (1.000001 - u)))
    return np.asarray(base * exp_array(power * normal_quantile_array(u)) if noise == kinds.GAUSS else base)


def add_row_leaf_sums(
    first: _F8, second: _F8, weight: _F4, leaf_of_row: NDArray[np.uint16], scales: _F8, sums: _I8
) -> None:
    """Columns of ``sums``, int64 [n_leaves, 4], IN and OUT: left alone; Σ weight, Σ first, Σ second, each term rounded once.

    ``scales`` are as in ``reference_losses``; ``weight`` without elements where every weight is 1.
    """
    w = weight.astype(np.float64) if weight.shape[0] else np.ones(first.shape[0])
    for column, (values, scale) in enumerate(zip((w, first, second), scales[1:], strict=True)):
        np.add.at(sums[:, column + 1], leaf_of_row, np.rint(values * scale).astype(np.int64))


def add_group_losses(loss: _F8, scale: float, sums: _I8) -> None:
    """Σ losses of groups, each rounded once, to ``sums[0, 0]``."""
    sums[0, 0] += np.rint(loss * scale).astype(np.int64).sum()


def shift_predictions(prediction: _F8, leaf_of_row: NDArray[np.uint16], shift: _F8, out: _F8) -> None:
    """Write each row's prediction + its leaf's shift: float64 [n_leaves] IN, [n] OUT."""
    out[:] = prediction + shift[leaf_of_row]
