"""Runs with categorical columns on a card, here the simulator's: the CPU's trees and models, bit for bit."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.cuda_crew import TRAINED_ROW
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Card
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.categories import rows as module
from gbdist.categories.rules import StatisticRule
from gbdist.kernels import cuda

from ..conftest import CategoricalTable, make_table, on_ranks, params_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]

CARD = Card(0)
#: With a counter before the others and after them.
MIXED = (
    StatisticRule("Counter", (0.0,), 7),
    StatisticRule("Buckets", (-0.5,), 40),
    StatisticRule("Borders", (0.0, 0.5)),
)


def boosted(tables: Sequence[CategoricalTable], params: BoostParams) -> BoostResult:
    sets = [table.rows for table in tables]
    return boost(sets[0], sets[1:], tables[0].n_bins, params, SingleRank())


def listed(result: BoostResult) -> list[Any]:
    return [(one.projection, one.counter, one.keys.tolist(), one.counts.tolist()) for one in result.categories.tables]


def assert_same(found: BoostResult, expected: BoostResult) -> None:
    assert found.trees == expected.trees
    assert found.history == expected.history
    assert found.predictions.tobytes() == expected.predictions.tobytes()
    assert [one.tobytes() for one in found.eval_predictions] == [one.tobytes() for one in expected.eval_predictions]
    assert found.categories.statistics == expected.categories.statistics
    assert listed(found) == listed(expected)


def prepared(rules: dict[str, Any], classes: int = 2, **more: Any) -> tuple[list[CategoricalTable], BoostParams]:
    tables = [
        make_table(n_rows, (3, 7, 20), n_binned=1, classes=classes, seed=seed, unseen=unseen)
        for seed, (n_rows, unseen) in enumerate([(100, 0.0), (20, 0.2)])
    ]
    chosen = tables[0].rules(**{"one_hot": [0], "max_complexity": 3, "model_size_reg": 0.0, **rules})
    return tables, params_of(chosen, classes, **{"iterations": 1, "depth": 3, "random_seed": 7, **more})


CASES: dict[str, tuple[dict[str, Any], int, dict[str, Any]]] = {
    "two classes": ({}, 2, {"bootstrap": Bootstrap("MVS", 0.8), "iterations": 1}),
    "three classes, all kinds": ({"simple": MIXED, "max_complexity": 2, "permutations": 2}, 3, {"depth": 2}),
    "regression, rows of eval sets are counted": (
        {"counts_evals": True, "combined": MIXED, "max_complexity": 2, "permutations": 2}, 0, {},
    ),
    "most frequent categories": ({"leaf_count_limit": 6, "max_complexity": 2, "has_time": True}, 2, {"random_seed": 8}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_card_grows_the_cpus_trees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, classes, more = CASES[name]
    tables, params = prepared(rules, classes, **more)
    expected = boosted(tables, params)
    assert any(len(one.projection.cats) > 1 or one.projection.complexity > 1 for one in expected.categories.statistics)
    learned = []
    usual = cuda.learn_bins
    monkeypatch.setattr(cuda, "learn_bins", lambda *rest: (learned.append(1), usual(*rest)))
    assert_same(boosted(tables, replace(params, card=CARD)), expected)
    assert learned


def test_categories_beyond_places_have_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLACES_A_ROW", 0)
    tables, params = prepared({"max_complexity": 2})
    assert_same(boosted(tables, replace(params, card=CARD)), boosted(tables, params))


def test_a_card_without_room_has_them_counted_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, params = prepared({})
    expected = boosted(tables, params)
    monkeypatch.setattr(cuda, "learn_bins", None)
    assert_same(boosted(tables, replace(params, card=Card(0, memory=400 * TRAINED_ROW))), expected)


@pytest.mark.parametrize("cards", [(CARD, CARD), (None, CARD)], ids=["two cards", "a CPU and a card"])
def test_cards_and_cpus_count_together(cards: tuple[Card | None, ...]) -> None:
    tables, params = prepared({"max_complexity": 2})
    alone = boosted(tables, params)

    def train(sets: Sequence[Rows], collective: Collective) -> BoostResult:
        return boost(sets[0], sets[1:], tables[0].n_bins, replace(params, card=cards[collective.rank]), collective)

    cuts = [table.cut(2) for table in tables]
    results = on_ranks([[cut[rank] for cut in cuts] for rank in range(2)], train)
    for result in results:
        assert result.trees == alone.trees
        assert result.history == alone.history
    assert listed(results[0]) == listed(alone)
    joined = np.concatenate([result.predictions for result in results], axis=1)
    assert joined.tobytes() == alone.predictions.tobytes()
