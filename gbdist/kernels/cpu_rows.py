"""CPU kernels that run over rows: fixed-point sums of derivatives, bootstrap draws, leaf numbers, predictions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel
from gbdist.kernels.elementary import exp, log
from gbdist.kernels.hashing import unit_draw

Bins = NDArray[np.uint8] | NDArray[np.uint16]

#: A Bayesian draw is held below this: a float32 would become infinite from a temperature of 25 on.
LARGEST_DRAW = 2.0**100
FLOAT32_MAX = np.finfo(np.float32).max


@kernel
def absolute_sums(values: NDArray[np.float64], scales: tuple[float, float], sums: NDArray[np.int64]) -> None:
    """Add Σ|v| and Σv² in fixed point to ``sums`` (int64 [2], IN and OUT), each term rounded once."""
    scale, square_scale = scales
    total, squares = np.int64(0), np.int64(0)
    for i in range(np.uint64(values.shape[0])):
        value = values[i]
        total += np.int64(np.rint(np.abs(value) * scale))
        squares += np.int64(np.rint(value * value * square_scale))
    sums[0] += total
    sums[1] += squares


@kernel
def weight_sum(values: NDArray[np.float32], scale: float) -> int:
    """Σ of non-negative float32 values in fixed point."""
    total = np.int64(0)
    for i in range(np.uint64(values.shape[0])):
        total += np.int64(np.rint(np.float64(values[i]) * scale))
    return int(total)


@kernel
def weighted_label_sum(label: NDArray[np.float32], weight: NDArray[np.float32], scale: float) -> int:
    """Σ weight × label in fixed point; an empty ``weight`` means 1."""
    total = np.int64(0)
    for i in range(np.uint64(label.shape[0])):
        value = np.float64(label[i])
        if weight.shape[0]:
            value *= np.float64(weight[i])
        total += np.int64(np.rint(value * scale))
    return int(total)


@kernel
def extend_range(values: NDArray[np.float64], ends: NDArray[np.float64]) -> None:
    """Move the smallest and the largest value so far, float64 [2] IN and OUT, on by values, float64 [n] IN."""
    smallest, largest = ends[0], ends[1]
    for i in range(np.uint64(values.shape[0])):
        smallest = values[i] if values[i] < smallest else smallest
        largest = values[i] if values[i] > largest else largest
    ends[0], ends[1] = smallest, largest


@kernel
def scale_values(factor: float, values: NDArray[np.float64]) -> None:
    """Multiply values, float64 [n] IN and OUT, by a factor."""
    for i in range(np.uint64(values.shape[0])):
        values[i] *= factor


@kernel
def gradient_norms(derivatives: NDArray[np.float64], ridge: float, out: NDArray[np.float64]) -> None:
    """Write √(Σ_dimension d² + ridge) of each row; derivatives float64 [dimension, n] IN, out float64 [n] OUT."""
    out[:] = ridge
    for k in range(derivatives.shape[0]):  # rows innermost, so that LLVM vectorises each dimension
        row = derivatives[k]
        for i in range(np.uint64(out.shape[0])):
            out[i] += row[i] * row[i]
    for i in range(np.uint64(out.shape[0])):
        out[i] = np.sqrt(out[i])


@kernel
def bucket_norms(norms: NDArray[np.float64], first_bucket: int, scale: float, buckets: NDArray[np.int64]) -> None:
    """Add each norm to the bucket of its exponent and five leading bits of mantissa.

    ``buckets`` is int64 [n_buckets, 2] (count, fixed-point sum), IN and OUT; norms outside fall into the first or last one.
    """
    last = buckets.shape[0] - 1
    bits = norms.view(np.int64)
    for i in range(np.uint64(norms.shape[0])):
        bucket = min(max((bits[i] >> 47) - first_bucket, 0), last)
        buckets[bucket, 0] += 1
        buckets[bucket, 1] += np.int64(np.rint(norms[i] * scale))


@kernel
def draw_bernoulli(key: np.uint64, first_row: int, probability: float, out: NDArray[np.float32]) -> None:
    """Write 1 for drawn rows and 0 for the others; out float32 [n], OUT."""
    for i in range(np.uint64(out.shape[0])):
        out[i] = np.float32(1.0) if unit_draw(key, np.uint64(first_row) + i) < probability else np.float32(0.0)


@kernel
def draw_bayesian(key: np.uint64, first_row: int, temperature: float, out: NDArray[np.float32]) -> None:
    """Write (−ln u)^temperature, CatBoost's Bayesian bootstrap (tensor_search_helpers.cpp); out float32 [n], OUT.

    At most ``LARGEST_DRAW``.
    """
    for i in range(np.uint64(out.shape[0])):
        draw = -log(unit_draw(key, np.uint64(first_row) + i) + 2.0**-54)
        if temperature != 1.0:
            draw = min(exp(temperature * log(draw + 1e-100)), LARGEST_DRAW)
        out[i] = np.float32(draw)


@kernel
def draw_mvs(
    key: np.uint64, first_row: int, norms: NDArray[np.float64], threshold: float, out: NDArray[np.float32]
) -> None:
    """Minimal variance sampling (CatBoost's mvs.cpp): keep with p = min(1, norm/threshold), weight 1/p; out float32 [n], OUT.

    Rows with p below 2⁻²⁰ are left out (CatBoost: below 2⁻⁵²), so that a weight has a bound.
    """
    for i in range(np.uint64(out.shape[0])):
        if norms[i] > threshold:
            out[i] = np.float32(1.0)
            continue
        probability = norms[i] / threshold
        keep = probability > 2.0**-20 and unit_draw(key, np.uint64(first_row) + i) < probability
        out[i] = np.float32(1.0 / probability) if keep else np.float32(0.0)


@kernel
def apply_draws(draws: NDArray[np.float32], derivatives: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Multiply derivatives with the rows' draws: float64 [n], out OUT."""
    for i in range(np.uint64(out.shape[0])):
        out[i] = derivatives[i] * np.float64(draws[i])


@kernel
def weigh_draws(draws: NDArray[np.float32], weight: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write draw × weight of each row, held below infinity; float32 [n] each, out OUT."""
    for i in range(np.uint64(out.shape[0])):
        out[i] = min(draws[i] * weight[i], FLOAT32_MAX)


@kernel
def mark_drawn(draws: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Write 1 for rows whose draw is above 0; draws float32 [n], out uint8 [n], OUT."""
    for i in range(np.uint64(out.shape[0])):
        out[i] = np.uint8(draws[i] > np.float32(0.0))


@kernel
def split_leaves(bins: Bins, border: int, level: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Set bit ``level`` of the leaf number of rows whose bin is above ``border``; leaf_of_row uint16 [n], IN and OUT."""
    for i in range(np.uint64(leaf_of_row.shape[0])):
        leaf_of_row[i] |= np.uint16(np.uint16(bins[i] > border) << np.uint16(level))


@kernel
def split_equal_leaves(bins: Bins, value: int, level: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Set bit ``level`` of the leaf number of rows whose bin is ``value``; leaf_of_row uint16 [n], IN and OUT."""
    for i in range(np.uint64(leaf_of_row.shape[0])):
        leaf_of_row[i] |= np.uint16(np.uint16(bins[i] == value) << np.uint16(level))


@kernel
def clear_leaves(leaf_of_row: NDArray[np.uint16]) -> None:
    """Put all rows into leaf 0; leaf_of_row uint16 [n], OUT."""
    leaf_of_row[:] = 0


@kernel
def drop_level(leaf_of_row: NDArray[np.uint16], level: int) -> None:
    """Take bit ``level`` out of the leaf numbers, those above move down; leaf_of_row uint16 [n], IN and OUT."""
    below = np.uint64((1 << level) - 1)
    for i in range(np.uint64(leaf_of_row.shape[0])):
        leaf = np.uint64(leaf_of_row[i])
        above = (leaf >> np.uint64(level + 1)) << np.uint64(level)
        leaf_of_row[i] = np.uint16((leaf & below) | above)


@kernel
def add_leaf_values(
    leaf_of_row: NDArray[np.uint16], values: NDArray[np.float64], predictions: NDArray[np.float64]
) -> None:
    """Add ``values[leaf]`` to each row's prediction: values float64 [n_leaves] IN, predictions float64 [n] IN and OUT."""
    for i in range(np.uint64(predictions.shape[0])):
        predictions[i] += values[leaf_of_row[i]]


@kernel
def take_rows(values: NDArray[Any], rows: NDArray[np.uint32], out: NDArray[Any]) -> None:
    """Copy the values of ``rows`` to ``out`` in order: values [n] or [n, 2], out [k] or [k, 2], OUT, of any one type."""
    for i in range(np.uint64(rows.shape[0])):
        out[i] = values[rows[i]]
