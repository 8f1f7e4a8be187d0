"""Which of a data set's rows a selection looks at: all, or where they are many some, by hash of their numbers."""

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.fold_rows import rows_among
from gbdist.boosting.rows import Rows, Segment
from gbdist.kernels.hashing import stream_key, unit_draws
from gbdist.quantize.groups import group_starts

#: At most so many rows; the least that CatBoost looks at where there are as many (calc_fstr.cpp, GetMaxObjectCountForFstrCalc).
MOST_ROWS = 200_000
#: Shares of columns in predictions take 8 bytes each, and 2 GB on all ranks together; but some rows are looked at in any case.
_MOST_SHARES = 250_000_000
_LEAST_ROWS = 10_000
_KEY = stream_key(0x5E1EC7)


def most_rows(n_columns: int, dimension: int) -> int:
    """How many rows are looked at, if there are more; ``dimension`` raw values are explained by ``n_columns`` columns."""
    return min(MOST_ROWS, max(_LEAST_ROWS, _MOST_SHARES // max(1, n_columns * dimension)))


def sampled(rows: Rows, most: int, collective: Collective) -> Rows:
    """A rank's part of about ``most`` rows of the whole data set, or of all if there are no more; groups are kept whole.

    A row is taken if the draw of its number, or of the number of its group's first row, is below the share that is wanted, so
    that it does not matter who holds it. A round.
    """
    total = int(collective.all_reduce(np.array([rows.n_rows], np.int64))[0])
    if total <= most:
        return rows
    numbers = rows.numbers()
    if rows.group is not None:
        starts = group_starts(rows.group)
        numbers = np.repeat(numbers[starts], np.diff(np.append(starts, rows.n_rows)))
    return _chosen(rows, unit_draws(_KEY, numbers) < most / total)


def _chosen(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    places = np.flatnonzero(kept)
    bins = np.empty((rows.n_features, places.shape[0]), rows.bins.dtype)
    for feature in range(rows.n_features):
        bins[feature] = rows.bins[feature, :][places]
    return rows_among(rows, kept, bins, _segments(rows.numbers()[places].astype(np.int64)))


def _segments(numbers: NDArray[np.int64]) -> tuple[Segment, ...]:
    """Runs of rows whose numbers follow each other."""
    if not numbers.shape[0]:
        return ()
    starts = np.append(0, np.flatnonzero(np.diff(numbers) != 1) + 1)
    stops = np.append(starts[1:], numbers.shape[0])
    return tuple(
        Segment(start, stop, int(numbers[start])) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    )
