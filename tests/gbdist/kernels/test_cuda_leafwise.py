"""The CUDA kernels of single leaves equal their NumPy twins, bit for bit."""

import numpy as np
import pytest
from numba import cuda

from gbdist.kernels import cuda_leafwise, reference_leafwise

from .conftest import Card, equal
from .test_leafwise import N_BINS, leaves, scored_by, tables_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]

N = 101


def few() -> Card:
    return Card(leaves(5)[:N])


def test_rows_move() -> None:
    bins = np.random.default_rng(1).integers(0, 4, N).astype(np.uint8)
    for name in ("split_leaf", "split_equal_leaf"):
        moved = equal(name, Card(bins), 2, 3, 65_535, few())[-1]
        assert 0 < np.count_nonzero(moved == 65_535) < 20
        equal(name, Card(bins.astype(np.uint16) * 20_000), 40_000, 3, 65_535, few())
    equal("renumber_leaves", np.array([4, 65_000, 2, 0, 9], np.uint16), few())


@pytest.mark.parametrize("sampled", [False, True])
def test_rows_of_leaves_are_counted(sampled: bool) -> None:
    drawn = np.random.default_rng(2).integers(0, 2, N if sampled else 0).astype(np.uint8)
    equal("count_leaves", few(), Card(drawn), np.ones(5, np.int64))


def test_children_are_placed_and_taken() -> None:
    rng = np.random.default_rng(4)
    tables, counted = Card(rng.integers(-99, 99, (6, 5, 2, 9))), Card(rng.integers(-99, 99, (3, 2, 4, 9)))
    equal("place_children", counted, 1, np.array([4, 0, 5, 1]), np.array([2, -1, 3, -1]), tables)
    equal("take_leaves", tables, np.array([5, 0, 5]), np.array([1, 4, 1]), np.empty((3, 2, 9), np.int64))


@pytest.mark.parametrize(("wide", "cosine", "sigma", "work"), [(False, True, 0.7, 1 << 28), (True, False, 0.0, 1)])
def test_best_leaf_borders(wide: bool, cosine: bool, sigma: float, work: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal without noise; with noise each family's winner is. All leaves at once, and one after the other."""
    monkeypatch.setattr(cuda_leafwise, "_WORK_BYTES", work)
    tables = tables_of(wide)
    expected = scored_by(reference_leafwise.best_leaf_borders, tables, wide, cosine, sigma)
    found = scored_by(cuda_leafwise.best_leaf_borders, cuda.to_device(tables), wide, cosine, sigma)
    assert np.array_equal(found[0] == -1, N_BINS < 2)
    for leaf in range(2):
        for members in (slice(0, 2), slice(2, 5)):
            winner = int(np.argmax(expected[1, leaf, members]))
            assert np.argmax(found[1, leaf, members]) == winner
            assert np.array_equal(found[:, leaf, members][:, winner], expected[:, leaf, members][:, winner])
    if sigma == 0.0:
        competes = N_BINS >= 2
        assert found[:, competes].tobytes() == expected[:, competes].tobytes()
