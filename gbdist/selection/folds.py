"""Folds: which rows are held out of which fit, by global row number alone.

Of each run of ``n_folds`` neighbouring rows every fold gets one, in an order drawn by hash. So folds are the same for any
partitioning, they differ by one row at most, and data that lie sorted by class or by time are stratified by it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers, stream_key

_PURPOSE = 0x666F6C64


@dataclass(frozen=True, slots=True)
class Folds:
    """Cuts rows 0, 1, 2, … into ``n_folds`` folds; another ``seed`` draws others."""

    n_folds: int
    seed: int = 0

    def of_rows(self, first_row: int, n_rows: int) -> NDArray[np.int64]:
        """Fold of each of the rows ``first_row … first_row+n_rows−1``, int64 [n_rows]."""
        key = stream_key(_PURPOSE, self.seed, self.n_folds)
        return ranks_in_runs(key, self.n_folds, first_row, n_rows)

    def held_out(self, fold: int, first_row: int, n_rows: int) -> NDArray[np.bool_]:
        """Which of the rows ``first_row … first_row+n_rows−1`` are in a fold, bool [n_rows]; the others train without it."""
        return np.asarray(self.of_rows(first_row, n_rows) == fold)


def ranks_in_runs(key: np.uint64, length: int, first: int, count: int, n_all: int | None = None) -> NDArray[np.int64]:
    """Ranks of numbers ``first … first+count−1`` by hash among those of their run of ``length`` neighbours, int64 [count].

    ``n_all`` is how many numbers there are: the last run may have fewer, whose ranks are then 0, 1, … too.
    """
    if count == 0:
        return np.empty(0, np.int64)
    start = first // length * length
    stop = -(-(first + count) // length) * length
    numbers = np.arange(start, stop, dtype=np.uint64)
    draws = hash_numbers(key, numbers).reshape(-1, length)
    if n_all is not None and stop > n_all:
        draws[-1, length - (stop - n_all) :] = np.iinfo(np.uint64).max  # those that there are come before them
    order = np.argsort(draws, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(length), order.shape), axis=1)
    return np.asarray(ranks.ravel()[first - start : first - start + count], dtype=np.int64)
