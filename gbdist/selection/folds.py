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
        if n_rows == 0:
            return np.empty(0, np.int64)
        first_run, last_run = first_row // self.n_folds, (first_row + n_rows - 1) // self.n_folds
        rows = np.arange(first_run * self.n_folds, (last_run + 1) * self.n_folds, dtype=np.uint64)
        draws = hash_numbers(stream_key(_PURPOSE, self.seed, self.n_folds), rows).reshape(-1, self.n_folds)
        order = np.argsort(draws, axis=1, kind="stable")
        folds = np.empty_like(order)
        np.put_along_axis(folds, order, np.broadcast_to(np.arange(self.n_folds), order.shape), axis=1)
        start = first_row - first_run * self.n_folds
        return np.asarray(folds.ravel()[start : start + n_rows], dtype=np.int64)

    def held_out(self, fold: int, first_row: int, n_rows: int) -> NDArray[np.bool_]:
        """Which of the rows ``first_row … first_row+n_rows−1`` are in a fold, bool [n_rows]; the others train without it."""
        return np.asarray(self.of_rows(first_row, n_rows) == fold)
