"""The categorical side of a rank's rows: hashes of columns, and outcomes of splits, of training and eval sets at once."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.categories.coding import Coding, coding_of
from gbdist.categories.keys import projection_keys
from gbdist.categories.rules import CategoryRules
from gbdist.models.statistics import Projection


class CategoricalRows:
    """All rows of one rank, those of the training set first, then those of each eval set.

    Parameters
    ----------
    rules : which columns there are
    sets : Rows in the host's memory, the training set first; their hashes are read once
    n_ranks : how many ranks own the categories
    """

    def __init__(self, rules: CategoryRules, sets: Sequence[Rows], n_ranks: int) -> None:
        self.n_ranks = n_ranks
        self._bins = [rows.bins for rows in sets]
        edges = np.cumsum([0, *(rows.n_rows for rows in sets)])
        #: Rows of each set.
        self.slices = [slice(int(start), int(stop)) for start, stop in pairwise(edges)]
        #: Hashes of each column that is used, uint32 [n_rows], by number among the categorical columns.
        self.hashes = {
            number: np.concatenate([hashes_of(rows, column.position) for rows in sets])
            for number, column in enumerate(rules.columns)
            if column.values != ()
        }
        #: Of columns that were numbered: number of each row's category, uint32 [n_rows], and hash of each number, uint32 [n].
        self.numbered: dict[int, tuple[NDArray[np.uint32], NDArray[np.uint32]]] = {}
        #: Numbers of the columns that become statistics, ascending.
        self.statistic_columns = rules.statistic_columns

    @property
    def n_rows(self) -> int:
        """Rows of all sets."""
        return self.slices[-1].stop

    def tested(self, feature: int, border: int) -> NDArray[np.bool_]:
        """Outcome of ``bins[feature] > border``, bool [n_rows]."""
        return np.concatenate([bins[feature] > border for bins in self._bins])

    def equal(self, column: int, value: int) -> NDArray[np.bool_]:
        """Outcome of ``hash == value`` of a column, bool [n_rows]."""
        return np.asarray(self.hashes[column] == np.uint32(value))

    def number(self, cat: int) -> Coding:
        """Categories of a column among all rows, which are remembered."""
        coding = self.categories(Projection((cat,)), slice(0, self.n_rows))
        self.numbered[cat] = (coding.codes, self.hashes[cat][coding.firsts()])
        return coding

    def categories(self, projection: Projection, rows: slice) -> Coding:
        """Categories of a projection among some rows, from its columns and splits."""
        bases = np.zeros(rows.stop - rows.start, np.uint64)
        for outcome in self._outcomes(projection):
            bases = bases << np.uint64(1) | outcome[rows].astype(np.uint64)
        coding = coding_of(bases, self.hashes[projection.cats[0]][rows], self.n_ranks)
        for cat in projection.cats[1:]:
            coding = coding_of(coding.keys[coding.codes], self.hashes[cat][rows], self.n_ranks)
        return coding

    def model_keys(self, projection: Projection, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Keys that some rows' categories have in a model, uint64."""
        hashes = [self.hashes[cat][rows] for cat in projection.cats]
        return projection_keys(hashes, [outcome[rows] for outcome in self._outcomes(projection)])

    def _outcomes(self, projection: Projection) -> list[NDArray[np.bool_]]:
        floats = [self.tested(feature, border) for feature, border in projection.float_splits]
        return floats + [self.equal(cat, value) for cat, value in projection.one_hot_splits]


def hashes_of(rows: Rows, position: int) -> NDArray[np.uint32]:
    """Hashes of a categorical column, uint32 [n]; none on a rank without rows."""
    for column in rows.unbinned:
        if column.position == position:
            return np.asarray(column.values, np.uint32)
    return np.empty(0, np.uint32)


def one_hot_bins(hashes: NDArray[np.uint32], values: Sequence[int]) -> NDArray[np.int64]:
    """Number of each hash among ``values`` (ascending), and how many there are for another one: int64 [n]."""
    known = np.asarray(values, np.uint32)
    found = np.searchsorted(known, hashes)
    return np.where(known[np.minimum(found, known.shape[0] - 1)] == hashes, found, known.shape[0])
