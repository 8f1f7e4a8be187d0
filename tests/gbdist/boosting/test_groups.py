"""Losses of ranking at work: on a card as on the CPU, on many ranks as on one, whatever groups they have."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.crew import Crew
from gbdist.boosting.groups import Groups, bounds_of
from gbdist.boosting.leaf_rows import WalkStart
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Card
from gbdist.boosting.population import survey_population
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import RowPairs, Rows, Segment
from gbdist.metrics import make_ranking_metric
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

LOSSES = ["QueryRMSE", "QuerySoftMax", "PairLogit", "LambdaMart", "YetiRank", "YetiRank:mode=NDCG"]
BINS = np.full(3, 9, np.int64)


def make_rows(n_groups: int = 12, seed: int = 1, pairs: bool = False, weighted: bool = True) -> Rows:
    """Groups of 1 to 14 rows with relevances from 0 to 3; neighbours of a group as pairs."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups, dtype=np.uint64) * 7, rng.integers(1, 15, n_groups))
    n = len(group)
    bins = rng.integers(0, 9, (3, n)).astype(np.uint8)
    label = np.clip(bins[0] // 3 + rng.integers(-1, 2, n), 0, 3).astype(np.float32)
    weight = (0.5 + group % 3).astype(np.float32) if weighted else None
    rows = Rows(bins, label, weight, None, (Segment(0, n, 0),), group=group)
    if pairs:
        first = np.flatnonzero(group[1:] == group[:-1]).astype(np.int32)
        rows = replace(rows, pairs=RowPairs(first + 1, first, (1 + first % 2).astype(np.float32)))
    return rows


def part(rows: Rows, groups: Sequence[int]) -> Rows:
    """The rows of some groups, each a segment of its own."""
    starts = Groups.of(rows).starts
    chosen = np.concatenate([np.arange(starts[g], starts[g + 1]) for g in groups] or [np.empty(0, np.int64)]).astype(
        int
    )
    sizes = [int(starts[g + 1] - starts[g]) for g in groups]
    at = np.cumsum([0, *sizes]).tolist()
    segments = tuple(Segment(at[k], at[k + 1], int(starts[g])) for k, g in enumerate(groups))
    pairs = rows.pairs
    if pairs is not None:
        place = np.full(rows.n_rows, -1)
        place[chosen] = np.arange(len(chosen))
        mine = np.isin(pairs.winner, chosen)
        ends = (place[side[mine]].astype(np.int32) for side in (pairs.winner, pairs.loser))
        pairs = RowPairs(*ends, pairs.weight[mine])
    return replace(
        rows,
        bins=np.ascontiguousarray(rows.bins[:, chosen]),
        label=rows.label[chosen],
        weight=None if rows.weight is None else rows.weight[chosen],
        group=None if rows.group is None else rows.group[chosen],
        segments=segments,
        pairs=pairs,
    )


def params_of(loss: str, **more: object) -> BoostParams:
    backtracking = "No" if loss.startswith(("Yeti", "Lambda")) else "AnyImprovement"
    given = {"iterations": 2, "depth": 2, "learning_rate": 0.3, "leaf_estimation_iterations": 3, **more}
    metrics = tuple(
        make_ranking_metric(name, group_weighted=True) for name in ("NDCG:hints=skip_train~false", "PairLogit")
    )
    objective = make_objective(loss, 1)
    return BoostParams(objective, metrics, leaf_estimation_backtracking=backtracking, **given)  # type: ignore[arg-type]


def assert_same(found: BoostResult, expected: BoostResult) -> None:
    assert len(expected.trees) == 2
    assert found.trees == expected.trees
    assert found.history == expected.history


CASES = [*((loss, False) for loss in LOSSES), ("PairLogit", True)]


@pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning")
@pytest.mark.usefixtures("quick_simulator")
@pytest.mark.parametrize(("loss", "pairs"), [("YetiRank", False), ("PairLogit", True)])
def test_a_card_ranks_as_the_cpu_does(loss: str, pairs: bool) -> None:
    rows = make_rows(5, pairs=pairs)  # few: the simulator runs every thread in Python
    params = params_of(loss, bootstrap=Bootstrap("MVS", 0.7), leaf_estimation_iterations=2)
    expected = boost(rows, (rows,), BINS, params, SingleRank())
    found = boost(rows, (rows,), BINS, replace(params, card=Card(0)), SingleRank())
    assert_same(found, expected)
    assert found.predictions.tobytes() == expected.predictions.tobytes()


@pytest.mark.parametrize("n_ranks", [2, 5, 20])
@pytest.mark.parametrize(("loss", "pairs"), CASES)
def test_ranks_grow_the_trees_of_one(loss: str, pairs: bool, n_ranks: int) -> None:
    rows, params = make_rows(pairs=pairs), params_of(loss, bootstrap=Bootstrap("Bayesian"))
    expected = boost(rows, (rows,), BINS, params, SingleRank())
    shares = [list(range(rank, 12, n_ranks)) for rank in range(n_ranks)]  # more ranks than groups: some have none
    parts = [part(rows, share) for share in shares]
    for found in run_threads(n_ranks, lambda c: boost(parts[c.rank], (parts[c.rank],), BINS, params, c)):
        assert_same(found, expected)


def test_trees_depend_on_the_seed_where_pairs_are_drawn() -> None:
    rows = make_rows(40)
    for loss, draws in (("YetiRank", True), ("YetiRank:noise=No", False), ("PairLogit", False)):
        one, other = (
            boost(rows, (), BINS, params_of(loss, random_seed=seed, random_strength=0.0), SingleRank())
            for seed in (1, 2)
        )
        assert (one.trees != other.trees) == draws


def test_leaf_values_of_pairs_are_centred() -> None:
    rows = make_rows()
    result = boost(rows, (), BINS, params_of("PairLogit", iterations=1), SingleRank())
    tree = result.trees[0]
    assert abs((tree.leaf_values[:, 0] * tree.leaf_weights).sum()) < 1e-9
    assert tree.leaf_weights.sum() == pytest.approx(rows.weight.sum() if rows.weight is not None else 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_groups_that_teach_nothing(loss: str) -> None:
    rows = make_rows()
    assert rows.group is not None
    rows = replace(
        rows,
        label=(rows.group % 2).astype(np.float32),
        pairs=RowPairs(*np.empty((2, 0), np.int32), np.empty(0, np.float32)),
    )
    result = boost(rows, (rows,), BINS, params_of(loss, bootstrap=Bootstrap("MVS", 0.8)), SingleRank())
    assert not result.predictions.any()


def test_rows_without_groups_are_one_each() -> None:
    rows = replace(make_rows(weighted=False), group=None)
    groups = Groups.of(rows)
    assert groups.starts.tolist() == list(range(rows.n_rows + 1))
    assert bounds_of(rows, groups, SingleRank()).largest == 1


def test_pairs_bound_what_a_row_counts_for() -> None:
    rows = make_rows(pairs=True)
    bounds = bounds_of(rows, Groups.of(rows), SingleRank())
    assert bounds.pair_weight == pytest.approx(3.0)
    assert bounds.largest == np.diff(Groups.of(rows).starts).max()


def test_leaves_of_ranking_need_groups() -> None:
    rows, params = make_rows(), params_of("QueryRMSE")
    estimator = LeafEstimator(params, survey_population(rows, SingleRank()), SingleRank(), Crew(1))
    start = WalkStart(np.zeros((1, rows.n_rows)), np.zeros(rows.n_rows, np.uint16), 1.0)
    with pytest.raises(ValueError, match="QueryRMSE needs groups"):
        estimator.estimate(rows, [start], 1)
