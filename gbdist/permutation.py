"""Permutations without state: the place of a number among n shuffled ones, computed from that number and a key alone."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_batches import permute_numbers
from gbdist.kernels.hashing import hash_numbers, stream_key

#: Rounds of the permutation: two for each exchange of its halves. Four are proven to do for large halves (Luby and Rackoff,
#: 1988); the halves of a few rows are small, and a round costs a nanosecond.
ROUNDS: Final = 8
#: Below that all hashes are sorted: networks of few bits do not reach most permutations.
SORTED_BELOW: Final = 4096


def halves_of(n_rows: int) -> tuple[np.uint64, np.uint64]:
    """Bits of the two halves of a row number, low and high; fewer than 2 × ``n_rows`` numbers have so many (4 at least)."""
    bits = max(2, (n_rows - 1).bit_length())
    return np.uint64(bits // 2), np.uint64(bits - bits // 2)


def permuted(key: np.uint64, n: int, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of ``numbers`` (int64, from 0 to n − 1) in the permutation of 0 … n − 1 that ``key`` says, int64 of their shape."""
    if n < SORTED_BELOW:
        order = np.argsort(hash_numbers(key, np.arange(n, dtype=np.uint64)), kind="stable")
        places = np.empty(n, np.int64)
        places[order] = np.arange(n)
        return places[numbers]
    keys = np.array([stream_key(int(key), number) for number in range(ROUNDS)], np.uint64)
    found = np.empty(numbers.shape, np.uint64)
    permute_numbers(np.asarray(numbers, dtype=np.uint64), keys, halves_of(n), np.uint64(n), found)
    return found.astype(np.int64)
