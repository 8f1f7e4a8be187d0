"""The obvious NumPy twins of the row kernels: slow, same signatures, same bits. Tests hold them together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_rows import FLOAT32_MAX, LARGEST_DRAW, Bins
from gbdist.kernels.elementary import exp_array, log_array
from gbdist.kernels.hashing import unit_draws


def _fixed(values: NDArray[np.float64], scale: float) -> NDArray[np.int64]:
    return np.rint(values * scale).astype(np.int64)


def _draws(key: np.uint64, first_row: int, n_rows: int) -> NDArray[np.float64]:
    return unit_draws(key, np.uint64(first_row) + np.arange(n_rows, dtype=np.uint64))


def absolute_sums(values: NDArray[np.float64], scales: tuple[float, float], sums: NDArray[np.int64]) -> None:
    """Twin of ``cpu_rows.absolute_sums``."""
    sums[0] += _fixed(np.abs(values), scales[0]).sum()
    sums[1] += _fixed(values * values, scales[1]).sum()


def weight_sum(values: NDArray[np.float32], scale: float) -> int:
    """Twin of ``cpu_rows.weight_sum``."""
    return int(_fixed(values.astype(np.float64), scale).sum())


def weighted_label_sum(label: NDArray[np.float32], weight: NDArray[np.float32], scale: float) -> int:
    """Twin of ``cpu_rows.weighted_label_sum``."""
    values = label.astype(np.float64)
    return int(_fixed(values * weight if weight.shape[0] else values, scale).sum())


def extend_range(values: NDArray[np.float64], ends: NDArray[np.float64]) -> None:
    """Twin of ``cpu_rows.extend_range``."""
    ends[:] = values.min(initial=ends[0]), values.max(initial=ends[1])


def scale_values(factor: float, values: NDArray[np.float64]) -> None:
    """Twin of ``cpu_rows.scale_values``."""
    values *= factor


def gradient_norms(derivatives: NDArray[np.float64], ridge: float, out: NDArray[np.float64]) -> None:
    """Twin of ``cpu_rows.gradient_norms``."""
    total = np.full(out.shape[0], ridge)
    for row in derivatives:
        total += row * row
    out[:] = np.sqrt(total)


def bucket_norms(norms: NDArray[np.float64], first_bucket: int, scale: float, buckets: NDArray[np.int64]) -> None:
    """Twin of ``cpu_rows.bucket_norms``."""
    where = np.clip((norms.view(np.int64) >> 47) - first_bucket, 0, buckets.shape[0] - 1)
    np.add.at(buckets[:, 0], where, 1)
    np.add.at(buckets[:, 1], where, _fixed(norms, scale))


def draw_bernoulli(key: np.uint64, first_row: int, probability: float, out: NDArray[np.float32]) -> None:
    """Twin of ``cpu_rows.draw_bernoulli``."""
    out[:] = _draws(key, first_row, out.shape[0]) < probability


def draw_bayesian(key: np.uint64, first_row: int, temperature: float, out: NDArray[np.float32]) -> None:
    """Twin of ``cpu_rows.draw_bayesian``."""
    draws = -log_array(_draws(key, first_row, out.shape[0]) + 2.0**-54)
    if temperature != 1.0:
        draws = np.minimum(exp_array(temperature * log_array(draws + 1e-100)), LARGEST_DRAW)
    out[:] = draws


def draw_mvs(
    key: np.uint64, first_row: int, norms: NDArray[np.float64], threshold: float, out: NDArray[np.float32]
) -> None:
    """Twin of ``cpu_rows.draw_mvs``."""
    probability = norms / threshold
    keep = (probability > 2.0**-20) & (_draws(key, first_row, out.shape[0]) < probability)
    out[:] = np.where(norms > threshold, 1.0, np.where(keep, 1.0 / probability, 0.0))


def apply_draws(draws: NDArray[np.float32], derivatives: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Twin of ``cpu_rows.apply_draws``."""
    out[:] = derivatives * draws


def weigh_draws(draws: NDArray[np.float32], weight: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Twin of ``cpu_rows.weigh_draws``."""
    with np.errstate(over="ignore"):
        out[:] = np.minimum(draws * weight, FLOAT32_MAX)


def mark_drawn(draws: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Twin of ``cpu_rows.mark_drawn``."""
    out[:] = draws > 0.0


def clear_leaves(leaf_of_row: NDArray[np.uint16]) -> None:
    """Twin of ``cpu_rows.clear_leaves``."""
    leaf_of_row.fill(0)


def drop_level(leaf_of_row: NDArray[np.uint16], level: int) -> None:
    """Twin of ``cpu_rows.drop_level``."""
    low = leaf_of_row & np.uint16((1 << level) - 1)
    leaf_of_row[:] = low | ((leaf_of_row >> np.uint16(level + 1)) << np.uint16(level))


def take_rows(values: NDArray[Any], rows: NDArray[np.uint32], out: NDArray[Any]) -> None:
    """Twin of ``cpu_rows.take_rows``."""
    out[:] = values[rows]


def split_leaves(bins: Bins, border: int, level: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Twin of ``cpu_rows.split_leaves``."""
    leaf_of_row |= (bins > border).astype(np.uint16) << np.uint16(level)


def split_equal_leaves(bins: Bins, value: int, level: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Twin of ``cpu_rows.split_equal_leaves``."""
    leaf_of_row |= (bins == value).astype(np.uint16) << np.uint16(level)


def add_leaf_values(
    leaf_of_row: NDArray[np.uint16], values: NDArray[np.float64], predictions: NDArray[np.float64]
) -> None:
    """Twin of ``cpu_rows.add_leaf_values``."""
    predictions += values[leaf_of_row]
