"""What a rank does before it ranks rows: it looks at groups and their weights, and pairs come to their rows."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import RowPairs, Rows
from gbdist.errors import DataError
from gbdist.estimators.sources import eval_name
from gbdist.quantize.groups import group_starts
from gbdist.quantize.pairs import Pairs
from gbdist.rounds.groups import require_whole_groups

_EMPTY = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class RankedSets:
    """Of each data set: whether its groups have integers as ids, its weights are of groups, and pairs were given."""

    numbered: tuple[bool, ...]
    group_weighted: tuple[bool, ...]
    paired: tuple[bool, ...]

    def names(self) -> list[str]:
        """What errors call the data sets, in front of what they are about."""
        n_evals = len(self.numbered) - 1
        return ["", *(f"{eval_name(number, n_evals)}, " for number in range(n_evals))]


def ready_rows(sets: Sequence[Rows], facts: RankedSets, given: Sequence[Pairs], collective: Collective) -> list[Rows]:
    """A rank's rows of all data sets, with pairs; ``given`` are some pairs of each set that has any, whoever owns their rows.

    Raises the same DataError on every rank for groups that are not whole, weights that differ in a group, and pairs of rows of
    different groups. Without groups the rows come back as they are.
    """
    waiting, ready = list(given), []
    for name, rows, numbered, of_groups, paired in zip(
        facts.names(), sets, facts.numbered, facts.group_weighted, facts.paired, strict=True
    ):
        require_whole_groups(rows, f"{name}group_id", collective, numbered=numbered)
        if of_groups:
            _require_weights_of_groups(rows, f"{name}group_weight", collective, numbered=numbered)
        pairs = None
        if paired:
            pairs = _pairs_of_rows(rows, waiting.pop(0) if waiting else _EMPTY, f"{name}pairs", collective)
        ready.append(replace(rows, pairs=pairs) if paired else rows)
    return ready


def _agree(fault: tuple[int, DataError] | None, collective: Collective) -> None:
    """Raise the first of all ranks' faults, by its number, on every rank."""
    told = [pickle.loads(item) for item in collective.all_gather(pickle.dumps(fault))]
    faults = [one for one in told if one is not None]
    if faults:
        raise min(faults, key=lambda one: int(one[0]))[1]


def _group_name(rows: Rows, row: int, numbered: bool) -> str:
    """What errors call the group of a row, by its id if that is known: of strings there are hashes alone."""
    if numbered and rows.group is not None:
        return f"group {int(rows.group[row : row + 1].view(np.int64)[0])}"
    return f"the group of row {int(rows.numbers()[row])}"


def _require_weights_of_groups(rows: Rows, where: str, collective: Collective, *, numbered: bool) -> None:
    fault = None
    if rows.group is not None and rows.weight is not None and rows.n_rows:
        starts = group_starts(rows.group)
        same = np.repeat(rows.weight[starts], np.diff(np.append(starts, rows.n_rows))) == rows.weight
        wrong = np.flatnonzero(~same)
        if wrong.size:
            row = int(wrong[0])
            found = f"{rows.weight[row - 1]:g} and {rows.weight[row]:g} in {_group_name(rows, row, numbered)}"
            error = DataError(
                where, found, "one weight for all rows of a group", "Give every row the weight of its group."
            )
            fault = (int(rows.numbers()[row]), error)
    _agree(fault, collective)


def _pairs_of_rows(rows: Rows, mine: Pairs, where: str, collective: Collective) -> RowPairs:
    """Send pairs to the ranks that own their winners; check and sort those that arrive."""
    told = [np.frombuffer(item, np.int64).reshape(-1, 3) for item in collective.all_gather(_spans(rows).tobytes())]
    owners = np.repeat(np.arange(len(told)), [len(theirs) for theirs in told])
    span = _span_of(np.concatenate(told), mine.winner)
    owner = np.where(span < 0, -1, owners[span]) if len(owners) else span
    parcels = [pickle.dumps(mine.take(owner == rank)) for rank in range(len(told))]
    arrived: list[Pairs] = [pickle.loads(item) for item in collective.all_to_all(parcels)]
    joined = Pairs(*(np.concatenate(part) for part in zip(*map(_arrays, arrived), strict=True)))
    joined = joined.take(np.argsort(joined.number, kind="stable"))
    winner, loser = (_places(rows, numbers) for numbers in (joined.winner, joined.loser))
    group = np.empty(0, np.uint64) if rows.group is None else rows.group
    apart = (loser < 0) | (group[winner] != group[loser])
    fault = None
    if apart.any():
        k = int(np.flatnonzero(apart)[0])
        found = f"the rows {joined.winner[k]} and {joined.loser[k]} of different groups in pair {joined.number[k]}"
        fault = (
            int(joined.number[k]),
            DataError(where, found, "two rows of one group", "Pair rows of the same group_id."),
        )
    _agree(fault, collective)
    order = np.argsort(np.searchsorted(group_starts(group), winner, side="right"), kind="stable")
    return RowPairs(winner[order].astype(np.int32), loser[order].astype(np.int32), joined.weight[order])


def _arrays(pairs: Pairs) -> tuple[Any, ...]:
    return pairs.winner, pairs.loser, pairs.weight, pairs.number


def _places(rows: Rows, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where rows are among the rank's, by their numbers in the whole data set; −1 for rows of others."""
    spans = _spans(rows)
    span = _span_of(spans, numbers)
    if not len(spans):
        return span
    first, _, start = spans[span].T
    return np.where(span < 0, -1, numbers - first + start)


def _spans(rows: Rows) -> NDArray[np.int64]:
    """The rank's rows by their numbers: int64 [n_segments, 3] of the first, the one behind the last, and where the first is."""
    spans = [
        (segment.first_row, segment.first_row + segment.stop - segment.start, segment.start)
        for segment in rows.segments
        if segment.stop > segment.start
    ]
    return np.array(spans, np.int64).reshape(-1, 3)


def _span_of(spans: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of some spans, that do not overlap, each number lies in; −1 for none."""
    if not len(spans):
        return np.full(len(numbers), -1, np.int64)
    order = np.argsort(spans[:, 0])
    near = order[np.maximum(np.searchsorted(spans[order, 0], numbers, side="right") - 1, 0)]
    inside = (numbers >= spans[near, 0]) & (numbers < spans[near, 1])
    return np.where(inside, near, -1)
