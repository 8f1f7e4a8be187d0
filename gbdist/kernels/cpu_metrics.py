"""Sums of the metrics over the rows of one rank. The twins, which say what each computes, are in ``reference_metrics``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.cpu_losses import BLOCK, load_targets, load_weights, softmax_block
from gbdist.kernels.elementary import decay, exp, log, sigmoid, softplus_of_decay

_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_IMAGE_UNITS, _IMAGE_LARGEST = 2251799813685248.0, np.int64((1 << 52) - 1)  # 2^51 units a side of zero
#: CatBoost's MAE is the quantile loss at ½, which is 0 within this distance and smaller by it beyond
MAE_DELTA = 1e-6
#: what rounding leaves of a residual's values is kept in units that are smaller by this factor
LOW_UNITS = 1048576.0
_LIMB_BITS, _LIMB_MASK = np.int64(13), np.int64((1 << 13) - 1)


@kernel
def add_residual_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_metrics.add_residual_sums``."""
    n_rows = np.uint64(label.shape[0])
    w = np.ones(BLOCK)
    values = np.empty((5, BLOCK))
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for j in range(size):
            y = np.float64(label[start + j])
            d = y - prediction[start + j]
            beyond = abs(d) - MAE_DELTA
            values[0, j] = (beyond if beyond > 0.0 else 0.0) * w[j] * scales[0]
            values[1, j] = d * d * w[j] * scales[1]
            values[2, j] = w[j] * scales[2]
            values[3, j] = y * w[j] * scales[3]
            values[4, j] = y * y * w[j] * scales[4]
        for column in range(np.uint64(5)):
            high, low = np.int64(0), np.int64(0)
            for j in range(size):
                whole = np.rint(values[column, j])
                high += np.int64(whole)
                low += np.int64(np.rint((values[column, j] - whole) * LOW_UNITS))
            sums[column, _ZERO] += high
            sums[column, _ONE] += low


@kernel
def add_logistic_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    positive: int,
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_metrics.add_logistic_sums``."""
    n_rows = np.uint64(label.shape[0])
    y, e, w = np.empty(BLOCK), np.empty(BLOCK), np.ones(BLOCK)
    loss, total = np.int64(0), np.int64(0)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        load_targets(label, positive, start, size, y)
        for j in range(size):
            e[j] = decay(prediction[start + j])
        for j in range(size):
            a = prediction[start + j]
            loss += np.int64(np.rint((softplus_of_decay(a, e[j]) - y[j] * a) * w[j] * scales[0]))
        for j in range(size):
            total += np.int64(np.rint(w[j] * scales[1]))
    sums[0] += loss
    sums[1] += total


@kernel
def add_brier_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_metrics.add_brier_sums``."""
    n_rows = np.uint64(label.shape[0])
    w = np.ones(BLOCK)
    squared, total = np.int64(0), np.int64(0)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for j in range(size):
            d = np.float64(label[start + j]) - sigmoid(prediction[start + j])
            squared += np.int64(np.rint(d * d * w[j] * scales[0]))
            total += np.int64(np.rint(w[j] * scales[1]))
    sums[0] += squared
    sums[1] += total


@kernel
def add_softmax_sums(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    predictions: NDArray[np.float64],
    scales: NDArray[np.float64],
    sums: NDArray[np.int64],
) -> None:
    """See ``reference_metrics.add_softmax_sums``."""
    n_rows, n_classes = np.uint64(label.shape[0]), np.uint64(predictions.shape[0])
    p = np.empty((predictions.shape[0], BLOCK))
    top, total, own, w = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.ones(BLOCK)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for k in range(n_classes):
            for j in range(size):
                p[k, j] = predictions[k, start + j]
        for j in range(size):
            own[j] = p[np.uint64(label[start + j]), j]
        softmax_block(p, size, top, total)
        loss, counted = np.int64(0), np.int64(0)
        for j in range(size):
            loss += np.int64(np.rint(((log(total[j]) + top[j]) - own[j]) * w[j] * scales[0]))
            counted += np.int64(np.rint(w[j] * scales[1]))
        sums[0] += loss
        sums[1] += counted


