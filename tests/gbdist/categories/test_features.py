"""Which features a tree may use, what they weigh, and that memory decides neither."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.features import Block
from gbdist.boosting.loop import boost
from gbdist.boosting.result import BoostResult
from gbdist.categories import combinations
from gbdist.categories import features as module
from gbdist.categories.statistics import StatisticCounter
from gbdist.models.statistics import Projection
from gbdist.models.tree import ObliviousTree

from ..conftest import Begun, CategoricalTable, begun_on_ranks, in_order, make_table, params_of


def boosted(table: CategoricalTable, rules: Any, **more: Any) -> BoostResult:
    params = params_of(rules, iterations=6, depth=5, **more)
    return boost(table.rows, [], table.n_bins, params, SingleRank())


@pytest.mark.parametrize(
    "limits",
    [
        {"KEPT_BYTES": 0},
        {"KEPT_BYTES": 40_000},
        {"KEPT_BYTES": 0, "CHUNK_BYTES": 0},
        {"CHUNK_BYTES": 0},
        {"CACHE_BYTES": 0},
        {"KEPT_BYTES": 20_000, "CACHE_BYTES": 20_000, "CHUNK_BYTES": 100_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("rsm", [1.0, 0.5])
def test_memory_does_not_change_the_trees(limits: dict[str, int], rsm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With noise, which is drawn by the number of a feature, and equal scores, which go to the lower number."""
    table = make_table(1_500, sizes=(3, 8, 8, 9, 10), n_binned=2)
    rules = table.rules(one_hot=[0], max_complexity=4, model_size_reg=0.0)
    usual = boosted(table, rules, rsm=rsm)
    projections = {each.projection for each in usual.categories.statistics}
    assert sum(len(each.cats) > 1 for each in projections) > 2
    assert sum(bool(each.float_splits or each.one_hot_splits) for each in projections) > 2
    for name, value in limits.items():
        monkeypatch.setattr(module, name, value)
    assert boosted(table, rules, rsm=rsm).trees == usual.trees


