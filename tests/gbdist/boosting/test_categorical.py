"""Whole runs with categorical columns: ranks do not change them, models predict what the trainer does, nothing leaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Stopping
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.categories import features
from gbdist.categories.rules import CategoryRules, StatisticRule
from gbdist.categories.statistics import StatisticCounter
from gbdist.errors import ParameterError
from gbdist.models.apply import raw_predictions
from gbdist.models.catboost_format import to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import Projection, StatisticFeature, StatisticTable
from gbdist.quantize.borders import FeatureBorders

from ..conftest import SIMPLE, CategoricalTable, make_table, on_ranks, params_of

Hashes = Callable[[Sequence[str]], np.ndarray]

ALL_KINDS = (
    StatisticRule("Borders", (0.0, 0.5, 1.0)),
    StatisticRule("Buckets", (-0.5,), 40),
    StatisticRule("Counter", (0.0,), 7),
)
#: Ranks, and those of them that have no rows.
SPREADS: list[tuple[int, tuple[int, ...]]] = [(2, ()), (3, (1,)), (7, (0, 4))]
EVERY_SPREAD = ["binary, MVS, combinations", "regression, Bernoulli, average, ranges"]


def boosted(tables: Sequence[CategoricalTable], params: BoostParams) -> BoostResult:
    """Train on the first table, with the others as eval sets."""
    sets = [table.rows for table in tables]
    return boost(sets[0], sets[1:], tables[0].n_bins, params, SingleRank())


def boosted_on_ranks(
    tables: Sequence[CategoricalTable], params: BoostParams, n_ranks: int, empty: Sequence[int] = ()
) -> list[BoostResult]:
    def work(sets: Sequence[Rows], collective: Collective) -> BoostResult:
        return boost(sets[0], sets[1:], tables[0].n_bins, params, collective)

    cuts = [table.cut(n_ranks, empty) for table in tables]
    return on_ranks([[cut[rank] for cut in cuts] for rank in range(n_ranks)], work)


def listed(tables: Sequence[StatisticTable]) -> list[tuple[Any, ...]]:
    return [(each.projection, each.counter, each.keys.tolist(), each.counts.tolist()) for each in tables]


def assert_same(ranks: Sequence[BoostResult], alone: BoostResult) -> None:
    for result in ranks:
        assert result.trees == alone.trees
        assert result.history == alone.history
        assert result.bias.tobytes() == alone.bias.tobytes()
        assert (result.best_iteration, result.stopped) == (alone.best_iteration, alone.stopped)
        assert result.categories.positions == alone.categories.positions
        assert result.categories.one_hot == alone.categories.one_hot
        assert result.categories.statistics == alone.categories.statistics
    assert listed(ranks[0].categories.tables) == listed(alone.categories.tables)
    assert all(result.categories.tables == () for result in ranks[1:])
    joined = np.concatenate([result.predictions for result in ranks], axis=1)
    assert joined.tobytes() == alone.predictions.tobytes()
    for number, whole in enumerate(alone.eval_predictions):
        joined = np.concatenate([result.eval_predictions[number] for result in ranks], axis=1)
        assert joined.tobytes() == whole.tobytes()


@dataclass(frozen=True)
class Case:
    """A kind of run that ranks must not change."""

    classes: int
    sizes: tuple[int, ...]
    params: dict[str, Any]
    rules: dict[str, Any]
    table: dict[str, Any]


CASES = {
    "binary, MVS, combinations": Case(
        2,
        (3, 6, 7, 40),
        {"bootstrap": Bootstrap("MVS", 0.8), "leaf_estimation_iterations": 5},
        {"max_complexity": 4},
        {},
    ),
    "five classes, Bayesian, weights": Case(
        5,
        (3, 7, 40),
        {"bootstrap": Bootstrap("Bayesian")},
        {"max_complexity": 3, "simple": ALL_KINDS},
        {"weighted": True},
    ),
    "regression, Bernoulli, average, ranges": Case(
        0,
        (3, 7, 20),
        {"bootstrap": Bootstrap("Bernoulli", 0.7), "boost_from_average": True},
        {"target_border_count": 3, "combined": ALL_KINDS, "max_complexity": 2, "model_size_reg": 0.1},
        {"skewed": [2]},
    ),
    "rsm, L2, gradient, wide bins": Case(
        2,
        (3, 7, 40),
        {"rsm": 0.5, "score_function": "L2", "leaf_estimation_method": "Gradient"},
        {"max_complexity": 2, "permutations": 2},
        {"wide": True},
    ),
    "order of time, baseline, no other column": Case(
        2,
        (3, 7, 40),
        {"random_strength": 0.0},
        {"max_complexity": 3, "has_time": True},
        {"n_binned": 0, "dimension": 1},
    ),
    "counters of eval rows, combinations": Case(
        2, (3, 7, 40), {}, {"max_complexity": 3, "counts_evals": True, "simple": ALL_KINDS}, {}
    ),
    "most frequent categories": Case(
        2, (3, 7, 40), {}, {"max_complexity": 3, "leaf_count_limit": 15, "simple": ALL_KINDS}, {}
    ),
    "most frequent categories of combinations, counters of eval rows": Case(
        5,
        (3, 7, 40),
        {},
        {"max_complexity": 3, "leaf_count_limit": 15, "limit_combinations_only": True, "counts_evals": True},
        {},
    ),
    "one-hot columns alone": Case(2, (3, 12), {}, {"one_hot": [0, 1]}, {"weighted": True}),
}


def prepared(name: str, **more: Any) -> tuple[list[CategoricalTable], BoostParams]:
    case = CASES[name]
    table = make_table(1_200, case.sizes, classes=case.classes, **case.table)
    evals = [
        make_table(150 + i, case.sizes, classes=case.classes, seed=5 + i, unseen=0.2, **case.table) for i in range(2)
    ]
    rules = table.rules(**{"one_hot": [0], "model_size_reg": 0.0, **case.rules})
    return [table, *evals], params_of(rules, case.classes, **{"iterations": 10, "depth": 6, **case.params, **more})


def check_kinds(result: BoostResult, rules: CategoryRules | None) -> None:
    """A run is no test of what it does not use."""
    assert rules is not None
    used = {split.feature for tree in result.trees for split in tree.splits}
    n_static = first_statistic(result)
    assert used & set(range(n_static - len(result.categories.one_hot), n_static))
    if any(column.values is None for column in rules.columns):
        projections = [
            result.categories.statistics[number - n_static].projection for number in used if number >= n_static
        ]
        assert {each.complexity for each in projections} >= set(range(1, 1 + min(3, rules.max_complexity)))
        assert any(each.one_hot_splits for each in projections)
        assert any(len(each.cats) > 1 for each in projections)


def first_statistic(result: BoostResult) -> int:
    """Number of the first statistic."""
    return result.categories.positions[0] + len(result.categories.one_hot)


@pytest.mark.parametrize("name", CASES)
def test_ranks_and_threads_do_not_change_a_run(name: str) -> None:
    check_ranks(name, SPREADS if name in EVERY_SPREAD else SPREADS[1:2])


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted({*CASES} - {*EVERY_SPREAD}))
def test_fewer_and_more_ranks_do_not_change_a_run(name: str) -> None:
    check_ranks(name, SPREADS[::2])


def check_ranks(name: str, spreads: Sequence[tuple[int, tuple[int, ...]]]) -> None:
    tables, params = prepared(name)
    alone = boosted(tables, params)
    check_kinds(alone, params.categories)
    curve = next(iter(alone.history["learn"].values()))
    assert curve[-1] < 0.97 * curve[0]
    for n_ranks, empty in spreads:
        assert_same(boosted_on_ranks(tables, replace(params, threads=1 + n_ranks % 3), n_ranks, empty), alone)


def test_threads_of_many_rows_do_not_change_a_run() -> None:
    """Rows enough for several slices and blocks."""
    table = make_table(70_000, (3, 40, 5_000))
    params = params_of(table.rules(one_hot=[0], max_complexity=2), iterations=3, bootstrap=Bootstrap("MVS", 0.8))
    assert_same([boosted([table], replace(params, threads=3))], boosted([table], params))


def test_partitions_do_not_change_a_run() -> None:
    (table, *_), params = prepared("binary, MVS, combinations")
    alone = boosted([table], params)
    parts = [table.rows_of([(700, 1_200), (0, 50)]), table.rows_of([(50, 60), (200, 700)]), table.rows_of([(60, 200)])]
    ranks = on_ranks(parts, lambda rows, collective: boost(rows, [], table.n_bins, params, collective))
    assert_same(ranks, alone)


@pytest.mark.parametrize("kept", [0, 20_000])
def test_ranks_that_keep_more_combinations_do_not_change_a_run(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many are kept depends on the rows of the largest rank: here some on seven ranks, and fewer on one."""
    monkeypatch.setattr(features, "KEPT_BYTES", kept)
    tables, params = prepared("binary, MVS, combinations")
    assert_same(boosted_on_ranks(tables, params, 7), boosted(tables, params))