@kernel
def add_class_counts(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    predictions: NDArray[np.float64],
    border: float,
    scale: float,
    counts: NDArray[np.int64],
) -> None:
    """See ``reference_metrics.add_class_counts``."""
    n_rows, n_dimensions = np.uint64(label.shape[0]), np.uint64(predictions.shape[0])
    target, chosen = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)
    top, w = np.empty(BLOCK), np.ones(BLOCK)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        if n_dimensions == _ONE:
            for j in range(size):
                target[j] = np.uint64(label[start + j] > np.float32(0.5))
                chosen[j] = np.uint64(predictions[_ZERO, start + j] > border)
        else:
            for j in range(size):
                target[j], chosen[j], top[j] = np.uint64(label[start + j]), _ZERO, predictions[_ZERO, start + j]
            for k in range(_ONE, n_dimensions):
                for j in range(size):
                    a = predictions[k, start + j]
                    chosen[j] = k if a > top[j] else chosen[j]
                    top[j] = a if a > top[j] else top[j]
        for j in range(size):
            units = np.int64(np.rint(w[j] * scale))
            counts[target[j], _ZERO] += units * np.int64(target[j] == chosen[j])
            counts[target[j], _ONE] += units
            counts[chosen[j], _TWO] += units


@kernel
def class_log_odds(predictions: NDArray[np.float64], positive: int, out: NDArray[np.float64]) -> None:
    """See ``reference_metrics.class_log_odds``."""
    n_rows, n_classes = np.uint64(predictions.shape[1]), np.uint64(predictions.shape[0])
    own = np.uint64(positive)
    top, total = np.empty(BLOCK), np.empty(BLOCK)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        for j in range(size):
            top[j], total[j] = predictions[_ZERO, start + j], 0.0
        for k in range(_ONE, n_classes):
            for j in range(size):
                a = predictions[k, start + j]
                top[j] = a if a > top[j] else top[j]
        for k in range(n_classes):
            if k != own:
                for j in range(size):
                    total[j] += exp(predictions[k, start + j] - top[j])
        for j in range(size):
            out[start + j] = (predictions[own, start + j] - top[j]) - log(total[j])


@kernel
def add_score_histogram(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    score: NDArray[np.float64],
    classes: tuple[int, int],
    scale: float,
    dropped_bits: int,
    cells: NDArray[np.int64],
) -> None:
    """See ``reference_metrics.add_score_histogram``."""
    n_rows = np.uint64(label.shape[0])
    images = np.empty(BLOCK, np.int64)
    w = np.ones(BLOCK)
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for j in range(size):
            images[j] = score_image(score[start + j]) >> np.int64(dropped_bits)
        for j in range(size):
            up, down = _sides(label[start + j], w[j], classes)
            cell = np.uint64(images[j])
            cells[cell, _ZERO] += np.int64(np.rint(up * scale))
            cells[cell, _ONE] += np.int64(np.rint(down * scale))


@kernel
def count_scores(score: NDArray[np.float64], dropped_bits: int, slot_of_cell: NDArray[np.int32]) -> int:
    """See ``reference_metrics.count_scores``."""
    count = np.int64(0)
    for i in range(np.uint64(score.shape[0])):
        count += np.int64(slot_of_cell[np.uint64(score_image(score[i]) >> np.int64(dropped_bits))] >= 0)
    return int(count)


@kernel
def take_scores(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    score: NDArray[np.float64],
    classes: tuple[int, int],
    scale: float,
    dropped_bits: int,
    slot_of_cell: NDArray[np.int32],
    taken: NDArray[np.int64],
) -> int:
    """See ``reference_metrics.take_scores``."""
    count = _ZERO
    drop = np.int64(dropped_bits)
    low = (np.int64(1) << drop) - np.int64(1)
    images = np.empty(BLOCK, np.int64)
    w = np.ones(BLOCK)
    n_rows = np.uint64(label.shape[0])
    for start in range(_ZERO, n_rows, np.uint64(BLOCK)):
        size = min(np.uint64(BLOCK), n_rows - start)
        load_weights(weight, start, size, w)
        for j in range(size):
            images[j] = score_image(score[start + j])
        for j in range(size):
            slot = slot_of_cell[np.uint64(images[j] >> drop)]
            up, down = _sides(label[start + j], w[j], classes)
            p, n = np.int64(np.rint(up * scale)), np.int64(np.rint(down * scale))
            # Written in any case and kept by moving on: a branch would be guessed wrong for every other row.
            taken[count, _ZERO], taken[count, _ONE] = slot, images[j] & low
            taken[count, _TWO], taken[count, np.uint64(3)] = p, n
            count += np.uint64((slot >= 0) & ((p | n) != 0))
    return int(count)


