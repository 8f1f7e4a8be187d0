"""Trees whose leaves are split one by one: ranks, threads, memory and cards do not change them."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gbdist.boosting import fixed_point, histogram
from gbdist.boosting.cuda_crew import SCORED_ROW, TRAINED_ROW
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Card
from gbdist.boosting.penalties import Penalties
from gbdist.boosting.result import BoostResult
from gbdist.metrics import make_metrics
from gbdist.models.tree import NonSymmetricTree, TreeSplit
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable, Table

POLICIES: list[dict[str, Any]] = [{"grow_policy": "Depthwise"}, {"grow_policy": "Lossguide", "max_leaves": 11}]
BOTH = pytest.mark.parametrize("policy", POLICIES, ids=["Depthwise", "Lossguide"])


def params_of(loss: str = "RMSE", classes: int = 1, **more: Any) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        **{"iterations": 3, "depth": 5, "learning_rate": 0.3, **more},
    )


def assert_same(found: BoostResult, expected: BoostResult) -> None:
    assert found.trees == expected.trees
    assert found.history == expected.history


@BOTH
@pytest.mark.parametrize("kind", ["No", "Bernoulli", "Bayesian", "MVS"])
def test_number_of_ranks_does_not_change_the_trees(make_table: MakeTable, kind: str, policy: dict[str, Any]) -> None:
    table = make_table(n_rows=1_500, weighted=kind != "No")
    params = params_of(bootstrap=Bootstrap(kind, 0.7), rsm=0.8, min_data_in_leaf=30, **policy)
    alone = table.boost(params, (table,))
    assert all(isinstance(tree, NonSymmetricTree) for tree in alone.trees)
    for n_ranks in (2, 7):
        for result in table.boost_on_ranks(params, n_ranks, (table,)):
            assert_same(result, alone)


@BOTH
def test_threads_do_not_change_the_trees(make_table: MakeTable, policy: dict[str, Any]) -> None:
    table = make_table(n_rows=70_000)
    params = params_of(bootstrap=Bootstrap("MVS", 0.8), min_data_in_leaf=500, **policy)
    assert_same(table.boost(replace(params, threads=3), (table,)), table.boost(params, (table,)))


@BOTH
@pytest.mark.parametrize(
    "limits",
    [
        {"ALL_REDUCE_BYTES": 0},
        {"ALL_REDUCE_BYTES": 1 << 40},
        {"TABLE_BUDGET": 2 * 7 * 6 * 64 * 8},  # 7 of 16 places: some tables are let go
        {"TABLE_BUDGET": 2 * 2 * 6 * 64 * 8},  # the fewest
        {"TABLE_BUDGET": 2_000},  # none is kept, and features go in spans
    ],
    ids=str,
)
def test_every_way_to_make_tables_gives_the_same_trees(
    make_table: MakeTable, limits: dict[str, int], policy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, params = make_table(), params_of(**policy)
    usual = table.boost(params)
    for name, value in limits.items():
        monkeypatch.setattr(histogram, name, value)
    assert_same(table.boost(params), usual)
    for n_ranks in (3, 8):  # of 6 features
        for result in table.boost_on_ranks(replace(params, overlap=2), n_ranks):
            assert_same(result, usual)


@BOTH
@pytest.mark.parametrize(("loss", "classes"), [("RMSE", 1), ("MultiClass", 3)])
def test_what_columns_cost_does_not_depend_on_ranks(
    make_table: MakeTable, loss: str, classes: int, policy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With wide cells, and tables that ranks share out."""
    monkeypatch.setattr(fixed_point, "PACKED_ROWS_LIMIT", 10)
    table = make_table(n_rows=1_200, classes=classes if classes > 1 else 0, weighted=True)
    costs = Penalties((0.3, 1.0, 2.0, 1.0, 1.0, 0.5), (0.0, 4.0, 0.0, 1.0, 0.0, 0.0))
    params = params_of(loss, classes, bootstrap=Bootstrap("Bernoulli", 0.8), penalties=costs, **policy)
    alone = table.boost(params)
    assert alone.trees != table.boost(replace(params, penalties=None)).trees
    monkeypatch.setattr(histogram, "ALL_REDUCE_BYTES", 100)
    for result in table.boost_on_ranks(params, 3):
        assert_same(result, alone)


@BOTH
def test_leaves_have_as_many_rows_as_their_weights_say(make_table: MakeTable, policy: dict[str, Any]) -> None:
    table = make_table(n_rows=2_000)
    for tree in table.boost(params_of(**policy)).trees:
        assert isinstance(tree, NonSymmetricTree)
        assert tree.n_leaves == len(tree.leaf_weights) == len(tree.leaf_values)
        assert tree.leaf_weights.sum() == 2_000
        assert 8 < tree.n_leaves <= (32 if policy["grow_policy"] == "Depthwise" else 11)


def rows_of_nodes(table: Table, tree: Any) -> list[tuple[TreeSplit, np.ndarray]]:
    """Each split with the rows that come to it, bool [n]."""
    waiting, found = [(0, np.ones(table.rows.n_rows, np.bool_))] if tree.nodes else [], []
    while waiting:
        number, here = waiting.pop()
        if number >= 0:
            node = tree.nodes[number]
            right = table.rows.bins[node.split.feature] > node.split.border
            found.append((node.split, here))
            waiting += [(node.left, here & ~right), (node.right, here & right)]
    return found


