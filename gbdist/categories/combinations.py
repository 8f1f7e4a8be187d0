"""Combinations of columns that a tree may use at its next level.

They are CatBoost's (greedy_tensor_search.cpp, AddTreeCtrs): the splits so far of numbers and of one-hot columns, together, and
each projection of a statistic that the tree uses already, are joined with every other categorical column.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.categories.coding import Coding, coding_of, coding_of_places
from gbdist.categories.rows import CategoricalRows
from gbdist.models.statistics import Projection

#: Combinations that are looked at on one level: the first ones.
MOST_COMBINATIONS = 1000

#: Places that can be counted to.
_MOST_PLACES = 1 << 62

_Splits = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Base:
    """What columns are joined with: a projection that the tree uses, or its splits (no ``cats``).

    ``keys`` are uint64 [n_rows] of all sets' rows, where the crew works, and the same on all ranks for rows that are alike; they
    are below ``places``, None where that would be too much to count to.
    """

    cats: tuple[int, ...]
    float_splits: _Splits
    one_hot_splits: _Splits
    keys: Any
    places: int | None


@dataclass(frozen=True, eq=False)
class Combination:
    """A projection that is a base joined with one more column."""

    projection: Projection
    base: Base
    cat: int


class Combinations:
    """What one tree has chosen so far, and the combinations that it gives."""

    def __init__(self, rows: CategoricalRows, max_complexity: int) -> None:
        self._rows, self._max_complexity, self._crew = rows, max_complexity, rows.crew
        self._makes_any = max_complexity > 1 and bool(rows.statistic_columns)
        self._used: dict[Projection, Base] = {}
        self._float_splits: list[tuple[int, int]] = []
        self._one_hot_splits: list[tuple[int, int]] = []
        self._of_splits: Base | None = None
        self._of_base: dict[Base, list[Combination]] = {}
        #: How many combinations were left out because there were more than ``MOST_COMBINATIONS``.
        self.left_out = 0

    def split_float(self, feature: int, border: int) -> None:
        """Note a split of a binned column."""
        if self._makes_any:
            self._float_splits.append((feature, border))
            self._add_outcome(self._rows.tested(feature, border))

    def split_one_hot(self, column: int, value: int) -> None:
        """Note a split of a one-hot column, by its number among the categorical ones and the hash."""
        if self._makes_any:
            self._one_hot_splits.append((column, value))
            self._add_outcome(self._rows.equal(column, value))

    def use(self, projection: Projection, combination: Combination | None) -> None:
        """Note that a statistic of a projection was chosen: a combination, or a single column."""
        if projection in self._used or self._max_complexity <= projection.complexity:
            return
        base, cat = (
            (self._nothing(), projection.cats[0]) if combination is None else (combination.base, combination.cat)
        )
        keys = self._joined_keys(base, cat, slice(0, self._rows.n_rows))
        self._used[projection] = Base(projection.cats, projection.float_splits, projection.one_hot_splits, *keys)

    def _nothing(self) -> Base:
        """The base of which a column alone is made."""
        return Base((), (), (), self._crew.zeros((self._rows.n_rows,), np.uint64), 1)

    def _joined_keys(self, base: Base, cat: int, rows: slice) -> tuple[Any, int | None]:
        """Keys of some rows' categories, uint64, and below what number they are: places as long as these can be counted to."""
        column, kernels = self._rows.columns[cat], self._crew.kernels
        bases, codes = base.keys[rows], column.codes[rows]
        keys = self._crew.empty(bases.shape, np.uint64)
        places = None if base.places is None else base.places * column.size
        if places is None or places > _MOST_PLACES:
            kernels.join_keys(bases, codes, column.numbers, keys)
            return keys, None
        kernels.join_places(bases, codes, (column.numbers, column.size), keys)
        return keys, places

    def _add_outcome(self, outcome: NDArray[np.bool_]) -> None:
        place = len(self._float_splits) + len(self._one_hot_splits) - 1
        before = self._nothing() if self._of_splits is None else self._of_splits
        keys = self._crew.empty(outcome.shape, np.uint64)
        self._crew.kernels.join_outcomes(before.keys, self._crew.load(outcome), place, keys)
        self._of_base.pop(before, None)
        splits = (tuple(sorted(self._float_splits)), tuple(sorted(self._one_hot_splits)))
        self._of_splits = Base((), *splits, keys, 2 << place)

    def listed(self) -> list[Combination]:
        """The combinations of the next level, in an order that is the same on all ranks."""
        bases = list(self._used.values()) if self._of_splits is None else [self._of_splits, *self._used.values()]
        found: dict[Projection, Combination] = {}
        for base in bases:
            for combination in self._joined(base):
                found.setdefault(combination.projection, combination)
        self.left_out += max(0, len(found) - MOST_COMBINATIONS)
        return list(found.values())[:MOST_COMBINATIONS]

    def _joined(self, base: Base) -> list[Combination]:
        """A base with each column that it has not."""
        if base not in self._of_base:
            joined = self._of_base[base] = []
            for cat in self._rows.statistic_columns:
                if cat not in base.cats:
                    cats = tuple(sorted((*base.cats, cat)))
                    projection = Projection(cats, base.float_splits, base.one_hot_splits)
                    if projection.complexity <= self._max_complexity:
                        joined.append(Combination(projection, base, cat))
        return self._of_base[base]

    def coding(self, combination: Combination, rows: slice) -> Coding:
        """Categories of some rows."""
        return self._coding_of(combination.base, combination.cat, rows)

    def coding_alone(self, projection: Projection, rows: slice) -> Coding:
        """Categories of some rows, of a projection that the tree in hand has not been asked about."""
        base, kernels = self._nothing(), self._crew.kernels
        for place, outcome in enumerate(self._rows.outcomes(projection)):
            kernels.join_outcomes(base.keys, self._crew.load(outcome), place, base.keys)
            base = replace(base, places=2 << place)
        *before, last = projection.cats
        for cat in before:
            keys, places = self._joined_keys(base, cat, slice(0, self._rows.n_rows))
            base = replace(base, keys=keys, places=places)
        return self._coding_of(base, last, rows)

    def _coding_of(self, base: Base, cat: int, rows: slice) -> Coding:
        column = self._rows.columns[cat]
        if base.places is not None and base.places * column.size <= self._rows.most_places:
            return coding_of_places(base.keys[rows], base.places, column, rows, self._crew)
        return coding_of(self._joined_keys(base, cat, rows)[0], self._crew)
