"""The combinations of a level are those of CatBoost's rule, and their categories those of their columns and splits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.crew import Crew
from gbdist.categories import combinations as module
from gbdist.categories.begin import begin
from gbdist.categories.combinations import Combinations
from gbdist.categories.keys import projection_keys
from gbdist.categories.rows import CategoricalRows
from gbdist.models.statistics import Projection

from ..conftest import CategoricalTable, make_table, params_of

CONSTANT, ONE_HOT, STATISTICS = 0, 2, (1, 3, 4, 5)
TABLE = make_table(200, sizes=(1, 4, 3, 5, 30, 90), n_binned=2)


def rows_of(table: CategoricalTable) -> CategoricalRows:
    rules = table.rules(one_hot=[ONE_HOT])
    columns = tuple(replace(one, values=()) if i == CONSTANT else one for i, one in enumerate(rules.columns))
    with Crew(1) as crew:
        params = params_of(replace(rules, columns=columns))
        return begin([table.rows], table.n_bins, params, SingleRank(), crew).counter.rows


ROWS = rows_of(TABLE)
VALUES = np.unique(TABLE.hashes[ONE_HOT]).tolist()
SPLITS = st.one_of(
    st.tuples(st.just("float"), st.integers(0, 1), st.integers(0, 38)),
    st.tuples(st.just("one-hot"), st.just(ONE_HOT), st.sampled_from(VALUES)),
    st.tuples(st.just("statistic"), st.integers(0, 40), st.just(0)),
)


class Level:
    """What a tree has chosen, in the terms of CatBoost's AddTreeCtrs. A tree that chooses a split again has no next level."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.splits: tuple[set[tuple[int, int]], set[tuple[int, int]]] = (set(), set())
        self.used: set[Projection] = set()

    def expected(self) -> set[Projection]:
        bases = set(self.used)
        found = set()
        if any(self.splits):
            bases.add(Projection((), *(tuple(sorted(some)) for some in self.splits)))
        for base in bases:
            for cat in STATISTICS:
                joined = replace(base, cats=tuple(sorted((*base.cats, cat))))
                redundant = cat in base.cats
                if not redundant and joined.complexity <= self.most:
                    found.add(joined)
        return found


@settings(max_examples=150, deadline=None)
@given(chosen=st.lists(SPLITS, max_size=6, unique=True), most=st.integers(1, 5))
def test_combinations_are_those_of_catboosts_rule(chosen: list[tuple[str, int, int]], most: int) -> None:
    combinations, level = Combinations(ROWS, most), Level(most)
    for kind, place, border in chosen:
        listed = combinations.listed()
        if kind == "float":
            combinations.split_float(place, border)
            level.splits[0].add((place, border))
        elif kind == "one-hot":
            combinations.split_one_hot(place, border)
            level.splits[1].add((place, border))
        else:
            candidates = [
                *((Projection((cat,)), None) for cat in STATISTICS),
                *((one.projection, one) for one in listed),
            ]
            projection, one = candidates[place % len(candidates)]
            combinations.use(projection, one)
            level.used.add(projection)
        found = [each.projection for each in combinations.listed()]
        assert set(found) == level.expected()
        assert len(set(found)) == len(found)
        for each in combinations.listed():
            assert sorted((*each.base.cats, each.cat)) == list(each.projection.cats)
    assert combinations.left_out == 0


