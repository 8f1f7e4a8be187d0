"""CUDA kernels of the histogram stage; the twins of ``cpu_histogram`` under the same names, with the same sums.

A block counts some rows for a few features in its own shared memory, where each half of a packed cell is one native 32-bit
addition: by the choice of the scales (``boosting.fixed_point``) neither half can leave its 32 bits. Then it adds its cells to the
card's histogram. Threads that are neighbours take rows that are neighbours, so that they read whole sectors of the bins' columns.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import (
    SHARED_BYTES,
    SIMULATED,
    THREADS,
    add_up_block,
    blocks_for,
    brought,
    card,
    clear_halves,
    device_function,
    given,
    kernel,
    launch,
    room,
    times,
    weights_or,
)
from gbdist.kernels.cuda_elementary import hash_number

_U32 = np.uint64(32)
_LOW = np.int64(0xFFFFFFFF)
_TO_UNIT32 = 2.0**-32
#: Features that a block counts together, if their tables fit.
_FEATURES = 4
#: Rows that a block counts: adding its tables up costs as much as many rows. Fewer, where there would be too few blocks.
_ROWS_A_BLOCK, _FEWEST_ROWS_A_BLOCK = (64, 64) if SIMULATED else (32_768, 8_192)
#: Blocks that keep the largest cards busy: eight of 256 threads for each of 132 multiprocessors.
_FILLING_BLOCKS = 1056
#: Rows that a thread looks at when rows are picked.
_PICKS = 8


@device_function
def _rounded(value: Any, scale: Any, key: Any, row: Any) -> Any:
    """A value in units, up or down by a row's draw."""
    draw = times(np.float64(hash_number(key, row) >> _U32), _TO_UNIT32)
    return np.int64(math.floor(times(value, scale) + draw))


@kernel
def _pack_cells(
    derivatives: Any, weights: Any, weighted: Any, scales: Any, keys: Any, first_row: Any, cells: Any
) -> None:
    for i in range(card.grid(1), cells.shape[0], card.gridsize(1)):
        row = first_row + np.uint64(i)
        low = np.int64(1)
        if weighted:
            low = _rounded(np.float64(weights[i]), scales[1], keys[1], row)
        cells[i] = (_rounded(derivatives[i], scales[0], keys[0], row) << 32) + low


def pack_cells(
    derivatives: Any,
    weights: Any,
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: Any,
) -> None:
    """See ``cpu_histogram.pack_cells``."""
    _pack(_pack_cells, derivatives, weights, scales, keys, first_row, cells)


@kernel
def _pack_wide_cells(
    derivatives: Any, weights: Any, weighted: Any, scales: Any, keys: Any, first_row: Any, cells: Any
) -> None:
    for i in range(card.grid(1), cells.shape[0], card.gridsize(1)):
        row = first_row + np.uint64(i)
        cells[i, 0] = _rounded(derivatives[i], scales[0], keys[0], row)
        cells[i, 1] = np.int64(1)
        if weighted:
            cells[i, 1] = _rounded(np.float64(weights[i]), scales[1], keys[1], row)


def pack_wide_cells(
    derivatives: Any,
    weights: Any,
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: Any,
) -> None:
    """See ``cpu_histogram.pack_wide_cells``."""
    _pack(_pack_wide_cells, derivatives, weights, scales, keys, first_row, cells)


def _pack(
    pack: Any,
    derivatives: Any,
    weights: Any,
    scales: tuple[float, float],
    keys: tuple[np.uint64, np.uint64],
    first_row: int,
    cells: Any,
) -> None:
    some, weighted = weights_or(weights, derivatives)
    units = (float(scales[0]), float(scales[1]))
    launch(pack, blocks_for(cells.shape[0]), derivatives, some, weighted, units, keys, np.uint64(first_row), cells)


@kernel
def _count_picks(leaf_of_row: Any, slot_of_leaf: Any, drawn: Any, sampled: Any, counts: Any) -> None:
    parts = card.shared.array(THREADS, numba.int64)
    me = card.threadIdx.x
    mine = np.int64(0)
    start = card.blockIdx.x * THREADS * _PICKS
    for turn in range(_PICKS):
        i = start + turn * THREADS + me
        if i < leaf_of_row.shape[0] and slot_of_leaf[leaf_of_row[i]] >= 0 and (not sampled or drawn[i] != 0):
            mine += 1
    parts[me] = mine
    add_up_block(parts)
    if me == 0:
        counts[card.blockIdx.x] = parts[THREADS - 1]


