"""By what a run knows its data again: digests of columns that do not depend on who holds which rows.

Every rank runs this on its rows. A digest is a sum over rows of a hash of (row number, value), so partitions, the order in which
rows lie and the number of ranks do not change it; another value in any row does, but for a chance of 2⁻⁶⁴.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows, Segment, labels_of
from gbdist.kernels.cpu_digest import column_digest
from gbdist.kernels.hashing import hash_numbers, stream_key
from gbdist.neural.network.rows import NetworkRows

_PURPOSE = 0x5A9
_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_ALL = (1 << 64) - 1
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True, slots=True)
class SetDigest:
    """Digests of one data set, uint64 each: of its columns by position, and of what rows have beside them; 0 for nothing."""

    columns: tuple[int, ...]
    label: int
    weight: int
    baseline: int
    group: int
    pairs: int


DataDigest = tuple[SetDigest, ...]


@dataclass(frozen=True, eq=False)
class _Sight:
    """Rows as a digest sees them: columns one after the other, and arrays [n_rows] of what rows have beside them."""

    segments: Sequence[Segment]
    n_columns: int
    column: Callable[[int], NDArray[Any]]
    label: Sequence[NDArray[Any]]
    weight: Sequence[NDArray[Any]] = ()
    baseline: Sequence[NDArray[Any]] = ()
    group: Sequence[NDArray[Any]] = ()
    pairs: int = 0

    def of_column(self, position: int) -> int:
        """Of the values of a column."""
        return _digest(self.segments, np.asarray(self.column(position)))

    def beside(self) -> list[int]:
        """Of what there is beside columns."""
        parts = (self.label, self.weight, self.baseline, self.group)
        found = (sum(_digest(self.segments, np.asarray(each), k) for k, each in enumerate(of)) for of in parts)
        return [*(int(total) & _ALL for total in found), self.pairs]


def data_digest(sets: Sequence[Rows], collective: Collective, threads: int = 1) -> DataDigest:
    """Digests of all rows of some data sets, the same on every rank; one round.

    ``sets`` are this rank's rows of each. One column after the other is read, by each of ``threads``: bins, or the hashes of a
    categorical one.
    """
    return _data_digest([_of_trees(rows) for rows in sets], collective, threads)


def network_digest(sets: Sequence[NetworkRows], collective: Collective, threads: int = 1) -> DataDigest:
    """The same for the rows of a network: numeric columns first, then the categorical ones."""
    return _data_digest([_of_network(rows) for rows in sets], collective, threads)


def _data_digest(sets: Sequence[_Sight], collective: Collective, threads: int) -> DataDigest:
    mine: list[int] = []
    with ThreadPoolExecutor(threads) as pool:
        for rows in sets:
            mine += pool.map(rows.of_column, range(rows.n_columns))
            mine += rows.beside()
    sums = _summed(np.array(mine, np.uint64), collective)
    digests, start = [], 0
    for rows in sets:
        n = rows.n_columns
        digests.append(SetDigest(tuple(sums[start : start + n]), *sums[start + n : start + n + 5]))
        start += n + 5
    return tuple(digests)


def _summed(mine: NDArray[np.uint64], collective: Collective) -> list[int]:
    """Sums over the ranks modulo 2⁶⁴: of halves, because what travels is taken for numbers whose sums fit."""
    halves = np.concatenate([mine & _LOW, mine >> _HALF]).astype(np.int64)
    low, high = (part.astype(np.uint64) for part in np.split(collective.all_reduce(halves), 2))
    total = low + (high << _HALF)
    return [int(each) for each in total]


def _of_trees(rows: Rows) -> _Sight:
    unbinned = {column.position: column.values for column in rows.unbinned}

    def column(position: int) -> Any:
        if position in unbinned:
            return unbinned[position]
        return rows.bins[position - sum(each < position for each in unbinned)]

    return _Sight(
        segments=rows.segments,
        n_columns=rows.n_features + len(rows.unbinned),
        column=column,
        label=labels_of(rows.label),
        weight=[] if rows.weight is None else [rows.weight],
        baseline=[] if rows.baseline is None else list(rows.baseline),
        group=[] if rows.group is None else [rows.group],
        pairs=_of_pairs(rows),
    )


def _of_network(rows: NetworkRows) -> _Sight:
    n_numeric = rows.numeric.shape[1]
    target = rows.target[:, None] if rows.target.ndim == 1 else rows.target

    def column(position: int) -> Any:
        return rows.numeric[:, position] if position < n_numeric else rows.codes[:, position - n_numeric]

    return _Sight(
        segments=rows.segments,
        n_columns=n_numeric + rows.codes.shape[1],
        column=column,
        label=list(target.T),
        weight=[] if rows.weight is None else [rows.weight],
    )


def _digest(segments: Sequence[Segment], values: NDArray[Any], number: int = 0) -> int:
    """Of the bits of some values [n_rows]; several of a row have numbers."""
    bits = np.ascontiguousarray(values).view(_UNSIGNED[values.dtype.itemsize])
    key, total = stream_key(_PURPOSE, number), 0
    for segment in segments:
        total += int(column_digest(key, np.uint64(segment.first_row), bits[segment.start : segment.stop]))
    return total & _ALL


def _of_pairs(rows: Rows) -> int:
    if rows.pairs is None:
        return 0
    numbers, key = rows.numbers(), stream_key(_PURPOSE, -1)
    winner, loser = numbers[rows.pairs.winner], numbers[rows.pairs.loser]
    weight = rows.pairs.weight.view(np.uint32).astype(np.uint64)
    hashes: Any = hash_numbers(key, winner)
    for part in (loser, weight):
        hashes = hash_numbers(hashes, part)
    return int(hashes.sum(dtype=np.uint64))