def test_categories_are_those_of_columns_and_splits() -> None:
    combinations = Combinations(ROWS, 4)
    combinations.split_float(1, 20)
    combinations.split_one_hot(ONE_HOT, VALUES[1])
    combinations.split_float(0, 5)  # not in the order in which the projection has them
    combinations.use(Projection((4,)), None)
    second = next(each for each in combinations.listed() if each.projection == Projection((1, 4)))
    combinations.use(second.projection, second)
    third = next(each for each in combinations.listed() if each.projection.float_splits and each.cat == 3)
    assert third.projection == Projection((3,), ((0, 5), (1, 20)), ((ONE_HOT, VALUES[1]),))
    combinations.use(third.projection, third)
    shapes = set()
    for each in combinations.listed():
        projection = each.projection
        outcomes = [ROWS.tested(*split) for split in projection.float_splits]
        outcomes += [ROWS.equal(*split) for split in projection.one_hot_splits]
        hashes = [ROWS.columns[cat].hashes[ROWS.columns[cat].codes] for cat in projection.cats]
        keys = projection_keys(hashes, outcomes)
        for some in (slice(0, ROWS.n_rows), slice(0, 50), slice(70, 70)):
            coding = combinations.coding(each, some)
            _, expected = np.unique(keys[some], return_inverse=True)
            pairs = set(zip(coding.codes.tolist(), expected.tolist(), strict=True))
            assert len(pairs) == len(set(expected.tolist())) == coding.n_categories
            assert set(coding.codes.tolist()) == set(range(coding.n_categories))
        shapes.add((len(projection.cats), bool(projection.float_splits)))
    assert shapes == {(1, True), (2, True), (2, False), (3, False)}


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_a_projection_alone_has_the_categories_of_its_combination(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a tree is replayed without the levels at which its combinations came up."""
    monkeypatch.setattr(ROWS, "most_places", most)
    combinations, shapes = Combinations(ROWS, 4), set()
    for split in ((1, 20), (0, 5)):
        combinations.split_float(*split)
    combinations.split_one_hot(ONE_HOT, VALUES[0])
    combinations.use(Projection((4,)), None)
    for _ in range(2):
        for each in combinations.listed():
            combinations.use(each.projection, each)
    for each in combinations.listed():
        for some in (slice(0, ROWS.n_rows), slice(20, 90)):
            expected, found = combinations.coding(each, some), Combinations(ROWS, 4).coding_alone(each.projection, some)
            assert found.n_categories == expected.n_categories
            pairs = set(zip(found.codes.tolist(), expected.codes.tolist(), strict=True))
            assert len(pairs) == expected.n_categories
        shapes.add((len(each.projection.cats), bool(each.projection.float_splits)))
    assert shapes == {(1, True), (2, True), (3, True), (2, False), (3, False), (4, False)}


def test_a_level_has_no_more_than_the_first_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    combinations = Combinations(ROWS, 4)
    combinations.split_float(0, 5)
    combinations.use(Projection((1,)), None)
    every = [each.projection for each in combinations.listed()]
    assert len(every) == 7
    assert combinations.left_out == 0
    monkeypatch.setattr(module, "MOST_COMBINATIONS", 5)
    for level in range(1, 4):
        assert [each.projection for each in combinations.listed()] == every[:5]
        assert combinations.left_out == 2 * level


@pytest.mark.parametrize("n_borders", [1, 2, 4])
def test_places_and_keys_tell_the_same_categories_apart(n_borders: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked up in which way depends on how many places there could be, the same on all ranks."""
    combinations = Combinations(ROWS, n_borders + 1)
    for border in range(n_borders):
        combinations.split_float(0, 7 * border + 3)
    combinations.use(Projection((1,)), None)
    for each in combinations.listed():
        found = []
        for most in (0, 1 << 20):
            monkeypatch.setattr(ROWS, "most_places", most)
            coding = combinations.coding(each, slice(10, ROWS.n_rows))
            assert coding.names.are_places == (most > 0)
            firsts = [coding.codes.tolist().index(code) for code in coding.codes.tolist()]
            found.append((coding.n_categories, firsts))
        assert found[0] == found[1]


def test_splits_are_not_looked_at_where_there_will_be_no_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CategoricalRows, "tested", lambda *_: pytest.fail("looked at"))
    combinations = Combinations(ROWS, 1)
    combinations.split_float(0, 5)
    assert combinations.listed() == []


def test_only_the_latest_splits_are_kept() -> None:
    combinations = Combinations(ROWS, 4)
    for border in (3, 9, 20):
        combinations.split_float(0, border)
        latest = combinations.listed()
    assert {id(base) for base in combinations._of_base} == {id(latest[0].base)}


def test_bases_of_more_places_than_can_be_counted_have_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for most in (1 << 62, 1):
        monkeypatch.setattr(module, "_MOST_PLACES", most)
        combinations = Combinations(ROWS, 3)
        combinations.use(Projection((4,)), None)
        second = next(each for each in combinations.listed() if each.cat == 5)
        combinations.use(second.projection, second)
        third = next(each for each in combinations.listed() if each.base.cats == (4, 5))
        assert (third.base.places is None) == (most == 1)
        coding = combinations.coding(third, slice(0, ROWS.n_rows))
        codes = coding.codes.tolist()
        found.append([codes.index(code) for code in codes])
    assert found[0] == found[1]
