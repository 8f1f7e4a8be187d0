"""The sums of the metrics in NumPy: what the kernels of ``cpu_metrics`` must equal, bit for bit.

Shapes and types, here and there:

label : float32 [n], IN. Target value, or number of the class.
weight : float32 [n], IN. Without elements where every weight is 1.
prediction(s), score : float64 [n], or [dimension, n], IN
scale(s) : float64, IN. Powers of two that turn a row's values into integers, each rounded once.
sums, counts, cells, ties : int64, IN and OUT. Added to, in the columns that each function names.
classes : (positive, negative), IN. Positive −1: labels are probabilities, a row is on both sides. Negative −1: all others.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.elementary import exp_array, log1p_exp_array, log_array, sigmoid_array
from gbdist.kernels.reference_losses import target

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]
_I8: TypeAlias = NDArray[np.int64]


def add_residual_sums(label: _F4, weight: _F4, prediction: _F8, scales: _F8, sums: _I8) -> None:
    """Add Σ w max(|d| − 1e-6, 0), Σ w d², Σ w, Σ w y, Σ w y² with d = label − prediction: sums int64 [5, 2].

    The second column takes what rounding left, in units that are smaller by 2^20: residuals may be far smaller than their
    bound, and R2 takes a small difference of large sums.
    """
    w, y = _ones_or(weight, label), label.astype(np.float64)
    d = y - prediction
    for column, value in enumerate((np.maximum(np.abs(d) - 1e-6, 0.0) * w, d * d * w, w, y * w, y * y * w)):
        scaled = value * scales[column]
        sums[column, 0] += _total(scaled, 1.0)
        sums[column, 1] += _total(scaled - np.rint(scaled), 2.0**20)


def add_logistic_sums(label: _F4, weight: _F4, prediction: _F8, positive: int, scales: _F8, sums: _I8) -> None:
    """Add Σ w (softplus(a) − y a), Σ w; y is the target as in ``reference_losses``."""
    w = _ones_or(weight, label)
    y = target(label, positive)
    sums[0] += _total((log1p_exp_array(prediction) - y * prediction) * w, scales[0])
    sums[1] += _total(w, scales[1])


def add_brier_sums(label: _F4, weight: _F4, prediction: _F8, scales: _F8, sums: _I8) -> None:
    """Add Σ w (label − sigmoid(a))², Σ w."""
    w = _ones_or(weight, label)
    d = label.astype(np.float64) - sigmoid_array(prediction)
    sums[0] += _total(d * d * w, scales[0])
    sums[1] += _total(w, scales[1])


def add_softmax_sums(label: _F4, weight: _F4, predictions: _F8, scales: _F8, sums: _I8) -> None:
    """Add Σ w (log Σ e^a − a of the label's class), Σ w."""
    w = _ones_or(weight, label)
    top = predictions.max(axis=0)
    total = np.zeros(label.shape[0])
    for row in predictions:
        total += exp_array(row - top)
    own = predictions[label.astype(np.int64), np.arange(label.shape[0])]
    sums[0] += _total(((log_array(total) + top) - own) * w, scales[0])
    sums[1] += _total(w, scales[1])


def add_class_counts(label: _F4, weight: _F4, predictions: _F8, border: float, scale: float, counts: _I8) -> None:
    """Add, for each class, the weights of the rows rightly called it, of it, and called it: counts int64 [n_classes, 3].

    With one prediction a row, the class is 1 where label > 0.5, and called 1 where prediction > border.
    """
    w = np.rint(_ones_or(weight, label) * scale).astype(np.int64)
    if predictions.shape[0] == 1:
        target, chosen = (label > 0.5).astype(np.int64), (predictions[0] > border).astype(np.int64)
    else:
        target, chosen = label.astype(np.int64), predictions.argmax(axis=0)
    right = target == chosen
    np.add.at(counts[:, 0], target[right], w[right])
    np.add.at(counts[:, 1], target, w)
    np.add.at(counts[:, 2], chosen, w)


def class_log_odds(predictions: _F8, positive: int, out: _F8) -> None:
    """log(p / (1 − p)) with p the softmax probability of class ``positive``, into ``out`` [n]."""
    top = predictions.max(axis=0)
    total = np.zeros(predictions.shape[1])
    for k, row in enumerate(predictions):
        if k != positive:
            total += exp_array(row - top)
    out[:] = (predictions[positive] - top) - log_array(total)


def score_images(score: _F8) -> _I8:
    """52-bit integers that grow with the score: linear in s / (2 + |s|).

    |s| up to 30 is resolved to 1e-13; scores that are nearer to each other than that count as equal.
    """
    h = 1.0 - 1.0 / (1.0 + 0.5 * np.abs(score))
    t = np.where(score < 0.0, 1.0 - h, 1.0 + h) * 2.0**51
    return np.minimum(np.where(t >= 0.0, t, 0.0).astype(np.int64), (1 << 52) - 1)


def add_score_histogram(
    label: _F4, weight: _F4, score: _F8, classes: tuple[int, int], scale: float, dropped_bits: int, cells: _I8
) -> None:
    """Add the positive and the negative weight of each row to the cell of its image's top bits: cells int64 [n_cells, 2]."""
    up, down = _sides(label, weight, classes, scale)
    cell = score_images(score) >> dropped_bits
    np.add.at(cells[:, 0], cell, up)
    np.add.at(cells[:, 1], cell, down)


def count_scores(score: _F8, dropped_bits: int, slot_of_cell: NDArray[np.int32]) -> int:
    """How many scores lie in a cell with a slot ≥ 0."""
    return int((slot_of_cell[score_images(score) >> dropped_bits] >= 0).sum())


def take_scores(
    label: _F4,
    weight: _F4,
    score: _F8,
    classes: tuple[int, int],
    scale: float,
    dropped_bits: int,
    slot_of_cell: NDArray[np.int32],
    taken: _I8,
) -> int:
    """Copy the rows whose cell has a slot ≥ 0 and whose weight is not 0; return how many.

    ``taken`` int64 [> count, 4] OUT: slot, the image's dropped bits, positive and negative weight; the row after the last
    one is scratch.
    """
    up, down = _sides(label, weight, classes, scale)
    image = score_images(score)
    slot = slot_of_cell[image >> dropped_bits]
    rows = np.flatnonzero((slot >= 0) & ((up | down) != 0))
    low = image[rows] & ((1 << dropped_bits) - 1)
    taken[: rows.shape[0]] = np.column_stack([slot[rows], low, up[rows], down[rows]])
    return int(rows.shape[0])


def add_taken_cells(taken: _I8, left_bits: int, cell_bits: int, cells: _I8, ties: _I8) -> None:
    """Cut each slot into 2^cell_bits cells by the next bits of the rows' images, and ask whether its rows are all equal.

    ``cells`` int64 [n_slots << cell_bits, 2]: positive and negative weight. ``ties`` int64 [n_slots, 9]: number of rows,
    then Σh of four limbs of 13 bits of what is left of the image, then Σh² of each. All rows of a slot are equal if
    n Σh² = (Σh)² for each limb (Cauchy and Schwarz).
    """
    slot, rest = taken[:, 0], taken[:, 1]
    cell = (slot << cell_bits) | (rest >> (left_bits - cell_bits))
    np.add.at(cells, cell, taken[:, 2:4])
    limbs = (rest[:, None] >> (13 * np.arange(4))) & ((1 << 13) - 1)
    np.add.at(ties, slot, np.column_stack([np.ones_like(slot), limbs, limbs * limbs]))


def keep_taken(taken: _I8, left_bits: int, cell_bits: int, slot_of_cell: NDArray[np.int32], kept: _I8) -> int:
    """Copy the rows whose cell has a slot ≥ 0, with what is left of their images; return how many. As ``take_scores``."""
    drop = left_bits - cell_bits
    slot = slot_of_cell[(taken[:, 0] << cell_bits) | (taken[:, 1] >> drop)]
    rows = np.flatnonzero(slot >= 0)
    low = taken[rows, 1] & ((1 << drop) - 1)
    kept[: rows.shape[0]] = np.column_stack([slot[rows], low, taken[rows, 2:4]])
    return int(rows.shape[0])


def add_areas(cells: _I8, slot_bits: int, area: _F8) -> None:
    """Add, over slots of 2^slot_bits cells, the pairs of a slot in the right order, and half of all its pairs.

    ``area`` float64 [2], IN and OUT. Pairs in one cell count half. Additions are in the order of the cells.
    """
    for slot in cells.astype(np.float64).reshape(-1, 1 << slot_bits, 2):
        below, above, certain, tied = 0.0, 0.0, 0.0, 0.0
        for up, down in slot.tolist():
            certain += up * below
            tied += 0.5 * up * down
            below += down
            above += up
        area[0] += certain + tied
        area[1] += 0.5 * above * below


def _ones_or(weight: _F4, label: _F4) -> _F8:
    return weight.astype(np.float64) if weight.shape[0] else np.ones(label.shape[0])


def _total(value: _F8, scale: float) -> int:
    return int(np.rint(value * scale).astype(np.int64).sum())


def _sides(label: _F4, weight: _F4, classes: tuple[int, int], scale: float) -> tuple[_I8, _I8]:
    w = _ones_or(weight, label)
    if classes[0] < 0:
        y = label.astype(np.float64)
        up, down = y * w, (1.0 - y) * w
    else:
        up = np.where(label == classes[0], w, 0.0)
        down = w - up if classes[1] < 0 else np.where(label == classes[1], w, 0.0)
    return np.rint(up * scale).astype(np.int64), np.rint(down * scale).astype(np.int64)
