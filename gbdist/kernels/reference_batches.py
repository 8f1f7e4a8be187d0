"""The obvious NumPy twins of the batch kernels: slow, same signatures, same bits. Tests hold them together."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers


def permuted(
    numbers: NDArray[np.uint64], keys: NDArray[np.uint64], n_rows: int, low_bits: int, high_bits: int
) -> NDArray[np.uint64]:
    """Places of row numbers in the permutation of 0 … n_rows−1, uint64 [n]."""
    low_mask, high_mask = np.uint64((1 << low_bits) - 1), np.uint64((1 << high_bits) - 1)
    shift = np.uint64(low_bits)
    places, outside = numbers.copy(), np.ones(numbers.shape[0], bool)
    while outside.any():
        low, high = places[outside] & low_mask, places[outside] >> shift
        for even, odd in zip(keys[::2], keys[1::2], strict=True):
            low ^= hash_numbers(even, high) & low_mask
            high ^= hash_numbers(odd, low) & high_mask
        places[outside] = (high << shift) | low
        outside = places >= n_rows
    return places


def permute_numbers(
    numbers: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    bits: tuple[np.uint64, np.uint64],
    n_rows: np.uint64,
    places: NDArray[np.uint64],
) -> None:
    """Twin of ``cpu_batches.permute_numbers``."""
    places[:] = permuted(numbers, keys, int(n_rows), int(bits[0]), int(bits[1]))


def count_batches(
    numbers: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    bits: tuple[np.uint64, np.uint64],
    n_rows: np.uint64,
    batch_size: np.uint64,
    batch_of_row: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_batches.count_batches``."""
    places = permuted(numbers, keys, int(n_rows), int(bits[0]), int(bits[1])) if keys.shape[0] else numbers
    batch_of_row[:] = places // batch_size
    np.add.at(counts, batch_of_row, 1)


def sort_by_batch(batch_of_row: NDArray[np.uint32], ends: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """Twin of ``cpu_batches.sort_by_batch``."""
    rows[:] = np.argsort(batch_of_row, kind="stable")
    ends -= np.bincount(batch_of_row, minlength=ends.shape[0])
