"""A keyed permutation of all row numbers; which rows make up which batch of an epoch by it, and a sort by batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.hashing import hash_number

_ONE, _ZERO = np.uint64(1), np.uint64(0)


@device_function
def _permuted(number: Any, keys: Any, n_rows: Any, low_bits: Any, high_bits: Any) -> Any:
    """Place of a row number in a permutation of 0 … n_rows−1.

    A Feistel network (Luby and Rackoff, 1988) permutes the numbers of so many bits: each round adds a hash of one half to the
    other. A place that is no row's is permuted again until it is one (cycle walking; Black and Rogaway, 2002, section 3).
    """
    low_mask, high_mask = (_ONE << low_bits) - _ONE, (_ONE << high_bits) - _ONE
    place = number
    while True:
        low, high = place & low_mask, place >> low_bits
        for k in range(0, keys.shape[0], 2):
            low = low ^ (hash_number(keys[k], high) & low_mask)
            high = high ^ (hash_number(keys[k + 1], low) & high_mask)
        place = (high << low_bits) | low
        if place < n_rows:
            return place


@kernel
def permute_numbers(
    numbers: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    bits: tuple[np.uint64, np.uint64],
    n_rows: np.uint64,
    places: NDArray[np.uint64],
) -> None:
    """Find the place of each number in a permutation of 0 … n_rows−1.

    Parameters
    ----------
    numbers, keys, bits, n_rows : see ``count_batches``; there are keys
    places : uint64[n], OUT
    """
    for i in range(np.uint64(numbers.shape[0])):
        places[i] = _permuted(numbers[i], keys, n_rows, bits[0], bits[1])


@kernel
def count_batches(
    numbers: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    bits: tuple[np.uint64, np.uint64],
    n_rows: np.uint64,
    batch_size: np.uint64,
    batch_of_row: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    """Find the batch of each row, and count the rows of each batch.

    Parameters
    ----------
    numbers : uint64[n], IN
        Global row numbers, below ``n_rows``.
    keys : uint64[rounds], IN
        One key for each round of the permutation, an even number; none: rows stay in their order.
    bits : (low, high)
        Bits of the two halves of a number; ``n_rows`` ≤ 2^(low + high).
    batch_of_row : uint32[n], OUT
    counts : int64[n_batches], IN and OUT
        Added to: the caller clears it first.
    """
    for i in range(np.uint64(numbers.shape[0])):
        place = numbers[i]
        if keys.shape[0] > 0:
            place = _permuted(place, keys, n_rows, bits[0], bits[1])
        batch = place // batch_size
        batch_of_row[i] = batch
        counts[batch] += 1


@kernel
def sort_by_batch(batch_of_row: NDArray[np.uint32], ends: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """List the rows batch by batch, ascending within each, so that a gather streams.

    Parameters
    ----------
    batch_of_row : uint32[n], IN
    ends : int64[n_batches], IN and OUT
        Where the rows of each batch end; afterwards where they begin.
    rows : int64[n], OUT
    """
    for k in range(batch_of_row.shape[0]):
        i = np.uint64(batch_of_row.shape[0] - 1 - k)
        batch = np.uint64(batch_of_row[i])
        ends[batch] -= 1
        rows[np.uint64(ends[batch])] = i
