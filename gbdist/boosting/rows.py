"""The quantized rows that one rank owns: what the trainer reads, and never changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.bins import Bins


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows ``start … stop−1`` of a rank are the rows ``first_row …`` of the whole data set.

    Randomness is a hash of the global row number (DESIGN §4), so every kernel that draws runs once per segment.
    """

    start: int
    stop: int
    first_row: int


def counts_before(firsts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """What all pieces of the rows before each one count, int64 [n_pieces, n] as ``counts``; ``firsts`` are their first rows."""
    order = np.argsort(firsts, kind="stable")
    before = np.empty_like(counts)
    before[order] = np.cumsum(counts[order], axis=0) - counts[order]
    return before


@dataclass(frozen=True, slots=True)
class UnbinnedColumn:
    """A column that travels as it is beside the bins: a categorical, a text or an embedding column.

    ``position`` is its place among all columns, binned ones included. ``kind`` is "cat", "text", "embedding" or "hash", which is
    a categorical column as CatBoost's hashes; ``values`` are strings (an Arrow array [n_rows]) for the first two, float32
    [n_rows, dimension] for the third, uint32 [n_rows] for the last.
    """

    position: int
    kind: str
    values: Any

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return int(self.values.nbytes)


@dataclass(frozen=True, slots=True, eq=False)
class RowPairs:
    """Pairs of a rank's rows, the first of which should rank above the second: int32 [n_pairs] twice, and float32 [n_pairs].

    Those of a group are together, groups in the order of the rows, and pairs of a group in the order in which they were given.
    """

    winner: NDArray[np.int32]
    loser: NDArray[np.int32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one data set on one rank.

    Parameters
    ----------
    bins : uint8 or uint16 [n_features, n_rows], C order, in memory or in a file
        ``bins[f, i]`` is the number of borders of feature f that are below the value (so bin 0 is below all).
    label : float32 [n_rows], or [n_labels, n_rows] where a row has several
        Target value, or number of the class for classification; NaN where one of several is missing.
    weight : float32 [n_rows] or None
        Row weight, class weights included; None means 1.
    baseline : float64 [dimension, n_rows] or None
        Raw prediction to start from.
    segments : tuple of Segment
        Ascending in ``start``, covering all rows.
    unbinned : tuple of UnbinnedColumn
        Ascending in ``position``. A rank without rows has those of hashes alone.
    group : uint64 [n_rows] or None
        Which rows are ranked together: an integer id itself, or the hash of a string.
    pairs : RowPairs or None
        Given pairs; None: those that labels make.
    fold : uint32 [n_rows] or None
        What folds go by, if they go by anything but a row's number, group or label.
    """

    bins: Bins
    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    baseline: NDArray[np.float64] | None
    segments: tuple[Segment, ...]
    unbinned: tuple[UnbinnedColumn, ...] = ()
    group: NDArray[np.uint64] | None = None
    pairs: RowPairs | None = None
    fold: NDArray[np.uint32] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows on this rank."""
        return int(self.bins.shape[1])

    @property
    def n_features(self) -> int:
        """Number of binned features."""
        return int(self.bins.shape[0])

    def numbers(self) -> NDArray[np.uint64]:
        """Number of each row in the whole data set, uint64 [n_rows]."""
        return row_numbers(self.segments, self.n_rows)


def row_numbers(segments: Iterable[Segment], n_rows: int) -> NDArray[np.uint64]:
    """Number of each of a rank's rows in the whole data set, uint64 [n_rows], from segments that cover them all."""
    numbers = np.empty(n_rows, np.uint64)
    for segment in segments:
        stop = segment.first_row + segment.stop - segment.start
        numbers[segment.start : segment.stop] = np.arange(segment.first_row, stop, dtype=np.uint64)
    return numbers


def part_of_label(label: Any, rows: slice) -> Any:
    """Labels of some rows: of [n_rows] or [n_labels, n_rows], wherever they lie."""
    return label[rows] if label.ndim == 1 else label[:, rows]


def labels_of(label: Any) -> list[Any]:
    """The labels of all rows, [n_rows] each: one, or several where a row has several."""
    return [label] if label.ndim == 1 else [label[k] for k in range(label.shape[0])]
