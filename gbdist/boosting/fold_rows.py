"""The rows of folds, out of those that a rank has: what a fit on the subset alone would have on this rank.

A row's number in a fold is its place among the fold's rows of all ranks, so that everything that is drawn by row number is what a
fit on the subset draws (DESIGN §7.12). Bins are copied: a kernel reads rows that are neighbours, and a fold's are not.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.bins import Bins, blocks_of, new_bins_like
from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.rows import RowPairs, Rows, Segment, counts_before
from gbdist.errors import DataError
from gbdist.quantize.groups import group_starts

#: What is done with a fold's rows, in the order of ``Fold.masks``.
_SIDES = ("trained on", "held out")


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Which of a rank's rows one fit trains on, and which it is scored on: bool [n_rows] each.

    No row is both; it may be neither. Groups are whole in both.
    """

    train: NDArray[np.bool_]
    held_out: NDArray[np.bool_]

    @property
    def masks(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Both, as they are numbered."""
        return self.train, self.held_out


@dataclass(frozen=True, slots=True)
class FoldNumbers:
    """How many rows all ranks have, and for each fold the segments of this rank's rows in its two sets."""

    n_rows: int
    segments: tuple[tuple[tuple[Segment, ...], tuple[Segment, ...]], ...]


def number_folds(rows: Rows, folds: Sequence[Fold], collective: Collective) -> FoldNumbers:
    """Check the folds, and number their rows; a round. All ranks have the same number of folds.

    Raises DataError, on all ranks, for masks that are no masks of the rows, rows on both sides of a fold, groups that a fold
    cuts, and sides without rows on any rank.
    """
    problem = _problem_of(rows, folds)
    masks = [] if problem else [mask for fold in folds for mask in fold.masks]
    counts = [[int(np.count_nonzero(mask[s.start : s.stop])) for mask in masks] for s in rows.segments]
    mine = {"problem": problem, "n_rows": rows.n_rows, "firsts": [s.first_row for s in rows.segments], "counts": counts}
    told = [json.loads(item) for item in collective.all_gather(json.dumps(mine).encode())]
    for each in told:
        if each["problem"]:
            raise DataError(*each["problem"])
    firsts = np.array([first for each in told for first in each["firsts"]], np.int64)
    every = np.array([count for each in told for count in each["counts"]], np.int64).reshape(len(firsts), len(masks))
    _require_rows(every.sum(axis=0).tolist())
    before = counts_before(firsts, every)
    ahead = sum(len(each["firsts"]) for each in told[: collective.rank])
    own = slice(ahead, ahead + len(rows.segments))
    segments = [_segments(every[own, k].tolist(), before[own, k].tolist()) for k in range(len(masks))]
    pairs = tuple(zip(segments[::2], segments[1::2], strict=True))
    return FoldNumbers(sum(each["n_rows"] for each in told), pairs)


def take_rows(rows: Rows, mask: NDArray[np.bool_], segments: tuple[Segment, ...], crew: Crew) -> Rows:
    """A copy of some of a rank's rows, numbered by ``segments``; bins lie where those of ``rows`` do, in memory or in a file."""
    chosen = np.flatnonzero(mask)
    bins = new_bins_like(rows.bins, rows.n_features, chosen.shape[0])

    def copy(first: int, block: Any, number: int) -> None:
        bins[first + number : first + number + 1] = block[number].take(chosen)[None]

    for first, block in blocks_of(rows.bins, (0, rows.n_features), crew):
        crew.each(partial(copy, first, block), range(block.shape[0]))
    return rows_among(rows, mask, bins, segments)


def rows_among(rows: Rows, mask: NDArray[np.bool_], bins: Bins, segments: tuple[Segment, ...]) -> Rows:
    """A rank's rows of a mask, whose ``bins`` have been taken already; ``segments`` number them. Groups are whole."""
    chosen = np.flatnonzero(mask)
    return Rows(
        bins=bins,
        label=np.ascontiguousarray(rows.label[..., chosen]),
        weight=None if rows.weight is None else rows.weight[chosen],
        baseline=None if rows.baseline is None else np.ascontiguousarray(rows.baseline[:, chosen]),
        segments=segments,
        unbinned=tuple(replace(column, values=_taken(column.values, chosen)) for column in rows.unbinned),
        group=None if rows.group is None else rows.group[chosen],
        pairs=None if rows.pairs is None else _pairs_among(rows.pairs, mask),
    )


def _taken(values: Any, chosen: NDArray[np.int64]) -> Any:
    """Some values of a column: of an array, or of Arrow's strings."""
    return values[chosen] if isinstance(values, np.ndarray) else values.take(chosen)


def _pairs_among(pairs: RowPairs, mask: NDArray[np.bool_]) -> RowPairs:
    """Pairs of the rows of a mask; groups are whole, so that a pair is whole or gone."""
    kept = mask[pairs.winner]
    place = (np.cumsum(mask) - 1).astype(np.int32)
    return RowPairs(place[pairs.winner[kept]], place[pairs.loser[kept]], pairs.weight[kept])


def _segments(counts: Sequence[int], before: Sequence[int]) -> tuple[Segment, ...]:
    """Segments of some rows: as many of each of the rank's own, and the number of each one's first row; neighbours are joined."""
    segments: list[Segment] = []
    start = 0
    for count, first_row in zip(counts, before, strict=True):
        last = segments[-1] if segments else None
        if last is not None and last.first_row + last.stop - last.start == first_row:
            segments[-1] = Segment(last.start, start + count, last.first_row)
        elif count:
            segments.append(Segment(start, start + count, first_row))
        start += count
    return tuple(segments)


def _problem_of(rows: Rows, folds: Sequence[Fold]) -> tuple[str, str, str, str] | None:
    """What is wrong with folds on this rank, as DataError takes it."""
    if not folds:
        return "folds", "none", "at least one fold", "Give the rows that each fit trains on and is scored on."
    starts = None if rows.group is None else group_starts(rows.group)
    for number, fold in enumerate(folds):
        where = f"fold {number}"
        for side, mask in zip(_SIDES, fold.masks, strict=True):
            if mask.dtype != np.bool_ or mask.shape != (rows.n_rows,):
                found = f"a mask of the rows {side} that is {mask.dtype} {list(mask.shape)}"
                return where, found, f"bool [{rows.n_rows}]", "Give True or False for each of the rank's rows."
            cut = None if starts is None else _first_cut(mask, starts)
            if cut is not None:
                found = f"the group of row {int(rows.numbers()[cut])} with some of its rows {side}"
                return where, found, "groups that are whole", "Split by groups, such as with GroupKFold."
        both = np.flatnonzero(fold.train & fold.held_out)
        if both.shape[0]:
            found = f"row {int(rows.numbers()[both[0]])} both trained on and held out"
            return where, found, "rows that are one of the two, or neither", "Take it out of one of the masks."
    return None


def _first_cut(mask: NDArray[np.bool_], starts: NDArray[np.int64]) -> int | None:
    """The first row of the first group that a mask cuts; None if it cuts none."""
    if not starts.shape[0]:
        return None
    inside = np.add.reduceat(mask, starts, dtype=np.int64)
    cut = np.flatnonzero((inside > 0) & (inside < np.diff(starts, append=mask.shape[0])))
    return int(starts[cut[0]]) if cut.shape[0] else None


def _require_rows(totals: Sequence[int]) -> None:
    """DataError for a side of a fold that has no rows on any rank."""
    for number, total in enumerate(totals):
        if not total:
            found = f"no rows that are {_SIDES[number % 2]}"
            fix = "Use fewer folds, or other masks."
            raise DataError(f"fold {number // 2}", found, "at least one", fix)
