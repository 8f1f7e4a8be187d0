"""The categorical side of a rank's rows: hashes of columns, and outcomes of splits, of training and eval sets at once."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.bins import Bins
from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.categories.coding import Coding, Column, Names, coding_of, hash_keys
from gbdist.categories.counting import agree_on_numbers
from gbdist.categories.keys import projection_keys
from gbdist.categories.rules import CategoryRules
from gbdist.kernels.cpu_coding import join_keys
from gbdist.models.statistics import Projection

#: Places are marked with bits up to so many for each training row of the rank that has most.
_PLACES_A_ROW = 32

#: Categories of a column that memory is taken for at first.
_EXPECTED = 1 << 12


class CategoricalRows:
    """All rows of one rank, those of the training set first, then those of each eval set.

    Parameters
    ----------
    rules : which columns there are
    bins : of each set in the host's memory, the training set first
    hashes : of each column by its position, uint32 [n] of each set; they are taken out, so that nobody else need keep them
    most_rows : training rows of the rank that has most
    collective : for numbers that all ranks agree on
    crew : counts categories
    """

    def __init__(
        self,
        rules: CategoryRules,
        bins: Sequence[Bins],
        hashes: dict[int, list[NDArray[np.uint32]]],
        most_rows: int,
        collective: Collective,
        crew: Crew,
    ) -> None:
        self._bins, self.crew = list(bins), crew
        edges = np.cumsum([0, *(of_set.shape[1] for of_set in bins)])
        #: Rows of each set.
        self.slices = [slice(int(start), int(stop)) for start, stop in pairwise(edges)]
        #: Hashes of each one-hot column, uint32 [n_rows], by number among the categorical columns.
        self._hashes = {
            number: np.concatenate(hashes.pop(column.position))
            for number, column in enumerate(rules.columns)
            if column.values
        }
        #: Numbers of the columns that become statistics, ascending.
        self.statistic_columns = rules.statistic_columns
        #: How many places may be marked; the same on all ranks.
        self.most_places = _PLACES_A_ROW * most_rows
        positions = [rules.columns[number].position for number in self.statistic_columns]
        numbered = [_numbered(hashes.pop(position), crew) for position in positions]
        agreed = agree_on_numbers([hash_keys(hashes) for _, hashes in numbered], collective) if numbered else []
        #: The columns that become statistics, by number among the categorical ones: where the crew works, and in the host's
        #: memory.
        self.columns = {
            number: Column(*one, crew.load(numbers), size)
            for number, one, (numbers, size) in zip(self.statistic_columns, numbered, agreed, strict=True)
        }
        self._on_host = {
            number: replace(column, codes=crew.fetch(column.codes), numbers=crew.fetch(column.numbers))
            for number, column in self.columns.items()
        }

    @property
    def n_rows(self) -> int:
        """Rows of all sets."""
        return self.slices[-1].stop

    def tested(self, feature: int, border: int) -> NDArray[np.bool_]:
        """Outcome of ``bins[feature] > border``, bool [n_rows]."""
        return np.concatenate([bins[feature] > border for bins in self._bins])

    def equal(self, column: int, value: int) -> NDArray[np.bool_]:
        """Outcome of ``hash == value`` of a one-hot column, bool [n_rows]."""
        return np.asarray(self._hashes[column] == np.uint32(value))

    def of_column(self, cat: int) -> Coding:
        """Categories of a column among all rows."""
        column = self.columns[cat]
        return Coding(column.codes, column.hashes.shape[0], Names(hash_keys(self._on_host[cat].numbers)))

    def categories(self, projection: Projection, rows: slice) -> Coding:
        """Categories of a projection among some rows, from its columns and splits; in the host's memory."""
        keys = np.zeros(rows.stop - rows.start, np.uint64)
        for outcome in self.outcomes(projection):
            keys = keys << np.uint64(1) | outcome[rows].astype(np.uint64)
        for cat in projection.cats:
            column = self._on_host[cat]
            join_keys(keys, column.codes[rows], column.numbers, keys)
        return coding_of(keys, self.crew.host)

    def model_keys(self, projection: Projection, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Keys that some rows' categories have in a model, uint64."""
        columns = [self._on_host[cat] for cat in projection.cats]
        hashes = [column.hashes[column.codes[rows]] for column in columns]
        return projection_keys(hashes, [outcome[rows] for outcome in self.outcomes(projection)])

    def outcomes(self, projection: Projection) -> list[NDArray[np.bool_]]:
        """Outcomes of a projection's splits, bool [n_rows] each."""
        floats = [self.tested(feature, border) for feature, border in projection.float_splits]
        return floats + [self.equal(cat, value) for cat, value in projection.one_hot_splits]


def _numbered(of_sets: list[NDArray[np.uint32]], crew: Crew) -> tuple[Any, NDArray[np.uint32]]:
    """Number of each row's hash on this rank, uint32 [n_rows] where the crew works, and the hash of each number."""
    hashes = of_sets[0] if len(of_sets) == 1 else np.concatenate(of_sets)
    coding = coding_of(crew.zeros(hashes.shape, np.uint64), crew, crew.load(hashes), _EXPECTED)
    return coding.codes, hashes[coding.firsts(crew)]


def one_hot_bins(hashes: NDArray[np.uint32], values: Sequence[int]) -> NDArray[np.int64]:
    """Number of each hash among ``values`` (ascending), and how many there are for another one: int64 [n]."""
    known = np.asarray(values, np.uint32)
    found = np.searchsorted(known, hashes)
    return np.where(known[np.minimum(found, known.shape[0] - 1)] == hashes, found, known.shape[0])
