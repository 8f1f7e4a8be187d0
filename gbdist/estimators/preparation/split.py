"""Sides of a data set: what ``eval_fraction`` keeps out of training, by global row number alone, and what a fold does.

CatBoost shuffles the rows and takes a stratified part of them (helpers.cpp, TrainEvalSplit), which needs all row numbers in one
place. Here one row is drawn, by hash, from each run of ``1/fraction`` neighbouring rows: no two partitionings differ, any rank
can number its own rows without asking, and data that lie sorted by class or by time are stratified by it.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ParameterError
from gbdist.kernels.hashing import hash_numbers, stream_key
from gbdist.selection.rules.base import Rule, Run

_MOST_DIGITS = 100_000
_KEY = stream_key(0x65766C)  # one stream for all runs: the same rows for every seed, as CatBoost's split


class Side(Protocol):
    """Some of the rows of a data set, told partition by partition."""

    def mask(self, first_row: int, n_rows: int, fold: Any = None) -> NDArray[np.bool_]:
        """Which of the rows ``first_row … first_row+n_rows−1`` belong to this side, bool [n_rows]; ``fold`` is what they know."""
        ...


@dataclass(frozen=True, eq=False)
class FoldSide:
    """What one ``fold`` trains on, or holds out, by a rule of row numbers, or of numbers that rows have."""

    rule: Rule
    fold: int
    held_out: bool

    def mask(self, first_row: int, n_rows: int, fold: Any = None) -> NDArray[np.bool_]:
        """See ``Side``."""
        values = None if fold is None else np.asarray(fold)
        return self.rule.masks(self.fold, Run(first_row, n_rows, values))[self.held_out]


@dataclass(frozen=True, slots=True)
class RowSplit:
    """Cuts rows 0, 1, 2, … in two: ``held_out`` rows for evaluation (``numerator / denominator`` of all) and the others."""

    numerator: int
    denominator: int
    held_out: bool

    def other(self) -> "RowSplit":
        """The rest of the rows."""
        return RowSplit(self.numerator, self.denominator, not self.held_out)

    def mask(self, first_row: int, n_rows: int, fold: Any = None) -> NDArray[np.bool_]:
        """See ``Side``."""
        rows = np.arange(first_row, first_row + n_rows, dtype=np.int64)
        drawn = rows == self._drawn(rows * self.numerator // self.denominator)
        return np.asarray(drawn if self.held_out else ~drawn, dtype=np.bool_)

    def _drawn(self, runs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row drawn from each run; run j begins at row ceil(j × denominator / numerator)."""
        start = -(-runs * self.denominator // self.numerator)
        width = -(-(runs + 1) * self.denominator // self.numerator) - start
        draws = hash_numbers(_KEY, runs.astype(np.uint64)) % width.astype(np.uint64)
        return start + draws.astype(np.int64)


def split_for(eval_fraction: float) -> RowSplit:
    """The training side of a split that holds out ``eval_fraction`` of the rows."""
    number = isinstance(eval_fraction, int | float | np.floating) and not isinstance(eval_fraction, bool)
    if not number or not 0.0 < eval_fraction < 1.0:
        raise ParameterError("eval_fraction", eval_fraction, "a number between 0 and 1", "Try eval_fraction=0.1.")
    exact = Fraction(float(eval_fraction)).limit_denominator(_MOST_DIGITS)
    if not 0 < exact < 1:
        exact = Fraction(1 if exact <= 0 else _MOST_DIGITS - 1, _MOST_DIGITS)
    return RowSplit(exact.numerator, exact.denominator, held_out=False)
