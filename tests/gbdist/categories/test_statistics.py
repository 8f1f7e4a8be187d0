"""Bins of statistics, and their tables, are those of a loop over all rows in the order of a permutation, on any ranks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist.boosting.params import BoostParams
from gbdist.categories.keys import projection_keys
from gbdist.categories.rules import StatisticRule
from gbdist.categories.values import statistic_bins
from gbdist.models.statistics import CategoricalPart, Projection, StatisticFeature
from gbdist.models.tree import ObliviousTree, TreeSplit

from ..conftest import Begun, CategoricalTable, begun_on_ranks, in_order, make_table, params_of

ALL_KINDS = (
    StatisticRule("Borders", (0.0, 0.5, 2.0), 15),
    StatisticRule("Buckets", (0.5,), 7),
    StatisticRule("Counter", (0.0, -0.5), 40),
)
SPREADS = [(1, ()), (2, ()), (3, (1,)), (7, ()), (7, (0, 3, 6))]
BINNED, ONE_HOT, FEW, MANY = 0, 0, 1, 2  # a binned column, and categorical ones


def keys_of(table: CategoricalTable, projection: Projection) -> np.ndarray:
    """Keys of the rows' categories in a model."""
    splits = [table.rows.bins[feature] > border for feature, border in projection.float_splits]
    splits += [table.hashes[cat] == value for cat, value in projection.one_hot_splits]
    return projection_keys([table.hashes[cat] for cat in projection.cats], splits)


