"""CUDA kernels of categories equal their NumPy twins, bit for bit: on a card, else on the simulator."""

from typing import Any

import numpy as np
import pytest
from numba import cuda

from gbdist.kernels import cuda_coding, reference_coding
from gbdist.kernels.cuda_compile import SHARED_BYTES
from gbdist.kernels.cuda_sums import exclusive_sums, sort_rows

from .conftest import Card, equal, outcome

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]

N = 151


def random() -> np.random.Generator:
    return np.random.default_rng(6)


def codes(n_categories: int, n_rows: int = N) -> np.ndarray:
    return random().integers(0, n_categories, n_rows).astype(np.uint32)


# ---- sums and sorting


@pytest.mark.parametrize("count", [1, 63, 64, 65, 4_200])
def test_exclusive_sums(count: int) -> None:
    """One tile, two, and so many that their sums are several tiles."""
    values = random().integers(0, 90, count).astype(np.int32)
    there = cuda.to_device(values)
    exclusive_sums(there)
    assert np.array_equal(there.copy_to_host(), np.cumsum(values) - values)


@pytest.mark.parametrize("n_codes", [1, 2, 16, 17, 300, 2**32])
def test_rows_are_sorted_by_code_and_stay_in_their_order_within_each(n_codes: int) -> None:
    values = codes(n_codes)
    values[::3] = values[0]
    found, rows = (one.copy_to_host() for one in sort_rows(cuda.to_device(values), n_codes))
    assert np.array_equal(rows, np.argsort(values, kind="stable"))
    assert np.array_equal(found, values[rows])


# ---- numbers of categories


