"""Messages about counts say what was written, in little more than a byte a count."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gbdist.categories.message import Reader, write

LARGE = 2**31 - 1
COUNTS = st.integers(0, 3) | st.integers(253, 257) | st.integers(0, LARGE) | st.just(LARGE)
ARRAYS = arrays(np.int32, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4), elements=COUNTS)
NO_KEYS = np.empty(0, np.uint64)
KEYS = arrays(np.uint64, st.integers(0, 5), elements=st.integers(0, 2**64 - 1))


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    keys=KEYS,
    counts=st.lists(ARRAYS, max_size=4),
)
def test_what_is_written_is_read(numbers: list[int], keys: Any, counts: list[Any]) -> None:
    reader = Reader(write(numbers, keys, counts))
    assert reader.numbers == numbers
    assert reader.keys.tolist() == keys.tolist()
    assert reader.keys.dtype == np.uint64
    for each in counts:
        found = reader.counts(each.shape)
        assert found.dtype == np.int32
        assert np.array_equal(found, each)


@pytest.mark.parametrize("count", [0, 1, 254, 255, 256, LARGE])
def test_a_count_is_read_whether_it_fits_a_byte_or_not(count: int) -> None:
    reader = Reader(write([], NO_KEYS, [np.array([7], np.int32), np.array([[count, 1], [3, count]], np.int32)]))
    assert reader.counts((1,)).tolist() == [7]
    assert reader.counts((2, 2)).tolist() == [[count, 1], [3, count]]


def test_an_array_that_lies_otherwise_in_memory_is_written_in_its_order() -> None:
    counts = np.arange(24, dtype=np.int32).reshape(2, 3, 4) * 30
    reader = Reader(write([], NO_KEYS, [counts.T, counts[:, 1:]]))
    assert np.array_equal(reader.counts((4, 3, 2)), counts.T)
    assert np.array_equal(reader.counts((2, 2, 4)), counts[:, 1:])


def test_a_small_count_takes_a_byte_and_a_large_one_sixteen_more() -> None:
    counts = np.full(1_000, 254, np.int32)
    empty = len(write([], NO_KEYS, []))
    assert len(write([], NO_KEYS, [counts])) == empty + 1_000
    counts[::100] = 255
    assert len(write([], NO_KEYS, [counts])) == empty + 1_000 + 16 * 10
