"""The fast kernels of target statistics equal their obvious twins, bit for bit."""

from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.categories.values import border_values, rule_of
from gbdist.categories.values import statistic_bins as bins_of_model
from gbdist.kernels import cpu_categories, reference_categories
from gbdist.models.statistics import Projection, StatisticFeature

BOTH = pytest.mark.parametrize("module", [cpu_categories, reference_categories])
CLASSES = pytest.mark.parametrize("n_classes", [1, 2, 5])
SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(0, 70)


@CLASSES
@BOTH
def test_classes_are_counted(module: ModuleType, n_classes: int) -> None:
    codes = np.array([2, 0, 2, 2, 0], np.uint32)
    classes = np.array([0, 1, 2, 0, 3], np.uint8) % n_classes
    counts = np.ones((4, n_classes), np.int32)
    module.count_classes(codes, classes.astype(np.uint8), counts)
    assert (counts - 1).sum(axis=1).tolist() == [2, 0, 3, 0]
    module.count_classes(codes[:0], classes[:0].astype(np.uint8), counts)
    assert counts.sum() == 4 * n_classes + 5
    if n_classes == 5:
        assert (counts - 1).tolist() == [[0, 1, 0, 1, 0], [0] * 5, [2, 0, 1, 0, 0], [0] * 5]


@CLASSES
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_categories=st.sampled_from([1, 4, 60]), backwards=st.booleans())
def test_classes_of_rows_and_of_earlier_rows_are_those_of_the_twin(
    n_classes: int, seed: int, n_rows: int, n_categories: int, backwards: bool
) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, n_categories, n_rows).astype(np.uint32)
    classes = generator.integers(0, n_classes, n_rows).astype(np.uint8)
    known = generator.integers(0, 2**30, (n_categories, n_classes)).astype(np.int32)
    found = []
    for module in (cpu_categories, reference_categories):
        whole, counts = known.copy(), known.copy()
        module.count_classes(codes, classes, whole)
        # The counts of earlier rows lie in a part of larger memory.
        earlier = np.full((n_classes, n_rows + 3), -1, np.int32)
        module.count_earlier(codes, classes, backwards, counts, earlier[:, :n_rows])
        assert np.array_equal(counts, whole)
        assert (earlier[:, n_rows:] == -1).all()
        found.append((counts.tolist(), earlier.tolist()))
    assert found[0] == found[1]


@BOTH
@pytest.mark.parametrize("backwards", [False, True])
def test_earlier_rows_are_those_that_are_visited_before(module: ModuleType, backwards: bool) -> None:
    codes, classes = np.array([1, 0, 1, 1], np.uint32), np.array([0, 1, 1, 0], np.uint8)
    counts, earlier = np.array([[10, 20], [30, 40]], np.int32), np.empty((2, 4), np.int32)
    module.count_earlier(codes, classes, backwards, counts, earlier)
    assert counts.tolist() == [[10, 21], [32, 41]]
    expected = [[31, 10, 31, 30], [41, 20, 40, 40]] if backwards else [[30, 10, 31, 31], [40, 20, 40, 41]]
    assert earlier.tolist() == expected


@CLASSES
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n_named=st.sampled_from([0, 1, 30]))
def test_counts_are_added_like_the_twin(n_classes: int, seed: int, n_named: int) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 2**20, (n_named, n_classes)).astype(np.int32)
    codes = generator.permutation(40)[:n_named].astype(np.uint32)
    known = generator.integers(0, 2**30, (40, n_classes)).astype(np.int32)
    found = []
    for module in (cpu_categories, reference_categories):
        before, so_far = np.full((n_named, n_classes), -1, np.int32), known.copy()
        module.add_counts(counts, codes, before, so_far)
        found.append((before.tolist(), so_far.tolist()))
    assert found[0] == found[1]
    assert found[0][0] == known[codes].tolist()


