"""CPU kernels of trees whose leaves are split one by one: rows move by leaf, tables and best borders are of single leaves."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel
from gbdist.kernels.cpu_split import best_borders

Bins = NDArray[np.uint8] | NDArray[np.uint16]


@kernel
def split_leaf(bins: Bins, border: int, leaf: int, right: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Send the rows of one leaf whose bin is above ``border`` to the leaf ``right``; leaf_of_row uint16 [n], IN and OUT."""
    highest, old, new = bins.dtype.type(border), np.uint16(leaf), np.uint16(right)  # of the arrays' own types, for SIMD
    for i in range(np.uint64(leaf_of_row.shape[0])):
        leaf_of_row[i] = new if (leaf_of_row[i] == old) & (bins[i] > highest) else leaf_of_row[i]


@kernel
def split_equal_leaf(bins: Bins, value: int, leaf: int, right: int, leaf_of_row: NDArray[np.uint16]) -> None:
    """Send the rows of one leaf whose bin is ``value`` to the leaf ``right``; leaf_of_row uint16 [n], IN and OUT."""
    wanted, old, new = bins.dtype.type(value), np.uint16(leaf), np.uint16(right)
    for i in range(np.uint64(leaf_of_row.shape[0])):
        leaf_of_row[i] = new if (leaf_of_row[i] == old) & (bins[i] == wanted) else leaf_of_row[i]


@kernel
def renumber_leaves(numbers: NDArray[np.uint16], leaf_of_row: NDArray[np.uint16]) -> None:
    """Give each row's leaf its number in ``numbers``, uint16 [n_leaves] IN; leaf_of_row uint16 [n], IN and OUT."""
    for i in range(np.uint64(leaf_of_row.shape[0])):
        leaf_of_row[i] = numbers[leaf_of_row[i]]


@kernel
def count_leaves(leaf_of_row: NDArray[np.uint16], drawn: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Add the number of rows of each leaf to ``counts``.

    Parameters
    ----------
    leaf_of_row : uint16 [n], IN
    drawn : uint8 [n] or [0], IN
        1 for rows of the bootstrap sample, which are counted; empty means all.
    counts : int64 [n_leaves], IN and OUT
    """
    everything = drawn.shape[0] == 0
    for i in range(np.uint64(leaf_of_row.shape[0])):
        counts[leaf_of_row[i]] += np.int64(everything or drawn[i] != 0)


@kernel
def place_children(
    counted: NDArray[np.int64],
    first: int,
    places: NDArray[np.int64],
    parents: NDArray[np.int64],
    tables: NDArray[np.int64],
) -> None:
    """Put the tables of counted leaves in their places; what is left of a parent is the sibling's.

    Parameters
    ----------
    counted : int64 [n_counted_features, dimensions, n_counted, width], IN
    first : the first of the counted features
    places : int64 [n_counted], IN
        Where each leaf's table goes.
    parents : int64 [n_counted], IN
        Where the table of its parent is, and that of its sibling will be; −1 where nothing is to be made of the parent.
    tables : int64 [n_places, n_features, dimensions, width], IN and OUT
    """
    n_features, dimensions, n_counted, width = counted.shape
    for i in range(n_counted):
        for f in range(n_features):
            for k in range(dimensions):
                cells, own = counted[f, k, i], tables[places[i], first + f, k]
                for b in range(np.uint64(width)):
                    own[b] = cells[b]
                if parents[i] >= 0:
                    rest = tables[parents[i], first + f, k]
                    for b in range(np.uint64(width)):
                        rest[b] -= cells[b]


@kernel
def take_leaves(
    tables: NDArray[np.int64], places: NDArray[np.int64], features: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Copy the cells of pairs of a leaf and a feature.

    Parameters
    ----------
    tables : int64 [n_places, n_features, dimensions, width], IN
    places, features : int64 [n], IN
    out : int64 [n, dimensions, width], OUT
    """
    for i in range(places.shape[0]):
        out[i] = tables[places[i], features[i]]


@kernel
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
    """Find the best border of each feature for each of some leaves by itself: ``best_borders`` of every leaf.

    Parameters
    ----------
    tables : int64 [n_places, n_features, dimensions, width], IN
        Histograms of single leaves.
    span : features ``span[0] … span[1] − 1`` are scored
    places : int64 [n_leaves], IN
        Where the leaves' tables are.
    n_bins : int64 [n_leaves, n_scored], IN
        Bins of each scored feature; below 2 means that it does not compete in that leaf.
    equals, families, features : [n_scored], IN
        See ``best_borders``.
    units, options, sigma : see ``best_borders``
    keys : uint64 [n_leaves, 2], IN
        Keys of the two draws of each leaf.
    best : (border int64, noisy score float64, score float64) each [n_leaves, n_scored], OUT
    """
    for i in range(places.shape[0]):
        cells = tables[places[i]][span[0] : span[1]]
        table = cells.reshape(cells.shape[0], cells.shape[1], 1, cells.shape[2])
        of_leaf = (best[0][i], best[1][i], best[2][i])
        both = (keys[i, 0], keys[i, 1])
        best_borders(table, n_bins[i], equals, families, features, units, options, sigma, both, of_leaf)
