"""CUDA kernels of trees whose leaves are split one by one; the twins of ``cpu_leafwise``, with the same bits."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import THREADS, blocks_for, brought, card, given, kernel, launch, on_device, room
from gbdist.kernels.cuda_split import choose_border, score_borders

#: Bytes of sums and scores of the leaves that are scored together.
_WORK_BYTES = 1 << 28


@kernel
def _split_leaf(bins: Any, border: Any, leaf: Any, right: Any, leaf_of_row: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        if leaf_of_row[i] == leaf and bins[i] > border:
            leaf_of_row[i] = np.uint16(right)


def split_leaf(bins: Any, border: int, leaf: int, right: int, leaf_of_row: Any) -> None:
    """See ``cpu_leafwise.split_leaf``."""
    launch(_split_leaf, blocks_for(leaf_of_row.shape[0]), bins, border, leaf, right, leaf_of_row)


@kernel
def _split_equal_leaf(bins: Any, value: Any, leaf: Any, right: Any, leaf_of_row: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        if leaf_of_row[i] == leaf and bins[i] == value:
            leaf_of_row[i] = np.uint16(right)


def split_equal_leaf(bins: Any, value: int, leaf: int, right: int, leaf_of_row: Any) -> None:
    """See ``cpu_leafwise.split_equal_leaf``."""
    launch(_split_equal_leaf, blocks_for(leaf_of_row.shape[0]), bins, value, leaf, right, leaf_of_row)


@kernel
def _renumber_leaves(numbers: Any, leaf_of_row: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        leaf_of_row[i] = numbers[leaf_of_row[i]]


def renumber_leaves(numbers: NDArray[np.uint16], leaf_of_row: Any) -> None:
    """See ``cpu_leafwise.renumber_leaves``."""
    there = given("numbers of leaves", numbers, np.uint16)
    launch(_renumber_leaves, blocks_for(leaf_of_row.shape[0]), there, leaf_of_row)


@kernel
def _count_leaves(leaf_of_row: Any, drawn: Any, sampled: Any, counts: Any) -> None:
    for i in range(card.grid(1), leaf_of_row.shape[0], card.gridsize(1)):
        if not sampled or drawn[i] != 0:
            card.atomic.add(counts, leaf_of_row[i], 1)


def count_leaves(leaf_of_row: Any, drawn: Any, counts: NDArray[np.int64]) -> None:
    """See ``cpu_leafwise.count_leaves``."""
    some, sampled = (drawn, True) if drawn.shape[0] else (leaf_of_row, False)
    with on_device(counts) as there:
        launch(_count_leaves, blocks_for(leaf_of_row.shape[0]), leaf_of_row, some, sampled, there)


@kernel
def _place_children(counted: Any, first: Any, places: Any, parents: Any, tables: Any) -> None:
    _, dimensions, n_counted, width = counted.shape
    per_feature = dimensions * n_counted * width
    for place in range(card.grid(1), counted.size, card.gridsize(1)):
        f, rest = place // per_feature, place % per_feature
        k, rest = rest // (n_counted * width), rest % (n_counted * width)
        i, b = rest // width, rest % width
        cell = counted[f, k, i, b]
        tables[places[i], first + f, k, b] = cell
        if parents[i] >= 0:
            tables[parents[i], first + f, k, b] -= cell


def place_children(
    counted: Any, first: int, places: NDArray[np.int64], parents: NDArray[np.int64], tables: Any
) -> None:
    """See ``cpu_leafwise.place_children``."""
    there = given("places", places, np.int64), given("parents", parents, np.int64)
    launch(_place_children, blocks_for(counted.size), counted, first, *there, tables)


@kernel
def _take_leaves(tables: Any, places: Any, features: Any, out: Any) -> None:
    _, dimensions, width = out.shape
    for place in range(card.grid(1), out.size, card.gridsize(1)):
        i, rest = place // (dimensions * width), place % (dimensions * width)
        k, b = rest // width, rest % width
        out[i, k, b] = tables[places[i], features[i], k, b]


def take_leaves(tables: Any, places: NDArray[np.int64], features: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """See ``cpu_leafwise.take_leaves``; ``out`` is in the host's memory."""
    there = room("taken leaves", out.shape, np.int64)
    pairs = given("places", places, np.int64), given("features", features, np.int64)
    launch(_take_leaves, blocks_for(out.size), tables, *pairs, there)
    out[...] = brought(there)


@kernel
def _best_leaf_borders(
    tables: Any,
    first: Any,
    places: Any,
    n_bins: Any,
    equals: Any,
    features: Any,
    units: Any,
    options: Any,
    sigma: Any,
    keys: Any,
    memory: Any,
    best: Any,
) -> None:
    f, i = card.blockIdx.x, card.blockIdx.y
    parts = card.shared.array(THREADS, numba.int64)
    mine = memory[0][i, f], memory[1][i, f]
    bins, one_hot = n_bins[i, f], equals[f] != 0
    n_borders = score_borders(tables[places[i], first + f], bins, one_hot, units, options, parts, mine)
    both = keys[i, 0], keys[i, 1]
    choose_border(mine[1][0], n_borders, f, features[f], sigma, both, best[i])


def best_leaf_borders(
    tables: Any,
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
    """See ``cpu_leafwise.best_leaf_borders``; as ``cuda_split.best_borders`` draws the noise of all borders."""
    n_places, n_features, dimensions, width = tables.shape
    one_leaf_each = tables.reshape((n_places, n_features, dimensions, 1, width))
    n_scored, most_bins = span[1] - span[0], int(n_bins.max(initial=2))
    told = (
        given("equals", equals, np.uint8),
        given("features", features, np.int64),
        given("units", units, np.float64),
    )
    rules = (float(options[0]), bool(options[1]), bool(options[2]))
    together = max(1, min(65_535, _WORK_BYTES // (32 * n_scored * most_bins)))
    for start in range(0, places.shape[0], together):
        some = slice(start, start + together)
        n_leaves = places[some].shape[0]
        memory = (
            room("sums of bins", (n_leaves, n_scored, 2, most_bins), np.int64),
            room("scores", (n_leaves, n_scored, 2, most_bins), np.float64),
        )
        of_leaves = given("places", places[some], np.int64), given("bins", n_bins[some], np.int64)
        # A border's number is exact in float64, so all three travel in one copy.
        found = room("best", (n_leaves, 3, n_scored), np.float64)
        noise = float(sigma), given("keys", keys[some], np.uint64)
        grid = n_scored, n_leaves
        launch(_best_leaf_borders, grid, one_leaf_each, span[0], *of_leaves, *told, rules, *noise, memory, found)
        values = brought(found)
        for number, one in enumerate(best):
            one[some] = values[:, number]
