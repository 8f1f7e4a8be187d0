"""How groups are given to folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from gbdist.selection.rules.grouped import by_classes, by_number, by_size, spread, spread_bound

sizes = arrays(np.int64, st.integers(5, 40), elements=st.integers(1, 1_000))


def with_rows(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table in which each class and each group has a row."""
    table = table + (table.sum(axis=0) == 0)
    table[:, 0] += table.sum(axis=1) == 0
    return table


tables = arrays(np.int64, st.tuples(st.integers(5, 30), st.integers(1, 4)), elements=st.integers(0, 50)).map(with_rows)


@given(sizes, st.integers(2, 5))
def test_folds_by_size_differ_by_the_largest_group(rows: NDArray[np.int64], n_folds: int) -> None:
    loads = np.bincount(by_size(rows, n_folds), rows, minlength=n_folds)
    assert loads.max() - loads.min() <= rows.max()


@given(st.integers(2, 5), st.integers(0, 50), st.integers(0, 3))
def test_folds_by_number_have_as_many_groups(n_folds: int, more: int, seed: int) -> None:
    counts = np.bincount(by_number(n_folds + more, n_folds, seed), minlength=n_folds)
    assert counts.max() - counts.min() <= 1


@given(tables, st.integers(2, 5), st.sampled_from([None, 3]))
def test_classes_are_spread_within_the_bound(rows: NDArray[np.int64], n_folds: int, seed: int | None) -> None:
    folds = by_classes(rows, n_folds, seed)
    assert spread(rows, folds, n_folds) <= spread_bound(rows, n_folds) + 1e-12
    assert len(np.unique(folds)) == n_folds


@pytest.mark.parametrize("n_folds", [2, 5])
def test_the_bound_is_met_by_groups_of_a_class_each(n_folds: int) -> None:
    # One group has all of its class: whatever fold it is in, nothing is better.
    rows = np.eye(6, dtype=np.int64) * 7
    folds = by_classes(rows, n_folds, None)
    assert spread(rows, folds, n_folds) == pytest.approx(spread_bound(rows, n_folds))


def test_many_small_groups_are_spread_evenly() -> None:
    draw = np.random.default_rng(0)
    rows = draw.poisson(draw.uniform(1, 4, (2_000, 3)))
    folds = by_classes(rows, 5, None)
    shares = np.stack([rows[folds == fold].sum(axis=0) for fold in range(5)]) / rows.sum(axis=0)
    np.testing.assert_allclose(shares, 0.2, atol=0.002)