def visited(n_rows: int, permutation: int) -> np.ndarray:
    """Rows in the order of a permutation: a pair of them begins at the first row, the next pair in the middle."""
    rows = np.roll(np.arange(n_rows), -[0, n_rows // 2][permutation // 2])
    return rows[::-1] if permutation % 2 else rows


def share(feature: StatisticFeature, counts: np.ndarray, largest: int) -> tuple[Any, Any]:
    """What a statistic counts, and of what, of counts [n, n_classes]."""
    if feature.kind == "Counter":
        return counts.sum(axis=1), largest
    if feature.kind == "Buckets":
        return counts[:, feature.target_border], counts.sum(axis=1)
    return counts[:, feature.target_border + 1 :].sum(axis=1), counts.sum(axis=1)


class Oracle:
    """Counts of the categories of a projection, row by row."""

    def __init__(self, table: CategoricalTable, classes: np.ndarray, projection: Projection) -> None:
        self.n_classes, self.classes = int(classes.max()) + 1, classes
        self.keys = keys_of(table, projection)
        self.totals = {key: np.zeros(self.n_classes, np.int64) for key in self.keys.tolist()}
        for key, of_row in zip(self.keys.tolist(), classes.tolist(), strict=True):
            self.totals[key][of_row] += 1
        self.largest = max(int(count.sum()) for count in self.totals.values())

    def earlier(self, permutation: int) -> np.ndarray:
        so_far = {key: np.zeros(self.n_classes, np.int64) for key in self.totals}
        found = np.empty((self.keys.shape[0], self.n_classes), np.int64)
        for row in visited(self.keys.shape[0], permutation).tolist():
            key = int(self.keys[row])
            found[row] = so_far[key]
            so_far[key][self.classes[row]] += 1
        return found

    def learned(self, feature: StatisticFeature, permutation: int) -> np.ndarray:
        counts = self.of_keys(self.keys) if feature.kind == "Counter" else self.earlier(permutation)
        return statistic_bins(*share(feature, counts, self.largest), feature)

    def of_keys(self, keys: np.ndarray) -> np.ndarray:
        nothing = np.zeros(self.n_classes, np.int64)
        return np.array([self.totals.get(key, nothing) for key in keys.tolist()]).reshape(-1, self.n_classes)

    def applied(self, feature: StatisticFeature, keys: np.ndarray) -> np.ndarray:
        return statistic_bins(*share(feature, self.of_keys(keys), self.largest), feature)


def oracle_of(table: CategoricalTable, projection: Projection) -> Oracle:
    """Of a classifier's rows in the order of which permutations are made."""
    return Oracle(table, table.rows.label.astype(np.int64), projection)


Bins = dict[StatisticFeature, np.ndarray]


def bins_of_level(begun: Begun, numbers: dict[StatisticFeature, int], binned: Sequence[TreeSplit] = ()) -> Bins:
    """Learned bins of everything that is made of categorical columns, at the level after some splits of other columns."""
    for split in binned:
        list(begun.features.of_level())
        begun.features.choose(split.feature, split.border)
    found: Bins = {}
    blocks = [(block.numbers, np.array(block.rows.bins)) for block in begun.features.of_level()][1:]
    for candidates, bins in blocks:
        for candidate, of_feature in zip(candidates.tolist(), bins, strict=True):
            number = begun.features.choose(candidate, 0).feature
            feature = next(one for one, known in begun.features.statistics.items() if known == number)
            found[feature], numbers[feature] = of_feature, number
            assert np.array_equal(np.asarray(begun.features.column(candidate)), of_feature)
    return found


def averaged(begun: Begun, learned: Bins, numbers: dict[StatisticFeature, int]) -> Bins:
    """Learned bins of chosen statistics in the last permutation, by the leaves that rows come to."""
    features, last = begun.features, begun.features.permutations - 1
    elsewhere = np.zeros(begun.train.n_rows, np.uint16)
    if last == 0:  # the only one: rows stay where they are
        splits = tuple(TreeSplit(numbers[one], 0) for one in learned)
        assert features.leaves(ObliviousTree(splits), elsewhere, last) is elsewhere
        return learned
    return {
        one: sum(
            (
                np.array(features.leaves(ObliviousTree((TreeSplit(numbers[one], border),)), elsewhere, last))
                for border in range(one.border_count)
            ),
            start=elsewhere,
        )
        for one in learned
    }


AllBins = tuple[list[Bins], Bins, list[Bins], CategoricalPart]


def all_bins(begun: Begun, n_evals: int) -> AllBins:
    """Of each structure's permutation, of the last one, of each eval set; and the model's part."""
    features = begun.features
    splits = (TreeSplit(BINNED, 11), TreeSplit(begun.train.n_features - 1, 1))
    learned = []
    for permutation in range(max(1, features.permutations - 1)):
        tree = next(tree for tree in range(1000) if features.permutation_of(tree) == permutation)
        features.begin_tree(tree)
        numbers: dict[StatisticFeature, int] = {}
        learned.append(bins_of_level(begun, numbers, splits))
    last = averaged(begun, learned[-1], numbers)
    evals = [
        {one: np.array(features.applied_column(number, i, begun.start.sets[1 + i])) for one, number in numbers.items()}
        for i in range(n_evals)
    ]
    tree = ObliviousTree(tuple(TreeSplit(number, 0) for number in numbers.values()), np.zeros((1, 1)), np.zeros(1))
    features.end_tree()
    return learned, last, evals, features.model_part([tree])


def joined(parts: Sequence[Bins]) -> Bins:
    return {feature: np.concatenate([part[feature] for part in parts]) for feature in parts[0]}


def table_and_evals(classes: int, n_rows: int = 600) -> list[CategoricalTable]:
    """A one-hot column, one of which a value has most rows, and one of which ranks lack most values."""
    sizes = (3, 12, 150)
    table = make_table(n_rows, sizes, 2, classes, skewed=[FEW])
    return [table, *(make_table(101 + 50 * i, sizes, 2, classes, seed=7 + i, unseen=0.3) for i in range(2))]


def params_for(tables: Sequence[CategoricalTable], classes: int, **more: Any) -> BoostParams:
    rules = {"simple": ALL_KINDS, "combined": ALL_KINDS, "max_complexity": 3, **more}
    return params_of(tables[0].rules(one_hot=[ONE_HOT], **rules), classes, threads=2)


@pytest.mark.parametrize(("n_ranks", "empty"), SPREADS)
@pytest.mark.parametrize("classes", [2, 5])
def test_bins_and_tables_are_those_of_a_loop_over_all_rows(classes: int, n_ranks: int, empty: tuple[int, ...]) -> None:
    tables = table_and_evals(classes)
    params = params_for(tables, classes)
    ranks = begun_on_ranks(tables, params, lambda begun: all_bins(begun, 2), n_ranks, empty)
    whole = in_order(tables[0], params)
    oracles = {
        projection: oracle_of(whole, projection) for projection in {feature.projection for feature in ranks[0][1]}
    }
    value = params.categories.columns[ONE_HOT].values[1]  # type: ignore[union-attr, index]
    splits = ((BINNED, 11),), ((ONE_HOT, value),)
    assert set(oracles) == {Projection((cat,)) for cat in (FEW, MANY)} | {
        Projection((cat,), *splits) for cat in (FEW, MANY)
    }
    assert len(ranks[0][1]) == len(oracles) * (3 * (classes - 1) + classes + 2)

    check_bins(ranks, oracles, tables[1:])
    assert all(rank[3].tables == () for rank in ranks[1:])
    check_tables(ranks[0][3], whole, oracles)


def check_bins(
    ranks: Sequence[AllBins], oracles: Mapping[Projection, Oracle], evals: Sequence[CategoricalTable]
) -> None:
    """What ``all_bins`` found on ranks: learned bins in every permutation, and those of eval sets."""
    learned = [
        *(joined([rank[0][permutation] for rank in ranks]) for permutation in range(3)),
        joined([rank[1] for rank in ranks]),
    ]
    for permutation, of_features in enumerate(learned):
        for feature, bins in of_features.items():
            expected = oracles[feature.projection].learned(feature, permutation)
            assert np.array_equal(bins, expected), (feature, permutation)
    for number, table in enumerate(evals):
        for feature, bins in joined([rank[2][number] for rank in ranks]).items():
            expected = oracles[feature.projection].applied(feature, keys_of(table, feature.projection))
            assert np.array_equal(bins, expected), (feature, number)


def check_tables(part: CategoricalPart, whole: CategoricalTable, oracles: dict[Projection, Oracle]) -> None:
    """A table for classes and one for rows of each projection, as pandas counts them."""
    assert {(one.projection, one.counter) for one in part.tables} == {(p, c) for p in oracles for c in (False, True)}
    assert len(part.tables) == 2 * len(oracles)
    for table in part.tables:
        frame = pd.DataFrame({"key": keys_of(whole, table.projection), "class": whole.rows.label.astype(int)})
        expected = frame.groupby(["key", "class"]).size().unstack(fill_value=0)
        assert table.keys.dtype == np.uint64
        assert table.counts.dtype == np.int64
        assert table.keys.tolist() == expected.index.tolist()  # ascending
        counts = expected.to_numpy()
        assert np.array_equal(table.counts, counts.sum(axis=1, keepdims=True) if table.counter else counts)


@pytest.mark.parametrize("permutations", [1, 2, 4])
def test_combinations_of_columns_are_those_of_a_loop_over_all_rows(permutations: int) -> None:
    tables = table_and_evals(2, 300)
    params = params_for(tables, 2, permutations=permutations)

    def work(begun: Begun) -> tuple[Bins, Bins, Bins]:
        begun.features.begin_tree(0)
        numbers: dict[StatisticFeature, int] = {}
        bins_of_level(begun, numbers)  # chooses statistics of single columns
        found = bins_of_level(begun, numbers)
        pairs = {one: bins for one, bins in found.items() if len(one.projection.cats) == 2}
        last = averaged(begun, pairs, numbers)
        applied = {one: np.array(begun.features.applied_column(numbers[one], 0, begun.start.sets[1])) for one in pairs}
        return pairs, last, applied

    ranks = begun_on_ranks(tables[:2], params, work, 3)
    oracle = oracle_of(in_order(tables[0], params), Projection((FEW, MANY)))
    learned, last, applied = (joined([rank[i] for rank in ranks]) for i in range(3))
    assert {feature.projection for feature in learned} == {Projection((FEW, MANY))}
    used = begun_on_ranks(tables[:2], params, lambda begun: begun.features.permutation_of(0))[0]
    for feature, bins in learned.items():
        assert np.array_equal(bins, oracle.learned(feature, used))
        assert np.array_equal(last[feature], oracle.learned(feature, permutations - 1))
        keys = keys_of(tables[1], feature.projection)
        assert np.array_equal(applied[feature], oracle.applied(feature, keys))


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_rows_in_order_of_time_know_those_before_them_alone(n_ranks: int) -> None:
    tables = table_and_evals(2, 300)
    params = params_for(tables, 2, has_time=True)
    ranks = begun_on_ranks(tables[:1], params, lambda begun: all_bins(begun, 0), n_ranks)
    oracle = oracle_of(tables[0], Projection((MANY,)))
    for feature, bins in joined([rank[1] for rank in ranks]).items():
        if feature.projection == Projection((MANY,)):
            assert np.array_equal(bins, oracle.learned(feature, 0))
            assert np.array_equal(bins, joined([rank[0][0] for rank in ranks])[feature])


class LimitedOracle(Oracle):
    """With rows of eval sets in the counts of counters, or with the most frequent categories alone."""

    def __init__(
        self, table: CategoricalTable, projection: Projection, counted: Sequence[CategoricalTable], limit: int | None
    ) -> None:
        super().__init__(table, table.rows.label.astype(np.int64), projection)
        keys = [key for one in (table, *counted) for key in keys_of(one, projection).tolist()]
        self.rows = {key: keys.count(key) for key in set(keys)}
        self.largest = max(self.rows.values())
        frequent = sorted(self.rows, key=lambda key: (-self.rows[key], key))
        self.kept = set(frequent[:limit])

    def learned(self, feature: StatisticFeature, permutation: int) -> np.ndarray:
        if feature.kind == "Counter":
            return self.applied(feature, self.keys)
        counts = self.earlier(permutation)
        counts[[key not in self.kept for key in self.keys.tolist()]] = 0
        return statistic_bins(*share(feature, counts, self.largest), feature)

    def applied(self, feature: StatisticFeature, keys: np.ndarray) -> np.ndarray:
        out = np.array([key not in self.kept for key in keys.tolist()])
        counts = self.of_keys(keys)
        if feature.kind == "Counter":
            counts = np.array([[self.rows.get(key, 0)] for key in keys.tolist()])
        counts[out] = 0
        return statistic_bins(*share(feature, counts, self.largest), feature)


@pytest.mark.parametrize(("n_ranks", "empty"), [(1, ()), (3, (1,))])
@pytest.mark.parametrize(
    "rules",
    [
        {"counts_evals": True},
        {"leaf_count_limit": 9},
        {"leaf_count_limit": 9, "limit_combinations_only": True, "counts_evals": True},
    ],
    ids=str,
)
def test_counters_may_count_eval_rows_and_rare_categories_may_be_left_out(
    rules: dict[str, Any], n_ranks: int, empty: tuple[int, ...]
) -> None:
    tables = table_and_evals(2, 400)
    params = params_for(tables, 2, **rules)
    ranks = begun_on_ranks(tables, params, lambda begun: all_bins(begun, 2), n_ranks, empty)
    whole = in_order(tables[0], params)
    counted = tables[1:] if rules.get("counts_evals") else []
    oracles = {}
    for projection in {feature.projection for feature in ranks[0][1]}:
        free = rules.get("limit_combinations_only") and projection.complexity == 1
        limit = None if free else rules.get("leaf_count_limit")
        oracles[projection] = LimitedOracle(whole, projection, counted, limit)
    assert any(len(each.kept) < len(each.rows) for each in oracles.values()) == ("leaf_count_limit" in rules)
    check_bins(ranks, oracles, tables[1:])
    for table in ranks[0][3].tables:
        oracle = oracles[table.projection]
        known = set(oracle.rows) if table.counter else set(oracle.totals)
        assert table.keys.tolist() == sorted(known & oracle.kept)
        keys = table.keys.tolist()
        expected = (
            [[oracle.rows[key]] for key in keys] if table.counter else [oracle.totals[key].tolist() for key in keys]
        )
        assert table.counts.tolist() == expected
