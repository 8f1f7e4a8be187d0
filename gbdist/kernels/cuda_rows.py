"""CUDA kernels that run over rows; the twins of ``cpu_rows`` under the same names, with the same bits.

Arrays with one value a row are device arrays; sums, scales and the values of leaves are host arrays.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_rows import FLOAT32_MAX, LARGEST_DRAW
from gbdist.kernels.cuda_compile import (
    SHARED_BYTES,
    add_in_halves,
    add_over_block,
    blocks_for,
    card,
    clear_halves,
    device_function,
    given,
    kernel,
    launch,
    of_halves,
    on_device,
    rint,
    times,
)
from gbdist.kernels.cuda_elementary import exp, log, unit_draw

#: Bytes of one of a block's buckets in ``bucket_norms``: a count and the halves of a sum.
_BUCKET_BYTES = 12
#: Blocks that keep buckets of their own, which have to be added up.
_BUCKETING_BLOCKS = 264


@kernel
def _absolute_sums(values: Any, scale: Any, square_scale: Any, sums: Any) -> None:
    total, squares = np.int64(0), np.int64(0)
    for i in range(card.grid(1), values.shape[0], card.gridsize(1)):
        value = values[i]
        total += rint(abs(value) * scale)
        squares += rint(value * value * square_scale)
    add_over_block(total, sums, 0)
    add_over_block(squares, sums, 1)


def absolute_sums(values: Any, scales: tuple[float, float], sums: NDArray[np.int64]) -> None:
    """See ``cpu_rows.absolute_sums``."""
    with on_device(sums) as there:
        launch(_absolute_sums, blocks_for(values.shape[0]), values, scales[0], scales[1], there)


@kernel
def _weight_sum(values: Any, scale: Any, sums: Any) -> None:
    total = np.int64(0)
    for i in range(card.grid(1), values.shape[0], card.gridsize(1)):
        total += rint(np.float64(values[i]) * scale)
    add_over_block(total, sums, 0)


def weight_sum(values: Any, scale: float) -> int:
    """See ``cpu_rows.weight_sum``."""
    sums = np.zeros(1, np.int64)
    with on_device(sums) as there:
        launch(_weight_sum, blocks_for(values.shape[0]), values, scale, there)
    return int(sums[0])


@device_function
def _place_of(value: Any) -> Any:
    """An int64 in the order of the float64 numbers, but for −0, which comes before 0."""
    bits = np.float64(value).view(np.int64)
    return bits if bits >= 0 else bits ^ np.int64(0x7FFFFFFFFFFFFFFF)


@kernel
def _extend_range(values: Any, places: Any) -> None:
    smallest, largest = places[0], places[1]
    for i in range(card.grid(1), values.shape[0], card.gridsize(1)):
        place = _place_of(values[i])
        smallest, largest = min(smallest, place), max(largest, place)
    if smallest < places[0]:  # old values do no harm: they go one way
        card.atomic.min(places, 0, smallest)
    if largest > places[1]:
        card.atomic.max(places, 1, largest)


def extend_range(values: Any, ends: NDArray[np.float64]) -> None:
    """See ``cpu_rows.extend_range``."""
    if not values.shape[0]:
        return
    bits = ends.view(np.int64)
    places = np.where(bits >= 0, bits, bits ^ np.int64(0x7FFFFFFFFFFFFFFF))
    with on_device(places) as there:
        launch(_extend_range, blocks_for(values.shape[0]), values, there)
    ends.view(np.int64)[:] = np.where(places >= 0, places, places ^ np.int64(0x7FFFFFFFFFFFFFFF))


@kernel
def _scale_values(factor: Any, values: Any) -> None:
    for i in range(card.grid(1), values.shape[0], card.gridsize(1)):
        values[i] *= factor


def scale_values(factor: float, values: Any) -> None:
    """See ``cpu_rows.scale_values``."""
    launch(_scale_values, blocks_for(values.shape[0]), float(factor), values)


@kernel
def _gradient_norms(derivatives: Any, ridge: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        total = ridge
        for k in range(derivatives.shape[0]):
            total += times(derivatives[k, i], derivatives[k, i])
        out[i] = math.sqrt(total)


def gradient_norms(derivatives: Any, ridge: float, out: Any) -> None:
    """See ``cpu_rows.gradient_norms``."""
    launch(_gradient_norms, blocks_for(out.shape[0]), derivatives, float(ridge), out)


@kernel
def _bucket_norms(norms: Any, first_bucket: Any, scale: Any, buckets: Any) -> None:
    mine = card.shared.array(0, numba.uint32)
    n_buckets = buckets.shape[0]
    clear_halves(mine, 3 * n_buckets)
    for i in range(card.grid(1), norms.shape[0], card.gridsize(1)):
        norm = norms[i]
        bucket = (np.float64(norm).view(np.int64) >> np.int64(47)) - first_bucket
        bucket = min(max(bucket, np.int64(0)), np.int64(n_buckets - 1))
        card.atomic.add(mine, 3 * bucket, np.uint32(1))
        add_in_halves(mine, 3 * bucket + 1, rint(norm * scale))
    card.syncthreads()
    for bucket in range(card.threadIdx.x, n_buckets, card.blockDim.x):
        if mine[3 * bucket] != 0:
            card.atomic.add(buckets, (bucket, 0), np.int64(mine[3 * bucket]))
            card.atomic.add(buckets, (bucket, 1), of_halves(mine, 3 * bucket + 1))


def bucket_norms(norms: Any, first_bucket: int, scale: float, buckets: NDArray[np.int64]) -> None:
    """See ``cpu_rows.bucket_norms``; at most 4096 buckets, which a block's shared memory holds."""
    shared = _BUCKET_BYTES * buckets.shape[0]
    if shared > SHARED_BYTES:
        raise ValueError(f"{buckets.shape[0]} buckets do not fit {SHARED_BYTES} bytes")
    with on_device(buckets) as there:
        blocks = blocks_for(norms.shape[0], _BUCKETING_BLOCKS)
        launch(_bucket_norms, blocks, norms, first_bucket, scale, there, shared=shared)


