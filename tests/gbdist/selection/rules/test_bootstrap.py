"""How often rows are drawn, for any run of them alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.selection.rules.base import Run
from gbdist.selection.rules.bootstrap import Bootstrap

N_ROWS = 20_011  # five blocks, the last one short


@given(st.lists(st.integers(0, N_ROWS), max_size=6), st.integers(0, 3))
def test_partitioning_does_not_change_counts(inner: list[int], split: int) -> None:
    rule = Bootstrap(4, N_ROWS, seed=9)
    edges = [0, *sorted(inner), N_ROWS]
    pieces = [rule.counts(split, Run(start, stop - start)) for start, stop in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(pieces), rule.counts(split, Run(0, N_ROWS)))


@pytest.mark.parametrize("n_rows", [1, 2, 4095, 4096, 4097, 20_011])
def test_as_many_are_drawn_as_there_are(n_rows: int) -> None:
    assert Bootstrap(1, n_rows, seed=1).counts(0, Run(0, n_rows)).sum() == n_rows


def test_counts_are_those_of_independent_draws() -> None:
    counts = Bootstrap(1, 400_000, seed=2).counts(0, Run(0, 400_000))
    # Poisson(1), which the counts of so many rows are.
    found = np.bincount(counts, minlength=5)[:5] / 400_000
    np.testing.assert_allclose(found, np.exp(-1) / np.array([1, 1, 2, 6, 24]), atol=0.0025)
    # So are sums over regions as uneven as draws make them: a block has 4096 ± 64.
    blocks = counts[: 97 * 4096].reshape(97, 4096).sum(axis=1)
    assert 45 < blocks.std() < 85


def test_splits_draw_apart() -> None:
    rule = Bootstrap(2, 50_000, seed=2)
    first, second = (rule.counts(split, Run(0, 50_000)) for split in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def test_rows_never_drawn_test() -> None:
    rule = Bootstrap(1, 1_000, seed=0)
    train, test = rule.masks(0, Run(0, 1_000))
    np.testing.assert_array_equal(train, rule.counts(0, Run(0, 1_000)) > 0)
    np.testing.assert_array_equal(test, ~train)
    assert 0.3 < test.mean() < 0.44
