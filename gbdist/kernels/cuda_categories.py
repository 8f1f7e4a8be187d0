"""CUDA kernels of target statistics; the twins of ``cpu_categories`` under the same names, with the same counts and bins.

What was counted before a row is a walk in the order of rows on a CPU. Here the rows of a run are sorted by category, in their
order within each, so that it is a difference of two exclusive sums of the rows of a class.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_categories import BORDER_OFFSET
from gbdist.kernels.cuda_compile import (
    SHARED_BYTES,
    add_over_block,
    blocks_for,
    brought,
    card,
    device_function,
    given,
    kernel,
    launch,
    room,
    sent,
)
from gbdist.kernels.cuda_sums import exclusive_sums, sort_rows

#: Blocks that keep counts of their own, which have to be added up.
_COUNTING_BLOCKS = 264
_OFFSET = np.float32(BORDER_OFFSET)


@kernel
def _count_classes(codes: Any, classes: Any, counts: Any) -> None:
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        card.atomic.add(counts, (np.int64(codes[i]), np.int64(classes[i])), np.int32(1))


@kernel
def _count_few_classes(codes: Any, classes: Any, counts: Any) -> None:
    mine = card.shared.array(0, numba.int32)
    n_columns = counts.shape[1]
    for place in range(card.threadIdx.x, counts.size, card.blockDim.x):
        mine[place] = 0
    card.syncthreads()
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        card.atomic.add(mine, np.int64(codes[i]) * n_columns + np.int64(classes[i]), np.int32(1))
    card.syncthreads()
    for place in range(card.threadIdx.x, counts.size, card.blockDim.x):
        if mine[place] != 0:
            card.atomic.add(counts, (place // n_columns, place % n_columns), mine[place])


def count_classes(codes: Any, classes: Any, counts: Any) -> None:
    """See ``cpu_categories.count_classes``; counts that a block's shared memory holds are added up there first."""
    if codes.shape[0] == 0:
        return
    shared = 4 * counts.size
    if shared > SHARED_BYTES:
        launch(_count_classes, blocks_for(codes.shape[0]), codes, classes, counts)
    else:
        blocks = blocks_for(codes.shape[0], _COUNTING_BLOCKS)
        launch(_count_few_classes, blocks, codes, classes, counts, shared=shared)


@kernel
def _add_counts(counts: Any, codes: Any, before: Any, so_far: Any) -> None:
    n_columns = counts.shape[1]
    for place in range(card.grid(1), counts.size, card.gridsize(1)):
        i, c = place // n_columns, place % n_columns
        code = np.int64(codes[i])
        known = so_far[code, c]
        before[i, c] = known
        so_far[code, c] = known + counts[i, c]


def add_counts(counts: Any, codes: Any, before: Any, so_far: Any) -> None:
    """See ``cpu_categories.add_counts``; codes are all different."""
    if counts.size:
        launch(_add_counts, blocks_for(counts.size), counts, codes, before, so_far)


@kernel
def _describe_counts(counts: Any, edges: Any, n_trained: Any, facts: Any) -> None:
    group = card.blockIdx.x
    trained, known, largest = np.int64(0), np.int64(0), np.int64(0)
    first = edges[group] + card.blockIdx.y * card.blockDim.x + card.threadIdx.x
    for i in range(first, edges[group + 1], card.blockDim.x * card.gridDim.y):
        total, of_trained = np.int64(0), np.int64(0)
        for c in range(counts.shape[1]):
            total += counts[i, c]
            if c < n_trained:
                of_trained += counts[i, c]
        if of_trained > 0:
            trained += 1
        if total > 0:
            known += 1
        largest = max(largest, total)
    add_over_block(trained, facts, (group, 0))
    add_over_block(known, facts, (group, 1))
    if largest > 0:
        card.atomic.max(facts, (group, 2), largest)


