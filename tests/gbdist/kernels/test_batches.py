"""The kernels that cut rows into batches equal their obvious twins, bit for bit."""

from types import ModuleType

import numpy as np
import pytest

from gbdist.kernels import cpu_batches, reference_batches
from gbdist.kernels.hashing import stream_key
from gbdist.permutation import halves_of


def sorted_rows(module: ModuleType, numbers: np.ndarray, n_rows: int, size: int, rounds: int) -> list[np.ndarray]:
    keys = np.array([stream_key(3, k) for k in range(rounds)], np.uint64)
    batch_of_row, counts = np.empty(len(numbers), np.uint32), np.zeros(-(-n_rows // size), np.int64)
    bits = halves_of(n_rows)
    module.count_batches(numbers, keys, bits, np.uint64(n_rows), np.uint64(size), batch_of_row, counts)
    ends, rows = np.cumsum(counts), np.empty(len(numbers), np.int64)
    module.sort_by_batch(batch_of_row, ends, rows)
    return [batch_of_row, counts, ends, rows]


@pytest.mark.parametrize("n_rows", [1, 2, 3, 64, 1_000, 70_001])
@pytest.mark.parametrize("rounds", [0, 8])
def test_count_batches_and_sort_by_batch_equal_their_twins(n_rows: int, rounds: int) -> None:
    numbers = np.random.default_rng(0).permutation(n_rows)[: n_rows // 2 + 1].astype(np.uint64)
    got = sorted_rows(cpu_batches, numbers, n_rows, 7, rounds)
    for mine, twin in zip(got, sorted_rows(reference_batches, numbers, n_rows, 7, rounds), strict=True):
        np.testing.assert_array_equal(mine, twin)


@pytest.mark.parametrize("n_rows", [2, 3, 64, 70_001, 2**40 + 7])
def test_permute_numbers_equals_its_twin(n_rows: int) -> None:
    numbers = np.random.default_rng(1).integers(0, n_rows, 500).astype(np.uint64)
    keys, bits = np.array([stream_key(3, k) for k in range(8)], np.uint64), halves_of(n_rows)
    mine, twin = np.empty_like(numbers), np.empty_like(numbers)
    cpu_batches.permute_numbers(numbers, keys, bits, np.uint64(n_rows), mine)
    reference_batches.permute_numbers(numbers, keys, bits, np.uint64(n_rows), twin)
    np.testing.assert_array_equal(mine, twin)
    assert mine.max() < n_rows


def test_rows_of_a_batch_are_ascending_and_each_row_is_in_one() -> None:
    numbers = np.arange(1_000, dtype=np.uint64)
    batch_of_row, counts, begins, rows = sorted_rows(cpu_batches, numbers, 1_000, 90, 8)
    assert sorted(rows.tolist()) == list(range(1_000))
    assert counts.tolist() == [90] * 11 + [10]
    for batch, begin in enumerate(begins.tolist()):
        mine = rows[begin : begin + counts[batch]]
        assert (np.diff(mine) > 0).all()
        assert (batch_of_row[mine] == batch).all()
