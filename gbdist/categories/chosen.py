"""The statistics that trees use: their numbers, and counts of those of the tree in hand, in all permutations."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gbdist.categories.coding import Coding
from gbdist.categories.statistics import Counts, StatisticCounter
from gbdist.models.statistics import Projection, StatisticFeature

#: Categories of some of the rows.
MakeCoding = Callable[[slice], Coding]


class Chosen:
    """What trees have chosen so far.

    Parameters
    ----------
    counter : counts what is chosen
    singles : counts of single columns, in all permutations
    first : the number of the first statistic
    """

    def __init__(self, counter: StatisticCounter, singles: Sequence[Counts], first: int) -> None:
        self._counter, self._singles, self._first = counter, singles, first
        #: Statistics that trees use, numbered in the order in which they were chosen first.
        self.numbers: dict[StatisticFeature, int] = {}
        #: Those that no tree before the one in hand has used, in the order of their numbers.
        self.first_used: list[StatisticFeature] = []
        self._used: set[tuple[str, Projection]] = set()
        # Those of the tree in hand by number; combinations of them that are not counted yet; and counts.
        self._of_tree: dict[int, StatisticFeature] = {}
        self._uncounted: dict[Projection, MakeCoding] = {}
        self._counts = self._of_singles()

    def _of_singles(self) -> dict[Projection, Counts]:
        return {counts.projection: counts for counts in self._singles}

    def is_used(self, kind: str, projection: Projection) -> bool:
        """Whether a tree uses a statistic of that kind of a projection."""
        return (kind, projection) in self._used

    def number(self, statistic: StatisticFeature) -> int:
        """The number of a statistic, a new one if no tree has used it."""
        if statistic not in self.numbers:
            self.numbers[statistic] = self._first + len(self.numbers)
            self.first_used.append(statistic)
        return self.numbers[statistic]

    def use(self, statistic: StatisticFeature, coding: MakeCoding | None) -> int:
        """Note that the tree in hand has chosen a statistic, and return its number; a combination is counted by its coding."""
        self._used.add((statistic.kind, statistic.projection))
        number = self.number(statistic)
        self._of_tree[number] = statistic
        if coding is not None and statistic.projection not in self._counts:
            self._uncounted[statistic.projection] = coding
        return number

    def count(self) -> None:
        """Count the combinations that the tree uses, in all permutations and for the rows of eval sets; all ranks ask."""
        every = slice(0, self._counter.rows.n_rows)
        codings = self._counter.crew.each(lambda one: (one[0], one[1](every)), list(self._uncounted.items()))
        for counts in self._counter.count(codings, range(self._counter.order.permutations)):
            self._counts[counts.projection] = counts
        self._uncounted.clear()

    def learned(self, number: int, permutation: int) -> Any:
        """Bins of the training rows in a permutation, uint8 [n_train], where categories are counted."""
        statistic, trained = self._of_tree[number], self._counter.rows.slices[0]
        out = self._counter.crew.empty((1, trained.stop), np.uint8)
        self._counter.learned_bins(self._counts[statistic.projection], permutation, [statistic], out)
        return out[0]

    def applied(self, number: int, eval_set: int) -> Any:
        """Bins of the rows of an eval set, as the model will have them: uint8 [n], where categories are counted."""
        statistic, rows = self._of_tree[number], self._counter.rows.slices[1 + eval_set]
        out = self._counter.crew.empty((rows.stop - rows.start,), np.uint8)
        self._counter.applied_bins(self._counts[statistic.projection], rows, statistic, out)
        return out

    def end_tree(self) -> None:
        """Let go of the counts of a tree."""
        self.first_used = []
        self._of_tree.clear()
        self._counts = self._of_singles()
