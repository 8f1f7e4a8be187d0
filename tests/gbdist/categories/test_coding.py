"""Categories have the same names however ranks number them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.crew import Crew
from gbdist.categories.coding import Coding, Column, coding_of, coding_of_places, hash_keys, keys_of
from gbdist.kernels.cpu_coding import join_keys

CREW = Crew(1)
SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(0, 80)


def pair_keys(bases: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Keys of pairs, row by row."""
    keys = np.empty(bases.shape, np.uint64)
    join_keys(bases, np.arange(bases.shape[0], dtype=np.uint32), numbers, keys)
    return keys


def check(coding: Coding, pairs: list[tuple[int, int]]) -> None:
    """One number for each pair that there is, and a first row for each number."""
    numbers = dict(zip(pairs, coding.codes.tolist(), strict=True))
    assert [numbers[pair] for pair in pairs] == coding.codes.tolist()
    assert sorted(numbers.values()) == list(range(coding.n_categories))
    assert (coding.codes.dtype, coding.names.values.dtype) == (np.uint32, np.uint64)
    assert sorted(coding.firsts(CREW).tolist()) == [pairs.index(pair) for pair in dict.fromkeys(pairs)]
    assert coding.codes[coding.firsts(CREW)].tolist() == list(range(coding.n_categories))


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_hashes=st.sampled_from([1, 5, 2**32]))
def test_pairs_have_numbers_and_keys(seed: int, n_rows: int, n_hashes: int) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.integers(0, 2**64, 4, dtype=np.uint64)[generator.integers(0, 4, n_rows)]
    hashes = generator.integers(0, n_hashes, n_rows).astype(np.uint32)
    coding = coding_of(bases, CREW, hashes)
    check(coding, list(zip(bases.tolist(), hashes.tolist(), strict=True)))
    assert not coding.names.are_places
    assert len(set(coding.names.values.tolist())) == coding.n_categories
    assert pair_keys(bases, hashes).tolist() == coding.names.values[coding.codes].tolist()


@pytest.mark.parametrize("expected", [0, 1, 3, 100, 10_000])
def test_more_categories_than_expected_take_more_memory(expected: int) -> None:
    hashes = np.arange(2_000, dtype=np.uint32) % np.uint32(700)
    usual, found = (
        coding_of(np.zeros(2_000, np.uint64), CREW, hashes),
        coding_of(np.zeros(2_000, np.uint64), CREW, hashes, expected),
    )
    assert found.n_categories == 700
    assert found.codes.tolist() == usual.codes.tolist()
    assert found.names.values.tolist() == usual.names.values.tolist()


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_bases=st.sampled_from([1, 2, 16]), size=st.sampled_from([1, 5, 60]))
def test_ranks_that_number_a_column_otherwise_mark_the_same_places(
    seed: int, n_rows: int, n_bases: int, size: int
) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.integers(0, n_bases, n_rows).astype(np.uint64)
    values = generator.integers(0, size, n_rows)  # numbers on all ranks
    found = []
    for numbers in (np.arange(size), generator.permutation(size)):
        codes = np.argsort(numbers)[values].astype(np.uint32)
        column = Column(codes, np.zeros(size, np.uint32), numbers.astype(np.uint32), size)
        coding = coding_of_places(bases[5:], n_bases, column, slice(5, n_rows), CREW) if n_rows > 5 else None
        if coding is not None:
            check(coding, list(zip(bases[5:].tolist(), values[5:].tolist(), strict=True)))
            keys = keys_of(coding.names.values, coding.n_categories)
            assert len(set(keys.tolist())) == coding.n_categories
            assert coding.names.are_places
            found.append((coding.codes.tolist(), coding.names.values.tolist(), keys.tolist()))
    assert not found or found[0] == found[1]


@pytest.mark.parametrize("n_owners", [2, 5])
def test_keys_are_spread_evenly(n_owners: int) -> None:
    """By the upper half of a key, which decides who owns the category."""
    numbers = np.arange(10_000, dtype=np.uint32)
    words = np.full(157, 2**64 - 1, np.uint64)
    for keys in (
        hash_keys(numbers),
        pair_keys(numbers.astype(np.uint64) % np.uint64(8), numbers),
        keys_of(words, 64 * 157),
    ):
        assert len(set(keys.tolist())) == keys.shape[0]
        shares = (
            np.bincount(((keys >> np.uint64(32)) % np.uint64(n_owners)).astype(np.int64)) * n_owners / keys.shape[0]
        )
        assert 0.9 < shares.min() <= shares.max() < 1.1
