"""The obvious NumPy twins of the kernels of target statistics: slow, same signatures, same bits (tests see to it)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_categories import BORDER_OFFSET


def count_classes(codes: NDArray[np.uint32], classes: NDArray[np.uint8], counts: NDArray[np.int32]) -> None:
    """Twin of ``cpu_categories.count_classes``."""
    np.add.at(counts, (codes, classes), 1)


def count_earlier(
    codes: NDArray[np.uint32],
    classes: NDArray[np.uint8],
    backwards: bool,
    counts: NDArray[np.int32],
    earlier: NDArray[np.int32],
) -> None:
    """Twin of ``cpu_categories.count_earlier``: each row looks at all rows before it."""
    rows = np.arange(codes.shape[0])[:: -1 if backwards else 1]
    known = counts.copy()
    for place, row in enumerate(rows.tolist()):
        before = rows[:place]
        alike = before[codes[before] == codes[row]]
        earlier[:, row] = known[codes[row]] + np.bincount(classes[alike], minlength=counts.shape[1])
    count_classes(codes, classes, counts)


def add_counts(
    counts: NDArray[np.int32], codes: NDArray[np.uint32], before: NDArray[np.int32], so_far: NDArray[np.int32]
) -> None:
    """Twin of ``cpu_categories.add_counts``, for codes that are all different."""
    before[:] = so_far[codes]
    so_far[codes] += counts


def sum_counts(counts: NDArray[np.int32], codes: NDArray[np.uint32], so_far: NDArray[np.int32]) -> None:
    """Twin of ``cpu_categories.sum_counts``, for codes that are all different."""
    so_far[codes] += counts


def take_counts(counts: NDArray[np.int32], which: NDArray[np.int64], out: NDArray[np.int32]) -> None:
    """Twin of ``cpu_categories.take_counts``."""
    out[:] = counts[which]


def put_counts(counts: NDArray[np.int32], which: NDArray[np.int64], out: NDArray[np.int32]) -> None:
    """Twin of ``cpu_categories.put_counts``."""
    out[which] = counts


def describe_counts(
    counts: NDArray[np.int32], edges: NDArray[np.int64], n_trained: int, facts: NDArray[np.int64]
) -> None:
    """Twin of ``cpu_categories.describe_counts``."""
    for group, (first, stop) in enumerate(pairwise(edges.tolist())):
        some = counts[first:stop]
        rows = some.sum(axis=1)
        trained = np.count_nonzero(some[:, :n_trained].sum(axis=1))
        facts[group] = trained, np.count_nonzero(rows), rows.max(initial=0)


def narrow_counts(counts: NDArray[np.int32], largest: int, out: NDArray[np.uint8]) -> int:
    """Twin of ``cpu_categories.narrow_counts``."""
    out[:] = np.minimum(counts, largest)
    return int(np.count_nonzero(counts >= largest))


def add_classes(counts: NDArray[np.int32], first: int, stop: int, out: NDArray[np.int32]) -> None:
    """Twin of ``cpu_categories.add_classes``."""
    out[:] = counts[:, first:stop].sum(axis=1)


def take_bins(codes: NDArray[np.uint32], bins: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Twin of ``cpu_categories.take_bins``."""
    out[:] = bins[codes]


def statistic_bins(
    good: NDArray[np.integer],
    total: NDArray[np.integer],
    rule: tuple[np.float32, np.float32, np.float32, int],
    out: NDArray[np.uint8],
) -> None:
    """Twin of ``cpu_categories.statistic_bins``."""
    prior, shift, scale, n_borders = rule
    share = (good.astype(np.float32) + prior) / (total.astype(np.float32) + np.float32(1.0))
    out[:] = np.searchsorted(border_values(n_borders), (share + shift) * scale, side="left")


def learn_bins(
    rows: tuple[NDArray[np.uint32], NDArray[np.uint8], bool],
    first_row: int,
    counts: NDArray[np.int32],
    dropped: NDArray[np.bool_],
    n_classes: int,
    features: tuple[NDArray[np.int64], NDArray[np.float32]],
    out: NDArray[np.uint8],
) -> None:
    """Twin of ``cpu_categories.learn_bins``."""
    earlier = np.empty((counts.shape[1], rows[0].shape[0]), np.int32)
    count_earlier(*rows, counts.copy(), earlier)
    if dropped.shape[0]:
        earlier[:, dropped[rows[0]]] = 0
    total = earlier[:n_classes].sum(axis=0)
    some = slice(first_row, first_row + total.shape[0])
    for (first, stop, n_borders, place), numbers in zip(features[0].tolist(), features[1], strict=True):
        rule = (numbers[0], numbers[1], numbers[2], n_borders)
        statistic_bins(earlier[first:stop].sum(axis=0), total, rule, out[place, some])


def border_values(n_borders: int) -> NDArray[np.float32]:
    """Borders of a statistic, float32 [n_borders]."""
    return (np.arange(n_borders) + BORDER_OFFSET).astype(np.float32)
