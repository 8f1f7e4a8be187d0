"""In which batch each row of an epoch is: decided by (seed, epoch, global row number) alone, whichever rank has the row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.draws import Purpose, key_of
from gbdist.kernels.cpu_batches import count_batches, sort_by_batch
from gbdist.permutation import ROUNDS, halves_of


@dataclass(frozen=True, slots=True, eq=False)
class EpochRows:
    """A rank's rows of one epoch, batch after batch.

    Parameters
    ----------
    rows : int64 [n_rows]
        Positions on the rank, ascending within a batch.
    offsets : int64 [n_batches + 1]
        Where each batch begins.
    """

    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def of(self, batch: int) -> NDArray[np.int64]:
        """Positions of this rank's rows of one batch, perhaps none."""
        return self.rows[self.offsets[batch] : self.offsets[batch + 1]]


class BatchOrder:
    """Cuts each epoch's rows into batches.

    A keyed permutation gives each row number a place, and place // ``batch_size`` is its batch. Without ``shuffle`` the place is
    the number itself. Costs time and memory of the rank's own rows alone, 12 bytes each, and 8 bytes a batch.

    Parameters
    ----------
    numbers : uint64 [n]
        Global numbers of the rank's rows.
    n_rows : int
        Rows over all ranks; ValueError where a number is not below it.
    batch_size : int
        Rows of a batch over all ranks; the last one may have fewer.
    """

    def __init__(self, numbers: NDArray[np.uint64], n_rows: int, batch_size: int, seed: int, *, shuffle: bool) -> None:
        if numbers.shape[0] and int(numbers.max()) >= n_rows:
            raise ValueError(f"row number {int(numbers.max())} of {n_rows} rows")
        if batch_size < 1:
            raise ValueError(f"batches of {batch_size} rows")
        self.n_batches = -(-n_rows // batch_size)
        self._numbers, self._n_rows, self._batch_size = numbers, n_rows, batch_size
        self._seed, self._shuffle = seed, shuffle
        self._sorted: EpochRows | None = None

    def epoch(self, number: int) -> EpochRows:
        """The rows of one epoch; its arrays hold until the next call."""
        if self._sorted is not None and not self._shuffle:
            return self._sorted
        n_batches = self.n_batches
        batch_of_row = np.empty(self._numbers.shape[0], np.uint32)
        counts = np.zeros(n_batches, np.int64)
        count_batches(
            self._numbers,
            _keys(self._seed, number) if self._shuffle else np.empty(0, np.uint64),
            halves_of(self._n_rows),
            np.uint64(self._n_rows),
            np.uint64(self._batch_size),
            batch_of_row,
            counts,
        )
        offsets = np.zeros(n_batches + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        rows = np.empty(batch_of_row.shape[0], np.int64) if self._sorted is None else self._sorted.rows
        sort_by_batch(batch_of_row, offsets[1:].copy(), rows)
        self._sorted = EpochRows(rows, offsets)
        return self._sorted


def _keys(seed: int, epoch: int) -> NDArray[np.uint64]:
    return np.array([key_of(seed, Purpose.BATCHES, epoch, k) for k in range(ROUNDS)], np.uint64)
