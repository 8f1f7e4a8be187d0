"""The fast kernels that number categories equal their obvious twins, bit for bit."""

from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.kernels import cpu_coding, reference_coding

BOTH = pytest.mark.parametrize("module", [cpu_coding, reference_coding])
LARGE = 1 << 13
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
    expected = numbered(reference_coding, bases, hashes, LARGE)
    for size in (256, LARGE):
        assert numbered(cpu_coding, bases, hashes, size) == expected


@BOTH
def test_rows_have_one_number_if_base_and_hash_are_the_same(module: ModuleType) -> None:
    generator = np.random.default_rng(1)
    bases, hashes = (
        generator.integers(0, 30, 2_000).astype(np.uint64),
        generator.integers(0, 30, 2_000).astype(np.uint32),
    )
    codes, keys = numbered(module, bases, hashes, LARGE)
    pairs = list(zip(bases.tolist(), hashes.tolist(), strict=True))
    of_pair = dict.fromkeys(pairs)
    assert codes == [list(of_pair).index(pair) for pair in pairs]  # in the order in which they come
    assert len(set(keys)) == len(keys) == len(of_pair)
    # The key does not depend on what else there is.
    assert numbered(module, bases[-1:], hashes[-1:], 4)[1] == [keys[codes[-1]]]


def test_a_table_of_numbers_is_searched_around_its_end() -> None:
    """Two rows in four slots, whose search begins at the last slot."""
    bases = np.zeros(4000, np.uint64)
    hashes = np.arange(4000, dtype=np.uint32)
    keys = np.array(numbered(reference_coding, bases, hashes, LARGE)[1], np.uint64)
    late = hashes[keys >> np.uint64(62) == 3][:2]
    assert numbered(cpu_coding, bases[:2], late, 4) == numbered(reference_coding, bases[:2], late, 4)


@BOTH
@pytest.mark.parametrize("n_categories", [4, 5])
def test_a_table_that_is_more_than_half_full_is_too_small(module: ModuleType, n_categories: int) -> None:
    hashes = np.arange(20, dtype=np.uint32) % np.uint32(n_categories)
    slots = np.empty(8, np.uint64), np.empty(8, np.uint32)
    codes, keys = np.empty(20, np.uint32), np.empty(20, np.uint64)
    count = module.number_categories(np.zeros(20, np.uint64), hashes, slots, codes, keys)
    assert count == (4 if n_categories == 4 else -1)


@BOTH
def test_the_first_row_of_each_category_is_found(module: ModuleType) -> None:
    rows = np.full(4, -1)
    module.first_rows(np.array([1, 0, 1, 3, 2, 0, 3], np.uint32), rows)
    assert rows.tolist() == [1, 0, 4, 3]


# ---- places: pairs of a base and a number, marked by a bit


