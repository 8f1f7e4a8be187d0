"""Splits of rows that lie in the order of time: each tests on rows that come after all that it trains on."""

from typing import Any

from gbdist.errors import DataError
from gbdist.selection.base import NumberSplitter, Plan
from gbdist.selection.checks import integer
from gbdist.selection.facts import require_ascending, survey, times_of
from gbdist.selection.inputs import Given, vector_beside
from gbdist.selection.rules.base import SizedRule
from gbdist.selection.rules.contiguous import time_windows


class TimeSeriesSplit(NumberSplitter):
    """Each split trains on rows before those that it tests on; windows are scikit-learn's.

    Parameters
    ----------
    n_splits : int, at least 2
    max_train_size : int, optional
        A window of at most so many rows trains, and slides; left out, it grows from the first row on.
    test_size : int, optional
        Rows that test; left out, ``n_rows // (n_splits + 1)``.
    gap : int
        Rows between the two that do neither.
    time : str, vector or Dask collection, optional
        A column of X, or one value a row, which is checked never to fall: no row that trains is later than one that tests.
        Rows of the same time may do both; ``gap`` keeps them apart.
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        max_train_size: int | None = None,
        test_size: int | None = None,
        gap: int = 0,
        time: Any = None,
    ) -> None:
        integer("n_splits", n_splits, 2)
        for name, value in (("max_train_size", max_train_size), ("test_size", test_size)):
            if value is not None:
                integer(name, value, 1)
        integer("gap", gap, 0)
        self.n_splits = n_splits
        self.max_train_size = max_train_size
        self.test_size = test_size
        self.gap = gap
        self.time = time

    def plan(self, rows: Given, y: Any, groups: Any) -> Plan:
        """See ``Splitter``."""
        if self.time is None:
            return super().plan(rows, y, groups)
        name = self.time if isinstance(self.time, str) else "time"
        facts = survey(rows, {name: vector_beside(rows, self.time, "time")}, times_of)
        require_ascending(facts, name)
        return Plan(self.rule_for(facts.n_rows), facts)

    def rule_for(self, n_rows: int) -> SizedRule:
        """See ``NumberSplitter``."""
        n_folds = self.n_splits + 1
        if n_folds > n_rows:
            found, fix = f"at least {n_folds}, one more than n_splits={self.n_splits}", "Use fewer splits."
            raise DataError("X", f"{n_rows} rows", found, fix)
        test_size = n_rows // n_folds if self.test_size is None else self.test_size
        needed = self.n_splits * test_size + self.gap + 1
        if needed > n_rows:
            asked = f"n_splits={self.n_splits}, test_size={test_size} and gap={self.gap}"
            fix = "Lower one of them: no row would be left for the first split to train on."
            raise DataError("X", f"{n_rows} rows", f"at least the {needed} of {asked}", fix)
        return time_windows(n_rows, self.n_splits, test_size, self.gap, self.max_train_size)