@CLASSES
@BOTH
def test_some_counts_are_taken_put_and_summed(module: ModuleType, n_classes: int) -> None:
    generator = np.random.default_rng(n_classes)
    counts, which = generator.integers(0, 2**20, (9, n_classes)).astype(np.int32), np.array([7, 0, 3])
    taken, put, total = np.empty((3, n_classes), np.int32), np.full((9, n_classes), -1, np.int32), counts.copy()
    module.take_counts(counts, which, taken)
    assert np.array_equal(taken, counts[which])
    module.put_counts(taken, which, put)
    assert np.array_equal(put[which], taken)
    assert (np.delete(put, which, axis=0) == -1).all()
    module.sum_counts(taken, which.astype(np.uint32), total)
    assert np.array_equal(total[which], 2 * taken)
    assert np.array_equal(np.delete(total, which, axis=0), np.delete(counts, which, axis=0))


@BOTH
def test_classes_are_added(module: ModuleType) -> None:
    counts = np.arange(15, dtype=np.int32).reshape(5, 3)
    for first, stop in ((0, 3), (1, 2), (2, 2)):
        out = np.full(6, 77, np.int32)
        module.add_classes(counts, first, stop, out[:-1])
        assert out.tolist() == [*counts[:, first:stop].sum(axis=1), 77]


@CLASSES
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, sizes=st.lists(st.sampled_from([0, 1, 50]), min_size=1, max_size=4))
def test_counts_are_described_like_the_twin(n_classes: int, seed: int, sizes: list[int]) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 3, (sum(sizes), n_classes)).astype(np.int32)
    counts[generator.random(sum(sizes)) < 0.3] = 0
    edges = np.cumsum([0, *sizes])
    for n_trained in {n_classes, max(1, n_classes - 1)}:
        found = []
        for module in (cpu_categories, reference_categories):
            facts = np.full((len(sizes), 3), -1, np.int64)
            module.describe_counts(counts, edges, n_trained, facts)
            found.append(facts.tolist())
        assert found[0] == found[1]
        for (first, stop), facts in zip(pairwise(edges), found[0], strict=True):
            rows = counts[first:stop].sum(axis=1)
            trained = int((counts[first:stop, :n_trained].sum(axis=1) > 0).sum())
            assert facts == [trained, int((rows > 0).sum()), int(rows.max(initial=0))]


def test_the_largest_category_may_have_as_many_rows_as_a_run() -> None:
    counts, facts = np.array([[2**30, 2**30 - 1], [0, 0]], np.int32), np.empty((1, 3), np.int64)
    for module in (cpu_categories, reference_categories):
        module.describe_counts(counts, np.array([0, 2]), 2, facts)
        assert facts.tolist() == [[1, 1, 2**31 - 1]]


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(0, 2**31 - 1) | st.integers(0, 260), max_size=40),
    largest=st.sampled_from([1, 254, 255]),
)
def test_counts_are_narrowed_like_the_twin(counts: list[int], largest: int) -> None:
    for module in (cpu_categories, reference_categories):
        out = np.full(len(counts) + 1, 77, np.uint8)
        many = module.narrow_counts(np.array(counts, np.int32), largest, out[:-1])
        assert out.tolist() == [*(min(count, largest) for count in counts), 77]
        assert many == sum(count >= largest for count in counts)


@BOTH
@pytest.mark.parametrize("n_rows", [0, 5])
def test_bins_are_taken(module: ModuleType, n_rows: int) -> None:
    codes, bins = np.array([3, 0, 3, 1, 2], np.uint32)[:n_rows], np.array([7, 255, 9, 0], np.uint8)
    out = np.full(5, 77, np.uint8)
    module.take_bins(codes, bins, out[:n_rows])
    assert out.tolist() == [0, 7, 0, 255, 9][:n_rows] + [77] * (5 - n_rows)


# ---- bins of statistics: the model's own are the oracle of both