# ---- models


def with_strings(
    tables: Sequence[CategoricalTable], hashes: Hashes
) -> tuple[list[CategoricalTable], list[pd.DataFrame]]:
    """The same rows with hashes of strings, and as frames: bins are numbers, borders lie half-way between them."""
    frames = [pd.DataFrame({f"x{f}": bins.astype(np.float32) for f, bins in enumerate(t.rows.bins)}) for t in tables]
    columns: list[list[np.ndarray]] = [[] for _ in tables]
    for number in range(len(tables[0].sizes)):
        together = np.concatenate([table.hashes[number] for table in tables])
        values, places = np.unique(together, return_inverse=True)
        strings = np.array([f"value {place} of {number}" for place in range(len(values))], dtype=object)
        of_values, at = hashes(strings.tolist()), 0
        for table, frame, found in zip(tables, frames, columns, strict=True):
            mine = places[at : at + table.rows.n_rows]
            frame[f"c{number}"] = strings[mine]
            found.append(of_values[mine])
            at += table.rows.n_rows
    return [
        replace(
            table,
            rows=replace(
                table.rows,
                unbinned=tuple(
                    replace(one, values=values) for one, values in zip(table.rows.unbinned, found, strict=True)
                ),
            ),
        )
        for table, found in zip(tables, columns, strict=True)
    ], frames


