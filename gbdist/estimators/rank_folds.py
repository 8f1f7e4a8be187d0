"""Folds as ranks are asked for them: each makes the masks of its own rows, whatever other ranks have."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    """A rule of rows, which looks at nothing but their numbers, or at those that travelled with them.

    ``inverted``: what the rule would hold out is trained on, and the other way round.
    """

    rule: Rule
    inverted: bool = False

    @property
    def n_folds(self) -> int:
        """How many there are."""
        return self.rule.n_splits

    def of_rank(self, rows: Rows, collective: Collective) -> list[Fold]:
        """See ``FoldsAsked``."""
        values = rows.fold
        runs = [
            Run(one.first_row, one.stop - one.start, None if values is None else values[one.start : one.stop])
            for one in rows.segments
        ]
        return _folds(rows, self.n_folds, [every_split(self.rule, run) for run in runs], inverted=self.inverted)


@dataclass(frozen=True, eq=False)
class ClassesAsked:
    """A rule by classes, which are the numbers 0, 1, … as labels.

    ``by_first_rows``: the rule's classes come in the order of their first rows, as a splitter has them, which the ranks know.
    """

    rule: StratifiedFolds
    inverted: bool = False
    by_first_rows: bool = False

    @property
    def n_folds(self) -> int:
        """How many there are."""
        return self.rule.n_splits

    def of_rank(self, rows: Rows, collective: Collective) -> list[Fold]:
        """See ``FoldsAsked``; a round, and another for the order of classes."""
        rule, n_classes = self.rule, len(self.rule.classes.counts)
        counts = np.empty((len(rows.segments), n_classes), np.int64)
        for number, one in enumerate(rows.segments):
            codes = rows.label[one.start : one.stop].astype(np.int64)
            counts[number] = np.bincount(codes, minlength=n_classes)
        before, _ = _before(rows, counts, collective)
        if self.by_first_rows:
            order = _classes_by_first_rows(rows, n_classes, collective)
            rule, before = rule.in_order(order), before[:, order]
        runs = [
            Run(one.first_row, one.stop - one.start, rows.label[one.start : one.stop], each)
            for one, each in zip(rows.segments, before, strict=True)
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
        counts = np.array([len(each) for each in starts], np.int64).reshape(-1, 1)
        before, (n_groups,) = _before(rows, counts, collective)
        rule, masks = self.rule_of(int(n_groups)), []
        for one, each, first in zip(rows.segments, starts, before[:, 0].tolist(), strict=True):
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


def _before(
    rows: Rows, counts: NDArray[np.int64], collective: Collective
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What all ranks count before each of this one's segments, int64 [n_segments, n] as ``counts``, and in all; a round."""
    firsts = np.array([one.first_row for one in rows.segments], np.int64)
    told = _told(np.column_stack((firsts, counts)), collective)
    every, ahead = np.concatenate(told), sum(map(len, told[: collective.rank]))
    before = counts_before(every[:, 0], every[:, 1:])
    return before[ahead : ahead + len(counts)], every[:, 1:].sum(axis=0)


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