def placed(
    module: ModuleType, bases: np.ndarray, others: np.ndarray, numbers: np.ndarray, size: int, n_bases: int
) -> Any:
    """Codes of the rows, bits of the places, and keys of the codes."""
    codes, words = np.full(bases.shape[0], 99, np.uint32), np.zeros(-(-n_bases * size // 64), np.uint64)
    count = module.number_places(bases, others, (numbers, size), words, codes)
    keys = np.full(count + 1, 99, np.uint64)
    module.keys_of_places(words, keys[:-1])
    assert keys[-1] == 99
    return codes.tolist(), words.tolist(), keys[:-1].tolist()


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, n_bases=st.sampled_from([1, 2, 32]), size=st.sampled_from([1, 5, 64, 101]))
def test_places_are_numbered_in_their_order(seed: int, n_rows: int, n_bases: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.integers(0, n_bases, n_rows).astype(np.uint64)
    numbers = generator.permutation(size)[: generator.integers(1, size + 1)].astype(np.uint32)
    others = generator.integers(0, numbers.shape[0], n_rows).astype(np.uint32)
    places = [int(base) * size + int(numbers[other]) for base, other in zip(bases, others, strict=True)]
    known = sorted(set(places))
    codes, words, keys = placed(cpu_coding, bases, others, numbers, size, n_bases)
    assert codes == [known.index(place) for place in places]
    assert [64 * w + p for w, word in enumerate(words) for p in range(64) if word >> p & 1] == known
    assert len(set(keys)) == len(keys) == len(known)
    assert placed(reference_coding, bases, others, numbers, size, n_bases) == (codes, words, keys)
    for module in (cpu_coding, reference_coding):
        joined = np.full(n_rows + 1, 99, np.uint64)
        module.join_places(bases, others, (numbers, size), joined[:-1])
        assert joined.tolist() == [*places, 99]


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n_rows=SIZES, place=st.integers(0, 63))
def test_bases_are_joined_with_numbers_and_with_outcomes(seed: int, n_rows: int, place: int) -> None:
    """The keys are those by which pairs are numbered."""
    generator = np.random.default_rng(seed)
    bases, numbers = generator.integers(0, 2**64, n_rows, dtype=np.uint64), np.arange(9, dtype=np.uint32) * 2**28
    others, outcomes = generator.integers(0, 9, n_rows).astype(np.uint32), generator.random(n_rows) < 0.5
    codes, keys = numbered(cpu_coding, bases, numbers[others], LARGE)
    below = bases & np.uint64((1 << place) - 1)
    for module in (cpu_coding, reference_coding):
        joined = np.full(n_rows + 1, 99, np.uint64)
        module.join_keys(bases, others, numbers, joined[:-1])
        assert joined.tolist() == [*(keys[code] for code in codes), 99]
        module.join_outcomes(below, outcomes, place, joined[:-1])
        expected = [base + (out << place) for base, out in zip(below.tolist(), outcomes.tolist(), strict=True)]
        assert joined.tolist() == [*expected, 99]


@BOTH
def test_the_key_of_a_place_does_not_depend_on_the_others(module: ModuleType) -> None:
    every, some = np.array([2**64 - 1, 1 << 63, 5], np.uint64), np.array([1, 1 << 63, 4], np.uint64)
    keys, fewer = np.empty(67, np.uint64), np.empty(3, np.uint64)
    module.keys_of_places(every, keys)
    module.keys_of_places(some, fewer)
    assert fewer.tolist() == [keys[0], keys[64], keys[66]]


Parts = list[list[list[int]]]  # keys or places, by part and group


def matched(module: ModuleType, parts: Parts, are_places: list[bool]) -> tuple[list[list[list[int]]], list[int]]:
    """Numbers, by part and group, and where those of groups begin."""
    n_words = 4
    names, of_names, of_codes = [], [], []
    n_names = n_codes = 0
    for part in parts:
        of_names.append([n_names])
        of_codes.append([n_codes])
        for keys, places in zip(part, are_places, strict=True):
            words = [sum(1 << key % 64 for key in keys if key // 64 == w) for w in range(n_words)]
            names += words if places else keys
            n_names, n_codes = len(names), n_codes + len(keys)
            of_names[-1].append(n_names)
            of_codes[-1].append(n_codes)
    codes, found = np.full(n_codes, 99, np.uint32), np.full(len(are_places) + 1, 99, np.int64)
    slots = np.full(256, 7, np.uint64), np.full(256, 7, np.uint32)
    edges = np.array(of_names), np.array(of_codes)
    module.match_names(np.array(names, np.uint64), edges, np.array(are_places, np.bool_), slots, codes, found)
    each = [[codes[a:b].tolist() for a, b in pairwise(edges_of_part)] for edges_of_part in of_codes]
    return each, found.tolist()


@settings(max_examples=100, deadline=None)
@given(
    are_places=st.lists(st.booleans(), min_size=1, max_size=4),
    data=st.data(),
    n_parts=st.integers(1, 4),
    spread=st.sampled_from([1, 2**40 + 1]),
)
def test_labels_of_parts_are_matched(are_places: list[bool], data: st.DataObject, n_parts: int, spread: int) -> None:
    keys = st.sets(st.integers(0, 255), max_size=20)
    parts: Parts = []
    for _ in range(n_parts):
        part = [sorted(data.draw(keys)) if places else list(data.draw(keys)) for places in are_places]
        parts.append(
            [each if places else [key * spread for key in each] for each, places in zip(part, are_places, strict=True)]
        )
    codes, edges = matched(cpu_coding, parts, are_places)
    assert (codes, edges) == matched(reference_coding, parts, are_places)
    for group in range(len(are_places)):
        pairs = {
            pair
            for part, of_part in zip(parts, codes, strict=True)
            for pair in zip(part[group], of_part[group], strict=True)
        }
        assert len(pairs) == len({key for key, _ in pairs})
        assert sorted(code for _, code in pairs) == list(range(edges[group], edges[group + 1]))
