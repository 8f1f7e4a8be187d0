"""The best split of a leaf by itself: what it gains, what it competes with, and what ranks tell each other of it."""

from typing import Any

import numpy as np
import pytest

from gbdist.boosting.crew import Crew
from gbdist.boosting.features import Block
from gbdist.boosting.leaf_split import (
    CONTENDER,
    NO_SPLIT,
    LeafKeys,
    LeafScoring,
    best_split,
    contenders_of,
    of_all_ranks,
)
from gbdist.boosting.leaf_tables import LeafTable
from gbdist.boosting.rows import Rows
from gbdist.kernels.hashing import unit_draws
from gbdist_cluster.collective.threads import run_threads

N_BINS = np.array([5, 4, 4, 3], np.int64)
NO_KEYS = LeafKeys(np.uint64(0), np.uint64(0), np.uint64(0))
UNITS = np.array([0.5, 0.25, 2.0])


def told(*rows: tuple[int, int, int, float, float]) -> np.ndarray:
    """Contenders: (leaf, feature, border, score, before); children of weights 3 and 4."""
    return np.array([(*row, 3, 4) for row in rows], CONTENDER)


def unweighed(features: Any, scores: Any, before: float) -> tuple[Any, Any]:
    return scores, scores


def test_a_split_must_gain() -> None:
    assert best_split(told((0, 1, 2, 5.0 + 9e-10, 5.0)), unweighed) is NO_SPLIT
    assert best_split(told((0, 1, 2, 4.0, 5.0)), unweighed) is NO_SPLIT
    found = best_split(told((0, 1, 2, 5.0 + 2e-9, 5.0)), unweighed)
    assert (found.feature, found.border, found.left, found.right) == (1, 2, 3, 4)
    assert found.gain == pytest.approx(2e-9, rel=1e-5)


def test_weights_choose_between_splits_and_are_no_part_of_the_gain() -> None:
    contenders = told((0, 1, 2, 7.0, 5.0), (0, 3, 0, 8.0, 5.0))
    asked = []

    def weigh(features: Any, scores: Any, before: float) -> tuple[Any, Any]:
        asked.append((features.tolist(), before))
        return scores - 0.5, (scores - 0.5 - before) * np.where(features == 3, 0.1, 1.0)

    found = best_split(contenders, weigh)
    assert (found.feature, found.gain) == (1, 1.5)
    assert asked == [([1, 3], 5.0)]


def test_ties_go_to_the_lowest_feature_and_border() -> None:
    rows = [(0, 7, 0, 9.0, 1.0), (0, 5, 2, 9.0, 1.0), (0, 5, 1, 9.0, 1.0), (0, 6, 0, 9.0, 1.0)]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        found = best_split(told(*(rows[i] for i in order)), unweighed)
        assert (found.feature, found.border) == (5, 1)


def table_of(crew: Crew, wide: bool) -> tuple[LeafTable, np.ndarray, np.ndarray]:
    """Two leaves of a pool of four, two raw values; features 1 … 3 of four, the last one one-hot. And their sums and weights."""
    rng = np.random.default_rng(0)
    weights = np.zeros((4, 3, 8), np.int64)
    of_leaf = rng.integers(5, 30, 4)  # all features have the rows of the leaf
    for place in range(4):
        for f, bins in enumerate(N_BINS[1:]):
            weights[place, f, :bins] = rng.multinomial(of_leaf[place], np.full(bins, 1 / bins))
    sums = np.zeros((4, 3, 2, 8), np.int64)
    for place in range(4):
        totals = rng.integers(-500, 500, 2)
        for f, bins in enumerate(N_BINS[1:]):
            parts = rng.integers(-400, 400, (2, bins - 1))
            sums[place, f, :, : bins - 1] = parts
            sums[place, f, :, bins - 1] = totals - parts.sum(axis=1)
    both = np.broadcast_to(weights[:, :, None], sums.shape)
    cells = np.stack([sums, both], axis=-1).reshape(4, 3, 2, 16) if wide else (sums << 32) + both
    pool = np.concatenate([np.zeros_like(cells[:, :1]), cells], axis=1)
    nobody = Rows(np.zeros((4, 0), np.uint8), np.zeros(0, np.float32), None, None, ())
    equals, numbers = np.array([0, 0, 0, 1], np.uint8), np.arange(4) + 100
    block = Block("some", numbers, nobody, True, N_BINS, equals, np.arange(4).astype(np.uint64), (0, 3, 4))
    leaves, places = np.array([8, 3]), np.array([2, 0])
    return LeafTable(block, 1, 3, pool, 1, leaves, places, True, crew), sums, weights


