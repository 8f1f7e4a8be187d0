"""The fast kernels of single leaves equal their obvious twins, bit for bit."""

from typing import Any

import numpy as np
import pytest

from gbdist.kernels import cpu_leafwise, reference_histogram, reference_leafwise
from gbdist.kernels.hashing import stream_key

N = 1_237
BOTH = (cpu_leafwise, reference_leafwise)
UNITS = np.array([1e-3, 2e-3, 0.5])


def leaves(n_leaves: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, n_leaves, N).astype(np.uint16)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("border", [0, 100, 254])
def test_one_leaf_is_split_and_no_other(dtype: type, border: int) -> None:
    bins = np.random.default_rng(1).integers(0, 256, N).astype(dtype)
    if dtype is np.uint16:
        bins, border = bins * dtype(257), border * 257
    before, moved = leaves(5), {}
    for name, right in (("split_leaf", bins > border), ("split_equal_leaf", bins == border)):
        for module in BOTH:
            found = before.copy()
            getattr(module, name)(bins, border, 3, 65_535, found)
            assert np.array_equal(found, np.where((before == 3) & right, 65_535, before)), (name, module)
        moved[name] = int(((before == 3) & right).sum())
    assert moved["split_leaf"] > 0 or border == 254 * (257 if dtype is np.uint16 else 1)


def test_leaves_are_renumbered() -> None:
    numbers = np.random.default_rng(2).permutation(40).astype(np.uint16) + np.uint16(65_000)
    for module in BOTH:
        found = leaves()
        module.renumber_leaves(numbers, found)
        assert np.array_equal(found, numbers[leaves()])


@pytest.mark.parametrize("sampled", [False, True])
def test_rows_of_leaves_are_added_to_counts(sampled: bool) -> None:
    drawn = np.random.default_rng(3).integers(0, 2, N if sampled else 0).astype(np.uint8)
    expected = [sum((leaves() == leaf) & (drawn if sampled else True)) for leaf in range(40)]
    for module in BOTH:
        counts = np.ones(40, np.int64)
        module.count_leaves(leaves(), drawn, counts)
        assert (counts - 1).tolist() == expected


def test_children_are_placed_and_their_siblings_left_over() -> None:
    rng = np.random.default_rng(4)
    tables = rng.integers(-99, 99, (6, 5, 2, 16))
    counted = rng.integers(-99, 99, (3, 2, 4, 16))
    places, parents = np.array([4, 0, 5, 1]), np.array([2, -1, 3, -1])
    found = []
    for module in BOTH:
        pool = tables.copy()
        module.place_children(counted, 1, places, parents, pool)
        found.append(pool)
    assert np.array_equal(*found)
    pool, features = found[0], slice(1, 4)
    assert np.array_equal(pool[[4, 5], features] + pool[[2, 3], features], tables[[2, 3], features])
    assert np.array_equal(pool[[0, 1], features], counted[:, :, [1, 3]].transpose(2, 0, 1, 3))
    assert np.array_equal(pool[:, [0, 4]], tables[:, [0, 4]])


def test_cells_of_leaves_are_taken() -> None:
    tables = np.random.default_rng(5).integers(-99, 99, (6, 5, 2, 16))
    places, features = np.array([5, 0, 5]), np.array([1, 4, 1])
    for module in BOTH:
        out = np.empty((3, 2, 16), np.int64)
        module.take_leaves(tables, places, features, out)
        assert [cells.tolist() for cells in out] == [
            tables[5, 1].tolist(),
            tables[0, 4].tolist(),
            tables[5, 1].tolist(),
        ]


N_BINS = np.array([[16, 1, 7, 2, 9], [16, 5, 1, 2, 9], [1, 1, 1, 1, 1]], np.int64)
EQUALS, FEATURES = np.array([0, 0, 0, 1, 1], np.uint8), np.arange(5) + 9
PLACES = np.array([3, 0, 1])


def tables_of(wide: bool) -> np.ndarray:
    """Tables of four leaves and seven features, the last five of which are scored; no rows beyond a feature's bins."""
    rng = np.random.default_rng(6)
    weights = rng.integers(0, 50, (4, 7, 2, 16))
    weights[..., ::3] = 0
    for place, of_leaf in zip(PLACES, N_BINS, strict=True):
        for feature, bins in enumerate(of_leaf):
            weights[place, 2 + feature, :, max(bins, 2) :] = 0
    derivatives = np.where(weights > 0, rng.integers(-(2**16), 2**16, weights.shape), 0)
    if wide:
        return np.stack([derivatives, weights], axis=-1).reshape(*weights.shape[:-1], -1)
    return (derivatives << 32) + weights


def scored_by(best_leaf_borders: Any, tables: Any, wide: bool, cosine: bool, sigma: float) -> np.ndarray:
    keys = np.array([[stream_key(leaf, draw) for draw in (1, 2)] for leaf in range(3)], np.uint64)
    best = (np.full((3, 5), 7, np.int64), np.full((3, 5), np.nan), np.full((3, 5), np.nan))
    rules = (np.array([0, 0, 1, 1, 1]), FEATURES, UNITS, (3.0, cosine, wide), sigma, keys)
    best_leaf_borders(tables, (2, 7), PLACES, N_BINS, EQUALS, *rules, best)
    return np.stack([one.astype(np.float64) for one in best])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("sigma", [0.0, 0.7])
def test_best_borders_of_leaves_are_those_of_levels_of_one_leaf(wide: bool, cosine: bool, sigma: float) -> None:
    found = [scored_by(module.best_leaf_borders, tables_of(wide), wide, cosine, sigma) for module in BOTH]
    assert np.array_equal(found[0], found[1], equal_nan=True)
    assert np.array_equal(found[0][0] == -1, N_BINS < 2)
    keys = (stream_key(1, 1), stream_key(1, 2))
    best = (np.full(5, 7, np.int64), np.full(5, np.nan), np.full(5, np.nan))
    of_level = tables_of(wide)[0, 2:, :, None]
    families, options = np.array([0, 0, 1, 1, 1]), (3.0, cosine, wide)
    reference_histogram.best_borders(of_level, N_BINS[1], EQUALS, families, FEATURES, UNITS, options, sigma, keys, best)
    assert np.array_equal(found[0][:, 1], np.stack([one.astype(np.float64) for one in best]), equal_nan=True)