@kernel
def _draw_bernoulli(key: Any, first_row: Any, probability: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = np.float32(1.0) if unit_draw(key, first_row + np.uint64(i)) < probability else np.float32(0.0)


def draw_bernoulli(key: np.uint64, first_row: int, probability: float, out: Any) -> None:
    """See ``cpu_rows.draw_bernoulli``."""
    launch(_draw_bernoulli, blocks_for(out.shape[0]), key, np.uint64(first_row), probability, out)


@kernel
def _draw_bayesian(key: Any, first_row: Any, temperature: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        draw = -log(unit_draw(key, first_row + np.uint64(i)) + 2.0**-54)
        if temperature != 1.0:
            draw = min(exp(temperature * log(draw + 1e-100)), LARGEST_DRAW)
        out[i] = np.float32(draw)


def draw_bayesian(key: np.uint64, first_row: int, temperature: float, out: Any) -> None:
    """See ``cpu_rows.draw_bayesian``."""
    launch(_draw_bayesian, blocks_for(out.shape[0]), key, np.uint64(first_row), float(temperature), out)


@kernel
def _draw_mvs(key: Any, first_row: Any, norms: Any, threshold: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        draw = np.float32(1.0)
        if not norms[i] > threshold:
            probability = norms[i] / threshold
            keep = probability > 2.0**-20 and unit_draw(key, first_row + np.uint64(i)) < probability
            draw = np.float32(1.0 / probability) if keep else np.float32(0.0)
        out[i] = draw


def draw_mvs(key: np.uint64, first_row: int, norms: Any, threshold: float, out: Any) -> None:
    """See ``cpu_rows.draw_mvs``."""
    launch(_draw_mvs, blocks_for(out.shape[0]), key, np.uint64(first_row), norms, float(threshold), out)


@kernel
def _apply_draws(draws: Any, derivatives: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = derivatives[i] * np.float64(draws[i])


def apply_draws(draws: Any, derivatives: Any, out: Any) -> None:
    """See ``cpu_rows.apply_draws``."""
    launch(_apply_draws, blocks_for(out.shape[0]), draws, derivatives, out)


@kernel
def _weigh_draws(draws: Any, weight: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = min(np.float32(draws[i] * weight[i]), FLOAT32_MAX)


def weigh_draws(draws: Any, weight: Any, out: Any) -> None:
    """See ``cpu_rows.weigh_draws``."""
    launch(_weigh_draws, blocks_for(out.shape[0]), draws, weight, out)


@kernel
def _mark_drawn(draws: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = np.uint8(1) if draws[i] > np.float32(0.0) else np.uint8(0)


def mark_drawn(draws: Any, out: Any) -> None:
    """See ``cpu_rows.mark_drawn``."""
    launch(_mark_drawn, blocks_for(out.shape[0]), draws, out)


@kernel
def _split_leaves(bins: Any, border: Any, level: Any, leaf_of_row: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        if bins[i] > border:
            leaf_of_row[i] |= np.uint16(1 << level)


def split_leaves(bins: Any, border: int, level: int, leaf_of_row: Any) -> None:
    """See ``cpu_rows.split_leaves``."""
    launch(_split_leaves, blocks_for(leaf_of_row.shape[0]), bins, border, level, leaf_of_row)


@kernel
def _split_equal_leaves(bins: Any, value: Any, level: Any, leaf_of_row: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        if bins[i] == value:
            leaf_of_row[i] |= np.uint16(1 << level)


def split_equal_leaves(bins: Any, value: int, level: int, leaf_of_row: Any) -> None:
    """See ``cpu_rows.split_equal_leaves``."""
    launch(_split_equal_leaves, blocks_for(leaf_of_row.shape[0]), bins, value, level, leaf_of_row)


@kernel
def _clear_leaves(leaf_of_row: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        leaf_of_row[i] = 0


def clear_leaves(leaf_of_row: Any) -> None:
    """See ``cpu_rows.clear_leaves``."""
    launch(_clear_leaves, blocks_for(leaf_of_row.shape[0]), leaf_of_row)


@kernel
def _drop_level(leaf_of_row: Any, level: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        low = leaf & ((1 << level) - 1)
        leaf_of_row[i] = np.uint16(low | ((leaf >> (level + 1)) << level))


def drop_level(leaf_of_row: Any, level: int) -> None:
    """See ``cpu_rows.drop_level``."""
    launch(_drop_level, blocks_for(leaf_of_row.shape[0]), leaf_of_row, level)


@kernel
def _add_leaf_values(leaf_of_row: Any, values: Any, predictions: Any) -> None:
    for i in range(card.grid(1), predictions.shape[0], card.gridsize(1)):
        predictions[i] += values[leaf_of_row[i]]


def add_leaf_values(leaf_of_row: Any, values: NDArray[np.float64], predictions: Any) -> None:
    """See ``cpu_rows.add_leaf_values``."""
    there = given("values of leaves", values, np.float64)
    launch(_add_leaf_values, blocks_for(predictions.shape[0]), leaf_of_row, there, predictions)


@kernel
def _take_rows(values: Any, rows: Any, out: Any) -> None:
    for i in range(card.grid(1), rows.shape[0], card.gridsize(1)):
        out[i] = values[rows[i]]


@kernel
def _take_pairs(values: Any, rows: Any, out: Any) -> None:
    for i in range(card.grid(1), rows.shape[0], card.gridsize(1)):
        out[i, 0] = values[rows[i], 0]
        out[i, 1] = values[rows[i], 1]


def take_rows(values: Any, rows: Any, out: Any) -> None:
    """See ``cpu_rows.take_rows``."""
    take = _take_rows if len(values.shape) == 1 else _take_pairs
    launch(take, blocks_for(rows.shape[0]), values, rows, out)
