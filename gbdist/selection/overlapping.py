"""Splits that train on rows of one another: the bootstrap, and folds that overlap by a known share."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gbdist.errors import DataError, ParameterError
from gbdist.selection.base import NumberSplitter, Plan
from gbdist.selection.checks import integer, seed_of, size, train_and_test
from gbdist.selection.inputs import Given, given_rows
from gbdist.selection.rules.base import Run, SizedRule
from gbdist.selection.rules.bootstrap import Bootstrap
from gbdist.selection.rules.shuffled import Arcs

_KINDS = ("bootstrap", "overlapping")
_DEFAULT_TEST = 0.2
#: Among more rows, that a bootstrap leaves none out has a chance below 1e-18.
_FEW = 50


class OverlappingSplit(NumberSplitter):
    """Splits whose training rows overlap, for ensembles and for estimates of variance.

    Parameters
    ----------
    n_splits : int, at least 2
    kind : "bootstrap" or "overlapping"
        "bootstrap": each split draws as many rows as there are, with replacement, and tests on those that it never drew (37
        % in the mean). In memory the numbers of rows drawn are repeated; a mask has those drawn at least once, and
        ``weights`` says how often. "overlapping": each split trains on ``train_size`` of the rows and tests on the others,
        such that every row trains in as many splits, to one.
    train_size : float or int, optional
        Of "overlapping" alone: a share of the rows, or how many; 0.8 if left out.
    random_state : int from 0 to 2**32 − 1, optional
        The seed, 0 if left out.
    """

    def __init__(
        self, n_splits: int = 5, *, kind: str = "bootstrap", train_size: Any = None, random_state: int | None = None
    ) -> None:
        integer("n_splits", n_splits, 2)
        if kind not in _KINDS:
            raise ParameterError("kind", kind, "'bootstrap' or 'overlapping'", "Choose one.")
        size("train_size", train_size)
        if kind == "bootstrap" and train_size is not None:
            fix = "Leave it out, or set kind='overlapping'."
            raise ParameterError("train_size", train_size, "None, as a bootstrap draws as many rows as there are", fix)
        seed_of(random_state)
        self.n_splits = n_splits
        self.kind = kind
        self.train_size = train_size
        self.random_state = random_state

    def weights(self, X: Any) -> Iterator[Any]:
        """For each split, how often each row trains: a ``sample_weight`` for all rows, int64.

        A NumPy array in memory, else a lazy Series or Array with the partitions of X. In a fit of ``X[train]`` it is
        ``weights[train]``.
        """
        rows = given_rows(X)
        plan = self.plan(rows, None, None)
        what = "counts" if self.kind == "bootstrap" else "train"
        for split in range(self.n_splits):
            if rows.lazy:
                column = plan.lazy(rows.data, what, split)
                yield column if what == "counts" else column.astype(np.int64)
            else:
                yield _counts(plan, split)

    def rule_for(self, n_rows: int) -> SizedRule:
        """See ``NumberSplitter``."""
        seed = seed_of(self.random_state)
        if self.kind == "overlapping":
            n_train, _ = train_and_test(n_rows, self.train_size, None, _DEFAULT_TEST)
            return Arcs(self.n_splits, n_rows, n_train, seed)
        rule = Bootstrap(self.n_splits, n_rows, seed)
        if n_rows <= _FEW:
            _require_tests(rule)
        return rule

    def _pairs(self, rows: Given, plan: Plan) -> Iterator[tuple[Any, Any]]:
        if rows.lazy:
            return super()._pairs(rows, plan)
        drawn = (_counts(plan, split) for split in range(self.n_splits))
        return ((np.repeat(np.arange(len(counts)), counts), np.flatnonzero(counts == 0)) for counts in drawn)


def _counts(plan: Plan, split: int) -> Any:
    """How often each row in memory trains, int64 [n_rows]."""
    run = plan.run()
    if isinstance(plan.rule, Bootstrap):
        return plan.rule.counts(split, run)
    return plan.rule.masks(split, run)[0].astype(np.int64)


def _require_tests(rule: Bootstrap) -> None:
    """DataError if a split of few rows draws each of them."""
    for split in range(rule.n_splits):
        if not rule.masks(split, Run(0, rule.n_rows))[1].any():
            found = f"{rule.n_rows} rows, each of which split {split} drew"
            raise DataError("X", found, "rows to test on", "Pass more rows, or another random_state.")
