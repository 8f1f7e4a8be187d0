"""CPU kernels of the histogram stage: pack derivatives, pick the rows to count, count them, split parents into children.

Two kinds of cells (DESIGN §4): *packed*, one int64 with the derivative in the high 32 bits (signed) and the weight in the
low 32; and *wide*, two int64 side by side. Which one a run uses is decided by ``boosting.fixed_point`` from global numbers.
"""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel
from gbdist.kernels.hashing import hash_number

_U32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_TO_UNIT32 = 2.0**-32

Bins = NDArray[np.uint8] | NDArray[np.uint16]


@kernel
def pack_cells(
    derivatives: NDArray[np.float64],
    weights: NDArray[np.float32],
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: NDArray[np.int64],
) -> None:
    """Round each row's derivative and weight to integers, without bias, into one packed cell.

    Parameters
    ----------
    derivatives : float64 [n], IN
        Weighted (and sampled) derivative.
    weights : float32 [n] or [0], IN
        Weight of the row in the histogram; empty means 1, which is exact.
    scales : (derivative, weight)
        Units per 1.0.
    keys : (derivative, weight)
        Keys of the draws that round up or down.
    first_row : global number of the first row
    cells : int64 [n], OUT
    """
    scale, weight_scale = scales
    key, weight_key = keys
    if weights.shape[0] == 0:
        for i in range(np.uint64(cells.shape[0])):
            draw = np.float64(hash_number(key, np.uint64(first_row) + i) >> _U32) * _TO_UNIT32
            cells[i] = (np.int64(np.floor(derivatives[i] * scale + draw)) << 32) + 1
        return
    for i in range(np.uint64(cells.shape[0])):
        row = np.uint64(first_row) + i
        draw = np.float64(hash_number(key, row) >> _U32) * _TO_UNIT32
        weight_draw = np.float64(hash_number(weight_key, row) >> _U32) * _TO_UNIT32
        weight = np.float64(weights[i])
        high = np.int64(np.floor(derivatives[i] * scale + draw))
        low = np.int64(np.floor(weight * weight_scale + weight_draw))
        # A row that was not drawn has weight and derivative 0; its cell is 0 and is skipped when rows are picked.
        cells[i] = (high << 32) + low


@kernel
def pack_wide_cells(
    derivatives: NDArray[np.float64],
    weights: NDArray[np.float32],
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: NDArray[np.int64],
) -> None:
    """As ``pack_cells``, into two int64 a row: ``cells`` is int64 [n, 2], OUT (derivative, weight)."""
    scale, weight_scale = scales
    key, weight_key = keys
    unit = weights.shape[0] == 0
    for i in range(np.uint64(cells.shape[0])):
        row = np.uint64(first_row) + i
        draw = np.float64(hash_number(key, row) >> _U32) * _TO_UNIT32
        cells[i, 0] = np.int64(np.floor(derivatives[i] * scale + draw))
        if unit:
            cells[i, 1] = 1
        else:
            weight_draw = np.float64(hash_number(weight_key, row) >> _U32) * _TO_UNIT32
            cells[i, 1] = np.int64(np.floor(np.float64(weights[i]) * weight_scale + weight_draw))


@kernel
def pick_rows(
    leaf_of_row: NDArray[np.uint16],
    slot_of_leaf: NDArray[np.int32],
    drawn: NDArray[np.uint8],
    first: int,
    rows: NDArray[np.uint32],
    slots: NDArray[np.uint16],
) -> int:
    """List the rows of the leaves that are counted at this level, ascending; return how many there are.

    Parameters
    ----------
    leaf_of_row : uint16 [n], IN
    slot_of_leaf : int32 [n_leaves], IN
        Slot of each leaf, −1 where the leaf is not counted.
    drawn : uint8 [n] or [0], IN
        1 for rows of the bootstrap sample; empty means all.
    first : number of the first row of this slice, added to what is listed
    rows : uint32 [≥ n], OUT
    slots : uint16 [≥ n], OUT
    """
    count = np.uint64(0)
    everything = drawn.shape[0] == 0
    for i in range(np.uint64(leaf_of_row.shape[0])):
        slot = slot_of_leaf[leaf_of_row[i]]
        # Written always, kept only if the counter moves on: no branch to mispredict.
        rows[count] = np.uint32(first + i)
        slots[count] = np.uint16(slot)
        take = slot >= 0
        if not everything:
            take &= drawn[i] != 0
        count += np.uint64(take)
    return int(count)


@kernel
def add_all_rows(
    bins: Bins, first: int, cells: NDArray[np.int64], dimension: int, histogram: NDArray[np.int64]
) -> None:
    """Add every row to the one slot of four features (the root); see ``add_picked_rows``."""
    b0, b1, b2, b3 = bins[first], bins[first + 1], bins[first + 2], bins[first + 3]
    h0, h1 = histogram[first, dimension], histogram[first + 1, dimension]
    h2, h3 = histogram[first + 2, dimension], histogram[first + 3, dimension]
    for i in range(np.uint64(cells.shape[0])):
        cell = cells[i]
        h0[np.uint64(b0[i])] += cell
        h1[np.uint64(b1[i])] += cell
        h2[np.uint64(b2[i])] += cell
        h3[np.uint64(b3[i])] += cell


