"""What ranks name comes together, whether by keys or by places."""

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.categories.coding import Names, keys_of
from gbdist.categories.named import Counted, Union, message_of, read_message

#: Two projections: one of 130 places, of which a rank has some; one of keys.
PARTS = [([0, 64, 129], [7, 5]), ([], [5]), ([64, 65], [])]


def words_of(places: list[int]) -> np.ndarray:
    words = [sum(1 << place % 64 for place in places if place // 64 == w) for w in range(3)]
    return np.array(words, np.uint64)


def counted(
    places: list[int], keys: list[int], first: int, limits: tuple[int | None, int | None] = (None, None)
) -> Counted:
    """Each category has ``first`` and then one more row in the only run and class."""
    edges = np.cumsum([0, len(places), len(keys)])
    counts = np.arange(first, first + int(edges[-1]), dtype=np.int32).reshape(1, -1, 1)
    names = (Names(words_of(places), are_places=True), Names(np.array(keys, np.uint64)))
    return Counted(names, edges, counts, limits, 1)


def parts() -> list[Counted]:
    return [counted(*part, first=100 * number) for number, part in enumerate(PARTS)]


def test_a_message_says_what_was_counted() -> None:
    like = counted([1], [2, 3], 0)
    for part in parts():
        found = read_message(message_of(part), 1, like)
        assert found.edges.tolist() == part.edges.tolist()
        assert [one.values.tolist() for one in found.names] == [one.values.tolist() for one in part.names]
        assert [one.are_places for one in found.names] == [True, False]
        assert np.array_equal(found.counts, part.counts)


def test_categories_of_all_parts_are_numbered_once() -> None:
    union = Union(parts())
    assert union.edges.tolist() == [0, 4, 6]
    assert union.codes[0][:3].tolist() == [0, 1, 3]  # places in their order
    assert union.codes[2].tolist() == [1, 2]
    assert union.codes[0][4] == union.codes[1][0]  # the key 5
    assert sorted({*union.codes[0][3:].tolist(), *union.codes[1].tolist()}) == [4, 5]


def test_one_part_is_numbered_as_it_is() -> None:
    union = Union(parts()[:1])
    assert union.codes[0].tolist() == [0, 1, 2, 3, 4]
    assert union.edges.tolist() == [0, 3, 5]


def test_categories_with_places_have_keys_too() -> None:
    keyed = [part.with_keys() for part in parts()]
    assert not any(one.are_places for one in keyed[0].names)
    assert keyed[0].names[0].values.tolist() == keys_of(words_of([0, 64, 129]), 3).tolist()
    assert Union(keyed).edges.tolist() == [0, 4, 6]


def test_some_categories_keep_their_keys_and_counts() -> None:
    whole = parts()[0].with_keys()
    some = whole.some(np.array([1, 2, 4]))
    assert some.edges.tolist() == [0, 2, 3]
    assert some.names[0].values.tolist() == whole.names[0].values[1:].tolist()
    assert some.names[1].values.tolist() == [5]
    assert some.counts[0, :, 0].tolist() == [1, 2, 4]
    assert whole.some(np.array([], np.int64)).edges.tolist() == [0, 0, 0]


@pytest.mark.parametrize("limit", [None, 1])
def test_totals_are_those_of_all_parts_and_the_most_frequent_ones_are_kept(limit: int | None) -> None:
    """Of two places with as many rows the one with the lower key is kept."""
    limits = (limit, limit)
    named = [counted(*part, 100 * number, limits).with_keys() for number, part in enumerate(PARTS)]
    whole = Union(named).summed(SingleRank())
    place_of = dict(zip(keys_of(words_of([0, 64, 65, 129]), 4).tolist(), (0, 64, 65, 129), strict=True))
    keys_64, keys_65 = (key for key, place in place_of.items() if place in (64, 65))
    names = [place_of[key] for key in whole.names[0].values.tolist()] + whole.names[1].values.tolist()
    totals = dict(zip(names, whole.counts[0, :, 0].tolist(), strict=True))
    if limit is None:
        assert totals == {0: 0, 64: 201, 65: 201, 129: 2, 7: 3, 5: 104}
    else:
        assert totals == {64 if keys_64 < keys_65 else 65: 201, 5: 104}


def test_shares_of_owners_are_sorted_by_key() -> None:
    shares = [counted([], [9, 2], 1), counted([], [4], 7)]
    whole = Union([share.with_keys() for share in shares]).sorted()
    assert whole.names[1].values.tolist() == [2, 4, 9]
    assert whole.counts[0, :, 0].tolist() == [2, 7, 1]
