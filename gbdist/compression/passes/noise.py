"""More rows to ask a teacher about: copies of the training rows in which some cells are those of another row.

What a model predicts is known for any row, so a student need not be content with the rows that there are. Copies stay near the
data: a row takes cells from a donor whose raw prediction is much like its own, and cells that are made of one column of the
data, as the statistics of a category, go together. Donors are a sample that every rank has, drawn by hash of the global row
number, as everything here is: which rank holds which rows changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.rows import Rows, Segment
from gbdist.compression.passes.base import PassData
from gbdist.kernels.hashing import unit_draws
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature, StatisticFeature

#: About as many rows are donors, of all ranks.
MOST_DONORS = 1 << 14


@dataclass(frozen=True, eq=False)
class Donors:
    """Rows that others take cells from; the same on all ranks.

    Parameters
    ----------
    features : tuple of int
        Numbers of the columns whose cells may be taken.
    bins : uint8 or uint16 [len(features), n]
    likeness : float64 [n], ascending
        ``likeness_of`` each.
    """

    features: tuple[int, ...]
    bins: NDArray[np.uint8] | NDArray[np.uint16]
    likeness: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Swaps:
    """How a copy differs from the rows: a column's cells change with probability ``share``.

    ``window`` is the share of the donors that a row may take from, those around it by likeness; 1 for any of them, in effect.
    """

    share: float
    window: float


def copies_for(n_rows: int, wanted: int, most: int) -> int:
    """How many copies bring ``n_rows`` rows of all ranks to about as many as are wanted; at most so many."""
    return max(0, min(most, wanted // max(1, n_rows) - 1))


def extent_of(data: PassData) -> tuple[int, int]:
    """How many rows all ranks have, and the number after the largest one of any row; a round."""
    rows = data.rows
    next_row = max((s.first_row + s.stop - s.start for s in rows.segments), default=0)
    mine = np.array([rows.n_rows, next_row], np.int64)
    told = np.array([np.frombuffer(item, np.int64) for item in data.collective.all_gather(mine.tobytes())])
    return int(told[:, 0].sum()), int(told[:, 1].max())


def segments_with_copies(rows: Rows, copies: int, next_row: int) -> tuple[Segment, ...]:
    """Segments of the rows and of the copies behind them, each copy numbered behind the one before; see ``extent_of``."""
    n_rows = rows.n_rows
    return tuple(
        Segment(s.start + k * n_rows, s.stop + k * n_rows, s.first_row + k * next_row)
        for k in range(copies + 1)
        for s in rows.segments
    )


def likeness_of(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number a row, float64 [n], by which rows are near that a model says much the same of; raw float64 [dimension, n].

    A single raw value itself; of several the number of the largest, and as a fraction above it how large that is.
    """
    if raw.shape[0] == 1:
        return np.asarray(raw[0])
    largest = raw.max(axis=0)
    return np.asarray(raw.argmax(axis=0) + 0.5 + 0.5 * largest / (1.0 + np.abs(largest)))


def draw_donors(features: Sequence[int], likeness: NDArray[np.float64], n_rows: int, data: PassData) -> Donors:
    """Draw the donors among the rows of all ranks; two rounds.

    Parameters
    ----------
    features : columns whose cells may be taken, the same on all ranks
    likeness : float64 [rows of this rank]
    n_rows : rows of all ranks
    """
    numbers = data.rows.numbers()
    chosen = np.flatnonzero(unit_draws(key_of(data.seed, Purpose.DONORS), numbers) * n_rows < MOST_DONORS)
    bins = np.asarray(data.rows.bins)[np.ix_(np.asarray(features, np.intp), chosen)]
    cells = data.collective.all_gather(np.ascontiguousarray(bins.T).tobytes())
    facts = data.collective.all_gather(np.array([numbers[chosen].view(np.float64), likeness[chosen]]).T.tobytes())
    every = np.concatenate([np.frombuffer(each).reshape(-1, 2) for each in facts])
    rows = np.concatenate([np.frombuffer(each, bins.dtype).reshape(-1, len(features)) for each in cells])
    order = np.lexsort((np.ascontiguousarray(every[:, 0]).view(np.uint64), every[:, 1]))
    return Donors(tuple(features), np.ascontiguousarray(rows[order].T), np.ascontiguousarray(every[order, 1]))


def noised(
    ensemble: Ensemble, likeness: NDArray[np.float64], donors: Donors, swaps: Swaps, copy: int, data: PassData
) -> Rows:
    """The rank's rows with some cells changed, otherwise as they are; each ``copy`` differs in other cells.

    A column of the data changes or not, and whatever is made of it with it. A combination of columns takes the cell of the donor
    as often as it takes those of its columns: the cell that the mixed columns together would have is not known from bins.
    """
    numbers = data.rows.numbers()
    donor = _donor_of_rows(likeness, donors, swaps.window, key_of(data.seed, Purpose.DONOR_OF_ROW, copy), numbers)
    bins = np.array(data.rows.bins)
    changed: dict[tuple[int, ...], NDArray[np.bool_]] = {}
    for row, feature in enumerate(donors.features):
        columns = _columns_of(ensemble, feature)
        if columns not in changed:
            changed[columns] = _changed(columns, swaps.share, copy, data.seed, numbers)
        where = changed[columns]
        bins[feature, where] = donors.bins[row, donor[where]]
    return Rows(bins, data.rows.label, data.rows.weight, None, data.rows.segments)


def _donor_of_rows(
    likeness: NDArray[np.float64], donors: Donors, window: float, key: np.uint64, numbers: NDArray[np.uint64]
) -> NDArray[np.intp]:
    """Position of each row's donor, intp [n]."""
    n_donors = donors.likeness.shape[0]
    steps = np.floor((unit_draws(key, numbers) - 0.5) * max(window * n_donors, 2.0))
    places = np.searchsorted(donors.likeness, likeness) + steps.astype(np.int64)
    return np.asarray(np.clip(places, 0, n_donors - 1), np.intp)


def _columns_of(ensemble: Ensemble, feature: int) -> tuple[int, ...]:
    """The columns of the data that a feature is made of: numbers as the features are, then categorical ones."""
    n_numbers = len(ensemble.borders)
    match ensemble.features[feature]:
        case OneHotFeature() as one_hot:
            return (n_numbers + one_hot.cat,)
        case StatisticFeature() as statistic:
            projection = statistic.projection
            cats = {*projection.cats, *(cat for cat, _ in projection.one_hot_splits)}
            return (*sorted({f for f, _ in projection.float_splits}), *(n_numbers + cat for cat in sorted(cats)))
    return (feature,)


def _changed(
    columns: tuple[int, ...], share: float, copy: int, seed: int, numbers: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which rows take the donor's cell of what is made of some columns, bool [n]."""
    each = [unit_draws(key_of(seed, Purpose.SWAPS, copy, column), numbers) < share for column in columns]
    if len(each) == 1:
        return np.asarray(each[0])
    of_them = np.sum(each, axis=0)
    return np.asarray(unit_draws(key_of(seed, Purpose.SWAPS, copy, *columns), numbers) * len(columns) < of_them)
