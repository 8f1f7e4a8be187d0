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
    """Rows ``start … stop−1`` of a rank, its run ``place``, which are neighbours in every permutation."""

    rank: int
    place: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One permutation: numbers of the runs as they are visited, and whether each is visited from its end."""

    runs: tuple[int, ...]
    backwards: bool


class RowOrder:
    """The runs of all ranks, and the permutations.

    Parameters
    ----------
    rows_of_rank : how many rows each rank has, in the order of all rows
    permutations : how many there are; the last one is for the values of leaves

    ``most_rows`` are those of the rank that has most.
    """

    def __init__(self, rows_of_rank: Sequence[int], permutations: int) -> None:
        n_rows = sum(rows_of_rank)
        self.most_rows = max(rows_of_rank)
        self._begins = [_around(number // 2, n_rows) for number in range(permutations)]
        cuts = sorted(set(self._begins))
        self.runs: list[Run] = []
        self._first_rows: list[int] = []
        first_row = 0
        for rank, count in enumerate(rows_of_rank):
            edges = [0, *(cut - first_row for cut in cuts if first_row < cut < first_row + count), count]
            for place, (start, stop) in enumerate(itertools.pairwise(edges)):
                self.runs.append(Run(rank, place, start, stop))
                self._first_rows.append(first_row + start)
            first_row += count
        self.visits = tuple(self._visit(number) for number in range(permutations))

    @property
    def structures(self) -> int:
        """How many permutations there are to choose structures with; the first ones."""
        return max(1, len(self.visits) - 1)

    @property
    def averaging(self) -> int:
        """Number of the permutation for the values of leaves."""
        return len(self.visits) - 1

    def runs_of(self, rank: int) -> list[int]:
        """Numbers of a rank's runs."""
        return [number for number, run in enumerate(self.runs) if run.rank == rank]

    def _visit(self, permutation: int) -> Visit:
        begin = self._begins[permutation]
        late = [number for number, first_row in enumerate(self._first_rows) if first_row < begin]
        early = [number for number, first_row in enumerate(self._first_rows) if first_row >= begin]
        runs, backwards = early + late, permutation % 2 == 1
        return Visit(tuple(reversed(runs) if backwards else runs), backwards)


def _around(number: int, n_rows: int) -> int:
    """Where a pair of permutations begins: 0, ½, ¼, ¾, ⅛ … of the rows (van der Corput's sequence)."""
    numerator, denominator = 0, 1
    while number:
        denominator *= 2
        numerator = 2 * numerator + number % 2
        number //= 2
    return n_rows * numerator // denominator