FEATURES = st.builds(
    StatisticFeature,
    st.just(Projection((0,))),
    st.just("Borders"),
    st.just(0),
    st.sampled_from([0.0, 0.5, 1.0, 0.3, -0.5, 2.5, 1e-3, 1000.0]),
    st.sampled_from([1, 7, 15, 31, 32, 33, 100, 254, 255]),
)


def bins_of(module: ModuleType, feature: StatisticFeature, good: np.ndarray, total: np.ndarray) -> np.ndarray:
    out = np.full(good.shape[0] + 1, 77, np.uint8)
    module.statistic_bins(good.astype(np.int32), total.astype(np.int32), rule_of(feature), out[:-1])
    assert out[-1] == 77
    return out[:-1]


@settings(max_examples=200, deadline=None)
@given(feature=FEATURES, seed=SEEDS, n_rows=SIZES, bits=st.integers(1, 31))
def test_bins_of_statistics_are_those_of_the_model(
    feature: StatisticFeature, seed: int, n_rows: int, bits: int
) -> None:
    generator = np.random.default_rng(seed)
    total = generator.integers(0, 2**bits, n_rows)
    good = (total * generator.choice([0.0, 0.3, 1.0], n_rows)).astype(np.int64)
    expected = bins_of_model(good, total, feature)
    assert np.array_equal(bins_of(cpu_categories, feature, good, total), expected)
    assert np.array_equal(bins_of(reference_categories, feature, good, total), expected)


@pytest.mark.parametrize("n_borders", [15, 33, 64, 255])
@pytest.mark.parametrize("prior", [0.0, 0.5, 1.0, -0.5, 2.5])
def test_bins_are_the_models_for_all_small_counts(prior: float, n_borders: int) -> None:
    feature = StatisticFeature(Projection((0,)), "Borders", 0, prior, n_borders)
    total, good = np.tril_indices(1200)  # all pairs with good <= total
    assert np.array_equal(bins_of(cpu_categories, feature, good, total), bins_of_model(good, total, feature))


def test_every_border_is_where_the_model_has_it() -> None:
    """Values are good × scale: the border itself, which is not above itself, and its float32 neighbours."""
    for number, border in enumerate(border_values(StatisticFeature(Projection((0,)), "Borders", 0, 0.0, 255))):
        scale = np.spacing(border)
        good = np.array([-1, 0, 1], np.int32) + np.int32(border / scale)
        rule = np.float32(0.0), np.float32(0.0), scale, 255
        for module in (cpu_categories, reference_categories):
            out = np.empty(3, np.uint8)
            module.statistic_bins(good, np.zeros(3, np.int32), rule, out)
            assert out.tolist() == [number, number, number + 1], (module, border)


# ---- bins of rows from those before them