@kernel
def add_all_rows_single(
    bins: Bins, first: int, cells: NDArray[np.int64], dimension: int, histogram: NDArray[np.int64]
) -> None:
    """As ``add_all_rows`` for the one feature ``first``: what is left when features do not divide by four."""
    b0, h0 = bins[first], histogram[first, dimension]
    for i in range(np.uint64(cells.shape[0])):
        h0[np.uint64(b0[i])] += cells[i]


@kernel
def add_picked_rows(
    bins: Bins,
    first: int,
    picked: tuple[NDArray[np.uint32], NDArray[np.uint16]],
    cells: NDArray[np.int64],
    layout: tuple[int, int],
    histogram: NDArray[np.int64],
) -> None:
    """Add picked rows' packed cells to the histograms of four features in one pass.

    Four features share the reading of row, slot and cell, and their tables still fit into the second-level cache.
    Adds rather than overwrites; the caller clears ``histogram`` first.

    Parameters
    ----------
    bins : uint8 or uint16 [n_features, n], IN
    first : the first of the four features
    picked : (rows uint32 [k], slots uint16 [k]), IN
        Rows ascending, so that the gathers stream.
    cells : int64 [k], IN
        Packed cell of each picked row.
    layout : (dimension, bits)
        Which dimension's histogram, and log2 of the bins of a slot.
    histogram : int64 [n_features, dimensions, slots << bits], IN and OUT
    """
    rows, slots = picked
    dimension, bits = layout[0], np.uint64(layout[1])
    b0, b1, b2, b3 = bins[first], bins[first + 1], bins[first + 2], bins[first + 3]
    h0, h1 = histogram[first, dimension], histogram[first + 1, dimension]
    h2, h3 = histogram[first + 2, dimension], histogram[first + 3, dimension]
    for i in range(np.uint64(rows.shape[0])):  # unsigned: no wrap-around check
        row = rows[i]
        base = np.uint64(slots[i]) << bits
        cell = cells[i]
        h0[base | np.uint64(b0[row])] += cell
        h1[base | np.uint64(b1[row])] += cell
        h2[base | np.uint64(b2[row])] += cell
        h3[base | np.uint64(b3[row])] += cell


@kernel
def add_picked_rows_single(
    bins: Bins,
    first: int,
    picked: tuple[NDArray[np.uint32], NDArray[np.uint16]],
    cells: NDArray[np.int64],
    layout: tuple[int, int],
    histogram: NDArray[np.int64],
) -> None:
    """As ``add_picked_rows`` for the one feature ``first``: what is left when features do not divide by four."""
    rows, slots = picked
    dimension, bits = layout[0], np.uint64(layout[1])
    b0, h0 = bins[first], histogram[first, dimension]
    for i in range(np.uint64(rows.shape[0])):
        h0[(np.uint64(slots[i]) << bits) | np.uint64(b0[rows[i]])] += cells[i]


@kernel
def add_picked_rows_wide(
    bins: Bins,
    first: int,
    picked: tuple[NDArray[np.uint32], NDArray[np.uint16]],
    cells: NDArray[np.int64],
    layout: tuple[int, int],
    histogram: NDArray[np.int64],
) -> None:
    """As ``add_picked_rows_single`` with wide cells.

    cells is int64 [k, 2], histogram int64 [n_features, dimensions, 2·(slots << bits)].
    """
    rows, slots = picked
    dimension, bits = layout[0], np.uint64(layout[1])
    b0, h0 = bins[first], histogram[first, dimension]
    for i in range(np.uint64(rows.shape[0])):
        cell = ((np.uint64(slots[i]) << bits) | np.uint64(b0[rows[i]])) << np.uint64(1)
        h0[cell] += cells[i, 0]
        h0[cell + np.uint64(1)] += cells[i, 1]


@kernel
def split_parents(
    parents: NDArray[np.int64],
    counted: NDArray[np.int64],
    counted_right: NDArray[np.uint8],
    children: NDArray[np.int64],
) -> None:
    """Make the histograms of all leaves of a level from those of their parents and of the counted children.

    Parameters
    ----------
    parents : int64 [n_features, dimensions, n_parents, width], IN
    counted : int64 [n_features, dimensions, n_parents, width], IN
        Histogram of the counted (smaller) child of each parent.
    counted_right : uint8 [n_parents], IN
        1 where the counted child is the right one.
    children : int64 [n_features, dimensions, 2·n_parents, width], OUT
        Child of parent p: p where the test is false, p + n_parents where it is true.
    """
    n_features, dimensions, n_parents, width = parents.shape
    for f in range(n_features):
        for k in range(dimensions):
            for p in range(n_parents):
                same, other = (p + n_parents, p) if counted_right[p] else (p, p + n_parents)
                for b in range(np.uint64(width)):
                    cell = counted[f, k, p, b]
                    children[f, k, same, b] = cell
                    children[f, k, other, b] = parents[f, k, p, b] - cell


def as_weights(weights: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Turn "no weights" into the empty array that kernels read as 1."""
    return np.empty(0, np.float32) if weights is None else weights


def cells_shape(n_rows: int, wide: bool) -> tuple[int, ...]:
    """Shape of the cells of ``n_rows`` rows."""
    return (n_rows, 2) if wide else (n_rows,)
