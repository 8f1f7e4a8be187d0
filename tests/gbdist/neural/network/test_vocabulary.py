"""Codes of categories are the same on all ranks, whichever rows these have."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gbdist.boosting.collective import SingleRank
from gbdist.neural.network.vocabulary import codes_of, vocabularies
from gbdist_cluster.collective.threads import run_threads


def hashes_of(values: list[int]) -> NDArray[np.uint32]:
    return np.array(values, dtype=np.uint32)


def most_common(values: list[int], most: int) -> list[int]:
    """The obvious way."""
    return [value for value, _ in sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))[:most]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9) | st.integers(2**32 - 5, 2**32 - 1), max_size=30), min_size=1, max_size=4),
    st.integers(1, 8),
)
def test_most_frequent_of_all_ranks(of_ranks: list[list[int]], most: int) -> None:
    columns = [[hashes_of(values), hashes_of(values[::2])] for values in of_ranks]
    found = run_threads(len(of_ranks), lambda c: vocabularies(columns[c.rank], c, most))
    whole = [value for values in of_ranks for value in values]
    halves = [value for values in of_ranks for value in values[::2]]
    for of_rank in found:
        assert [each.tolist() for each in of_rank] == [most_common(whole, most), most_common(halves, most)]
        assert all(each.dtype == np.uint32 for each in of_rank)


def test_numbers_begin_with_one_and_zero_is_what_was_not_seen() -> None:
    (vocabulary,) = vocabularies([hashes_of([7, 5, 7, 2**32 - 1, 5, 7])], SingleRank())
    assert vocabulary.tolist() == [7, 5, 2**32 - 1]
    codes = codes_of(hashes_of([5, 6, 7, 0, 2**32 - 1]), vocabulary)
    assert codes.tolist() == [2, 0, 1, 0, 3]
    assert codes.dtype == np.int32
    assert codes_of(hashes_of([5, 6]), hashes_of([])).tolist() == [0, 0]
    assert codes_of(hashes_of([]), vocabulary).shape == (0,)


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_no_columns_and_no_rows(n_ranks: int) -> None:
    assert run_threads(n_ranks, lambda c: vocabularies([], c)) == [()] * n_ranks
    found = run_threads(n_ranks, lambda c: vocabularies([hashes_of([])], c))
    assert [each.tolist() for (each,) in found] == [[]] * n_ranks