def features_of(n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two priors of each border and bucket; some neighbours count the same classes, or begin or end with the same one."""
    borders = [(border + 1, n_classes) for border in range(n_classes - 1)]
    buckets = [(border, border + 1) for border in range(n_classes)]
    both = [each for pair in zip(borders, buckets[1:], strict=True) for each in pair]  # that begin with the same class
    ranges = [each for each in (*both, buckets[0], *borders) for _ in range(2)]
    generator = np.random.default_rng(seed)
    places = generator.permutation(len(ranges))
    wholes = np.array(
        [(*each, generator.choice([1, 15, 40, 255]), place) for each, place in zip(ranges, places, strict=True)],
        np.int64,
    )
    priors = generator.choice([0.0, 0.5, 1.0, -0.5, 2.5], len(ranges))
    rules = [
        rule_of(StatisticFeature(Projection((0,)), "Borders", 0, float(prior), int(n_borders)))
        for prior, n_borders in zip(priors, wholes[:, 2], strict=True)
    ]
    return wholes, np.array([rule[:3] for rule in rules], np.float32)


def learned(module: ModuleType, runs: list[Any], counts: np.ndarray, *rest: Any) -> tuple[np.ndarray, np.ndarray]:
    """Bins of runs of (first row, codes, classes, backwards) in one array, each counted before the next; and the counts."""
    dropped, n_classes, features = rest
    n_rows = sum(codes.shape[0] for _, codes, _, _ in runs)
    counts, out = counts.copy(), np.full((features[0].shape[0], n_rows + 3), 77, np.uint8)
    for first_row, *rows in runs:
        before = counts.copy()
        module.learn_bins(tuple(rows), first_row, counts, dropped, n_classes, features, out)
        assert np.array_equal(counts, before)
        module.count_classes(rows[0], rows[1], counts)
    assert (out[:, n_rows:] == 77).all()
    return out[:, :n_rows], counts


@CLASSES
@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    n_categories=st.sampled_from([1, 4, 40]),
    n_more=st.integers(0, 1),
    backwards=st.booleans(),
    drops=st.booleans(),
)
def test_rows_learn_bins_like_the_twin(
    n_classes: int, seed: int, sizes: list[int], n_categories: int, n_more: int, backwards: bool, drops: bool
) -> None:
    """Runs are visited in any order; a column after the classes, of rows of eval sets, is no class."""
    generator = np.random.default_rng(seed)
    first_rows = np.cumsum([0, *sizes])
    runs = [
        (
            int(first_rows[number]),
            generator.integers(0, n_categories, sizes[number]).astype(np.uint32),
            generator.integers(0, n_classes, sizes[number]).astype(np.uint8),
            backwards,
        )
        for number in generator.permutation(len(sizes)).tolist()
    ]
    known = generator.integers(0, generator.choice([2, 2**20]), (n_categories, n_classes + n_more)).astype(np.int32)
    dropped = generator.random(n_categories if drops else 0) < 0.4
    rest = dropped, n_classes, features_of(n_classes, seed)
    bins, counts = learned(cpu_categories, runs, known, *rest)
    expected_bins, expected_counts = learned(reference_categories, runs, known, *rest)
    assert np.array_equal(bins, expected_bins)
    assert np.array_equal(counts, expected_counts)
    assert np.array_equal(counts[:, n_classes:], known[:, n_classes:])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("n_rows", [4096, 4097, 9000])
def test_rows_of_several_blocks_learn_bins_like_the_twin(n_rows: int, backwards: bool) -> None:
    generator = np.random.default_rng(n_rows)
    codes = generator.integers(0, 50, n_rows).astype(np.uint32)
    classes = generator.integers(0, 2, n_rows).astype(np.uint8)
    rest = np.arange(50) % 7 == 0, 2, features_of(2, 5)
    runs, nothing = [(0, codes, classes, backwards)], np.zeros((50, 2), np.int32)
    bins, counts = learned(cpu_categories, runs, nothing, *rest)
    expected_bins, expected_counts = learned(reference_categories, runs, nothing, *rest)
    assert np.array_equal(bins, expected_bins)
    assert np.array_equal(counts, expected_counts)


@BOTH
def test_bins_are_learned_of_rows_that_are_visited_before(module: ModuleType) -> None:
    """Two runs of one category, the later rows first; another category counts as never met."""
    feature = StatisticFeature(Projection((0,)), "Borders", 0, 0.5, 255)
    features = np.array([(1, 2, 255, 0)], np.int64), np.array([rule_of(feature)[:3]], np.float32)
    runs = [
        (3, np.array([0, 1], np.uint32), np.array([1, 1], np.uint8), True),
        (0, np.array([0, 1, 0], np.uint32), np.array([0, 1, 1], np.uint8), True),
    ]
    bins, counts = learned(module, runs, np.zeros((2, 2), np.int32), np.array([False, True]), 2, features)
    good, total = np.array([2, 0, 1, 0, 0]), np.array([2, 0, 1, 0, 0])
    assert bins.tolist() == [bins_of_model(good, total, feature).tolist()]
    assert counts.tolist() == [[1, 2], [0, 2]]
