"""Permutations without state: the place of a number among n shuffled ones, computed from that number alone."""

import math

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers, mixed, stream_key

#: Below that all hashes are sorted: networks of few bits do not reach most permutations.
SORTED_BELOW = 4096
#: Four rounds pass for random (Luby, Rackoff: How to Construct Pseudorandom Permutations, 1988); two more cost little.
_ROUNDS = 6


def permuted(key: np.uint64, n: int, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of ``numbers`` (int64, from 0 to n − 1) in the permutation of 0 … n − 1 that ``key`` says, int64 of their shape."""
    if n < SORTED_BELOW:
        order = np.argsort(hash_numbers(key, np.arange(n, dtype=np.uint64)), kind="stable")
        places = np.empty(n, np.int64)
        places[order] = np.arange(n)
        return places[numbers]
    return _network(key, n, numbers)


def _network(key: np.uint64, n: int, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Black and Rogaway's generalized Feistel network, walked on until it comes back below n (section 5 of their paper)."""
    left = math.isqrt(n - 1) + 1
    right = -(-n // left)
    keys = [stream_key(int(key), number) for number in range(_ROUNDS)]
    places = np.asarray(numbers, dtype=np.uint64)
    places = _walked(keys, np.uint64(left), np.uint64(right), places)
    while (beyond := np.flatnonzero(places >= n)).size:  # fewer than one in a thousand
        places[beyond] = _walked(keys, np.uint64(left), np.uint64(right), places[beyond])
    return places.astype(np.int64)


def _walked(
    keys: list[np.uint64], left: np.uint64, right: np.uint64, numbers: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """One pass through the network, uint64 in and out: a permutation of 0 … left × right − 1."""
    low, high = numbers % left, numbers // left
    for number, key in enumerate(keys):
        if number % 2:
            high = (high + mixed(key + low)) % right
        else:
            low = (low + mixed(key + high)) % left
    return np.asarray(high * left + low, dtype=np.uint64)