def describe_counts(counts: Any, edges: NDArray[np.int64], n_trained: int, facts: NDArray[np.int64]) -> None:
    """See ``cpu_categories.describe_counts``."""
    facts.fill(0)
    if counts.size:
        there = sent("facts", facts, np.int64)
        blocks = (facts.shape[0], blocks_for(-(-counts.shape[0] // facts.shape[0]), _COUNTING_BLOCKS))
        launch(_describe_counts, blocks, counts, given("edges", edges, np.int64), n_trained, there)
        facts[...] = brought(there)


@kernel
def _add_classes(counts: Any, first: Any, stop: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        total = np.int32(0)
        for c in range(first, stop):
            total += counts[i, c]
        out[i] = total


def add_classes(counts: Any, first: int, stop: int, out: Any) -> None:
    """See ``cpu_categories.add_classes``."""
    if out.shape[0]:
        launch(_add_classes, blocks_for(out.shape[0]), counts, first, stop, out)


@kernel
def _take_bins(codes: Any, bins: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = bins[codes[i]]


def take_bins(codes: Any, bins: Any, out: Any) -> None:
    """See ``cpu_categories.take_bins``."""
    if out.shape[0]:
        launch(_take_bins, blocks_for(out.shape[0]), codes, bins, out)


@device_function
def _bin_of(good: Any, total: Any, prior: Any, shift: Any, scale: Any, last: Any) -> Any:
    """The bin of a statistic; see ``cpu_categories.statistic_bins``."""
    value = (np.float32(good) + prior) / (np.float32(total) + np.float32(1.0))
    value = (value + shift) * scale
    whole = min(np.int32(value), last)
    found = whole
    if value > np.float32(whole) + _OFFSET:
        found += np.int32(1)
    if whole > 0 and value <= np.float32(whole - np.int32(1)) + _OFFSET:
        found -= np.int32(1)
    return np.uint8(min(found, last))


@kernel
def _statistic_bins(good: Any, total: Any, rule: Any, out: Any) -> None:
    last = np.int32(rule[3])
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = _bin_of(good[i], total[i], rule[0], rule[1], rule[2], last)


def statistic_bins(good: Any, total: Any, rule: tuple[np.float32, np.float32, np.float32, int], out: Any) -> None:
    """See ``cpu_categories.statistic_bins``."""
    if out.shape[0]:
        launch(_statistic_bins, blocks_for(out.shape[0]), good, total, rule, out)


@kernel
def _mark_classes(rows: Any, classes: Any, sums: Any) -> None:
    for p in range(card.grid(1), sums.shape[1], card.gridsize(1)):
        for c in range(sums.shape[0]):
            sums[c, p] = np.int32(0)
        if p < rows.shape[0]:
            sums[np.int64(classes[rows[p]]), p] = np.int32(1)


@kernel
def _find_edges(codes: Any, edges: Any) -> None:
    """Where the rows of each category begin and end among the sorted ones."""
    n_rows = codes.shape[0]
    for p in range(card.grid(1), n_rows, card.gridsize(1)):
        code = np.int64(codes[p])
        if p == 0 or codes[p - 1] != codes[p]:
            edges[code, 0] = p
        if p == n_rows - 1 or codes[p + 1] != codes[p]:
            edges[code, 1] = p + 1


@device_function
def _earlier(sums: Any, c: Any, place: Any, edge: Any, backwards: Any) -> Any:
    """Rows of a class among those of the category that are visited before the row at a place."""
    if backwards:
        return sums[c, edge] - sums[c, place + 1]
    return sums[c, place] - sums[c, edge]


@kernel
def _learn_bins(
    sort: Any, sums: Any, edges: Any, backwards: Any, known: Any, features: Any, first_row: Any, out: Any
) -> None:
    codes, rows = sort
    counts, dropped, drops = known
    wholes, numbers = features
    for p in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        code = np.int64(codes[p])
        edge = np.int64(edges[code, 1 if backwards else 0])
        met = not drops or not dropped[code]
        total, good = np.int32(0), np.int32(0)
        if met:
            for c in range(sums.shape[0]):
                total += counts[code, c] + _earlier(sums, c, p, edge, backwards)
        row = first_row + np.int64(rows[p])
        for f in range(wholes.shape[0]):
            if met and (f == 0 or wholes[f, 0] != wholes[f - 1, 0] or wholes[f, 1] != wholes[f - 1, 1]):
                good = np.int32(0)
                for c in range(wholes[f, 0], wholes[f, 1]):
                    good += counts[code, c] + _earlier(sums, c, p, edge, backwards)
            last = np.int32(wholes[f, 2])
            out[wholes[f, 3], row] = _bin_of(good, total, numbers[f, 0], numbers[f, 1], numbers[f, 2], last)


def learn_bins(
    rows: tuple[Any, Any, bool],
    first_row: int,
    counts: Any,
    dropped: Any,
    n_classes: int,
    features: tuple[NDArray[np.int64], NDArray[np.float32]],
    out: Any,
) -> None:
    """See ``cpu_categories.learn_bins``."""
    codes, classes, backwards = rows
    n_rows = codes.shape[0]
    if n_rows == 0:
        return
    sort = sort_rows(codes, counts.shape[0])
    sums = room("rows of classes before", (n_classes, n_rows + 1), np.int32)
    launch(_mark_classes, blocks_for(n_rows + 1), sort[1], classes, sums)
    # One class after the other: only differences within a class are looked at.
    exclusive_sums(sums.reshape(sums.size))
    edges = room("edges of categories", (counts.shape[0], 2), np.uint32)
    launch(_find_edges, blocks_for(n_rows), sort[0], edges)
    known = (counts, dropped if dropped.shape[0] else codes, bool(dropped.shape[0]))
    rules = given("classes of features", features[0], np.int64), given("rules of features", features[1], np.float32)
    launch(_learn_bins, blocks_for(n_rows), sort, sums, edges, bool(backwards), known, rules, first_row, out)
