"""Categories are numbered by owner, in the same way whether there is memory for all pairs or not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.categories.coding import coding_of, coding_of_dense, pair_keys

N_ROWS = 2_000


def pairs(seed: int = 0) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32]]:
    """Small bases, numbers of hashes, and the hashes."""
    rng = np.random.default_rng(seed)
    hashes = rng.choice(2**32, 50, replace=False).astype(np.uint32)
    return rng.integers(0, 8, N_ROWS).astype(np.uint64), rng.integers(0, 50, N_ROWS).astype(np.uint32), hashes


@pytest.mark.parametrize("n_owners", [1, 2, 7])
def test_rows_are_alike_if_base_and_hash_are(n_owners: int) -> None:
    bases, codes, hashes = pairs()
    coding = coding_of(bases, hashes[codes], n_owners)
    expected = np.unique(np.stack([bases, codes]), axis=1, return_inverse=True)[1].ravel()
    assert coding.n_categories == expected.max() + 1
    assert len(set(zip(coding.codes.tolist(), expected.tolist(), strict=True))) == coding.n_categories
    assert coding.edges[0] == 0
    assert coding.edges[-1] == coding.n_categories
    for rank, (start, stop) in enumerate(zip(coding.edges[:-1], coding.edges[1:], strict=True)):
        assert ((coding.keys[start:stop] >> np.uint64(32)) % np.uint64(n_owners) == rank).all()


@pytest.mark.parametrize("n_owners", [1, 3])
def test_keys_are_those_of_the_rows(n_owners: int) -> None:
    bases, codes, hashes = pairs()
    expected = pair_keys(bases, hashes[codes])
    for coding in (coding_of(bases, hashes[codes], n_owners), coding_of_dense(bases, 8, codes, hashes, n_owners)):
        assert np.array_equal(coding.keys[coding.codes], expected)
        assert np.unique(coding.keys).shape == coding.keys.shape
        assert np.array_equal(coding.codes[coding.firsts()], np.arange(coding.n_categories))


def test_both_ways_number_alike() -> None:
    bases, codes, hashes = pairs()
    one, other = coding_of(bases, hashes[codes], 2), coding_of_dense(bases, 8, codes, hashes, 2)
    assert np.array_equal(one.codes, other.codes)
    assert one.edges == other.edges


def test_no_rows_have_no_categories() -> None:
    bases, codes = np.zeros(0, np.uint64), np.zeros(0, np.uint32)
    assert coding_of(bases, codes, 3).edges == (0, 0, 0, 0)
    assert coding_of_dense(bases, 4, codes, codes, 3).edges == (0, 0, 0, 0)
    assert coding_of(bases, codes).firsts().shape == (0,)
