"""Permutations: they visit every row once, keep runs together, and do not know how rows are cut into ranks."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.categories.order import RowOrder

RANKS = st.lists(st.integers(0, 12), min_size=1, max_size=7).filter(any)
PERMUTATIONS = st.integers(1, 12)


def visited(order: RowOrder, rows_of_rank: list[int], permutation: int) -> list[int]:
    """Numbers of all rows in the order in which a permutation visits them."""
    first_rows = [0, *accumulate(rows_of_rank)]
    visit = order.visits[permutation]
    found = []
    for number in visit.runs:
        run = order.runs[number]
        rows = [first_rows[run.rank] + row for row in range(run.start, run.stop)]
        found += rows[::-1] if visit.backwards else rows
    return found


@settings(deadline=None)
@given(RANKS, PERMUTATIONS)
def test_a_permutation_goes_around_once_whatever_the_ranks(rows_of_rank: list[int], permutations: int) -> None:
    n_rows = sum(rows_of_rank)
    order, alone = RowOrder(rows_of_rank, permutations), RowOrder([n_rows], permutations)
    assert order.most_rows == max(rows_of_rank)
    assert len(order.visits) == permutations
    for permutation in range(permutations):
        rows = visited(order, rows_of_rank, permutation)
        assert rows == visited(alone, [n_rows], permutation)
        assert sorted(rows) == list(range(n_rows))
        step = -1 if permutation % 2 else 1
        assert all((later - row) % n_rows == step % n_rows for row, later in pairwise(rows))


@settings(deadline=None)
@given(RANKS, PERMUTATIONS)
def test_runs_of_a_rank_are_its_rows_in_their_order(rows_of_rank: list[int], permutations: int) -> None:
    order = RowOrder(rows_of_rank, permutations)
    for rank, count in enumerate(rows_of_rank):
        runs = [order.runs[number] for number in order.runs_of(rank)]
        assert [run.rank for run in runs] == [rank] * len(runs)
        assert [row for run in runs for row in range(run.start, run.stop)] == list(range(count))
        assert len(runs) >= 1
        assert all(run.start < run.stop for run in runs) or count == 0
    assert len(order.runs) <= len(rows_of_rank) + (permutations + 1) // 2
    for visit in order.visits:
        assert sorted(visit.runs) == list(range(len(order.runs)))


def test_pairs_of_permutations_begin_far_from_each_other() -> None:
    order = RowOrder([16], 16)
    begins = [visited(order, [16], permutation)[0] for permutation in range(0, 16, 2)]
    assert begins == [0, 8, 4, 12, 2, 10, 6, 14]  # van der Corput's sequence
    for permutation in range(1, 16, 2):
        assert visited(order, [16], permutation) == visited(order, [16], permutation - 1)[::-1]


@pytest.mark.parametrize(
    ("permutations", "structures", "averaging"), [(1, 1, 0), (2, 1, 1), (4, 3, 3)], ids=["one", "two", "four"]
)
def test_the_last_permutation_is_for_the_values_of_leaves(permutations: int, structures: int, averaging: int) -> None:
    order = RowOrder([3, 4], permutations)
    assert (order.structures, order.averaging) == (structures, averaging)