@BOTH
@pytest.mark.parametrize("least", [1, 150, 1_000, 3_001])
def test_leaves_of_too_few_rows_are_not_split(make_table: MakeTable, policy: dict[str, Any], least: int) -> None:
    table = make_table(n_rows=3_000)
    params = params_of(iterations=1, min_data_in_leaf=least, random_strength=0.0, **policy)
    (tree,) = table.boost(params).trees
    rows = [int(here.sum()) for _, here in rows_of_nodes(table, tree)]
    assert min(rows, default=least) >= least
    assert bool(rows) == (least <= 3_000)
    if least == 150:
        assert min(rows) < 300


def test_the_best_leaves_are_split_first(make_table: MakeTable) -> None:
    """Fewer leaves: the same tree without its last splits."""
    table, found = make_table(), []
    for max_leaves in (1, 2, 3, 5, 8, 13):
        params = params_of(iterations=1, grow_policy="Lossguide", max_leaves=max_leaves, depth=16)
        (tree,) = table.boost(params).trees
        assert tree.n_leaves == max_leaves
        found.append({(split, here.tobytes()) for split, here in rows_of_nodes(table, tree)})
    for smaller, larger in pairwise(found):
        assert smaller < larger


@BOTH
def test_a_constant_table_gives_a_tree_of_one_leaf(make_table: MakeTable, policy: dict[str, Any]) -> None:
    table = make_table(n_rows=50)
    table.rows.bins[:] = 0
    for result in Table(table.rows, np.ones(6, np.int64)).boost_on_ranks(params_of(iterations=1, **policy), 2):
        assert result.trees[0].splits == ()
        assert result.trees[0].leaf_weights.tolist() == [50.0]


@BOTH
def test_rows_that_are_alike_are_not_split(make_table: MakeTable, policy: dict[str, Any]) -> None:
    """A leaf of equal labels gains nothing, however its rows differ."""
    table = make_table(n_rows=1_000)
    table.rows.label[:] = table.rows.bins[0] > 20
    for tree in table.boost(params_of(random_strength=0.0, **policy)).trees:
        assert [(split.feature, split.border) for split in tree.splits] == [(0, 20)]


@pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning")
@pytest.mark.usefixtures("quick_simulator")
@pytest.mark.parametrize(
    ("policy", "loss", "classes", "more"),
    [
        (POLICIES[0], "RMSE", 1, {"bootstrap": Bootstrap("MVS", 0.7), "min_data_in_leaf": 12}),
        (POLICIES[1] | {"max_leaves": 4}, "MultiClass", 3, {"random_strength": 0.0}),
    ],
    ids=["Depthwise, counted rows, streamed bins", "Lossguide, tables of spans"],
)
def test_a_card_grows_the_cpus_trees(
    make_table: MakeTable,
    policy: dict[str, Any],
    loss: str,
    classes: int,
    more: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_level = policy["grow_policy"] == "Depthwise"
    memory = 61 * (TRAINED_ROW + SCORED_ROW) + 200 if by_level else None  # bins are streamed
    if not by_level:
        monkeypatch.setattr(histogram, "TABLE_BUDGET", 1_000)
    table = make_table(61, n_features=3, classes=classes if classes > 1 else 0, weighted=True, bins=5)
    params = params_of(loss, classes, **{**policy, "iterations": 2, "depth": 3, **more})
    expected = table.boost(params, (table,))
    assert all(tree.n_leaves > 2 for tree in expected.trees)
    assert_same(table.boost(replace(params, card=Card(0, memory=memory)), (table,)), expected)


class Counting:
    """A collective that counts its rounds."""

    def __init__(self, collective: Any) -> None:
        self.rounds, self._collective = 0, collective

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._collective, name)

        def call(*arguments: Any, **more: Any) -> Any:
            self.rounds += 1
            return found(*arguments, **more)

        return call if callable(found) else found


@pytest.mark.parametrize(
    ("policy", "limit", "most"),
    [
        ({"grow_policy": "Depthwise"}, 1 << 30, 5),  # one a level
        ({"grow_policy": "Depthwise"}, 0, 2 * 5),  # sums, and the best splits
        ({"grow_policy": "Lossguide", "max_leaves": 31, "depth": 12}, 1 << 30, 18),  # of 30 splits
    ],
    ids=str,
)
def test_rounds_of_a_tree(
    make_table: MakeTable, policy: dict[str, Any], limit: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children of several leaves share a round, also where the best leaf is split first."""
    monkeypatch.setattr(histogram, "ALL_REDUCE_BYTES", limit)
    table = make_table()

    def rounds_with(iterations: int) -> int:
        def work(collective: Any) -> int:
            counting = Counting(collective)
            part = table.part(1_500 * collective.rank, 1_500 * (collective.rank + 1))
            boost(part, [], table.n_bins, params_of(iterations=iterations, **policy), counting)  # type: ignore[arg-type]
            return counting.rounds

        return run_threads(2, work)[0]

    beside = 2  # leaves, metrics
    assert (rounds_with(9) - rounds_with(1)) / 8 <= most + beside
