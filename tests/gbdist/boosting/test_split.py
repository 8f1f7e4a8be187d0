"""The best split of one table: what its features compete with, and what the winner does to the leaves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.features import Block
from gbdist.boosting.histogram import LevelTable
from gbdist.boosting.rows import Rows
from gbdist.boosting.split import Candidate, Contenders, Scoring, best_of_families, best_weighed
from gbdist.kernels.hashing import unit_draws

FIRST, IN_BLOCK = 100, 3  # number of the block's first feature, and where in the block the table begins
N_BINS = np.array([9, 9, 9, 4, 4, 3], np.int64)  # the table has the last three
FEATURES = [103, 104, 105]
APART = (0, 3, 4, 5, 6)  # every feature of the table is a family of its own
TOGETHER = (0, 6)

# weights of the rows by feature, leaf and bin, and sums of their derivatives
AMOUNTS = np.array(
    [
        [[9, 1, 0, 2], [0, 5, 7, 0]],
        [[4, 3, 3, 2], [0, 0, 0, 12]],
        [[6, 6, 0, 0], [6, 6, 0, 0]],
    ]
)
SUMS = np.array(
    [
        [[10, -90, 0, 60], [0, 50, -30, 0]],
        [[-80, -120, 300, -120], [0, 0, 0, 20]],
        [[-10, -10, 0, 0], [10, 10, 0, 0]],
    ]
)


def table_of(wide: bool, crew: Crew, amounts: np.ndarray = AMOUNTS, sums: np.ndarray = SUMS) -> LevelTable:
    n_features = amounts.shape[0]
    packed = ((sums << 32) + amounts)[:, None]
    cells = np.stack([sums, amounts], axis=-1).reshape(n_features, 1, 2, 8) if wide else packed
    return LevelTable(IN_BLOCK, cells.astype(np.int64), True, crew)


def block_of(
    families: tuple[int, ...] = TOGETHER,
    n_bins: NDArray[np.int64] = N_BINS,
    one_hot: Sequence[int] = (),
    draws: Sequence[int] | None = None,
) -> Block:
    count = n_bins.shape[0]
    equals = np.isin(np.arange(count), one_hot).astype(np.uint8)
    nobody = Rows(np.zeros((count, 0), np.uint8), np.zeros(0, np.float32), None, None, ())
    own = np.arange(count) if draws is None else np.array(draws)
    return Block("some", FIRST + np.arange(count), nobody, True, n_bins, equals, own.astype(np.uint64), families)


def alone(place: int) -> NDArray[np.int64]:
    """Bins where one feature of the block competes and no other does."""
    return np.where(np.arange(6) == place, N_BINS, 1)


def scoring(wide: bool = False, **more: object) -> Scoring:
    plain = Scoring(
        cosine=True,
        l2=1.0,
        sigma=0.0,
        wide=wide,
        units=np.ones(2),
        keys=(key_of(1, Purpose.BORDER_NOISE, 0, 0), key_of(1, Purpose.FEATURE_NOISE, 0, 0)),
        rsm=1.0,
        rsm_key=key_of(1, Purpose.FEATURE_SAMPLE, 0, 0),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def contenders_of(table: LevelTable, block: Block, how: Scoring) -> Contenders:
    found = best_of_families(table, block, how)
    assert found is not None
    return found


def best_of(table: LevelTable, block: Block, how: Scoring) -> Candidate:
    found = contenders_of(table, block, how)
    return weighed(found, np.ones(found.features.shape[0]))


def weighed(found: Contenders, weights: NDArray[np.float64]) -> Candidate:
    best = best_weighed([found], lambda _, scores: (scores, scores * weights))
    assert best is not None
    return best


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_one_hot_winner_sends_its_value_right(wide: bool, threads: int) -> None:
    with Crew(threads) as crew:
        best = best_of(table_of(wide, crew), block_of(one_hot=[4]), scoring(wide))
    assert (best.feature, best.border) == (104, 2)  # +300 against −80, −120 and −120
    assert best.left_empty.tolist() == [False, False]
    assert best.right_empty.tolist() == [False, True]  # all rows of leaf 1 have value 3
    assert best.counted_right.tolist() == [1, 1]  # 3 of 12 rows, and none of 12


@pytest.mark.parametrize("wide", [False, True])
def test_a_binned_winner_sends_all_bins_above_its_border_right(wide: bool) -> None:
    with Crew(1) as crew:
        best = best_of(table_of(wide, crew), block_of(n_bins=alone(4)), scoring(wide))
    assert (best.feature, best.border) == (104, 1)  # −200 against +180
    assert best.left_empty.tolist() == [False, True]
    assert best.right_empty.tolist() == [False, False]
    assert best.counted_right.tolist() == [1, 0]  # 5 of 12 rows, and 12 of 12


@pytest.mark.parametrize("threads", [1, 3])
def test_a_family_is_represented_by_its_best_feature(threads: int) -> None:
    with Crew(threads) as crew:
        table = table_of(False, crew)
        apart = contenders_of(table, block_of(APART), scoring())
        pairs = contenders_of(table, block_of((0, 2, 5, 6)), scoring())
        together = contenders_of(table, block_of(TOGETHER), scoring())
    assert apart.features.tolist() == FEATURES
    assert apart.scores[1] > apart.scores[0] > apart.scores[2]
    assert pairs.features.tolist() == [104, 105]  # 102 … 104 are a family, 102 is in another table
    assert together.features.tolist() == [104]
    assert np.array_equal(together.cells[0], table.cells[1, 0])
    table.cells[:] = 0  # its memory is that of the next table, too
    assert together.cells.any()


@pytest.mark.parametrize("threads", [1, 3])
def test_weights_decide_between_families_and_leave_the_score_as_it_is(threads: int) -> None:
    with Crew(threads) as crew:
        contenders = contenders_of(table_of(False, crew), block_of(APART), scoring())
    usual, light, heavy = (weighed(contenders, np.array(each)) for each in ([1, 1, 1], [1, 0.01, 1], [0.1, 0.5, 0.1]))
    assert (usual.feature, light.feature, heavy.feature) == (104, 103, 104)
    assert light.border == contenders.borders[0]
    assert light.gain == light.score == contenders.scores[0]
    assert (heavy.gain, heavy.score) == (0.5 * usual.score, usual.score)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_equal_scores_go_to_the_lower_feature_and_border_whatever_comes_first(order: list[int]) -> None:
    features, borders = np.array([7, 5, 5, 6])[order], np.array([0, 2, 1, 0])[order]
    cells = np.ones((4, 1, 4), np.int64)
    tied = Contenders(np.ones(4), features, borders, np.zeros(4, np.bool_), cells, False)
    best = weighed(tied, np.ones(4))
    assert (best.feature, best.border) == (5, 1)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("families", [(0, 15), (0, 4, 15), (0, 2, 7, 12, 15), tuple(range(16))])
def test_tables_and_threads_that_share_a_family_find_its_winner(sigma: float, families: tuple[int, ...]) -> None:
    """A family's noise is left out only where it cannot win; what is left decides alike for any cut of the features."""
    generator = np.random.default_rng(3)
    amounts = generator.integers(1, 20, (12, 2, 4))
    sums = generator.integers(-300, 300, (12, 2, 4))
    block = block_of(families, np.full(15, 4, np.int64))
    weight = generator.uniform(0.5, 1.0, 16)

    def weights_of(features: NDArray[np.int64]) -> NDArray[np.float64]:
        return weight[np.searchsorted(families, features - FIRST, side="right")]

    winners = set()
    for threads, cut in [(1, 12), (3, 12), (1, 5), (2, 7), (5, 1)]:
        best = None
        with Crew(threads) as crew:
            for part in (slice(0, cut), slice(cut, 12)):
                table = table_of(False, crew, amounts[part], sums[part])
                found = best_of_families(replace(table, first=IN_BLOCK + part.start), block, scoring(sigma=sigma))
                if found is not None:
                    candidate = weighed(found, weights_of(found.features))
                    best = candidate if candidate.beats(best) else best
        assert best is not None
        winners.add((best.feature, best.border, best.gain, best.score))
    assert len(winners) == 1


