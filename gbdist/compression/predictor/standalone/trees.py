"""Trees applied in NumPy alone: to the bins of many rows a tree at a time, to the values of few rows all trees at once.

Both ways give the same bits: a row's leaf values are added to zero in the order of the trees, as CatBoost adds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
#: Rows times one more than their raw values, below which all trees at once are faster than a tree at a time.
_FEW = 3000
#: Numbers that a step of the first way holds at once.
_AT_ONCE = 1 << 18
#: Of trees that are not symmetric: leaves that a byte can number, and rows for each leaf of the largest tree from which on a
#: tree at a time is faster.
_MOST_LEAVES, _ROWS_A_LEAF = 256, 128


@dataclass(frozen=True, eq=False)
class Splits:
    """What trees ask of rows, one test after the other.

    Parameters
    ----------
    columns : ints [n_splits]
        Numbers among the columns that are tested.
    borders : uint8 or uint16 [n_splits]
        A test is true where the column's bin is above; none is the largest number of its kind.
    limits : float32 [n_splits]
        The same borders as numbers: true where the column's value is above.
    """

    columns: Ints
    borders: Ints
    limits: NDArray[np.float32]


class SymmetricTrees:
    """Trees with one split a level: a row's leaf number has bit ``d`` set where that of level ``d`` is true.

    Parameters
    ----------
    depths : ints [n_trees]
    splits : Splits
        Level by level, tree after tree.
    leaf_values : float64 [n_leaves of all trees, dimension]
    """

    def __init__(self, depths: Ints, splits: Splits, leaf_values: NDArray[np.float64]) -> None:
        self._depths = depths.tolist()
        self._splits = list(zip(splits.columns.tolist(), splits.borders, strict=True))
        self._leaf_values = leaf_values
        self._starts = np.concatenate(([0], np.cumsum(1 << depths.astype(np.int64))))
        # Levels that a tree has not are splits that are never true: no value is above infinity.
        levels = np.arange(max(1, max(self._depths, default=0)))
        there = levels < depths[:, None]
        self._columns = np.zeros(there.shape, dtype=np.intp)
        self._limits = np.full(there.shape, np.inf, dtype=np.float32)
        self._columns[there], self._limits[there] = splits.columns, splits.limits
        self._bits = (1 << levels).astype(np.uint16)

    def by_values(self, n_rows: int) -> bool:
        """Whether so many rows are faster by their values than by their bins."""
        return bool(n_rows * (1 + self._leaf_values.shape[1]) < _FEW)

    def add_by_values(self, sums: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        """Add each row's leaf values to ``sums``, all trees at once.

        Parameters
        ----------
        sums : float64 [n_rows, dimension], IN and OUT
        values : float32 [n_columns, n_rows], IN
            Without NaN but where it is below all borders.
        """
        step = _step(self._columns.size + len(self._depths) * sums.shape[1])
        for start in range(0, sums.shape[0], step):
            rows = slice(start, start + step)
            above = values[:, rows][self._columns] > self._limits[:, :, None]
            leaves = np.einsum("tdr,d->tr", above, self._bits, dtype=np.uint16, casting="unsafe")
            _add_in_order(sums[rows], self._leaf_values[leaves + self._starts[:-1, None]])

    def add_by_bins(self, sums: NDArray[np.float64], bins: Ints) -> None:
        """The same a tree at a time; ``bins`` of the kind of the borders [n_columns, n_rows], IN."""
        n_rows = sums.shape[0]
        above = np.empty(n_rows, dtype=bool)
        of_a_byte, of_two = np.empty(n_rows, dtype=np.uint8), np.empty(n_rows, dtype=np.uint16)
        picker, first = _Picker(sums), 0
        for tree, depth in enumerate(self._depths):
            leaf: Ints = of_a_byte if depth <= 8 else of_two
            leaf[...] = 0
            for column, border in reversed(self._splits[first : first + depth]):
                np.greater(bins[column], border, out=above)
                np.add(leaf, leaf, out=leaf)
                np.bitwise_or(leaf, above.view(np.uint8), out=leaf)
            first += depth
            picker.add(self._leaf_values[self._starts[tree] : self._starts[tree + 1]], leaf)


class OtherTrees:
    """Trees whose nodes have splits of their own; rows go to the right where one is true.

    Parameters
    ----------
    counts : ints [n_trees]
        Nodes of each tree; it has one leaf more, numbered from left to right.
    splits : Splits
        Node by node in the order in which one meets them from the root on, left before right.
    left, right : signed ints [sum of counts]
        The next node's number within its tree, or ``~leaf``.
    leaf_values : float64 [n_leaves of all trees, dimension]
    """

    def __init__(self, counts: Ints, splits: Splits, left: Ints, right: Ints, leaf_values: NDArray[np.float64]) -> None:
        counts = counts.astype(np.int64)
        self._splits, self._leaf_values = splits, leaf_values
        self._first_nodes = np.concatenate(([0], np.cumsum(counts)))
        self._first_leaves = np.concatenate(([0], np.cumsum(counts + 1)))
        self._n_nodes, n_leaves = int(self._first_nodes[-1]), int(self._first_leaves[-1])
        # Leaves are numbered on from the nodes, and lead to themselves: a row that has arrived stays where it is.
        self._next = np.repeat(np.arange(self._n_nodes + n_leaves)[:, None], 2, axis=1)
        of_node, of_leaf = np.repeat(self._first_nodes[:-1], counts), np.repeat(self._first_leaves[:-1], counts)
        for side, child in enumerate((left.astype(np.int64), right.astype(np.int64))):
            self._next[: self._n_nodes, side] = np.where(child >= 0, of_node + child, self._n_nodes + of_leaf + ~child)
        self._columns = np.concatenate((splits.columns, np.zeros(n_leaves))).astype(np.intp)
        self._limits = np.concatenate((splits.limits, np.zeros(n_leaves, dtype=np.float32)))
        self._roots = np.where(counts > 0, self._first_nodes[:-1], self._n_nodes + self._first_leaves[:-1])

    def by_values(self, n_rows: int) -> bool:
        """As of symmetric trees."""
        most = int(np.diff(self._first_leaves).max(initial=0))
        return most > _MOST_LEAVES or n_rows < most * _ROWS_A_LEAF

    def add_by_values(self, sums: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        """As of symmetric trees."""
        n_rows = sums.shape[0]
        cells, follow = np.ascontiguousarray(values).ravel(), self._next.ravel()
        step = _step(n_rows * sums.shape[1])
        for start in range(0, self._roots.shape[0], step):
            roots = self._roots[start : start + step]
            place = np.repeat(roots[:, None], n_rows, axis=1)
            while (place < self._n_nodes).any():
                of_row = cells[self._columns[place] * n_rows + np.arange(n_rows)]
                place = follow[2 * place + (of_row > self._limits[place])]
            _add_in_order(sums, self._leaf_values[place - self._n_nodes])

    def add_by_bins(self, sums: NDArray[np.float64], bins: Ints) -> None:
        """As of symmetric trees."""
        n_rows = sums.shape[0]
        leaf = np.empty(n_rows, dtype=np.uint8)
        here, above = np.empty(n_rows, dtype=bool), np.empty(n_rows, dtype=bool)
        moved, picker = np.empty(n_rows, dtype=np.uint8), _Picker(sums)
        for tree in range(self._roots.shape[0]):
            leaf[...] = 0
            for node, first, right in self._moves(tree):
                np.equal(leaf, np.uint8(first), out=here)
                np.greater(bins[self._splits.columns[node]], self._splits.borders[node], out=above)
                np.bitwise_and(here, above, out=here)
                np.multiply(here.view(np.uint8), np.uint8(right - first), out=moved)
                np.add(leaf, moved, out=leaf)
            picker.add(self._leaf_values[self._first_leaves[tree] : self._first_leaves[tree + 1]], leaf)

    def _moves(self, tree: int) -> list[tuple[int, int, int]]:
        """Each node, the leaf that its rows are in until they go on, and the one that those for which it is true go to.

        A row is at any time in the first of the leaves that it can still reach.
        """
        start, stop = int(self._first_nodes[tree]), int(self._first_nodes[tree + 1])
        begin = int(self._first_leaves[tree]) + self._n_nodes
        firsts: dict[int, int] = {}
        moves = []
        for node in reversed(range(start, stop)):
            left, right = (int(child) for child in self._next[node])
            firsts[node] = firsts.get(left, left - begin)
            moves.append((node, firsts[node], firsts.get(right, right - begin)))
        return moves[::-1]


class _Picker:
    """Adds leaf values to sums by leaf number, tree by tree, in room that it makes once."""

    def __init__(self, sums: NDArray[np.float64]) -> None:
        self._flat = sums.shape[1] == 1
        self._total = sums[:, 0] if self._flat else sums
        self._picked = np.empty_like(self._total)
        self._place = np.empty(sums.shape[0], dtype=np.intp)

    def add(self, values: NDArray[np.float64], leaf: Ints) -> None:
        """``values`` float64 [n_leaves, dimension] of a tree, ``leaf`` ints [n_rows]."""
        self._place[...] = leaf
        # With "clip" NumPy writes straight into its output; no leaf is outside.
        np.take(values[:, 0] if self._flat else values, self._place, axis=0, out=self._picked, mode="clip")
        np.add(self._total, self._picked, out=self._total)


def _step(numbers: int) -> int:
    return max(1, _AT_ONCE // max(1, numbers))


def _add_in_order(sums: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Add ``values``, float64 [n_trees, n_rows, dimension], to ``sums``, one tree after the other."""
    values[0] += sums
    # Not sum(): it adds in another order where a row is alone.
    np.add.accumulate(values, axis=0, out=values)
    sums[...] = values[-1]
