"""Folds and windows by row number: scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from gbdist.selection.rules.base import Run
from gbdist.selection.rules.contiguous import ContiguousFolds, Windows, time_windows


@given(st.integers(2, 9), st.integers(0, 60))
def test_folds_are_scikit_learns(n_splits: int, more: int) -> None:
    n_rows = n_splits + more
    rule = ContiguousFolds(n_splits, n_rows)
    for split, (train, test) in enumerate(KFold(n_splits).split(np.zeros(n_rows))):
        in_train, in_test = rule.masks(split, Run(0, n_rows))
        np.testing.assert_array_equal(np.flatnonzero(in_train), train)
        np.testing.assert_array_equal(np.flatnonzero(in_test), test)


@given(
    st.integers(10, 80),
    st.integers(2, 4),
    st.one_of(st.none(), st.integers(1, 3)),
    st.integers(0, 1),
    st.one_of(st.none(), st.integers(1, 30)),
)
def test_windows_are_scikit_learns(
    n_rows: int, n_splits: int, test_size: int | None, gap: int, longest: int | None
) -> None:
    theirs = TimeSeriesSplit(n_splits, test_size=test_size, gap=gap, max_train_size=longest)
    windows = time_windows(n_rows, n_splits, test_size or n_rows // (n_splits + 1), gap, longest)
    assert windows.n_splits == n_splits
    for split, (train, test) in enumerate(theirs.split(np.zeros(n_rows))):
        in_train, in_test = windows.masks(split, Run(0, n_rows))
        np.testing.assert_array_equal(np.flatnonzero(in_train), train)
        np.testing.assert_array_equal(np.flatnonzero(in_test), test)


@pytest.mark.parametrize("start", [0, 3, 9])
def test_a_run_sees_its_part_of_a_window(start: int) -> None:
    train, test = Windows(((2, 5),), ((6, 11),)).masks(0, Run(start, 4))
    rows = np.arange(start, start + 4)
    np.testing.assert_array_equal(train, (rows >= 2) & (rows < 5))
    np.testing.assert_array_equal(test, (rows >= 6) & (rows < 11))
