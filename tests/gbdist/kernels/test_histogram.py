"""The fast histogram, split and leaf kernels equal their obvious twins, bit for bit."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gbdist.kernels import cpu_histogram, cpu_leaves, cpu_rows, cpu_split, reference_histogram, reference_rows
from gbdist.kernels.elementary import normal_quantile_array
from gbdist.kernels.hashing import stream_key, unit_draws

NO_WEIGHTS = np.empty(0, np.float32)
KEYS = (stream_key(1, 2), stream_key(1, 3))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["pack_cells", "pack_wide_cells"])
def test_cells_are_packed_like_the_twin(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    derivatives = rng.normal(size=1_003)
    weights = rng.random(1_003).astype(np.float32) if weighted else NO_WEIGHTS
    shape = (1_003, 2) if "wide" in name else (1_003,)
    fast, slow = np.empty(shape, np.int64), np.empty(shape, np.int64)
    for module, out in ((cpu_histogram, fast), (reference_histogram, slow)):
        getattr(module, name)(derivatives, weights, (1e5, 1e3), KEYS, 2**40, out)
    assert np.array_equal(fast, slow)


def test_rounding_of_cells_is_unbiased() -> None:
    derivatives = np.full(200_000, 0.3)
    cells = np.empty(200_000, np.int64)
    cpu_histogram.pack_cells(derivatives, NO_WEIGHTS, (1.0, 1.0), KEYS, 0, cells)
    assert abs((cells >> 32).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 200_000)


@pytest.mark.parametrize("sampled", [False, True])
def test_picked_rows_are_those_of_the_twin(sampled: bool) -> None:
    rng = np.random.default_rng(1)
    leaves = rng.integers(0, 8, 777).astype(np.uint16)
    slots_of = np.array([0, -1, 1, -1, -1, 2, 3, -1], np.int32)
    drawn = rng.integers(0, 2, 777).astype(np.uint8) if sampled else np.empty(0, np.uint8)
    listed = []
    for module in (cpu_histogram, reference_histogram):
        rows, slots = np.zeros(778, np.uint32), np.zeros(778, np.uint16)
        count = module.pick_rows(leaves, slots_of, drawn, 50, rows, slots)
        listed.append((rows[:count].tolist(), slots[:count].tolist()))
    assert listed[0] == listed[1]
    assert len(listed[0][0]) > 100


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["add_picked_rows", "add_picked_rows_single", "add_picked_rows_wide"])
def test_histograms_equal_the_twin(name: str, dtype: type) -> None:
    rng = np.random.default_rng(2)
    bits = 8 if dtype is np.uint8 else 10
    bins = rng.integers(0, 1 << bits, (5, 4_001)).astype(dtype)
    rows = np.flatnonzero(rng.random(4_001) < 0.6).astype(np.uint32)
    picked = (rows, rng.integers(0, 4, rows.shape[0]).astype(np.uint16))
    wide = name.endswith("wide")
    cells = rng.integers(-(2**20), 2**20, (rows.shape[0], 2) if wide else rows.shape[0])
    tables = []
    for module in (cpu_histogram, reference_histogram):
        table = np.zeros((5, 2, (4 << bits) * (2 if wide else 1)), np.int64)
        getattr(module, name)(bins, 1, picked, cells, (1, bits), table)
        getattr(module, name)(bins, 1, picked, cells, (1, bits), table)  # adds, does not overwrite
        tables.append(table)
    assert np.array_equal(*tables)
    assert tables[0].any()


def test_the_root_is_counted_like_any_level() -> None:
    rng = np.random.default_rng(3)
    bins = rng.integers(0, 256, (4, 999)).astype(np.uint8)
    cells = rng.integers(-(2**40), 2**40, 999)
    everything = (np.arange(999, dtype=np.uint32), np.zeros(999, np.uint16))
    fast, slow, picked, single = np.zeros((4, 4, 2, 256), np.int64)
    cpu_histogram.add_all_rows(bins, 0, cells, 1, fast)
    reference_histogram.add_all_rows(bins, 0, cells, 1, slow)
    reference_histogram.add_picked_rows(bins, 0, everything, cells, (1, 8), picked)
    assert np.array_equal(fast, slow)
    assert np.array_equal(slow, picked)
    for feature in range(4):
        cpu_histogram.add_all_rows_single(bins, feature, cells, 1, single)
    assert np.array_equal(slow, single)


@pytest.mark.parametrize("shape", [(99,), (99, 2)])
def test_gathered_cells_are_those_of_the_rows(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    cells, rows = rng.integers(-(2**60), 2**60, shape), rng.integers(0, 99, 40).astype(np.uint32)
    fast, slow = np.zeros((2, 40, *shape[1:]), np.int64)
    cpu_rows.take_rows(cells, rows, fast)
    reference_rows.take_rows(cells, rows, slow)
    assert np.array_equal(fast, slow)


def test_children_come_from_parent_and_counted_child() -> None:
    rng = np.random.default_rng(4)
    parents, counted = rng.integers(-99, 99, (2, 3, 2, 4, 16))
    right = np.array([0, 1, 1, 0], np.uint8)
    fast, slow = np.empty((3, 2, 8, 16), np.int64), np.empty((3, 2, 8, 16), np.int64)
    cpu_histogram.split_parents(parents, counted, right, fast)
    reference_histogram.split_parents(parents, counted, right, slow)
    assert np.array_equal(fast, slow)
    assert np.array_equal(fast[:, :, :4] + fast[:, :, 4:], parents)


def random_table(rng: np.random.Generator, shape: tuple[int, ...], wide: bool) -> np.ndarray:
    weights = rng.integers(0, 50, shape)
    weights[..., ::3] = 0
    derivatives = np.where(weights > 0, rng.integers(-(2**16), 2**16, shape), 0)
    if wide:
        return np.stack([derivatives, weights], axis=-1).reshape(*shape[:-1], -1)
    return (derivatives << 32) + weights


UNITS = np.array([1e-3, 2e-3, 0.5])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("equals", [False, True])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_bins=st.integers(2, 16), l2=st.sampled_from([0.0, 1e-20, 3.0]))
def test_scores_equal_the_twin(equals: bool, wide: bool, cosine: bool, seed: int, n_bins: int, l2: float) -> None:
    table = random_table(np.random.default_rng(seed), (2, 5, 16), wide)
    table[:, :, n_bins * (2 if wide else 1) :] = 0
    fast, slow = np.full((2, n_bins if equals else n_bins - 1), np.nan)
    for module, out in ((cpu_split, fast), (reference_histogram, slow)):
        module.score_borders(table, n_bins, equals, UNITS, (l2, cosine, wide), out)
    assert np.array_equal(fast, slow)


@pytest.mark.parametrize("module", [cpu_split, reference_histogram])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
def test_a_one_hot_value_scores_like_a_column_that_says_which_rows_have_it(
    module: ModuleType, wide: bool, cosine: bool
) -> None:
    rng = np.random.default_rng(6)
    bins, leaves = rng.integers(0, 7, 500), rng.integers(0, 3, 500)
    derivatives, weights = rng.integers(-(2**16), 2**16, (2, 500)), rng.integers(0, 50, 500)

    def scores_of(column: np.ndarray, n_bins: int, equals: bool) -> np.ndarray:
        cells = np.zeros((2, 3, 8, 2), np.int64)
        for k in range(2):
            np.add.at(cells[k], (leaves, column), np.stack([derivatives[k], weights], axis=1))
        table = cells.reshape(2, 3, 16) if wide else (cells[..., 0] << 32) + cells[..., 1]
        scores = np.full(n_bins if equals else n_bins - 1, np.nan)
        module.score_borders(table, n_bins, equals, UNITS, (3.0, cosine, wide), scores)
        return scores

    of_columns = [scores_of((bins == value).astype(np.int64), 2, equals=False)[0] for value in range(7)]
    assert scores_of(bins, 7, equals=True).tolist() == of_columns
    assert len(set(of_columns)) == 7


N_BINS = np.array([16, 1, 7, 2, 9, 1, 2, 16, 12, 5], np.int64)
EQUALS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 1], np.uint8)
FEATURES = np.arange(10) + 9


def features_table(rng: np.random.Generator, wide: bool) -> np.ndarray:
    table = random_table(rng, (10, 2, 8, 16), wide)
    for f, bins in enumerate(N_BINS):  # no rows beyond a feature's own bins
        table[f, :, :, bins * (2 if wide else 1) :] = 0
    return table


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("sigma", [0.0, 0.7])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_families=st.integers(1, 10))
def test_best_borders_equal_the_twin(wide: bool, cosine: bool, sigma: float, seed: int, n_families: int) -> None:
    rng = np.random.default_rng(seed)
    table, families = features_table(rng, wide), rng.integers(0, n_families, 10)
    found = []
    for module in (cpu_split, reference_histogram):
        best = (np.full(10, 7, np.int64), np.full(10, np.nan), np.full(10, np.nan))
        options = (3.0, cosine, wide)
        module.best_borders(table, N_BINS, EQUALS, families, FEATURES, UNITS, options, sigma, KEYS, best)
        found.append(np.concatenate([b.astype(np.float64) for b in best]))
    assert np.array_equal(found[0], found[1], equal_nan=True)
    assert np.array_equal(found[0][:10] == -1, N_BINS < 2)


def best_of_all(table: np.ndarray, members: np.ndarray, sigma: float) -> tuple[int, int, float, float]:
    """Feature, border, noisy score and score of the winner of some; noise is drawn for every border of every feature."""

    def noise(key: np.uint64, numbers: np.ndarray) -> np.ndarray:
        return sigma * normal_quantile_array(unit_draws(key, numbers.astype(np.uint64)) + 2.0**-54)

    candidates = []
    for f in members.tolist():
        scores = np.empty(N_BINS[f] if EQUALS[f] else N_BINS[f] - 1)
        reference_histogram.score_borders(table[f], N_BINS[f], bool(EQUALS[f]), UNITS, (3.0, True, False), scores)
        border = int(np.argmax(scores + noise(KEYS[0], (FEATURES[f] << 16) + np.arange(scores.shape[0]))))
        noisy = scores[border] + noise(KEYS[1], FEATURES[f : f + 1])[0]
        candidates.append((f, border, float(noisy), float(scores[border])))
    return max(candidates, key=lambda one: one[2])


@pytest.mark.parametrize("module", [cpu_split, reference_histogram])
@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), sigma=st.sampled_from([3.0, 30.0, 1000.0]), n_families=st.sampled_from([1, 2, 4])
)
def test_features_that_get_no_noise_for_their_borders_would_have_lost_with_it_in_their_family(
    module: ModuleType, seed: int, sigma: float, n_families: int
) -> None:
    rng = np.random.default_rng(seed)
    table, families = features_table(rng, wide=False), rng.integers(0, n_families, 10)
    best = (np.full(10, 7, np.int64), np.full(10, np.nan), np.full(10, np.nan))
    options = (3.0, True, False)
    module.best_borders(table, N_BINS, EQUALS, families, FEATURES, UNITS, options, sigma, KEYS, best)
    for family in range(n_families):
        members = np.flatnonzero((families == family) & (N_BINS >= 2))
        if members.shape[0]:
            winner = int(members[np.argmax(best[1][members])])
            assert (winner, *(one[winner] for one in best)) == best_of_all(table, members, sigma)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_newton_steps_solve_the_system(size: int) -> None:
    rng = np.random.default_rng(size)
    factors = rng.normal(size=(6, size, size))
    matrices = factors @ factors.transpose(0, 2, 1)
    upper = np.triu_indices(size)
    second = -matrices[:, upper[0], upper[1]]
    first = rng.normal(size=(6, size))
    fast, slow = np.empty((6, size)), np.empty((6, size))
    cpu_leaves.solve_leaves(second, first, (3.0, 1e-7), fast)
    reference_histogram.solve_leaves(second, first, (3.0, 1e-7), slow)
    assert fast == pytest.approx(slow, rel=1e-10)


def test_newton_step_of_an_empty_leaf_is_zero_even_without_regularizer() -> None:
    step = np.full((1, 3), 7.0)
    cpu_leaves.solve_leaves(np.zeros((1, 6)), np.zeros((1, 3)), (0.0, 1e-7), step)
    assert np.array_equal(step, np.zeros((1, 3)))


def steps_of_leaves(size: int) -> tuple[NDArray[np.float64], ...]:
    """Steps of all lengths, none of them above 3, first and second derivatives, and values."""
    rng = np.random.default_rng(size)
    step = 3.0 * rng.uniform(-1.0, 1.0, (40, size)) * 2.0 ** rng.integers(-30, 1, (40, size))
    step[0] = 0.0
    return step, rng.normal(size=(40, size)), -rng.exponential(size=(40, size)), rng.normal(size=(40, size))


@pytest.mark.parametrize("size", [1, 3])
def test_bounds_of_steps_equal_the_twins(size: int) -> None:
    step, first, second, _ = steps_of_leaves(size)
    second[1] = 0.0
    found, expected = (twin.bound_gain(step, first, second, 1.0) for twin in (cpu_leaves, reference_histogram))
    assert found == pytest.approx(expected, rel=1e-12)
    fast, slow = np.empty_like(step), np.empty_like(step)
    for l2 in (0.0, 3.0):
        cpu_leaves.bound_next_steps(step, second, (l2, 1.0, 0.125), fast)
        reference_histogram.bound_next_steps(step, second, (l2, 1.0, 0.125), slow)
        assert fast.tobytes() == slow.tobytes()
        assert np.isinf(fast).any()
        assert np.isfinite(fast).any()


def test_sums_by_leaf_equal_the_twin() -> None:
    rng = np.random.default_rng(2)
    values, leaves = rng.normal(size=500), rng.integers(0, 7, 500).astype(np.uint16)
    fast, slow = np.full(8, 5, np.int64), np.full(8, 5, np.int64)
    cpu_leaves.add_by_leaf(values, leaves, 2.0**40, fast)
    reference_histogram.add_by_leaf(values, leaves, 2.0**40, slow)
    assert fast.tolist() == slow.tolist()
    assert fast[7] == 5


@pytest.mark.parametrize("size", [1, 3])
def test_settled_leaves_equal_the_twin(size: int) -> None:
    step, following, _, point = steps_of_leaves(size)
    active = np.arange(step.shape[0]) % 4 > 0
    fast, slow = np.ones(step.shape[0], np.bool_), np.zeros(step.shape[0], np.bool_)
    cpu_leaves.find_settled(step, np.abs(following), point, active, 2.0**-9, fast)
    reference_histogram.find_settled(step, np.abs(following), point, active, 2.0**-9, slow)
    assert fast.tolist() == slow.tolist()
    assert 0 < fast.sum() < active.sum()
    cpu_leaves.find_settled(step, np.zeros_like(step), point, active, 2.0**-9, fast)
    assert fast.tolist() == active.tolist()


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.sampled_from([-np.inf, np.inf, -1.0, 0.0, 2.0, 3.5]), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_best_of_each_family_is_that_of_the_twin(scores: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy, families = np.array(scores), np.sort(rng.integers(0, 5, len(scores)))
    borders = rng.integers(-1, 3, len(scores))
    found = []
    for module in (cpu_split, reference_histogram):
        tops = np.full(len(scores), -7)
        count = module.best_of_each(noisy, borders, families, tops)
        assert (tops[count:] == -7).all()
        found.append(tops[:count].tolist())
    assert found[0] == found[1]
    for top in found[0]:
        alike = (families == families[top]) & (borders >= 0) & (noisy < np.inf)
        assert noisy[top] == noisy[alike].max()
        assert top == np.flatnonzero(alike & (noisy == noisy[top]))[0]
