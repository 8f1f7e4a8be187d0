"""Categories as small numbers: those that one rank meets, in its own numbering, and the names by which ranks know them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.kernels.cpu_coding import MIX, keys_of_places


@dataclass(frozen=True, eq=False)
class Names:
    """How ranks know the categories of a projection: keys, uint64 [n], or bits of places, uint64 [places / 64, rounded up].

    They lie where they were made: those of ``coding_of`` and ``coding_of_places`` where the crew works.
    """

    values: Any
    are_places: bool = False

    def length(self, n_categories: int) -> int:
        """How many there are for so many categories of another rank."""
        return self.values.shape[0] if self.are_places else n_categories

    def keys(self, n_categories: int) -> NDArray[np.uint64]:
        """Keys of all categories; in the host's memory."""
        return keys_of(self.values, n_categories) if self.are_places else self.values


@dataclass(frozen=True, eq=False)
class Coding:
    """Categories of rows.

    Parameters
    ----------
    codes : uint32 [n]
        Number of each row's category, where the crew works.
    n_categories : int
        How many there are among these rows.
    names : Names
        The same on all ranks. Categories that have places are numbered in their order.
    """

    codes: Any
    n_categories: int
    names: Names

    def firsts(self, crew: Crew) -> NDArray[np.int64]:
        """The first row of each category, int64 [n_categories], in the host's memory."""
        rows = crew.empty((self.n_categories,), np.int64)
        crew.kernels.first_rows(self.codes, rows)
        return crew.fetch(rows)


@dataclass(frozen=True, eq=False)
class Column:
    """Categories of a column that becomes statistics.

    Parameters
    ----------
    codes : uint32 [n_rows]
        Number of each row's category on this rank, of all sets.
    hashes : uint32 [n_categories]
    numbers : uint32 [n_categories]
        Their numbers on all ranks.
    size : int
        How many there are on all ranks.
    """

    codes: Any
    hashes: NDArray[np.uint32]
    numbers: Any
    size: int


def coding_of(keys: Any, crew: Crew, others: Any = None, expected: int | None = None) -> Coding:
    """Number keys, uint64 [n], or pairs of a key and something else, uint32 [n], where the crew works.

    More memory is taken than for ``expected`` categories (None: as many as rows) only if there are more.
    """
    n_rows = keys.shape[0]
    others = crew.zeros((n_rows,), np.uint32) if others is None else others
    codes, expected = crew.empty((n_rows,), np.uint32), n_rows if expected is None else min(expected, n_rows)
    while True:
        size = slots_for(expected)
        names = crew.empty((size // 2,), np.uint64)
        count = int(crew.kernels.number_categories(keys, others, crew.slots(size), codes, names))
        if count >= 0:
            return Coding(codes, count, Names(crew.copied(names[:count])))
        expected = min(4 * max(1, expected), n_rows)


def slots_for(n_names: int) -> int:
    """How many slots kernels need to look up so many names."""
    return 2 << max(n_names, 1).bit_length()


def coding_of_places(bases: Any, n_bases: int, column: Column, rows: slice, crew: Crew) -> Coding:
    """Number the pairs of a base below ``n_bases``, of some rows, and a column: quicker, with a bit for each possible pair."""
    places = n_bases * column.size
    codes, words = crew.empty((bases.shape[0],), np.uint32), crew.zeros((-(-places // 64),), np.uint64)
    count = crew.kernels.number_places(bases, column.codes[rows], (column.numbers, column.size), words, codes)
    return Coding(codes, int(count), Names(words, are_places=True))


def hash_keys(numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Different keys for different numbers, uint64 like uint32 [n]."""
    return numbers * MIX


def keys_of(names: NDArray[np.uint64], n_categories: int) -> NDArray[np.uint64]:
    """Keys of the categories that have places, uint64 [n_categories], from the bits of these."""
    keys = np.empty(n_categories, np.uint64)
    keys_of_places(names, keys)
    return keys
