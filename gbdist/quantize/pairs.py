"""Pairs of rows, the first of which should rank above the second: checked where they are given, and by row number."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import DataError

_FIX = "Pass an array [n_pairs, 2] of row numbers (winner, loser), or [n_pairs, 3] with a weight."


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs by the numbers of their rows in the whole data set; arrays [n_pairs]. ``number`` is the pair's own."""

    winner: NDArray[np.int64]
    loser: NDArray[np.int64]
    weight: NDArray[np.float32]
    number: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(int(part.nbytes) for part in (self.winner, self.loser, self.weight, self.number))

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.winner[which], self.loser[which], self.weight[which], self.number[which])

    def split(self, parts: int) -> "list[Pairs]":
        """Neighbouring pairs, about as many in each part."""
        edges = [len(self.number) * i // parts for i in range(parts + 1)]
        return [self.take(slice(a, b)) for a, b in pairwise(edges)]


def read_pairs(given: object, where: str) -> Pairs:
    """Pairs from an array, a frame or a list; ``where`` is what errors call them.

    Raises DataError for anything but pairs of different row numbers of at least 0, and finite weights of at least 0.
    """
    table = np.asarray(given)
    if table.ndim != 2 or table.shape[1] not in (2, 3) or table.dtype.kind not in "iuf" or not table.shape[0]:
        raise DataError(where, f"an array of shape {table.shape} and type {table.dtype}", "pairs of row numbers", _FIX)
    rows = table[:, :2]
    whole = (
        np.isfinite(rows.astype(np.float64)).all(axis=1)
        & (rows >= 0).all(axis=1)
        & (rows == np.floor(rows)).all(axis=1)
    )
    _refuse(where, table, ~whole, "row numbers of at least 0")
    numbers = rows.astype(np.int64)
    _refuse(where, table, numbers[:, 0] == numbers[:, 1], "two different rows")
    weight = np.ones(len(table), np.float32)
    if table.shape[1] == 3:
        _refuse(where, table, ~(np.isfinite(table[:, 2]) & (table[:, 2] >= 0)), "a finite weight of at least 0")
        weight = table[:, 2].astype(np.float32)
    return Pairs(numbers[:, 0].copy(), numbers[:, 1].copy(), weight, np.arange(len(table), dtype=np.int64))


def require_rows(pairs: Pairs, n_rows: int, where: str) -> None:
    """DataError for a pair of rows that there are not."""
    beyond = np.flatnonzero(np.maximum(pairs.winner, pairs.loser) >= n_rows)
    if beyond.size:
        k = int(beyond[0])
        found = f"the rows {pairs.winner[k]} and {pairs.loser[k]} in pair {pairs.number[k]}"
        raise DataError(where, found, f"row numbers below {n_rows}", "Count rows from 0, in the order of X.")


def _refuse(where: str, table: NDArray[np.generic], faulty: NDArray[np.bool_], expected: str) -> None:
    found = np.flatnonzero(faulty)
    if found.size:
        k = int(found[0])
        shown: Sequence[object] = table[k].tolist()
        raise DataError(where, f"{shown} in pair {k}", expected, _FIX)
