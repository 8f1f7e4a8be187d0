"""Folds as ranks are asked for them: each makes the masks of its own rows, whatever other ranks have."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.fold_rows import Fold
from gbdist.boosting.rows import Rows, counts_before
from gbdist.quantize.groups import group_starts
from gbdist.selection.rules.base import Mask, Rule, Run, every_split
from gbdist.selection.rules.stratified import StratifiedFolds


class FoldsAsked(Protocol):
    """What the ranks are told."""

    @property
    def n_folds(self) -> int:
        """How many there are."""
        ...

    def of_rank(self, rows: Rows, collective: Collective) -> list[Fold]:
        """The masks of a rank's rows; all ranks ask at once."""
        ...


@dataclass(frozen=True, eq=False)
class RuleAsked:
    """A rule of rows; ``classes`` of labels, which are the numbers 0, 1, …, if the rule looks at them, else 0.

    ``inverted``: what the rule would hold out is trained on, and the other way round. ``by_first_rows``: the rule's classes come
    in the order of their first rows, as a splitter has them, which the ranks know. ``coded``: the rule looks at the numbers that
    travelled with the rows.
    """

    rule: Rule
    classes: int = 0
    inverted: bool = False
    by_first_rows: bool = False
    coded: bool = False

    @property
    def n_folds(self) -> int:
        """How many there are."""
        return self.rule.n_splits

    def of_rank(self, rows: Rows, collective: Collective) -> list[Fold]:
        """See ``FoldsAsked``; a round, if the rule looks at classes, and another for their order."""
        rule, runs = self.rule, [Run(one.first_row, one.stop - one.start) for one in rows.segments]
        if self.classes:
            before = _rows_of_classes_before(rows, self.classes, collective)
            if self.by_first_rows and isinstance(rule, StratifiedFolds):
                order = _classes_by_first_rows(rows, self.classes, collective)
                rule, before = rule.in_order(order), [each[order] for each in before]
            runs = [
                Run(one.first_row, one.stop - one.start, rows.label[one.start : one.stop], counts)
                for one, counts in zip(rows.segments, before, strict=True)
            ]
        elif self.coded and rows.fold is not None:
            values = rows.fold
            runs = [
                replace(run, values=values[one.start : one.stop]) for run, one in zip(runs, rows.segments, strict=True)
            ]
        return _folds(rows, self.n_folds, [every_split(rule, run) for run in runs], inverted=self.inverted)


@dataclass(frozen=True, eq=False)
class GroupsAsked:
    """A rule of whole groups, by the number that a group has among all; ``rule_of`` makes it for so many, or raises DataError."""

    n_folds: int
    rule_of: Callable[[int], Rule]
    inverted: bool = False

    def of_rank(self, rows: Rows, collective: Collective) -> list[Fold]:
        """See ``FoldsAsked``; a round. The groups of a rank are whole."""
        group = np.empty(0, np.uint64) if rows.group is None else rows.group
        starts = [group_starts(group[one.start : one.stop]) for one in rows.segments]
        mine = [(one.first_row, len(each)) for one, each in zip(rows.segments, starts, strict=True)]
        told = _told(np.array(mine, np.int64).reshape(-1, 2), collective)
        every, ahead = np.concatenate(told), sum(map(len, told[: collective.rank]))
        before = counts_before(every[:, 0], every[:, 1:])[ahead : ahead + len(mine), 0].tolist()
        rule, masks = self.rule_of(int(every[:, 1].sum())), []
        for one, each, first in zip(rows.segments, starts, before, strict=True):
            sizes = np.diff(each, append=one.stop - one.start)
            masks.append(_repeated(every_split(rule, Run(first, len(each))), sizes))
        return _folds(rows, self.n_folds, masks, inverted=self.inverted)


def _repeated(masks: Iterator[tuple[Mask, Mask]], sizes: NDArray[np.int64]) -> Iterator[tuple[Mask, Mask]]:
    """Masks of rows, from those of groups that have so many."""
    return ((np.repeat(train, sizes), np.repeat(held_out, sizes)) for train, held_out in masks)


def _folds(rows: Rows, n_folds: int, masks: Sequence[Iterator[tuple[Mask, Mask]]], *, inverted: bool) -> list[Fold]:
    """The folds of a rank's rows, from both masks of each fold, in order, for each segment."""
    folds = [Fold(*(np.zeros(rows.n_rows, np.bool_) for _ in range(2))) for _ in range(n_folds)]
    for segment, of_segment in zip(rows.segments, masks, strict=True):
        place = slice(segment.start, segment.stop)
        for fold, (train, held_out) in zip(folds, of_segment, strict=True):
            fold.train[place], fold.held_out[place] = (held_out, train) if inverted else (train, held_out)
    return folds


def _told(mine: NDArray[np.int64], collective: Collective) -> list[NDArray[np.int64]]:
    """The tables of all ranks, which have as many columns, int64 [n_segments, n_columns] each; a round."""
    return [np.frombuffer(item, np.int64).reshape(-1, mine.shape[1]) for item in collective.all_gather(mine.tobytes())]


def _classes_by_first_rows(rows: Rows, n_classes: int, collective: Collective) -> NDArray[np.int64]:
    """Classes in the order of the first row that each has on any rank, int64 [n_classes]; a round."""
    firsts = np.full((1, n_classes), np.iinfo(np.int64).max)
    for segment in rows.segments:
        found, places = np.unique(rows.label[segment.start : segment.stop].astype(np.int64), return_index=True)
        firsts[0, found] = np.minimum(firsts[0, found], segment.first_row + places)
    return np.argsort(np.concatenate(_told(firsts, collective)).min(axis=0), kind="stable")


def _rows_of_classes_before(rows: Rows, n_classes: int, collective: Collective) -> list[NDArray[np.int64]]:
    """For each of the rank's segments, how many rows of each class the whole data set has before it, int64 [n_classes]."""
    mine = np.empty((len(rows.segments), n_classes + 1), np.int64)
    for number, segment in enumerate(rows.segments):
        codes = rows.label[segment.start : segment.stop].astype(np.int64)
        mine[number] = segment.first_row, *np.bincount(codes, minlength=n_classes).tolist()
    told = _told(mine, collective)
    every, ahead = np.concatenate(told), sum(map(len, told[: collective.rank]))
    return list(counts_before(every[:, 0], every[:, 1:])[ahead : ahead + len(mine)])
