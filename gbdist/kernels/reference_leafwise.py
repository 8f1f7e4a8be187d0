"""The obvious NumPy twins of the kernels of trees whose leaves are split one by one: same signatures, same bits."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import reference_histogram
from gbdist.kernels.cpu_leafwise import Bins


def split_leaf(bins: Bins, border: int, leaf: int, right: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Twin of ``cpu_leafwise.split_leaf``."""
    leaf_of_row[(leaf_of_row == leaf) & (bins > border)] = right


def split_equal_leaf(bins: Bins, value: int, leaf: int, right: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Twin of ``cpu_leafwise.split_equal_leaf``."""
    leaf_of_row[(leaf_of_row == leaf) & (bins == value)] = right


def renumber_leaves(numbers: NDArray[np.uint16], leaf_of_row: NDArray[np.uint16]) -> None:
    """Twin of ``cpu_leafwise.renumber_leaves``."""
    leaf_of_row[:] = numbers[leaf_of_row]


def count_leaves(leaf_of_row: NDArray[np.uint16], drawn: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Twin of ``cpu_leafwise.count_leaves``."""
    counts += np.bincount(leaf_of_row[drawn != 0] if drawn.shape[0] else leaf_of_row, minlength=counts.shape[0])


def place_children(
    counted: NDArray[np.int64],
    first: int,
    places: NDArray[np.int64],
    parents: NDArray[np.int64],
    tables: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_leafwise.place_children``."""
    features = slice(first, first + counted.shape[0])
    for i, (place, parent) in enumerate(zip(places.tolist(), parents.tolist(), strict=True)):
        tables[place, features] = counted[:, :, i]
        if parent >= 0:
            tables[parent, features] -= counted[:, :, i]


def take_leaves(
    tables: NDArray[np.int64], places: NDArray[np.int64], features: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Twin of ``cpu_leafwise.take_leaves``."""
    out[:] = tables[places, features]


def best_leaf_borders(
    tables: NDArray[np.int64],
    span: tuple[int, int],
    places: NDArray[np.int64],
    n_bins: NDArray[np.int64],
    equals: NDArray[np.uint8],
    families: NDArray[np.int64],
    features: NDArray[np.int64],
    units: NDArray[np.float64],
    options: tuple[float, bool, bool],
    sigma: float,
    keys: NDArray[np.uint64],
    best: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Twin of ``cpu_leafwise.best_leaf_borders``."""
    for i, place in enumerate(places.tolist()):
        table = tables[place, span[0] : span[1], :, None]
        of_leaf, both = (best[0][i], best[1][i], best[2][i]), (keys[i, 0], keys[i, 1])
        reference_histogram.best_borders(
            table, n_bins[i], equals, families, features, units, options, sigma, both, of_leaf
        )