def score(parts: list[tuple[np.ndarray, float]], cosine: bool) -> float:
    """Of some leaves, each given by the sums of its raw values and its weight; l2 is 1."""
    averages = [np.zeros_like(total) if weight == 0 else total / (weight + 1.0) for total, weight in parts]
    numerator = sum(float((a * total).sum()) for a, (total, _) in zip(averages, parts, strict=True))
    denominator = sum(float((a * a).sum() * weight) for a, (_, weight) in zip(averages, parts, strict=True))
    return numerator / np.sqrt(1e-100 + denominator) if cosine else numerator


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_contenders_are_the_best_of_each_family_in_each_leaf(wide: bool, cosine: bool, threads: int) -> None:
    scoring = LeafScoring(cosine, 1.0, 0.0, wide, UNITS, 1.0)
    with Crew(threads) as crew:
        table, sums, weights = table_of(crew, wide)
        found = contenders_of(table, scoring, [NO_KEYS] * 2)
    assert found["leaf"].tolist() == [8, 8, 3, 3]
    for row in found:
        place = {8: 2, 3: 0}[int(row["leaf"])]
        family = [0, 1] if row["feature"] < 103 else [2]
        real, amount = sums[place] * UNITS[:2, None], weights[place] * UNITS[2]
        tried = {}
        for f in family:
            for border in range(N_BINS[1 + f] if f == 2 else N_BINS[1 + f] - 1):
                right = np.arange(8) == border if f == 2 else np.arange(8) > border
                sides = [(real[f][:, side].sum(axis=1), float(amount[f][side].sum())) for side in (~right, right)]
                tried[101 + f, border] = score(sides, cosine), int(weights[place, f, right].sum())
        best = max(tried, key=lambda one: tried[one][0])
        assert (row["feature"], row["border"]) == best
        assert row["score"] == pytest.approx(tried[best][0], rel=1e-12)
        whole = int(weights[place, 0].sum())
        assert (row["left"], row["right"]) == (whole - tried[best][1], tried[best][1])
        # Of the sum of both raw values.
        alone = [(real[0].sum(keepdims=True).ravel(), float(amount[0].sum()))]
        assert row["before"] == pytest.approx(score(alone, cosine), rel=1e-9)


def test_columns_are_drawn_for_each_leaf() -> None:
    keys = [LeafKeys(np.uint64(0), np.uint64(0), np.uint64(key)) for key in (5, 6)]
    drawn = [unit_draws(key.sample, np.arange(1, 4).astype(np.uint64)) for key in keys]
    with Crew(1) as crew:
        table, _, _ = table_of(crew, wide=False)
        found = contenders_of(table, LeafScoring(True, 1.0, 0.0, False, UNITS, 0.5), keys)
    for leaf, draws in zip((8, 3), drawn, strict=True):
        competing = set((np.flatnonzero(draws <= 0.5) + 101).tolist())
        of_leaf = set(found["feature"][found["leaf"] == leaf].tolist())
        assert of_leaf <= competing
        assert bool(of_leaf) == bool(competing)
    assert not np.array_equal(drawn[0] <= 0.5, drawn[1] <= 0.5)


def test_ranks_know_the_contenders_of_all() -> None:
    parts = [
        [told((4, 1, 2, 3.0, 1.0), (9, 0, 0, 2.0, 1.0)), told((2, 5, 0, 4.0, 1.0))],
        [],
        [told((9, 7, 1, 5.0, 1.0))],
    ]
    for found in run_threads(3, lambda c: of_all_ranks(parts[c.rank], complete=False, collective=c)):
        assert {leaf: one["feature"].tolist() for leaf, one in found.items()} == {2: [5], 4: [1], 9: [0, 7]}
    alone = run_threads(3, lambda c: of_all_ranks(parts[c.rank], complete=True, collective=c))
    assert [sorted(found) for found in alone] == [[2, 4, 9], [], [9]]
