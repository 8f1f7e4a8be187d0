"""Folds of a training set: what the user asked for, the rule that follows from the data, and each rank's rows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.fold_rows import Fold
from gbdist.boosting.rows import Rows, counts_before
from gbdist.errors import DataError
from gbdist.quantize.survey import LabelFacts
from gbdist.selection.checks import enough_members, enough_rows
from gbdist.selection.rules.base import Rule, Run, every_split
from gbdist.selection.rules.classes import Classes
from gbdist.selection.rules.contiguous import ContiguousFolds
from gbdist.selection.rules.shuffled import HashedFolds
from gbdist.selection.rules.stratified import StratifiedFolds


@dataclass(frozen=True, eq=False)
class FoldsAsked:
    """A rule that the ranks can ask; ``classes`` of labels, which are the numbers 0, 1, …, if the rule looks at them, else 0.

    ``inverted``: what the rule would hold out is trained on, and the other way round.
    """

    rule: Rule
    classes: int = 0
    inverted: bool = False

    @property
    def n_folds(self) -> int:
        """How many there are."""
        return self.rule.n_splits


@dataclass(frozen=True, slots=True)
class FoldsWanted:
    """What the user asked for; ``seed`` is None where folds are neighbouring rows, ``stratified`` keeps shares of classes."""

    n_folds: int
    seed: int | None
    stratified: bool
    inverted: bool = False

    def trained_rows(self, n_rows: int) -> int:
        """Rows that each fold trains on, to one."""
        held_out = n_rows // self.n_folds
        return held_out if self.inverted else n_rows - held_out

    def of_data(self, n_rows: int, label: LabelFacts | None, classes: Sequence[Any] | None) -> FoldsAsked:
        """The rule for these rows; ``classes`` are those of the trainer, in its order.

        Raises DataError for fewer rows, or rows of a class, than folds, and for stratified folds of labels that are no classes.
        """
        enough_rows(n_rows, self.n_folds)
        if not self.stratified:
            rule: Rule = (
                ContiguousFolds(self.n_folds, n_rows) if self.seed is None else HashedFolds(self.n_folds, self.seed)
            )
            return FoldsAsked(rule, inverted=self.inverted)
        if label is None or classes is None:
            raise DataError("y", "numbers", "classes with stratified=True", "Leave stratified out.")
        rows_of = dict(zip(label.values or (), label.rows_of_value, strict=True))
        counts = np.array([rows_of[one] for one in classes], np.int64)
        enough_members(classes, counts, self.n_folds)
        known = Classes(pd.Index(np.arange(len(classes), dtype=np.float32)), counts)
        return FoldsAsked(StratifiedFolds(self.n_folds, known, self.seed), len(classes), self.inverted)


def folds_of_rank(rows: Rows, asked: FoldsAsked, collective: Collective) -> list[Fold]:
    """The masks of a rank's rows; a round, if the rule looks at classes. Labels are numbers of classes then."""
    before = _rows_of_classes_before(rows, asked.classes, collective) if asked.classes else [None] * len(rows.segments)
    runs = []
    for segment, counts in zip(rows.segments, before, strict=True):
        place, n_rows = slice(segment.start, segment.stop), segment.stop - segment.start
        run = Run(segment.first_row, n_rows)
        if counts is not None:
            run = Run(segment.first_row, n_rows, rows.label[place], counts)
        runs.append((place, run))
    folds = [Fold(*(np.zeros(rows.n_rows, np.bool_) for _ in range(2))) for _ in range(asked.n_folds)]
    for place, run in runs:
        for fold, (train, held_out) in zip(folds, every_split(asked.rule, run), strict=True):
            fold.train[place], fold.held_out[place] = (held_out, train) if asked.inverted else (train, held_out)
    return folds


def _rows_of_classes_before(rows: Rows, n_classes: int, collective: Collective) -> list[NDArray[np.int64] | None]:
    """For each of the rank's segments, how many rows of each class the whole data set has before it, int64 [n_classes]."""
    mine = np.empty((len(rows.segments), n_classes + 1), np.int64)
    for number, segment in enumerate(rows.segments):
        codes = rows.label[segment.start : segment.stop].astype(np.int64)
        mine[number] = segment.first_row, *np.bincount(codes, minlength=n_classes).tolist()
    told = [np.frombuffer(item, np.int64).reshape(-1, n_classes + 1) for item in collective.all_gather(mine.tobytes())]
    every = np.concatenate(told)
    ahead = sum(len(each) for each in told[: collective.rank])
    return list(counts_before(every[:, 0], every[:, 1:])[ahead : ahead + len(mine)])
