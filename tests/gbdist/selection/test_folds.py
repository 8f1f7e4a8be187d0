"""Folds by global row number."""

from itertools import pairwise

import numpy as np
import pytest

from gbdist.selection.folds import Folds


@pytest.mark.parametrize("n_folds", [2, 3, 7])
def test_partitioning_does_not_change_folds(n_folds):
    folds = Folds(n_folds, seed=5)
    whole = folds.of_rows(0, 1_000)
    edges = [0, 1, 1, 13, 500, 999, 1_000]
    pieces = [folds.of_rows(start, stop - start) for start, stop in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(("n_folds", "n_rows"), [(2, 1_001), (5, 23), (6, 6), (10, 10_000)])
def test_folds_differ_by_one_row_at_most(n_folds, n_rows):
    counts = np.bincount(Folds(n_folds).of_rows(0, n_rows), minlength=n_folds)
    assert counts.sum() == n_rows
    assert counts.max() - counts.min() <= 1


def test_every_row_is_held_out_once():
    folds = Folds(4)
    masks = np.stack([folds.held_out(fold, 3, 50) for fold in range(4)])
    np.testing.assert_array_equal(masks.sum(axis=0), 1)


def test_rows_of_a_fold_have_no_pattern():
    # Neither does a place within its run decide about a row's fold, nor the fold of the row before.
    folds = Folds(5).of_rows(0, 100_000)
    by_place = np.bincount(folds * 5 + np.arange(100_000) % 5, minlength=25) / 100_000
    np.testing.assert_allclose(by_place, 1 / 25, atol=0.003)
    across_runs = np.bincount(folds[4:-1:5] * 5 + folds[5::5], minlength=25) / (100_000 / 5 - 1)
    np.testing.assert_allclose(across_runs, 1 / 25, atol=0.006)


def test_another_seed_draws_other_folds():
    assert (Folds(5, seed=0).of_rows(0, 1_000) != Folds(5, seed=1).of_rows(0, 1_000)).mean() > 0.7
