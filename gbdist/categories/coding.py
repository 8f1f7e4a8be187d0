"""Categories as small numbers: those that one rank meets, in its own numbering, and the names by which ranks know them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_coding import MIX, SPREAD, first_rows, keys_of_places, number_categories, number_places


@dataclass(frozen=True, eq=False)
class Names:
    """How ranks know the categories of a projection: keys, uint64 [n], or bits of places, uint64 [places / 64, rounded up]."""

    values: NDArray[np.uint64]
    are_places: bool = False

    def length(self, n_categories: int) -> int:
        """How many there are for so many categories of another rank."""
        return self.values.shape[0] if self.are_places else n_categories

    def keys(self, n_categories: int) -> NDArray[np.uint64]:
        """Keys of all categories."""
        return keys_of(self.values, n_categories) if self.are_places else self.values


@dataclass(frozen=True, eq=False)
class Coding:
    """Categories of rows.

    Parameters
    ----------
    codes : uint32 [n]
        Number of each row's category.
    n_categories : int
        How many there are among these rows.
    names : Names
        The same on all ranks. Categories that have places are numbered in their order.
    """

    codes: NDArray[np.uint32]
    n_categories: int
    names: Names

    def firsts(self) -> NDArray[np.int64]:
        """The first row of each category, int64 [n_categories]."""
        rows = np.empty(self.n_categories, np.int64)
        first_rows(self.codes, rows)
        return rows


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

    codes: NDArray[np.uint32]
    hashes: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    size: int

    def numbers_of(self, rows: slice) -> NDArray[np.uint32]:
        """Number of some rows' categories among those of all ranks, uint32 [n]."""
        return np.take(self.numbers, self.codes[rows])


def coding_of(bases: NDArray[np.uint64], others: NDArray[np.uint32], expected: int | None = None) -> Coding:
    """Number the pairs of a base and something else, uint64 [n] and uint32 [n].

    More memory is taken than for ``expected`` categories (None: as many as rows) only if there are more.
    """
    n_rows = bases.shape[0]
    codes, expected = np.empty(n_rows, np.uint32), max(1, n_rows if expected is None else min(expected, n_rows))
    while True:
        slots = slots_for(expected)
        keys = np.empty(slots[0].shape[0] // 2, np.uint64)
        count = int(number_categories(bases, others, slots, codes, keys))
        if count >= 0:
            return Coding(codes, count, Names(keys[:count].copy()))
        expected *= 4


def slots_for(n_names: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Memory in which kernels look up so many names."""
    size = 2 << max(n_names, 1).bit_length()
    return np.empty(size, np.uint64), np.empty(size, np.uint32)


def coding_of_places(bases: NDArray[np.uint64], n_bases: int, column: Column, rows: slice) -> Coding:
    """Number the pairs of a base below ``n_bases``, of some rows, and a column: quicker, with a bit for each possible pair."""
    places = n_bases * column.size
    codes, words = np.empty(bases.shape[0], np.uint32), np.zeros(-(-places // 64), np.uint64)
    count = number_places(bases, column.codes[rows], (column.numbers, column.size), words, codes)
    return Coding(codes, count, Names(words, are_places=True))


def hash_keys(numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Different keys for different numbers, uint64 like uint32 [n]."""
    return pair_keys(np.zeros(1, np.uint64), numbers)


def keys_of(names: NDArray[np.uint64], n_categories: int) -> NDArray[np.uint64]:
    """Keys of the categories that have places, uint64 [n_categories], from the bits of these."""
    keys = np.empty(n_categories, np.uint64)
    keys_of_places(names, keys)
    return keys


def pair_keys(bases: NDArray[np.uint64], others: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """The keys of ``coding_of`` row by row, uint64 [n]."""
    with np.errstate(over="ignore"):
        return (bases * SPREAD + others) * MIX
