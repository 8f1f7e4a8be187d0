"""Combinations of columns that a tree may use at its next level.

They are CatBoost's (greedy_tensor_search.cpp, AddTreeCtrs): the splits so far of numbers and of one-hot columns, together, and
each projection of a statistic that the tree uses already, are joined with every other categorical column.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.categories.coding import Coding, coding_of, coding_of_dense, pair_keys
from gbdist.categories.rows import CategoricalRows
from gbdist.models.statistics import Projection

#: Combinations that are looked at on one level: the first ones.
MOST_COMBINATIONS = 1000

#: Pairs that could be, for each row: more of them are not looked up in a table of all.
_DENSE = 2

_Splits = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Base:
    """What columns are joined with: a projection that the tree uses, or its splits (no ``cats``).

    ``keys`` are uint64 [n_rows] of all sets' rows, and the same on all ranks for rows that are alike. Those of splits are below
    ``dense``; None for the others.
    """

    cats: tuple[int, ...]
    float_splits: _Splits
    one_hot_splits: _Splits
    keys: NDArray[np.uint64]
    dense: int | None


@dataclass(frozen=True, eq=False)
class Combination:
    """A projection that is a base joined with one more column."""

    projection: Projection
    base: Base
    cat: int


class Combinations:
    """What one tree has chosen so far, and the combinations that it gives."""

    def __init__(self, rows: CategoricalRows, max_complexity: int) -> None:
        self._rows, self._max_complexity = rows, max_complexity
        self._used: dict[Projection, Base] = {}
        self._float_splits: list[tuple[int, int]] = []
        self._one_hot_splits: list[tuple[int, int]] = []
        self._outcomes: NDArray[np.uint64] | None = None
        #: How many combinations were left out because there were more than ``MOST_COMBINATIONS``.
        self.left_out = 0

    def split_float(self, feature: int, border: int) -> None:
        """Note a split of a binned column."""
        self._float_splits.append((feature, border))
        self._add_outcome(self._rows.tested(feature, border))

    def split_one_hot(self, column: int, value: int) -> None:
        """Note a split of a one-hot column, by its number among the categorical ones and the hash."""
        self._one_hot_splits.append((column, value))
        self._add_outcome(self._rows.equal(column, value))

    def use(self, projection: Projection, combination: Combination | None) -> None:
        """Note that a statistic of a projection was chosen: a combination, or a single column."""
        if projection in self._used or self._max_complexity <= projection.complexity:
            return
        splits = (projection.float_splits, projection.one_hot_splits)
        if combination is None:
            keys = self._rows.hashes[projection.cats[0]].astype(np.uint64)
        else:
            keys = pair_keys(combination.base.keys, self._rows.hashes[combination.cat])
        self._used[projection] = Base(projection.cats, *splits, keys, None)

    def _add_outcome(self, outcome: NDArray[np.bool_]) -> None:
        if self._max_complexity < 2:
            return  # there will be no combinations
        place = len(self._float_splits) + len(self._one_hot_splits) - 1
        bits = outcome.astype(np.uint64) << np.uint64(place)
        self._outcomes = bits if self._outcomes is None else self._outcomes | bits

    def listed(self) -> list[Combination]:
        """The combinations of the next level, in an order that is the same on all ranks."""
        bases = list(self._used.values())
        if self._outcomes is not None:
            splits = (tuple(sorted(self._float_splits)), tuple(sorted(self._one_hot_splits)))
            bases.insert(0, Base((), *splits, self._outcomes, 1 << sum(map(len, splits))))
        found: dict[Projection, Combination] = {}
        for base in bases:
            for cat in self._rows.statistic_columns:
                projection = Projection(tuple(sorted({*base.cats, cat})), base.float_splits, base.one_hot_splits)
                if cat not in base.cats and projection.complexity <= self._max_complexity:
                    found.setdefault(projection, Combination(projection, base, cat))
        self.left_out += max(0, len(found) - MOST_COMBINATIONS)
        return list(found.values())[:MOST_COMBINATIONS]

    def coding(self, combination: Combination, rows: slice) -> Coding:
        """Categories of some rows."""
        base, cat, n_ranks = combination.base, combination.cat, self._rows.n_ranks
        keys = base.keys[rows]
        codes, hashes = self._rows.numbered[cat]
        if base.dense is not None and base.dense * hashes.shape[0] <= _DENSE * max(keys.shape[0], 1):
            return coding_of_dense(keys, base.dense, codes[rows], hashes, n_ranks)
        return coding_of(keys, self._rows.hashes[cat][rows], n_ranks)
