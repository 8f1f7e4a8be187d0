"""Permutations: they visit every row once, keep runs together, and do not know how rows are cut into ranks."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.categories.order import Passes, RowOrder

RANKS = st.lists(st.integers(0, 12), min_size=1, max_size=7).filter(any)
PERMUTATIONS = st.integers(1, 12)


def visited(order: RowOrder, rows_of_rank: list[int], permutation: int) -> list[int]:
    """Numbers of all rows in the order in which a permutation visits them."""
    return passed(order.passes([permutation]), 0, rows_of_rank)


def passed(passes: Passes, number: int, rows_of_rank: list[int]) -> list[int]:
    """The same of one of several passes, whose runs are shorter."""
    first_rows = [0, *accumulate(rows_of_rank)]
    visit = passes.visits[number]
    found = []
    for place in visit.runs:
        run = passes.runs[place]
        rows = [first_rows[run.rank] + row for row in range(run.start, run.stop)]
        found += rows[::-1] if visit.backwards else rows
    return found


@settings(deadline=None)
@given(RANKS, PERMUTATIONS)
def test_a_permutation_goes_around_once_whatever_the_ranks(rows_of_rank: list[int], permutations: int) -> None:
    n_rows = sum(rows_of_rank)
    order, alone = RowOrder(rows_of_rank, permutations), RowOrder([n_rows], permutations)
    assert order.most_rows == max(rows_of_rank)
    assert (order.n_rows, order.permutations) == (n_rows, permutations)
    together = order.passes(range(permutations))
    assert order.passes(list(range(permutations))) is together
    for permutation in range(permutations):
        rows = visited(order, rows_of_rank, permutation)
        assert rows == visited(alone, [n_rows], permutation)
        assert rows == passed(together, permutation, rows_of_rank)
        assert sorted(rows) == list(range(n_rows))
        step = -1 if permutation % 2 else 1
        assert all((later - row) % n_rows == step % n_rows for row, later in pairwise(rows))


@settings(deadline=None)
@given(RANKS, PERMUTATIONS)
def test_runs_of_a_rank_are_its_rows_in_their_order(rows_of_rank: list[int], permutations: int) -> None:
    order = RowOrder(rows_of_rank, permutations)
    for some in (range(permutations), [permutations - 1]):
        passes = order.passes(some)
        for rank, count in enumerate(rows_of_rank):
            runs = passes.runs_of(rank)
            assert [run.rank for run in runs] == [rank] * len(runs)
            assert [run.place for run in runs] == list(range(len(runs)))
            assert [row for run in runs for row in range(run.start, run.stop)] == list(range(count))
            assert len(runs) >= 1
            assert all(run.start < run.stop for run in runs) or count == 0
        assert len(passes.runs) <= len(rows_of_rank) + (len(some) + 1) // 2
        for visit in passes.visits:
            assert sorted(visit.runs) == list(range(len(passes.runs)))


def test_pairs_of_permutations_begin_far_from_each_other() -> None:
    order = RowOrder([16], 16)
    begins = [visited(order, [16], permutation)[0] for permutation in range(0, 16, 2)]
    assert begins == [0, 8, 4, 12, 2, 10, 6, 14]  # van der Corput's sequence
    for permutation in range(1, 16, 2):
        assert visited(order, [16], permutation) == visited(order, [16], permutation - 1)[::-1]


@pytest.mark.parametrize(("permutations", "structures"), [(1, 1), (2, 1), (4, 3)], ids=["one", "two", "four"])
def test_the_last_permutation_is_for_the_values_of_leaves(permutations: int, structures: int) -> None:
    order = RowOrder([3, 4], permutations)
    assert order.structures == structures