def number(hashes: np.ndarray, size: int, bases: np.ndarray | None = None) -> list[Any]:
    """Numbers of pairs, by both kernels: count, codes, keys that are in use."""
    n_rows = hashes.shape[0]
    bases = np.zeros(n_rows, np.uint64) if bases is None else bases
    arguments = (
        Card(bases),
        Card(hashes),
        (Card(np.empty(size, np.uint64)), Card(np.empty(size, np.uint32))),
        Card(np.zeros(n_rows, np.uint32)),
        Card(np.zeros(max(n_rows, size // 2), np.uint64)),
    )
    found = outcome(cuda_coding.number_categories, arguments, on_card=True)
    expected = outcome(reference_coding.number_categories, arguments, on_card=False)
    assert found[0] == expected[0]
    if found[0] >= 0:
        assert np.array_equal(found[-2], expected[-2])
        assert np.array_equal(found[-1], expected[-1])
    return [found[0], found[-2], found[-1][: max(found[0], 0)]]


@pytest.mark.parametrize("n_hashes", [1, 7, 2**32])
@pytest.mark.parametrize("n_bases", [1, 3])
def test_categories_are_numbered_in_the_order_in_which_they_come(n_hashes: int, n_bases: int) -> None:
    bases = random().integers(0, 2**64, n_bases, dtype=np.uint64)[random().integers(0, n_bases, N)]
    count, _, _ = number(codes(n_hashes), 1024, bases)
    assert count >= min(n_hashes, 100)


@pytest.mark.parametrize("n_categories", [4, 5, 100])
def test_slots_of_which_more_than_half_are_taken_are_too_few(n_categories: int) -> None:
    hashes = np.arange(N, dtype=np.uint32) % np.uint32(n_categories)
    assert number(hashes, 8)[0] == (4 if n_categories == 4 else -1)


def test_a_search_in_vain_is_given_up() -> None:
    """Rows ask whether it is, once they have tried many slots."""
    assert number(np.arange(N, dtype=np.uint32), 128)[0] == -1


@pytest.mark.parametrize(("size", "n_numbers"), [(1, 1), (50, 20), (64, 64), (300, 299)])
def test_places_are_numbered_and_joined(size: int, n_numbers: int) -> None:
    bases, others = random().integers(0, 9, N).astype(np.uint64), codes(n_numbers)
    numbers = (Card(random().permutation(size)[:n_numbers].astype(np.uint32)), size)
    words = Card(np.zeros(-(-9 * size // 64), np.uint64))
    pairs = Card(bases), Card(others)
    assert equal("number_places", *pairs, numbers, words, Card(np.empty(N, np.uint32)))[0] > 5
    equal("join_places", *pairs, numbers, Card(np.empty(N, np.uint64)))
    equal("join_keys", *pairs, numbers[0], Card(np.empty(N, np.uint64)))


def test_first_rows_and_outcomes() -> None:
    equal("first_rows", Card(random().permutation(np.arange(N, dtype=np.uint32) % 90)), Card(np.zeros(90, np.int64)))
    outcomes = Card(random().random(N) < 0.4)
    for place in (0, 31, 63):
        equal(
            "join_outcomes",
            Card(random().integers(0, 9, N).astype(np.uint64)),
            outcomes,
            place,
            Card(np.zeros(N, np.uint64)),
        )


# ---- counts


@pytest.mark.parametrize("n_categories", [1, 60, SHARED_BYTES // 12 + 1])
def test_classes_are_counted(n_categories: int) -> None:
    """In a block's memory, and where it does not hold the counts."""
    counts = np.ones((n_categories, 3), np.int32)
    equal("count_classes", Card(codes(n_categories)), Card(codes(3).astype(np.uint8)), Card(counts))


@pytest.mark.parametrize("n_classes", [1, 3])
def test_counts_are_added(n_classes: int) -> None:
    counts = random().integers(0, 2**20, (70, n_classes)).astype(np.int32)
    which = random().permutation(90)[:70].astype(np.uint32)
    so_far = random().integers(0, 2**30, (90, n_classes)).astype(np.int32)
    equal("add_counts", Card(counts), Card(which), Card(np.empty_like(counts)), Card(so_far))
    for first, stop in ((0, n_classes), (n_classes - 1, n_classes), (0, 0)):
        equal("add_classes", Card(counts), first, stop, Card(np.empty(70, np.int32)))


def test_counts_are_described() -> None:
    counts = random().integers(0, 3, (200, 3)).astype(np.int32)
    counts[random().random(200) < 0.4] = 0
    counts[150, 1] = 2**30
    for n_trained in (2, 3):
        edges = np.array([0, 3, 3, 140, 200])
        facts = equal("describe_counts", Card(counts), edges, n_trained, np.full((4, 3), -1, np.int64))[-1]
        assert facts[1].tolist() == [0, 0, 0]
        assert facts[3, 2] >= 2**30


# ---- bins


RULES = np.array([(0.0, 0.0, 15.0), (0.5, 0.0, 15.0), (-0.5, 0.5, 7.0), (1.0, 0.0, 255.0)], np.float32)


@pytest.mark.parametrize("rule", range(4))
def test_bins_of_statistics(rule: int) -> None:
    total = (2.0 ** random().uniform(0, 31, N)).astype(np.int32)
    good = (total * random().choice([0.0, 0.3, 1.0], N)).astype(np.int32)
    numbers = RULES[rule]
    bins = Card(np.empty(N, np.uint8))
    equal("statistic_bins", Card(good), Card(total), (*numbers, int(numbers[2])), bins)
    equal("take_bins", Card(codes(9)), Card(np.arange(9, dtype=np.uint8) * 28), Card(np.empty(N, np.uint8)))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("n_categories", [1, 12, 260])
@pytest.mark.parametrize(("n_classes", "drops"), [(1, False), (2, True), (4, False)])
def test_bins_are_learned(backwards: bool, n_categories: int, n_classes: int, drops: bool) -> None:
    """Of a run within a set, with a column that is no class, into some rows of the output."""
    known = random().integers(0, 40, (n_categories, n_classes + 1)).astype(np.int32)
    wholes = [
        (n_classes - 1, n_classes, 15, 3),
        (n_classes - 1, n_classes, 15, 0),
        (0, n_classes, 7, 1),
        (0, 1, 255, 4),
    ]
    features = np.array(wholes, np.int64), RULES
    dropped = random().random(n_categories if drops else 0) < 0.4
    rows = Card(codes(n_categories)), Card(codes(n_classes).astype(np.uint8)), backwards
    out = Card(np.full((5, N + 9), 77, np.uint8))
    found = equal("learn_bins", rows, 4, Card(known), Card(dropped), n_classes, features, out)[-1]
    assert (found[2] == 77).all()
    assert (found[:, :4] == 77).all()
    assert (found[:, N + 4 :] == 77).all()
    if n_categories == 12 and n_classes > 1:
        assert len(np.unique(found[3])) > 3


def test_no_rows_are_no_work() -> None:
    nothing, classes, none = Card(np.empty(0, np.uint32)), Card(np.empty(0, np.uint8)), np.empty(0, np.bool_)
    bases, counts = Card(np.empty(0, np.uint64)), Card(np.zeros((0, 2), np.int32))
    slots = Card(np.empty(4, np.uint64)), Card(np.empty(4, np.uint32))
    assert equal("number_places", bases, nothing, (nothing, 1), Card(np.zeros(1, np.uint64)), nothing)[0] == 0
    assert outcome(cuda_coding.number_categories, (bases, nothing, slots, nothing, bases), on_card=True)[0] == 0
    equal("first_rows", nothing, Card(np.empty(0, np.int64)))
    equal("join_places", bases, nothing, (nothing, 1), bases)
    equal("join_keys", bases, nothing, nothing, bases)
    equal("join_outcomes", bases, Card(none), 3, bases)
    equal("count_classes", nothing, classes, counts)
    equal("add_counts", counts, nothing, counts, counts)
    equal("describe_counts", counts, np.zeros(2, np.int64), 1, np.zeros((1, 3), np.int64))
    equal("add_classes", counts, 0, 2, Card(np.empty(0, np.int32)))
    equal("take_bins", nothing, classes, classes)
    equal("statistic_bins", Card(np.empty(0, np.int32)), Card(np.empty(0, np.int32)), (*RULES[0], 15), classes)
    features = np.zeros((0, 4), np.int64), np.zeros((0, 3), np.float32)
    equal("learn_bins", (nothing, classes, False), 0, counts, Card(none), 2, features, Card(np.zeros((0, 0), np.uint8)))