def test_features_without_two_values_do_not_compete() -> None:
    with Crew(1) as crew:
        block = block_of(APART, np.ones(6, np.int64), one_hot=range(6))
        assert best_of_families(table_of(False, crew), block, scoring()) is None


def test_rsm_leaves_features_out_by_their_draws() -> None:
    draws = np.arange(6) * 1000
    key = scoring().rsm_key
    units = unit_draws(key, draws.astype(np.uint64))[3:]
    share = float(np.sort(units)[:2].mean())  # one of the three competes
    with Crew(1) as crew:
        table = table_of(False, crew)
        one = contenders_of(table, block_of(APART, draws=draws.tolist()), scoring(rsm=share))
        assert one.features.tolist() == [FEATURES[int(np.argmin(units))]]
        alike = [0, 0, 0, *[draws[3 + int(np.argmin(units))]] * 3]
        all_of_them = contenders_of(table, block_of(APART, draws=alike), scoring(rsm=share))
    assert all_of_them.features.tolist() == FEATURES


def test_the_best_of_all_tables_wins_by_its_weighed_score() -> None:
    cells, borders, not_one_hot = np.ones((2, 2, 4), np.int64), np.zeros(2, np.int64), np.zeros(2, np.bool_)
    tables = [
        Contenders(np.array(noisy), np.array(features), borders, not_one_hot, cells, False)
        for noisy, features in (([3.0, 2.0], [7, 8]), ([4.0, 1.0], [5, 6]))
    ]
    light = {5: 0.5}
    best = best_weighed(tables, lambda features, scores: (scores, scores * [light.get(int(f), 1.0) for f in features]))
    assert best is not None
    assert (best.feature, best.gain, best.score) == (7, 3.0, 3.0)
    assert best_weighed([], lambda _, scores: (scores, scores)) is None
