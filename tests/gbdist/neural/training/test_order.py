"""Every epoch's batches are a partition of all rows, well mixed, and the same however the rows lie on ranks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.neural.training.order import BatchOrder


def batches(
    numbers: np.ndarray, n_rows: int, size: int, seed: int = 0, epoch: int = 0, *, shuffle: bool = True
) -> list:
    """Row numbers of each batch, of the rows that have these numbers."""
    order = BatchOrder(numbers, n_rows, size, seed, shuffle=shuffle)
    rows = order.epoch(epoch)
    return [numbers[rows.of(batch)].tolist() for batch in range(order.n_batches)]


def numbers_to(n_rows: int) -> np.ndarray:
    return np.arange(n_rows, dtype=np.uint64)


@given(n_rows=st.integers(1, 5_000), size=st.integers(1, 700), seed=st.integers(0, 2**62), epoch=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_each_row_is_in_one_batch_and_batches_are_full(n_rows: int, size: int, seed: int, epoch: int) -> None:
    found = batches(numbers_to(n_rows), n_rows, size, seed, epoch)
    assert sorted(number for batch in found for number in batch) == list(range(n_rows))
    assert {len(batch) for batch in found[:-1]} <= {size}


@given(
    n_rows=st.integers(1, 400),
    size=st.integers(1, 50),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    swap=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_batches_do_not_depend_on_where_rows_lie(n_rows: int, size: int, cuts: list[int], swap: bool) -> None:
    whole = batches(numbers_to(n_rows), n_rows, size, 5, 2)
    ends = [0, *sorted(min(cut, n_rows) for cut in cuts), n_rows]
    parts = [numbers_to(n_rows)[start:stop] for start, stop in pairwise(ends)]
    of_parts = [batches(part[::-1].copy() if swap else part, n_rows, size, 5, 2) for part in parts]
    assert [sorted(number for piece in pieces for number in piece) for pieces in zip(*of_parts, strict=True)] == whole


def test_without_shuffling_batches_are_the_rows_in_their_order() -> None:
    assert batches(numbers_to(7), 7, 3, shuffle=False) == [[0, 1, 2], [3, 4, 5], [6]]
    order = BatchOrder(numbers_to(7), 7, 3, 0, shuffle=False)
    assert order.epoch(4).of(1).tolist() == [3, 4, 5]


@pytest.mark.parametrize("n_rows", [5, 16, 100])
def test_every_row_comes_to_every_place_as_often(n_rows: int) -> None:
    order = BatchOrder(numbers_to(n_rows), n_rows, 1, 11, shuffle=True)
    epochs, seen = 400, np.zeros((n_rows, n_rows))
    for epoch in range(epochs):
        seen[np.arange(n_rows), order.epoch(epoch).rows] += 1
    expected = epochs / n_rows
    chi_square = ((seen - expected) ** 2 / expected).sum()
    freedom = (n_rows - 1) ** 2
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


def test_rows_beside_each_other_are_not_kept_together() -> None:
    # 50 batches of 40: of 1,999 pairs of neighbours about 1,999 × 39 / 1,999 would be in one batch by chance.
    together = []
    for epoch in range(40):
        order = BatchOrder(numbers_to(2_000), 2_000, 40, 3, shuffle=True)
        rows, batch_of = order.epoch(epoch), np.empty(2_000, int)
        for batch in range(order.n_batches):
            batch_of[rows.of(batch)] = batch
        together.append(int((np.diff(batch_of) == 0).sum()))
    assert np.mean(together) == pytest.approx(39.0, abs=4.0)  # its deviation is about 1


def test_epochs_and_seeds_differ() -> None:
    found = [batches(numbers_to(100), 100, 10, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({str(each) for each in found}) == 4


def test_a_row_number_beyond_the_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="row number 7 of 7 rows"):
        BatchOrder(np.array([0, 7], np.uint64), 7, 2, 0, shuffle=True)