def ensemble_of(result: BoostResult, table: CategoricalTable, classes: int) -> Ensemble:
    borders = tuple(FeatureBorders((np.arange(count - 1) + 0.5).astype(np.float32), "AsIs") for count in table.n_bins)
    names = (*(f"x{f}" for f in range(len(borders))), *(f"c{i}" for i in range(len(table.sizes))))
    labels = tuple(range(classes)) if classes else None
    return Ensemble(result.trees, borders, result.bias, names, labels, {}, result.categories)


@pytest.mark.parametrize("name", CASES)
def test_models_predict_what_the_trainer_predicts(name: str, catboost_hashes: Hashes) -> None:
    """Of rows that were not trained on, one in five with a value that was not: in this library, and in CatBoost by strings."""
    case = CASES[name]
    tables, _ = prepared(name)
    tables = [replace(table, rows=replace(table.rows, baseline=None)) for table in tables]
    tables, frames = with_strings(tables, catboost_hashes)
    _, params = prepared(name, iterations=20)
    assert params.categories is not None
    params = replace(params, categories=with_hashes(params.categories, tables[0]))
    result = boosted(tables, params)
    check_kinds(result, params.categories)
    ensemble = ensemble_of(result, tables[0], case.classes)
    model = to_catboost(ensemble)
    bound = sum(float(np.abs(tree.leaf_values).max()) for tree in result.trees) + np.abs(result.bias).max()
    for table, frame, expected in zip(tables[1:], frames[1:], result.eval_predictions, strict=True):
        found = raw_predictions(ensemble, table.rows.bins.T.astype(np.float32), np.stack(table.hashes, axis=1))
        if params.boost_from_average:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * bound)
        else:
            assert found.tobytes() == expected.tobytes()
        raw = np.asarray(model.predict(frame, prediction_type="RawFormulaVal"))
        np.testing.assert_allclose(raw.T if raw.ndim == 2 else raw[None], expected, rtol=0, atol=1e-12 * bound)
        assert len(np.unique(expected[0])) > 100 or not result.categories.statistics


