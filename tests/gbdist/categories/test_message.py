"""Messages carry numbers, keys and counts as they are, almost all counts in a byte."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.categories.message import Reader, write

COUNTS = st.one_of(st.integers(0, 300), st.sampled_from([253, 254, 255, 256, 2**31 - 1]))


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 2**40), max_size=4),
    keys=st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=5), max_size=3),
    counts=st.lists(st.lists(COUNTS, max_size=12), max_size=4),
)
def test_what_is_written_is_read(numbers: list[int], keys: list[list[int]], counts: list[list[int]]) -> None:
    data = write(numbers, [np.array(each, np.uint64) for each in keys], [np.array(each, np.int32) for each in counts])
    reader = Reader(data)
    assert reader.numbers == numbers
    assert [each.tolist() for each in reader.keys] == keys
    assert [reader.counts((len(each),)).tolist() for each in counts] == counts


def test_counts_keep_their_shapes() -> None:
    counts = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    reader = Reader(write([], [], [counts[:, 1:], counts]))
    assert np.array_equal(reader.counts((2, 2, 4)), counts[:, 1:])
    assert np.array_equal(reader.counts((2, 3, 4)), counts)


def test_a_small_count_takes_a_byte() -> None:
    few, many = (len(write([], [], [np.full(n, 254, np.int32)])) for n in (0, 1_000))
    assert many - few == 1_000