@kernel
def _write_picks(
    leaf_of_row: Any, slot_of_leaf: Any, drawn: Any, sampled: Any, first: Any, starts: Any, rows: Any, slots: Any
) -> None:
    ahead = card.shared.array(THREADS, numba.int64)
    me = card.threadIdx.x
    place = starts[card.blockIdx.x]
    start = card.blockIdx.x * THREADS * _PICKS
    for turn in range(_PICKS):
        i = start + turn * THREADS + me
        slot = np.int64(-1)
        if i < leaf_of_row.shape[0] and (not sampled or drawn[i] != 0):
            slot = np.int64(slot_of_leaf[leaf_of_row[i]])
        ahead[me] = 1 if slot >= 0 else 0
        add_up_block(ahead)  # how many threads up to this one keep their row
        if slot >= 0:
            rows[place + ahead[me] - 1] = np.uint32(first + i)
            slots[place + ahead[me] - 1] = np.uint16(slot)
        place += ahead[THREADS - 1]
        card.syncthreads()


def pick_rows(leaf_of_row: Any, slot_of_leaf: NDArray[np.int32], drawn: Any, first: int, rows: Any, slots: Any) -> int:
    """See ``cpu_histogram.pick_rows``: blocks count, the host adds up where each begins, blocks write."""
    n_rows = leaf_of_row.shape[0]
    if n_rows == 0:
        return 0
    blocks = -(-n_rows // (THREADS * _PICKS))
    some, sampled = (drawn, True) if drawn.shape[0] else (leaf_of_row, False)
    slot_there = given("slots", slot_of_leaf, np.int32)
    counts = room("counts", (blocks,), np.int64)
    launch(_count_picks, blocks, leaf_of_row, slot_there, some, sampled, counts)
    ends = np.cumsum(brought(counts))
    starts = given("starts", np.concatenate([np.zeros(1, np.int64), ends[:-1]]), np.int64)
    launch(_write_picks, blocks, leaf_of_row, slot_there, some, sampled, first, starts, rows, slots)
    return int(ends[-1])


@kernel
def _add_all_rows(bins: Any, features: Any, together: Any, cells: Any, dimension: Any, histogram: Any) -> None:
    mine = card.shared.array(0, numba.uint32)
    first = features[0] + card.blockIdx.x * together
    count = min(together, features[1] - first)
    width = histogram.shape[2]
    clear_halves(mine, 2 * together * width)
    for i in range(card.blockIdx.y * THREADS + card.threadIdx.x, cells.shape[0], THREADS * card.gridDim.y):
        cell = cells[i]
        low, high = np.uint32(cell & _LOW), np.uint32((cell >> 32) & _LOW)
        for j in range(count):
            place = 2 * (j * width + np.int64(bins[first + j, i]))
            card.atomic.add(mine, place, low)
            card.atomic.add(mine, place + 1, high)
    card.syncthreads()
    _add_tables(mine, first, count, dimension, histogram)


@kernel
def _add_picked_rows(
    bins: Any, features: Any, together: Any, rows: Any, slots: Any, cells: Any, layout: Any, histogram: Any
) -> None:
    mine = card.shared.array(0, numba.uint32)
    first = features[0] + card.blockIdx.x * together
    count = min(together, features[1] - first)
    width = histogram.shape[2]
    clear_halves(mine, 2 * together * width)
    for i in range(card.blockIdx.y * THREADS + card.threadIdx.x, rows.shape[0], THREADS * card.gridDim.y):
        row = np.int64(rows[i])
        base = np.int64(slots[i]) << layout[1]
        cell = cells[i]
        low, high = np.uint32(cell & _LOW), np.uint32((cell >> 32) & _LOW)
        for j in range(count):
            place = 2 * (j * width + base + np.int64(bins[first + j, row]))
            card.atomic.add(mine, place, low)
            card.atomic.add(mine, place + 1, high)
    card.syncthreads()
    _add_tables(mine, first, count, layout[0], histogram)


@device_function
def _add_tables(mine: Any, first: Any, count: Any, dimension: Any, histogram: Any) -> None:
    """Add a block's tables to the card's; the high half is signed."""
    width = histogram.shape[2]
    for place in range(card.threadIdx.x, count * width, THREADS):
        low, high = np.int64(mine[2 * place]), np.int64(mine[2 * place + 1])
        if low != 0 or high != 0:
            feature = place // width
            card.atomic.add(histogram, (first + feature, dimension, place - feature * width), (high << 32) + low)


@kernel
def _add_picked_rows_to_card(
    bins: Any, features: Any, rows: Any, slots: Any, cells: Any, layout: Any, histogram: Any
) -> None:
    """For tables that no block could hold: many cells, so that threads seldom meet."""
    feature = features[0] + card.blockIdx.x
    for i in range(card.blockIdx.y * THREADS + card.threadIdx.x, rows.shape[0], THREADS * card.gridDim.y):
        place = (np.int64(slots[i]) << layout[1]) + np.int64(bins[feature, np.int64(rows[i])])
        card.atomic.add(histogram, (feature, layout[0], place), cells[i])


@kernel
def _add_picked_rows_wide(
    bins: Any, features: Any, rows: Any, slots: Any, cells: Any, layout: Any, histogram: Any
) -> None:
    feature = features[0] + card.blockIdx.x
    for i in range(card.blockIdx.y * THREADS + card.threadIdx.x, rows.shape[0], THREADS * card.gridDim.y):
        place = 2 * ((np.int64(slots[i]) << layout[1]) + np.int64(bins[feature, np.int64(rows[i])]))
        card.atomic.add(histogram, (feature, layout[0], place), cells[i, 0])
        card.atomic.add(histogram, (feature, layout[0], place + 1), cells[i, 1])


def add_all_rows(bins: Any, features: tuple[int, int], cells: Any, dimension: int, histogram: Any) -> None:
    """As ``cpu_histogram.add_all_rows`` for the features ``features[0] … features[1] − 1`` in one launch."""
    together = _features_together(histogram.shape[2])
    if not together:
        raise ValueError(f"a table of {histogram.shape[2]} cells does not fit a block; count its rows as picked ones")
    shared = 8 * together * histogram.shape[2]
    grid = _grid(cells.shape[0], features, together)
    launch(_add_all_rows, grid, bins, features, together, cells, dimension, histogram, shared=shared)


def add_picked_rows(
    bins: Any,
    features: tuple[int, int],
    picked: tuple[Any, Any],
    cells: Any,
    layout: tuple[int, int],
    histogram: Any,
) -> None:
    """As ``cpu_histogram.add_picked_rows`` for the features ``features[0] … features[1] − 1`` in one launch."""
    rows, slots = picked
    together = _features_together(histogram.shape[2])
    grid = _grid(rows.shape[0], features, max(together, 1))
    if not together:
        launch(_add_picked_rows_to_card, grid, bins, features, rows, slots, cells, layout, histogram)
        return
    shared = 8 * together * histogram.shape[2]
    launch(_add_picked_rows, grid, bins, features, together, rows, slots, cells, layout, histogram, shared=shared)


def add_picked_rows_wide(
    bins: Any,
    features: tuple[int, int],
    picked: tuple[Any, Any],
    cells: Any,
    layout: tuple[int, int],
    histogram: Any,
) -> None:
    """As ``cpu_histogram.add_picked_rows_wide`` for the features ``features[0] … features[1] − 1`` in one launch."""
    rows, slots = picked
    grid = _grid(rows.shape[0], features, 1)
    launch(_add_picked_rows_wide, grid, bins, features, rows, slots, cells, layout, histogram)


def _features_together(width: int) -> int:
    """How many features' tables of ``width`` packed cells fit a block: 4, 2, 1 or none."""
    together = _FEATURES
    while together and 8 * together * width > SHARED_BYTES:
        together //= 2
    return together


def _grid(n_rows: int, features: tuple[int, int], together: int) -> tuple[int, int]:
    """Groups of features, and blocks that share the rows of each.

    Blocks start in the order of x: those of one piece of the rows run together, so that its cells are read from the card's memory
    once and not once a group. And y must stay below 65536.
    """
    groups = -(-(features[1] - features[0]) // together)
    wanted = max(-(-n_rows // _ROWS_A_BLOCK), min(-(-_FILLING_BLOCKS // groups), -(-n_rows // _FEWEST_ROWS_A_BLOCK)))
    return groups, max(1, min(wanted, 1024))


@kernel
def _clear_table(table: Any) -> None:
    for place in range(card.grid(1), table.shape[0], card.gridsize(1)):
        table[place] = 0


def clear_table(table: Any) -> None:
    """Set all cells (of any type and shape, OUT) to 0."""
    flat = table.reshape(table.size)
    launch(_clear_table, blocks_for(flat.shape[0]), flat)


@kernel
def _split_parents(parents: Any, counted: Any, counted_right: Any, children: Any) -> None:
    _, dimensions, n_parents, width = parents.shape
    per_feature = dimensions * n_parents * width
    for place in range(card.grid(1), parents.size, card.gridsize(1)):
        f, rest = place // per_feature, place % per_feature
        k, rest = rest // (n_parents * width), rest % (n_parents * width)
        p, b = rest // width, rest % width
        cell = counted[f, k, p, b]
        other = parents[f, k, p, b] - cell
        right = counted_right[p] != 0
        children[f, k, p, b] = other if right else cell
        children[f, k, p + n_parents, b] = cell if right else other


def split_parents(parents: Any, counted: Any, counted_right: NDArray[np.uint8], children: Any) -> None:
    """See ``cpu_histogram.split_parents``."""
    right = given("counted right", counted_right, np.uint8)
    launch(_split_parents, blocks_for(parents.size), parents, counted, right, children)