@kernel
def add_taken_cells(
    taken: NDArray[np.int64], left_bits: int, cell_bits: int, cells: NDArray[np.int64], ties: NDArray[np.int64]
) -> None:
    """See ``reference_metrics.add_taken_cells``."""
    drop = np.int64(left_bits - cell_bits)
    for i in range(np.uint64(taken.shape[0])):
        slot, rest = np.uint64(taken[i, _ZERO]), taken[i, _ONE]
        cell = (slot << np.uint64(cell_bits)) | np.uint64(rest >> drop)
        cells[cell, _ZERO] += taken[i, _TWO]
        cells[cell, _ONE] += taken[i, np.uint64(3)]
        ties[slot, _ZERO] += np.int64(1)
        for limb in range(np.uint64(4)):
            part = (rest >> (np.int64(limb) * _LIMB_BITS)) & _LIMB_MASK
            ties[slot, _ONE + limb] += part
            ties[slot, np.uint64(5) + limb] += part * part


@kernel
def keep_taken(
    taken: NDArray[np.int64], left_bits: int, cell_bits: int, slot_of_cell: NDArray[np.int32], kept: NDArray[np.int64]
) -> int:
    """See ``reference_metrics.keep_taken``."""
    drop = np.int64(left_bits - cell_bits)
    low = (np.int64(1) << drop) - np.int64(1)
    count = _ZERO
    for i in range(np.uint64(taken.shape[0])):
        rest = taken[i, _ONE]
        slot = slot_of_cell[(np.uint64(taken[i, _ZERO]) << np.uint64(cell_bits)) | np.uint64(rest >> drop)]
        kept[count, _ZERO], kept[count, _ONE] = slot, rest & low
        kept[count, _TWO], kept[count, np.uint64(3)] = taken[i, _TWO], taken[i, np.uint64(3)]
        count += np.uint64(slot >= 0)
    return int(count)


@kernel
def add_areas(cells: NDArray[np.int64], slot_bits: int, area: NDArray[np.float64]) -> None:
    """See ``reference_metrics.add_areas``."""
    n_cells = np.uint64(1) << np.uint64(slot_bits)
    for start in range(_ZERO, np.uint64(cells.shape[0]), n_cells):
        below, above, certain, tied = 0.0, 0.0, 0.0, 0.0
        for i in range(start, start + n_cells):  # one order of additions on every machine
            up, down = np.float64(cells[i, _ZERO]), np.float64(cells[i, _ONE])
            certain += up * below
            tied += 0.5 * up * down
            below += down
            above += up
        area[0] += certain + tied
        area[1] += 0.5 * above * below


@device_function
def score_image(score: Any) -> Any:
    """52-bit integer that grows with the score: linear in s / (2 + |s|), each step of which is monotone as rounded."""
    h = 1.0 - 1.0 / (1.0 + 0.5 * abs(score))
    t = (1.0 - h if score < 0.0 else 1.0 + h) * _IMAGE_UNITS
    return min(np.int64(t if t >= 0.0 else 0.0), _IMAGE_LARGEST)


@device_function
def _sides(label: Any, w: Any, classes: Any) -> Any:
    """Weight of a row among the positives and among the negatives."""
    if classes[0] < 0:
        y = np.float64(label)
        return y * w, (1.0 - y) * w
    up = w if label == np.float32(classes[0]) else 0.0
    down = w - up if classes[1] < 0 else (w if label == np.float32(classes[1]) else 0.0)
    return up, down
