"""Categories have the same keys however ranks number them, and those of an owner lie together."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.categories.coding import Coding, coding_of, coding_of_dense, pair_keys

SEEDS, SIZES, OWNERS = st.integers(0, 2**32 - 1), st.integers(0, 80), st.sampled_from([1, 2, 3, 7])


def check(coding: Coding, pairs: list[tuple[int, int]], n_owners: int) -> None:
    """One number for each pair that there is, one key for each, and ranges of owners that every rank finds by the key alone."""
    numbers = dict(zip(pairs, coding.codes.tolist(), strict=True))
    assert [numbers[pair] for pair in pairs] == coding.codes.tolist()
    assert sorted(numbers.values()) == list(range(coding.n_categories))
    assert len(set(coding.keys.tolist())) == coding.n_categories
    assert (coding.codes.dtype, coding.keys.dtype) == (np.uint32, np.uint64)
    assert coding.edges[0] == 0
    assert coding.edges[-1] == coding.n_categories
    assert len(coding.edges) == n_owners + 1
    owners = [(key >> 32) % n_owners for key in coding.keys.tolist()]
    assert owners == [owner for owner, (start, stop) in enumerate(pairwise(coding.edges)) for _ in range(stop - start)]


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_owners=OWNERS, n_hashes=st.sampled_from([1, 5, 2**32]))
def test_codes_of_an_owner_lie_together(seed: int, n_rows: int, n_owners: int, n_hashes: int) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.integers(0, 2**64, 4, dtype=np.uint64)[generator.integers(0, 4, n_rows)]
    hashes = generator.integers(0, n_hashes, n_rows).astype(np.uint32)
    pairs = list(zip(bases.tolist(), hashes.tolist(), strict=True))
    coding = coding_of(bases, hashes, n_owners)
    check(coding, pairs, n_owners)
    assert pair_keys(bases, hashes).tolist() == coding.keys[coding.codes].tolist()
    firsts = [pairs.index(pair) for pair in dict.fromkeys(pairs)]
    assert sorted(coding.firsts().tolist()) == firsts
    assert coding.codes[coding.firsts()].tolist() == list(range(coding.n_categories))


@settings(max_examples=100, deadline=None)
@given(
    seed=SEEDS,
    n_rows=SIZES,
    n_owners=OWNERS,
    n_bases=st.sampled_from([1, 2, 16]),
    n_hashes=st.sampled_from([1, 5, 60]),
)
def test_a_table_of_all_pairs_gives_the_same_keys(
    seed: int, n_rows: int, n_owners: int, n_bases: int, n_hashes: int
) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.integers(0, n_bases, n_rows).astype(np.uint64)
    hashes = generator.permutation(1000)[:n_hashes].astype(np.uint32) << np.uint32(20)
    codes = generator.integers(0, n_hashes, n_rows).astype(np.uint32)
    dense = coding_of_dense(bases, n_bases, codes, hashes, n_owners)
    check(dense, list(zip(bases.tolist(), codes.tolist(), strict=True)), n_owners)
    usual = coding_of(bases, hashes[codes], n_owners)
    assert dense.edges == usual.edges
    assert dense.keys[dense.codes].tolist() == usual.keys[usual.codes].tolist()


@pytest.mark.parametrize("n_owners", [2, 5])
def test_owners_have_nearly_as_many_categories(n_owners: int) -> None:
    for bases in (np.zeros(10_000, np.uint64), np.arange(10_000, dtype=np.uint64) % np.uint64(8)):
        coding = coding_of(bases, np.arange(10_000, dtype=np.uint32), n_owners)
        shares = np.diff(coding.edges) * n_owners / 10_000
        assert 0.9 < shares.min() <= shares.max() < 1.1