def with_hashes(rules: CategoryRules, table: CategoricalTable) -> CategoryRules:
    """Rules whose one-hot values are those of a table."""
    columns = tuple(
        replace(column, values=tuple(np.unique(values).tolist())) if column.values else column
        for column, values in zip(rules.columns, table.hashes, strict=True)
    )
    return replace(rules, columns=columns)


def test_training_rows_move_as_in_the_last_permutation() -> None:
    """Their predictions are not those of the model, which knows what became of each row."""
    table = make_table(2_000, (1_000,), n_binned=0)
    result = boosted([table, table], params_of(table.rules(), iterations=10))
    learn, applied = result.history["learn"]["Logloss"], result.history["validation"]["Logloss"]
    assert applied[-1] < learn[-1] - 0.05


# ---- what may not happen


def noise(n_rows: int, seed: int) -> CategoricalTable:
    """A target that nothing tells of, and a column of about two rows a value."""
    table = make_table(n_rows, (n_rows // 2, 20), n_binned=1, seed=seed)
    table.rows.label[:] = np.random.default_rng(seed + 1_000).integers(0, 2, n_rows)
    return table


@pytest.mark.parametrize("complexity", [1, 3])
def test_rows_do_not_learn_their_own_target(complexity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    train, other = noise(2_000, 1), noise(2_000, 2)
    params = params_of(train.rules(max_complexity=complexity), iterations=40, learning_rate=0.1)

    def last_losses() -> tuple[float, float]:
        history = boosted([train, other], params).history
        return history["learn"]["Logloss"][-1], history["validation"]["Logloss"][-1]

    learn, validation = last_losses()
    assert learn > 0.67
    assert validation < 0.7

    def applied(counter: StatisticCounter, counts: Any, number: int, made: Sequence[Any], out: np.ndarray) -> None:
        for feature, bins in zip(made, out, strict=True):
            counter.applied_bins(counts, counter.rows.slices[0], feature, bins)

    monkeypatch.setattr(StatisticCounter, "learned_bins", applied)
    learn, validation = last_losses()  # what it would look like
    assert learn < 0.5
    assert validation > 0.75


def test_the_best_model_has_tables_of_what_its_trees_use_alone() -> None:
    table, other = (make_table(600, (10, 60, 100), seed=seed) for seed in (0, 3))
    other.rows.label[:] = np.random.default_rng(8).permutation(other.rows.label)
    params = params_of(table.rules(max_complexity=3), iterations=60, use_best_model=True, stopping=Stopping("Iter", 10))
    result = boosted([table, other], params)
    assert result.stopped == "overfitting"
    assert len(result.trees) == result.best_iteration + 1 < len(result.history["learn"]["Logloss"])
    n_static = first_statistic(result)
    used = {split.feature for tree in result.trees for split in tree.splits}
    needed = {result.categories.statistics[number - n_static] for number in used if number >= n_static}
    assert 0 < len(needed) < len(result.categories.statistics)
    tables = {(each.projection, each.counter) for each in result.categories.tables}
    assert tables == {(each.projection, each.kind == "Counter") for each in needed}
    assert len(result.categories.tables) == len(tables)
    whole = boosted([table, other], replace(params, use_best_model=False))
    assert len(whole.categories.tables) > len(tables)


# ---- odd tables


BORDERS, BUCKETS, COUNTER = ((StatisticRule(kind, (0.5,)),) for kind in ("Borders", "Buckets", "Counter"))


@pytest.mark.parametrize("n_ranks", [1, 3])
@pytest.mark.parametrize(
    ("simple", "combined"),
    [(SIMPLE, SIMPLE), (BORDERS, BORDERS), (BUCKETS, BUCKETS), (COUNTER, BORDERS), (BORDERS, COUNTER)],
)
def test_a_target_of_one_class_has_no_borders(
    simple: tuple[StatisticRule, ...], combined: tuple[StatisticRule, ...], n_ranks: int
) -> None:
    """Then there are projections of which nothing is made."""
    table = make_table(200, (3, 20), n_binned=1)
    table.rows.label[:] = 1.0
    params = params_of(table.rules(one_hot=[0], simple=simple, combined=combined, max_complexity=3))
    ranks = boosted_on_ranks([table], params, n_ranks)
    assert_same(ranks, boosted([table], params))
    assert {each.kind for each in ranks[0].categories.statistics} <= {"Buckets", "Counter"}
    assert np.isfinite(ranks[0].predictions).all()


@pytest.mark.parametrize("rules", [{}, {"one_hot": [0]}, {"max_complexity": 3}], ids=str)
def test_all_columns_may_be_categorical(rules: dict[str, Any]) -> None:
    table = make_table(400, (4, 30), n_binned=0)
    params = params_of(table.rules(**rules))
    alone = boosted([table], params)
    assert all(tree.depth > 0 for tree in alone.trees)
    assert_same(boosted_on_ranks([table], params, 3), alone)


def test_a_column_of_one_value_is_not_looked_at() -> None:
    table = make_table(300, (1, 30))
    rules = table.rules()
    constant = replace(rules.columns[0], values=())
    result = boosted([table], params_of(replace(rules, columns=(constant, rules.columns[1]), max_complexity=2)))
    assert result.categories.one_hot == ()
    assert {each.projection.cats for each in result.categories.statistics} == {(1,)}


def test_every_row_may_be_a_category_of_its_own() -> None:
    table = make_table(300, (5,), unseen=1.0)
    assert len(np.unique(table.hashes[0])) == 300
    params = params_of(table.rules(max_complexity=2))
    assert_same(boosted_on_ranks([table], params, 3), boosted([table], params))


def test_fewer_rows_than_ranks() -> None:
    table = make_table(4, (2, 3))
    params = params_of(table.rules(one_hot=[0], max_complexity=2))
    assert_same(boosted_on_ranks([table, table], params, 7), boosted([table, table], params))


def test_columns_may_have_statistics_of_their_own() -> None:
    table = make_table(500, (20, 30), n_binned=0)
    own = ((1, (StatisticRule("Counter", (0.5,), 9),)),)
    result = boosted([table], params_of(table.rules(of_column=own, max_complexity=2), iterations=10))
    found = {each for each in result.categories.statistics if each.projection == Projection((1,))}
    assert found == {StatisticFeature(Projection((1,)), "Counter", 0, 0.5, 9)}
    assert {each.kind for each in result.categories.statistics if each.projection == Projection((0,))} >= {"Borders"}


@pytest.mark.parametrize(
    ("sizes", "rules", "bins"),
    [((200,), {"one_hot": [0]}, 200), ((20,), {"combined": (StatisticRule("Counter", (0.0,), 254),)}, 255)],
)
def test_a_depth_is_refused_for_the_bins_of_categorical_columns(
    sizes: tuple[int, ...], rules: dict[str, Any], bins: int
) -> None:
    table = make_table(3_000, sizes, n_binned=1)
    table.rows.bins[:] //= 20
    table = replace(table, n_bins=np.array([2]))
    params = params_of(table.rules(**rules), 100, depth=16)
    with pytest.raises(ParameterError, match=f"with {bins} bins and with 100 raw"):
        boosted([table], params)
