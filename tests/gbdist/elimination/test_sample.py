"""The rows that are looked at: the same ones whoever holds them, groups whole, pairs with their rows."""

from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.rows import RowPairs, Rows, Segment, UnbinnedColumn
from gbdist.elimination.sample import MOST_ROWS, most_rows, sampled

from .conftest import on_ranks

N_ROWS = 4_000


@pytest.fixture
def rows() -> Rows:
    """Each cell says which row it is of."""
    numbers = np.arange(N_ROWS)
    return Rows(
        bins=np.array([numbers % 251, numbers // 251], np.uint8),
        label=numbers.astype(np.float32),
        weight=(numbers + 1).astype(np.float32),
        baseline=None,
        segments=(Segment(0, N_ROWS, 0),),
        unbinned=(UnbinnedColumn(1, "hash", numbers.astype(np.uint32)),),
    )


def test_few_rows_are_all_looked_at(rows: Rows) -> None:
    assert sampled(rows, N_ROWS, SingleRank()) is rows


def test_ranks_choose_the_same_rows_as_one(rows: Rows) -> None:
    alone = sampled(rows, 500, SingleRank())
    assert 400 < alone.n_rows < 600
    parts = on_ranks(rows, [1, 1_700, 1_700], lambda mine, collective: sampled(mine, 500, collective))
    assert np.array_equal(np.concatenate([part.label for part in parts]), alone.label)
    assert np.array_equal(np.concatenate([part.numbers() for part in parts]), alone.numbers())


def test_all_that_is_known_of_a_row_stays_with_it(rows: Rows) -> None:
    rows = replace(rows, baseline=np.arange(N_ROWS)[None] * 2.0)
    some = sampled(rows, 300, SingleRank())
    numbers = some.numbers().astype(np.int64)
    assert np.array_equal(some.bins[1].astype(int) * 251 + some.bins[0], numbers)
    assert np.array_equal(some.label, numbers)
    assert np.array_equal(some.weight, numbers + 1)
    assert some.baseline is not None
    assert np.array_equal(some.baseline[0], numbers * 2)
    assert np.array_equal(some.unbinned[0].values, numbers)
    several = sampled(replace(rows, label=np.stack([rows.label, rows.label + 1])), 300, SingleRank())
    assert np.array_equal(several.label, [numbers, numbers + 1])


def test_groups_and_their_pairs_stay_whole(rows: Rows) -> None:
    group = (np.arange(N_ROWS) // 5).astype(np.uint64)
    first = np.arange(0, N_ROWS, 5, dtype=np.int32)
    pairs = RowPairs(first + 1, first + 4, np.arange(len(first), dtype=np.float32))
    some = sampled(replace(rows, group=group, pairs=pairs), 1_000, SingleRank())
    _, sizes = np.unique(some.group, return_counts=True)
    assert 100 < len(sizes) < 300
    assert (sizes == 5).all()
    assert some.pairs is not None
    assert np.array_equal(some.label[some.pairs.winner] + 3, some.label[some.pairs.loser])
    assert np.array_equal(some.pairs.weight, some.label[some.pairs.winner] // 5)


@pytest.mark.parametrize(
    ("columns", "dimension", "most"),
    [(28, 1, MOST_ROWS), (0, 1, MOST_ROWS), (5_000, 1, 50_000), (1_000_000, 10, 10_000)],
)
def test_wide_tables_are_looked_at_by_fewer_rows(columns: int, dimension: int, most: int) -> None:
    assert most_rows(columns, dimension) == most
