"""Runs with categorical columns go on from their steps: statistics have the numbers, counts and penalties that they had."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.params import BoostParams, Bootstrap, Card
from gbdist.boosting.penalties import Penalties
from gbdist.boosting.rows import Rows
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.categories import combinations, counting
from gbdist.categories.features import CategoricalFeatures

from ..conftest import CategoricalTable, make_table, params_of
from .resumed import Training, assert_same, check_resumes
from .test_categorical import ALL_KINDS, CASES, prepared


def training_of(tables: Sequence[CategoricalTable], params: BoostParams, empty: int | None = None) -> Training:
    """Train on the first table, with the others as eval sets; the rank ``empty`` has no rows if there are others."""

    def cut(n_ranks: int) -> list[list[Rows]]:
        parts = [table.cut(n_ranks, () if empty is None or n_ranks == 1 else (empty,)) for table in tables]
        return [[of_table[rank] for of_table in parts] for rank in range(n_ranks)]

    return Training(cut, tables[0].n_bins, params)


#: Each kind of run with one of both ways to count; with the other one in `pytest -m soak`.
WAYS = [
    pytest.param(
        name, few_rows, id=f"{name}, {'few rows' if few_rows else 'owners'}", marks=() if usual else pytest.mark.soak
    )
    for number, name in enumerate(CASES)
    for few_rows, usual in ((True, number % 2 == 0), (False, number % 2 == 1))
]


@pytest.mark.parametrize(("name", "few_rows"), WAYS)
def test_a_paused_run_goes_on_with_the_same_bits(name: str, few_rows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not few_rows:
        monkeypatch.setattr(counting, "_FEW_ROWS", 0)
    tables, params = prepared(name, iterations=7, depth=5)
    check_resumes(training_of(tables, params), [(1, 3), (3, 1), (3, 2), (6, 2), (7, 3)])


def crossed(n_rows: int, sizes: Sequence[int], seed: int, n_binned: int = 2) -> CategoricalTable:
    """The label depends on a number and a category together, so that trees make combinations of splits."""
    table, rng = make_table(n_rows, sizes, n_binned=n_binned, seed=seed), np.random.default_rng(seed)
    above = table.rows.bins[0] > 20
    one_hot, odd, last = (table.hashes[cat] % 2 == 1 for cat in (0, 1, -1))
    score = 1.5 * above + 3.0 * (above ^ odd) + one_hot + (one_hot ^ last) + rng.normal(size=n_rows)
    table.rows.label[:] = score > np.median(score)
    return table


def penalised(**more: Any) -> tuple[list[CategoricalTable], BoostParams]:
    """A new statistic has to be worth its categories."""
    table, other = (crossed(n_rows, (3, 8, 30, 200), seed) for n_rows, seed in ((800, 1), (100, 4)))
    rules = table.rules(one_hot=[0], max_complexity=3, model_size_reg=0.5, simple=ALL_KINDS)
    return [table, other], params_of(rules, iterations=7, **more)


COSTS = Penalties((1.0, 0.7, 1.0, 0.5, 1.0, 1.0), (5.0, 0.0, 2.0, 0.0, 9.0, 1.0))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"penalties": COSTS},
        {"bootstrap": Bootstrap("MVS", 0.7), "shrinkage": Shrinkage(0.4), "metric_period": 3},
        {"rsm": 0.8, "leaf_estimation_iterations": 4, "random_strength": 0.5},
    ],
    ids=str,
)
def test_what_trees_have_used_is_not_paid_for_again(more: dict[str, Any]) -> None:
    tables, params = penalised(**more)
    expected = check_resumes(training_of(tables, params, empty=0))
    projections = [each.projection for each in expected.categories.statistics]
    assert any(each.float_splits for each in projections)
    assert any(each.one_hot_splits for each in projections)


@pytest.mark.parametrize("policy", ["Depthwise", "Lossguide"])
@pytest.mark.parametrize("penalties", [None, COSTS])
def test_trees_that_are_not_symmetric_go_on(policy: str, penalties: Penalties | None) -> None:
    table = make_table(700, sizes=(3, 8, 30, 200), n_binned=2)
    rules = table.rules(one_hot=[0], max_complexity=1, simple=ALL_KINDS)
    params = params_of(rules, iterations=6, grow_policy=policy, max_leaves=8, penalties=penalties)
    expected = check_resumes(training_of([table, table], params))
    # In the order in which they were chosen, which is not that of the nodes.
    assert len(expected.categories.statistics) > 5


@pytest.mark.parametrize("sizes", [(12, 25, 50), (3, 20)])
def test_splits_that_were_dropped_again_count_as_used(sizes: tuple[int, ...]) -> None:
    """A redundant split gives its statistic a number that no tree has."""
    table = make_table(30, sizes, n_binned=1, seed=1)
    params = params_of(table.rules(max_complexity=3, model_size_reg=0.5), iterations=12, depth=6)
    training = training_of([table], params)
    whole = training.on(1)
    dropped = [step for step in whole.steps if len(step.chosen) > len(step.tree.splits)]
    unused = {each.feature for step in dropped for each in step.chosen} - {
        split.feature for step in whole.steps for split in step.tree.splits
    }
    assert unused
    for k in range(1, 13):
        assert_same(training.on(1 + k % 3, whole.steps[:k]).ended, whole.ended[0])


def test_what_was_left_out_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combinations, "MOST_COMBINATIONS", 4)
    tables, params = penalised()
    assert check_resumes(training_of(tables, params)).left_out > 0


def test_replaying_scores_no_split(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, params = penalised()
    training = training_of(tables, params)
    whole = training.on(1)
    monkeypatch.setattr(CategoricalFeatures, "begin_tree", lambda *_: pytest.fail("grown"))
    assert_same(training.on(2, whole.steps).ended, whole.ended[0])


@settings(max_examples=15, deadline=None)
@given(
    k=st.integers(1, 5),
    ranks=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    seed=st.integers(0, 1000),
    classes=st.sampled_from([0, 2, 4]),
    rules=st.fixed_dictionaries(
        {
            "max_complexity": st.integers(1, 4),
            "permutations": st.integers(1, 4),
            "model_size_reg": st.sampled_from([0.0, 0.5]),
            "counts_evals": st.booleans(),
            "one_hot": st.sampled_from([(), (0,), (0, 1)]),
            "has_time": st.booleans(),
        }
    ),
)
def test_any_run_goes_on_after_any_tree_on_any_ranks(
    k: int, ranks: tuple[int, int], seed: int, classes: int, rules: dict[str, Any]
) -> None:
    tables = [make_table(rows, (3, 6, 20), classes=classes, seed=at) for rows, at in ((200, seed), (60, seed + 1))]
    params = params_of(tables[0].rules(**rules), classes, iterations=6, depth=4, random_seed=seed)
    training = training_of(tables, params)
    (expected,) = training.on(1).ended
    paused = training.on(ranks[0], pause_after=k)
    assert len(paused.steps) == k
    assert_same(training.on(ranks[1], paused.steps).ended, expected)


@pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning")
@pytest.mark.usefixtures("quick_simulator")
def test_a_card_goes_on_with_what_a_cpu_has_grown() -> None:
    table, other = (crossed(n_rows, (3, 7, 20), seed, n_binned=1) for n_rows, seed in ((100, 2), (20, 3)))
    rules = table.rules(one_hot=[0], max_complexity=3, permutations=2, model_size_reg=0.0)
    training = training_of([table, other], params_of(rules, iterations=3, depth=3))
    whole = training.on(1)
    assert any(each.projection.float_splits for step in whole.steps[:2] for each in step.statistics)
    on_card = replace(training, params=replace(training.params, card=Card(0)))
    assert_same(on_card.on(1, whole.steps[:2]).ended, whole.ended[0])
    assert_same(on_card.on(1, whole.steps).ended, whole.ended[0])
