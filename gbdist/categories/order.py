"""In which orders rows are looked at: one order of all rows, dealt to the ranks by ranges, and permutations made of it.

The order is that of a hash of (seed, row number), so it depends neither on partitions nor on ranks. A permutation begins
somewhere in it and goes once around, forwards or backwards. So a rank's range stays a few runs of neighbours in every one of
them, and what comes before a run is a sum over runs; rows are moved once, not once a permutation (docs/decisions/0017).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Rows ``start … stop−1`` of a rank, its run ``place``, which are neighbours in the permutations that are looked at."""

    rank: int
    place: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One permutation: numbers of the runs as they are visited, and whether each is visited from its end."""

    runs: tuple[int, ...]
    backwards: bool


@dataclass(frozen=True)
class Passes:
    """Passes over all rows, one a permutation, and the runs of all ranks that stay together in them."""

    runs: tuple[Run, ...]
    visits: tuple[Visit, ...]

    def runs_of(self, rank: int) -> list[Run]:
        """A rank's runs, by their places."""
        return [run for run in self.runs if run.rank == rank]


class RowOrder:
    """The order of all rows, and the permutations.

    Parameters
    ----------
    rows_of_rank : how many rows each rank has, in the order of all rows
    permutations : how many there are; the last one is for the values of leaves

    ``n_rows`` are those of all ranks, ``most_rows`` those of the rank that has most.
    """

    def __init__(self, rows_of_rank: Sequence[int], permutations: int) -> None:
        self.n_rows, self.most_rows, self.permutations = sum(rows_of_rank), max(rows_of_rank), permutations
        self._rows_of_rank = tuple(rows_of_rank)
        self._passes: dict[tuple[int, ...], Passes] = {}

    @property
    def structures(self) -> int:
        """How many permutations there are to choose structures with; the first ones."""
        return max(1, self.permutations - 1)

    def passes(self, permutations: Sequence[int]) -> Passes:
        """Passes in the order of some permutations."""
        key = tuple(permutations)
        if key not in self._passes:
            begins = [_around(number // 2, self.n_rows) for number in key]
            runs, first_rows = self._runs(sorted(set(begins)))
            backwards = [number % 2 == 1 for number in key]
            visits = [_visit(*one, first_rows) for one in zip(begins, backwards, strict=True)]
            self._passes[key] = Passes(tuple(runs), tuple(visits))
        return self._passes[key]

    def _runs(self, cuts: Sequence[int]) -> tuple[list[Run], list[int]]:
        """Rows of each rank, cut; and where runs begin among all rows."""
        runs: list[Run] = []
        first_rows: list[int] = []
        first_row = 0
        for rank, count in enumerate(self._rows_of_rank):
            edges = [0, *(cut - first_row for cut in cuts if first_row < cut < first_row + count), count]
            for place, (start, stop) in enumerate(itertools.pairwise(edges)):
                runs.append(Run(rank, place, start, stop))
                first_rows.append(first_row + start)
            first_row += count
        return runs, first_rows


def _visit(begin: int, backwards: bool, first_rows: Sequence[int]) -> Visit:
    late = [number for number, first_row in enumerate(first_rows) if first_row < begin]
    early = [number for number, first_row in enumerate(first_rows) if first_row >= begin]
    runs = early + late
    return Visit(tuple(reversed(runs) if backwards else runs), backwards)


def _around(number: int, n_rows: int) -> int:
    """Where a pair of permutations begins: 0, ½, ¼, ¾, ⅛ … of the rows (van der Corput's sequence)."""
    numerator, denominator = 0, 1
    while number:
        denominator *= 2
        numerator = 2 * numerator + number % 2
        number //= 2
    return n_rows * numerator // denominator
