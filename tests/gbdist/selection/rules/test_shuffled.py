"""Rules by hash of the row number."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.selection.folds import Folds
from gbdist.selection.rules.base import Rule, Run, every_split
from gbdist.selection.rules.shuffled import Arcs, HashedFolds, ShuffledSets, repeated_folds

RULES = [HashedFolds(3, 1), repeated_folds(3, 2, 1), ShuffledSets(2, 5_000, 1_200, 900, 1), Arcs(3, 5_000, 3_100, 1)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@given(inner=st.lists(st.integers(0, 5_000), max_size=5))
def test_partitioning_does_not_change_masks(rule: Rule, inner: list[int]) -> None:
    edges = [0, *sorted(inner), 5_000]
    for split in range(rule.n_splits):
        pieces = [rule.masks(split, Run(start, stop - start)) for start, stop in pairwise(edges)]
        for whole, cut in zip(rule.masks(split, Run(0, 5_000)), zip(*pieces, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(cut), whole)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize(("first", "n_rows"), [(0, 5_000), (700, 90), (3, 0)])
def test_all_splits_at_once_are_each_by_itself(rule: Rule, first: int, n_rows: int) -> None:
    run = Run(first, n_rows)
    every = list(every_split(rule, run))
    assert len(every) == rule.n_splits
    for split, pair in enumerate(every):
        for mask, alone in zip(pair, rule.masks(split, run), strict=True):
            np.testing.assert_array_equal(mask, alone)


def test_hashed_folds_are_those_of_stacks() -> None:
    np.testing.assert_array_equal(HashedFolds(5, 3).folds(Run(7, 100)), Folds(5, 3).of_rows(7, 100))


def test_repeats_have_folds_of_their_own() -> None:
    rule = repeated_folds(3, 4, seed=0)
    assert rule.n_splits == 12
    tests = np.stack([rule.masks(split, Run(0, 300))[1] for split in range(12)])
    assert len(np.unique(tests, axis=0)) == 12
    np.testing.assert_array_equal(tests.reshape(4, 3, 300).sum(axis=1), 1)


@pytest.mark.parametrize("n_rows", [100, 10_000])
def test_sets_have_their_sizes(n_rows: int) -> None:
    rule = ShuffledSets(3, n_rows, 41, 37, seed=0)
    for split in range(3):
        train, test = rule.masks(split, Run(0, n_rows))
        assert (train.sum(), test.sum(), (train & test).sum()) == (41, 37, 0)


@given(st.integers(2, 6), st.integers(10, 200), st.floats(0.05, 0.95))
def test_rows_train_in_as_many_arcs_to_one(n_splits: int, n_rows: int, share: float) -> None:
    n_train = max(1, int(share * n_rows))
    rule = Arcs(n_splits, n_rows, n_train, seed=2)
    trains = np.stack([rule.masks(split, Run(0, n_rows))[0] for split in range(n_splits)])
    np.testing.assert_array_equal(trains.sum(axis=1), n_train)
    times = trains.sum(axis=0)
    assert times.max() - times.min() <= 1
