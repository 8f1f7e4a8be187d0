"""The fast kernels of target statistics equal their obvious twins, bit for bit."""

from types import ModuleType

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


def numbered(module: ModuleType, bases: np.ndarray, hashes: np.ndarray, size: int) -> tuple[list[int], list[int]]:
    """Codes of the rows, and keys of the codes."""
    n_rows = bases.shape[0]
    slots = np.full(size, 7, np.uint64), np.full(size, 7, np.uint32)
    codes, keys = np.full(n_rows, 99, np.uint32), np.full(n_rows, 99, np.uint64)
    count = module.number_categories(bases, hashes, slots, codes, keys)
    assert keys[count:].tolist() == [99] * (n_rows - count)
    return codes.tolist(), keys[:count].tolist()


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_bases=st.sampled_from([1, 2, 40]), n_hashes=st.sampled_from([1, 5, 2**32]))
def test_categories_are_numbered_like_the_twin(seed: int, n_rows: int, n_bases: int, n_hashes: int) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.integers(0, 2**64, n_bases, dtype=np.uint64)[generator.integers(0, n_bases, n_rows)]
    hashes = generator.integers(0, n_hashes, n_rows).astype(np.uint32)
    expected = numbered(reference_categories, bases, hashes, 2)
    for size in (128, 1024):  # 70 rows fill the smaller one to more than a half
        assert numbered(cpu_categories, bases, hashes, size) == expected


@BOTH
def test_rows_have_one_number_if_base_and_hash_are_the_same(module: ModuleType) -> None:
    generator = np.random.default_rng(1)
    bases, hashes = (
        generator.integers(0, 30, 2_000).astype(np.uint64),
        generator.integers(0, 30, 2_000).astype(np.uint32),
    )
    codes, keys = numbered(module, bases, hashes, 4096)
    pairs = list(zip(bases.tolist(), hashes.tolist(), strict=True))
    of_pair = dict.fromkeys(pairs)
    assert codes == [list(of_pair).index(pair) for pair in pairs]  # in the order in which they come
    assert len(set(keys)) == len(keys) == len(of_pair)
    # The key does not depend on what else there is.
    assert numbered(module, bases[-1:], hashes[-1:], 2)[1] == [keys[codes[-1]]]


def test_a_full_table_of_numbers_is_searched_around_its_end() -> None:
    """Three rows in four slots, whose search begins at the last slot."""
    bases = np.zeros(4000, np.uint64)
    hashes = np.arange(4000, dtype=np.uint32)
    keys = np.array(numbered(reference_categories, bases, hashes, 2)[1], np.uint64)
    late = hashes[keys >> np.uint64(62) == 3][:3]
    assert numbered(cpu_categories, bases[:3], late, 4) == numbered(reference_categories, bases[:3], late, 4)


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
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n_categories=st.sampled_from([0, 1, 50]))
def test_counts_are_described_like_the_twin(n_classes: int, seed: int, n_categories: int) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 3, (n_categories, n_classes)).astype(np.int32)
    counts[generator.random(n_categories) < 0.3] = 0
    found = []
    for module in (cpu_categories, reference_categories):
        rows = np.full(n_categories, -1, np.int32)
        found.append((module.describe_counts(counts, rows), rows.tolist()))
    assert found[0] == found[1]
    assert found[0][0] == (sum(row > 0 for row in found[0][1]), max(found[0][1], default=0))


def test_the_largest_category_may_have_as_many_rows_as_a_run() -> None:
    counts = np.array([[2**30, 2**30 - 1], [0, 0]], np.int32)
    for module in (cpu_categories, reference_categories):
        assert module.describe_counts(counts, np.empty(2, np.int32)) == (1, 2**31 - 1)


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


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_bases=st.sampled_from([1, 2, 8]), n_hashes=st.sampled_from([1, 5, 40]))
def test_dense_pairs_are_numbered_as_pairs_are(seed: int, n_rows: int, n_bases: int, n_hashes: int) -> None:
    generator = np.random.default_rng(seed)
    hashes = generator.choice(2**32, n_hashes, replace=False).astype(np.uint32)
    bases = generator.integers(0, n_bases, n_rows).astype(np.uint64)
    others = generator.integers(0, n_hashes, n_rows).astype(np.uint32)
    expected = numbered(reference_categories, bases, hashes[others], 2)
    for module in (cpu_categories, reference_categories):
        codes, keys = np.empty(n_rows, np.uint32), np.empty(n_rows, np.uint64)
        count = module.number_dense_pairs(bases, others, hashes, np.empty(n_bases * n_hashes, np.uint32), codes, keys)
        assert (codes.tolist(), keys[:count].tolist()) == expected


@BOTH
def test_narrow_counts_end_at_the_largest(module: ModuleType) -> None:
    counts = np.array([0, 1, 254, 255, 256, 2**31 - 1], np.int32)
    out = np.full(6, 9, np.uint8)
    assert module.narrow_counts(counts, 255, out) == 3
    assert out.tolist() == [0, 1, 254, 255, 255, 255]
    assert module.narrow_counts(counts[:0], 255, out[:0]) == 0


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize(("n_classes", "n_rows"), [(1, 50), (2, 0), (2, 9_000), (5, 300)])
def test_bins_are_learned_like_the_twin(n_classes: int, n_rows: int, drops: bool, backwards: bool) -> None:
    """More rows than the kernel takes at a time; a column of rows that count but have no class; two runs into one array."""
    generator = np.random.default_rng(5)
    codes = generator.integers(0, 60, n_rows).astype(np.uint32)
    classes = generator.integers(0, n_classes, n_rows).astype(np.uint8)
    known = generator.integers(0, 9, (60, n_classes + 1)).astype(np.int32)
    dropped = generator.random(60) < 0.2 if drops else np.zeros(0, np.bool_)
    wholes = [(border + 1, n_classes, 15) for border in range(n_classes - 1)] + [
        (0, 1, 255),
        (n_classes - 1, n_classes, 7),
    ]
    numbers = [(prior, 0.0, n_borders) for prior, (_, _, n_borders) in zip((0.0, 0.5, 1.0) * 3, wholes, strict=False)]
    features = np.array(wholes, np.int64), np.array(numbers, np.float32)
    cut = n_rows // 3
    found = []
    for module in (cpu_categories, reference_categories):
        counts, out = known.copy(), np.full((len(wholes), n_rows), 77, np.uint8)
        for start, stop in ((cut, n_rows), (0, cut)) if backwards else ((0, cut), (cut, n_rows)):
            rows = (codes[start:stop], classes[start:stop], backwards)
            module.learn_bins(rows, start, counts, dropped, n_classes, features, out)
        found.append((counts.tolist(), out.tolist()))
    assert found[0] == found[1]