@pytest.mark.parametrize("most", [3, 4, 6])
@pytest.mark.parametrize("kept", [0, 1 << 28])
def test_combinations_beyond_the_most_do_not_compete(most: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Combinations of a projection may drop out of the first ones at a later level, when those of new splits come before them."""
    table = make_table(600, sizes=(20, 20, 60, 100), n_binned=2)
    rules = table.rules(max_complexity=4)
    monkeypatch.setattr(combinations, "MOST_COMBINATIONS", most)
    listed: list[list[Projection]] = []
    usual = combinations.Combinations.listed

    def heard(self: combinations.Combinations) -> list[combinations.Combination]:
        found = usual(self)
        listed.append([each.projection for each in found])
        return found

    monkeypatch.setattr(combinations.Combinations, "listed", heard)
    alone = boosted(table, rules)
    assert max(map(len, listed)) == most
    assert any(not set(before) <= set(after) for before, after in pairwise(listed) if after)
    monkeypatch.setattr(module, "KEPT_BYTES", kept)
    assert boosted(table, rules).trees == alone.trees


def blocks_by_name(begun: Begun) -> dict[str, Block]:
    return {block.name: block for block in begun.features.of_level()}


def test_blocks_that_stay_are_the_same_ones() -> None:
    table = make_table(300, sizes=(3, 20, 60), n_binned=2)

    def work(begun: Begun) -> None:
        features = begun.features
        features.begin_tree(0)
        first = blocks_by_name(begun)
        assert list(first) == ["columns", "statistics"]
        features.choose(0, 20)
        second = blocks_by_name(begun)
        assert list(second) == ["columns", "statistics", "combinations 1"]  # with that split
        features.choose(int(second["statistics"].numbers[0]), 4)
        third = blocks_by_name(begun)
        assert list(third) == ["columns", "statistics", "combinations 1", "combinations 2"]  # of two columns
        features.choose(1, 7)
        fourth = blocks_by_name(begun)
        # The combinations with one split are none with two: they make room.
        assert list(fourth) == ["columns", "statistics", "combinations 2", "combinations 3"]
        every = [first, second, third, fourth]
        for before, after in pairwise(every):
            assert all(after[name] is block for name, block in before.items() if name in after)
        assert all(block.stays for level in every for block in level.values())
        numbers = np.concatenate([block.numbers for block in {**third, **fourth}.values()])
        assert len(set(numbers.tolist())) == len(numbers)
        # Statistics of single columns are made anew for another permutation alone.
        for tree in range(1, 20):
            again = features.permutation_of(tree) == features.permutation_of(tree - 1)
            before = blocks_by_name(begun)["statistics"]
            features.begin_tree(tree)
            assert (blocks_by_name(begun)["statistics"] is before) == again

    begun_on_ranks([table], params_of(table.rules(one_hot=[0], max_complexity=2)), work)


def test_blocks_for_which_there_is_no_memory_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    monkeypatch.setattr(module, "CHUNK_BYTES", 0)
    table = make_table(300, sizes=(20, 60), n_binned=1)

    def work(begun: Begun) -> None:
        begun.features.begin_tree(0)
        list(begun.features.of_level())
        begun.features.choose(0, 20)
        made = [(block.name, block.stays, block.numbers.tolist()) for block in begun.features.of_level()][2:]
        assert made == [("more combinations", False, list(range(first, first + 4))) for first in (9, 13)]
        assert [block.numbers.tolist() for block in begun.features.of_level()][2:] == [one[2] for one in made]

    begun_on_ranks([table], params_of(table.rules(max_complexity=2)), work)


def test_chosen_combinations_are_counted_once_a_tree_and_all_of_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In all permutations; while a tree grows its combinations are counted in the permutation of the structure alone."""
    table = make_table(300, sizes=(20, 30, 60), n_binned=1)
    counted: list[tuple[int, int]] = []
    usual = StatisticCounter.count

    def heard(self: Any, codings: Any, permutations: Any) -> Any:
        if codings:
            counted.append((len(codings), len(permutations)))
        return usual(self, codings, permutations)

    monkeypatch.setattr(StatisticCounter, "count", heard)

    def work(begun: Begun) -> None:
        features, leaves = begun.features, np.zeros(begun.train.n_rows, np.uint16)
        assert counted == [(1, 4)] * 3  # the columns alone
        features.begin_tree(0)
        list(features.of_level())
        splits = [features.choose(0, 20)]
        made = list(features.of_level())[-1]
        # Of the first combination two statistics, of the second one.
        splits += [features.choose(int(made.numbers[place]), 3) for place in (0, 1, 4)]
        assert counted[3:] == [(3, 1)]
        for permutation in range(4):
            features.leaves(ObliviousTree(tuple(splits)), leaves, permutation)
        assert counted[4:] == [(2, 4)]
        features.end_tree()
        features.begin_tree(1)
        list(features.of_level())
        features.leaves(ObliviousTree((features.choose(0, 20),)), leaves, 3)
        assert len(counted) == 5  # nothing new was chosen

    begun_on_ranks([table], params_of(table.rules(max_complexity=2)), work)


@pytest.mark.parametrize("reg", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("n_ranks", [1, 3])
def test_unused_statistics_weigh_less_the_more_categories_they_have(reg: float, n_ranks: int) -> None:
    """CatBoost's model_size_reg: (1 + categories / most of any statistic of the level) to the power of −reg."""
    table = make_table(400, sizes=(3, 20, 90), n_binned=2)
    params = params_of(table.rules(one_hot=[0], max_complexity=2, model_size_reg=reg))
    whole = in_order(table, params)
    columns = {cat: whole.hashes[cat].tolist() for cat in (1, 2)}
    above = (whole.rows.bins[0] > 20).tolist()
    unique = {cat: len(set(of_column)) for cat, of_column in columns.items()}
    with_split = {cat: len(set(zip(of_column, above, strict=True))) for cat, of_column in columns.items()}
    pair = len(set(zip(*columns.values(), strict=True)))
    assert unique[2] < with_split[2] < pair

    def work(begun: Begun) -> None:
        features = begun.features
        features.begin_tree(0)
        level = blocks_by_name(begun)
        assert [weight(begun, int(number)) for number in level["columns"].numbers] == [1.0] * 3
        # Borders with three priors and a counter of each column.
        expected = [(1 + unique[cat] / unique[2]) ** -reg for cat in (1, 2)]
        assert weights(begun, level["statistics"]) == pytest.approx(np.repeat(expected, 4), rel=1e-14)
        features.choose(0, 20)
        level = blocks_by_name(begun)
        expected = [(1 + unique[cat] / with_split[2]) ** -reg for cat in (1, 2)]
        assert weights(begun, level["statistics"]) == pytest.approx(np.repeat(expected, 4), rel=1e-14)
        expected = [(1 + with_split[cat] / with_split[2]) ** -reg for cat in (1, 2)]
        assert weights(begun, level["combinations 1"]) == pytest.approx(np.repeat(expected, 4), rel=1e-14)
        features.choose(int(level["statistics"].numbers[1]), 4)  # of column 1, the second prior
        level = blocks_by_name(begun)
        small, large = (1 + unique[1] / pair) ** -reg, (1 + unique[2] / pair) ** -reg
        assert weights(begun, level["statistics"]) == pytest.approx([1, 1, 1, small, *[large] * 4], rel=1e-14)
        # What a tree has used is free for the next ones.
        features.begin_tree(1)
        level = blocks_by_name(begun)
        small = (1 + unique[1] / unique[2]) ** -reg
        assert weights(begun, level["statistics"]) == pytest.approx([1, 1, 1, small, *[2.0**-reg] * 4], rel=1e-14)

    begun_on_ranks([table], params, work, n_ranks)


@pytest.mark.parametrize("n_ranks", [1, 3])
@pytest.mark.parametrize("counts_evals", [False, True])
def test_counters_of_eval_rows_weigh_by_the_categories_of_these_too(counts_evals: bool, n_ranks: int) -> None:
    """CatBoost's CounterUniqueValuesCount (online_ctr.cpp)."""
    table, evals = make_table(400, sizes=(20, 90)), make_table(200, sizes=(20, 90), seed=5, unseen=0.5)
    params = params_of(table.rules(model_size_reg=1.0, counts_evals=counts_evals))
    known = [len(np.unique(of_column)) for of_column in table.hashes]
    counted = [len(np.unique(np.concatenate(pair))) for pair in zip(table.hashes, evals.hashes, strict=True)]
    assert min(both / alone for both, alone in zip(counted, known, strict=True)) > 1.5
    counted = counted if counts_evals else known

    def work(begun: Begun) -> None:
        begun.features.begin_tree(0)
        # Borders with three priors and a counter of each column.
        sizes = [size for both in zip(known, counted, strict=True) for size in (both[0],) * 3 + (both[1],)]
        expected = [1 / (1 + size / max(counted)) for size in sizes]
        assert weights(begun, blocks_by_name(begun)["statistics"]) == pytest.approx(expected, rel=1e-14)

    begun_on_ranks([table, evals], params, work, n_ranks)


def weight(begun: Begun, number: int) -> float:
    return float(begun.features.weighed(np.array([number]), np.ones(1), 0.0)[0][0])


def weights(begun: Begun, block: Block) -> list[float]:
    return [weight(begun, number) for number in block.numbers.tolist()]


def test_the_last_permutation_is_no_structures() -> None:
    table = make_table(100, sizes=(20,))

    def work(begun: Begun) -> set[int]:
        return {begun.features.permutation_of(tree) for tree in range(200)}

    for permutations, expected in [(1, {0}), (2, {0}), (4, {0, 1, 2})]:
        rules = table.rules(permutations=permutations)
        assert begun_on_ranks([table], params_of(rules), work) == [expected]
    assert begun_on_ranks([table], params_of(table.rules(has_time=True)), work) == [{0}]
