"""Exclusive sums and stable sorting on a card, which the kernels of categories are made of.

Both take tiles: a block has some thousand neighbours, each of its threads a few of them in a row. What comes before a tile is an
exclusive sum over tiles, and so on until one tile is left. Nothing comes to the host.
"""

from typing import Any

import numba
import numpy as np

from gbdist.kernels.cuda_compile import SIMULATED, THREADS, add_up_block, blocks_for, card, kernel, launch, room

#: Neighbours that a thread has; those of a tile are counted in 16 bits when rows are sorted.
_ITEMS = 4 if SIMULATED else 16
_TILE = THREADS * _ITEMS
#: Bits of a code that one pass sorts by, and how many values they have.
_BITS, _DIGITS = 4, 16


@kernel
def _sum_tiles(values: Any, sums: Any) -> None:
    parts = card.shared.array(THREADS, numba.int64)
    me = card.threadIdx.x
    begin = (np.int64(card.blockIdx.x) * THREADS + me) * _ITEMS
    total = np.int64(0)
    for i in range(begin, min(begin + _ITEMS, values.shape[0])):
        total += values[i]
    parts[me] = total
    add_up_block(parts)
    if me == 0:
        sums[card.blockIdx.x] = np.int32(parts[THREADS - 1])


@kernel
def _scan_tiles(values: Any, starts: Any, started: Any) -> None:
    parts = card.shared.array(THREADS, numba.int64)
    me = card.threadIdx.x
    begin = (np.int64(card.blockIdx.x) * THREADS + me) * _ITEMS
    stop = min(begin + _ITEMS, values.shape[0])
    total = np.int64(0)
    for i in range(begin, stop):
        total += values[i]
    parts[me] = total
    add_up_block(parts)
    before = parts[me] - total
    if started:
        before += starts[card.blockIdx.x]
    for i in range(begin, stop):
        value = values[i]
        values[i] = np.int32(before)
        before += value


def exclusive_sums(values: Any, depth: int = 0) -> None:
    """Put the sum of all values before each one in its place: int32 [n], IN and OUT; sums stay below 2³¹."""
    tiles = -(-values.shape[0] // _TILE)
    if tiles > 1:
        starts = room(f"sums of tiles at {depth}", (tiles,), np.int32)
        launch(_sum_tiles, tiles, values, starts)
        exclusive_sums(starts, depth + 1)
        launch(_scan_tiles, tiles, values, starts, True)
    elif tiles:
        launch(_scan_tiles, 1, values, values, False)


@kernel
def _list_rows(rows: Any) -> None:
    for i in range(card.grid(1), rows.shape[0], card.gridsize(1)):
        rows[i] = np.uint32(i)


@kernel
def _count_digits(codes: Any, shift: Any, counts: Any) -> None:
    mine = card.shared.array(_DIGITS, numba.int32)
    me, block = card.threadIdx.x, np.int64(card.blockIdx.x)
    if me < _DIGITS:
        mine[me] = 0
    card.syncthreads()
    for i in range(block * _TILE + me, min((block + 1) * _TILE, codes.shape[0]), THREADS):
        card.atomic.add(mine, (np.int64(codes[i]) >> shift) & (_DIGITS - 1), np.int32(1))
    card.syncthreads()
    if me < _DIGITS:
        counts[me * card.gridDim.x + block] = mine[me]


@kernel
def _sort_digits(codes: Any, rows: Any, shift: Any, starts: Any, sorted_codes: Any, sorted_rows: Any) -> None:
    parts = card.shared.array(THREADS, numba.int64)
    me, block = card.threadIdx.x, np.int64(card.blockIdx.x)
    begin = (block * THREADS + me) * _ITEMS
    stop = min(begin + _ITEMS, codes.shape[0])
    for group in range(_DIGITS // 4):  # four digits are counted in one number, 16 bits each
        mine = np.int64(0)
        for i in range(begin, stop):
            digit = (np.int64(codes[i]) >> shift) & (_DIGITS - 1)
            if digit >> 2 == group:
                mine += np.int64(1) << (16 * (digit & 3))
        parts[me] = mine
        add_up_block(parts)
        before = parts[me] - mine
        for i in range(begin, stop):
            digit = (np.int64(codes[i]) >> shift) & (_DIGITS - 1)
            if digit >> 2 == group:
                place = starts[digit * card.gridDim.x + block] + ((before >> (16 * (digit & 3))) & 0xFFFF)
                sorted_codes[place] = codes[i]
                sorted_rows[place] = rows[i]
                before += np.int64(1) << (16 * (digit & 3))
        card.syncthreads()


def sort_rows(codes: Any, n_codes: int) -> tuple[Any, Any]:
    """Codes in ascending order, and the rows that have them, those of equal codes ascending: uint32 [n] each.

    They are in ``room``, valid until the next call; codes that are all alike are the argument itself. A radix sort of four bits
    at a time.

    Parameters
    ----------
    codes : uint32 [n], IN
        Below ``n_codes``.
    """
    n_rows = codes.shape[0]
    rows = room("rows to sort", (n_rows,), np.uint32)
    launch(_list_rows, blocks_for(n_rows), rows)
    tiles = -(-n_rows // _TILE)
    for number, shift in enumerate(range(0, max(n_codes - 1, 0).bit_length(), _BITS)):
        sorted_codes = room(f"sorted codes {number % 2}", (n_rows,), np.uint32)
        sorted_rows = room("sorted rows" if number % 2 == 0 else "rows to sort", (n_rows,), np.uint32)
        counts = room("counts of digits", (_DIGITS * tiles,), np.int32)
        launch(_count_digits, tiles, codes, shift, counts)
        exclusive_sums(counts)
        launch(_sort_digits, tiles, codes, rows, shift, counts, sorted_codes, sorted_rows)
        codes, rows = sorted_codes, sorted_rows
    return codes, rows
