"""Rounds on several ranks are one run: the same on all of them, of the models that CatBoost grew."""

from dataclasses import replace

import catboost
import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import IterationDone, RunFinished, RunStarted
from gbdist.boosting.params import Stopping
from gbdist.errors import ModelError
from gbdist.rounds.loop import RankData, run_rounds
from gbdist.rounds.pools import make_pool

from .conftest import MakeSpec, MakeTable, Table


def rmse(table: Table, model: catboost.CatBoost) -> float:
    return float(np.sqrt(np.mean((model.predict(table.values) - table.rows.label) ** 2)))


def test_one_round_of_one_rank_is_catboost(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(weighted=True)
    spec = make_spec(rounds=1, iterations=20)
    (result,) = table.train(spec)
    options = {**spec.options, "iterations": 20, "random_seed": spec.seed_of(0, 0), "verbose": False}
    plain = catboost.CatBoost({**options, "allow_writing_files": False})
    plain.fit(make_pool(table.rows, table.borders, table.names).pool)
    np.testing.assert_allclose(table.model(result).predict(table.values), plain.predict(table.values), rtol=1e-12)


@pytest.mark.parametrize("merge", ["average", "bagging", "best"])
@pytest.mark.parametrize(("loss", "classes"), [("RMSE", 1), ("Logloss", 2), ("MultiClass", 3)])
def test_all_ranks_end_with_the_same_and_again(
    make_table: MakeTable, make_spec: MakeSpec, merge: str, loss: str, classes: int
) -> None:
    table = make_table(classes=0 if loss == "RMSE" else classes, weighted=loss == "Logloss")
    options = {} if loss == "RMSE" else {"class_names": list(range(classes))}
    spec = make_spec(loss, 3, classes, merge=merge, options=options)
    first, *others = table.train(spec, 3)
    for other in [*others, *table.train(spec, 3)]:
        assert other.parts == first.parts
        assert other.bias.tolist() == first.bias.tolist()
        assert other.history == first.history
    values = first.history["learn"][spec.metrics[0].name]
    assert len(values) == 4
    assert values[-1] < values[0]


@pytest.mark.parametrize("merge", ["average", "bagging", "best"])
def test_history_is_that_of_the_summed_model(make_table: MakeTable, make_spec: MakeSpec, merge: str) -> None:
    table, other = make_table(), make_table(seed=8)
    other = replace(other, borders=table.borders, rows=requantized(other, table))
    result = table.train(make_spec(n_ranks=2, merge=merge), 2, (other,))[0]
    model = table.model(result)
    assert rmse(table, model) == pytest.approx(result.history["learn"]["RMSE"][-1], rel=1e-9)
    assert rmse(other, model) == pytest.approx(result.history["validation"]["RMSE"][-1], rel=1e-9)
    assert result.best_iteration == 19


def requantized(table: Table, by: Table):
    from gbdist.quantize.binning import bin_part
    from gbdist.quantize.raw import RawPart

    bins = np.empty_like(table.rows.bins)
    bin_part(RawPart(table.values, None, None, None, 0), by.borders, bins)
    return replace(table.rows, bins=bins)


def test_leaf_values_are_those_of_all_rows(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    (blob, factor), *_ = table.train(make_spec(n_ranks=3, rounds=1, iterations=1), 3)[0].parts
    assert factor == 1.0
    model = catboost.CatBoost().load_model(blob=blob)
    leaf = model.calc_leaf_indexes(make_pool(table.rows, table.borders, table.names).pool)[:, 0]
    rest = table.rows.label - np.float64(table.rows.label.mean())
    expected = np.bincount(leaf, rest, 16) / (np.bincount(leaf, minlength=16) + 3.0) * 0.2 / 3
    np.testing.assert_allclose(model.get_leaf_values(), expected, rtol=1e-6, atol=1e-9)


def test_values_of_all_rows_are_better_than_means_of_parts(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(n_rows=2_000, classes=2)
    held_out = make_table(n_rows=20_000, classes=2, seed=8)
    held_out = replace(held_out, borders=table.borders, rows=requantized(held_out, table))
    best = {}
    for merge in ("average", "bagging"):
        spec = make_spec("Logloss", 4, 2, merge=merge, rounds=12, iterations=60, options={"class_names": [0, 1]})
        best[merge] = min(table.train(spec, 4, (held_out,))[0].history["validation"]["Logloss"])
    assert best["average"] < 0.98 * best["bagging"]


def test_trees_that_do_not_divide_are_all_grown(make_table: MakeTable, make_spec: MakeSpec) -> None:
    spec = make_spec(n_ranks=2, iterations=11, rounds=3)
    assert [spec.trees_in(number) for number in range(3)] == [4, 4, 3]
    table = make_table()
    result = table.train(spec, 2)[0]
    assert table.model(result).tree_count_ == 22


def test_rank_without_eval_rows_takes_part(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table, few = make_table(), make_table(n_rows=1)
    few = replace(few, borders=table.borders, rows=requantized(few, table))
    for merge in ("average", "bagging", "best"):
        values = table.train(make_spec(n_ranks=2, merge=merge), 2, (few,))[0].history["validation"]["RMSE"]
        assert np.isfinite(values).all()


def test_loss_that_only_catboost_knows_is_averaged(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    found = [table.train(make_spec("MAE", 2, merge=merge), 2)[0] for merge in ("average", "bagging")]
    assert found[0].parts == found[1].parts
    assert found[0].history["learn"]["MAE"][-1] < found[0].history["learn"]["MAE"][0]


def test_bag_is_the_mean_of_independent_models(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(n_rows=3_000)
    spec = make_spec(n_ranks=2, merge="bagging", rounds=2, iterations=20)
    bag = table.model(table.train(spec, 2)[0]).predict(table.values)
    alone = []
    for rank in range(2):
        part = replace(table, rows=table.part(1_500 * rank, 1_500 * (rank + 1)))
        # The seeds of a rank differ, so each round is grown as that rank grows it.
        pool = make_pool(part.rows, table.borders, table.names).pool
        total = np.zeros(3_000)
        for number in range(2):
            options = {**spec.options, "iterations": 10, "random_seed": spec.seed_of(rank, number), "verbose": False}
            options |= {"allow_writing_files": False} | ({"boost_from_average": False} if number else {})
            if number:
                pool.set_baseline(total[1_500 * rank : 1_500 * (rank + 1), None])
            total = total + catboost.CatBoost(options).fit(pool).predict(table.values)
        alone.append(total)
    np.testing.assert_allclose(bag, np.mean(alone, axis=0), rtol=1e-9)


def test_best_keeps_one_model_of_each_round(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    result = table.train(make_spec(n_ranks=3, merge="best"), 3)[0]
    assert [factor for _, factor in result.parts] == [1.0] * 4


def test_early_stopping_cuts_after_the_best_round(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(n_rows=600, classes=2)
    noise = np.random.default_rng(0).integers(0, 2, 600).astype(np.float32)
    held_out = replace(table, rows=replace(table.rows, label=noise))
    stopping = Stopping(kind="Iter", wait=2)
    spec = make_spec("Logloss", 2, 2, rounds=50, iterations=250, stopping=stopping, use_best_model=True)
    result = table.train(spec, 2, (held_out,))[0]
    values = result.history["validation"]["Logloss"]
    best = int(np.argmin(values))
    assert result.stopped == "overfitting"
    assert len(values) == best + 3
    assert result.best_iteration == (best + 1) * 5 - 1
    assert len(result.parts) == 2 * (best + 1)


def test_rank_with_rows_of_one_class_takes_part(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(classes=2)
    order = np.argsort(table.rows.label, kind="stable")
    rows = replace(table.rows, bins=table.rows.bins[:, order], label=table.rows.label[order])
    sorted_table = replace(table, rows=rows, values=table.values[order])
    spec = make_spec("Logloss", 2, 2, options={"class_names": [0, 1]})
    result = sorted_table.train(spec, 2)[0]
    assert np.isfinite(result.history["learn"]["Logloss"]).all()


def test_baseline_is_where_training_starts(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    start = table.rows.label[None].astype(np.float64)
    known = replace(table, rows=replace(table.rows, baseline=start))
    result = known.train(make_spec(n_ranks=2, options={"bootstrap_type": "No"}), 2)[0]
    assert result.bias.tolist() == [0.0]
    assert result.history["learn"]["RMSE"][-1] < 1e-6


def test_events_count_trees_and_a_listener_may_stop(make_table: MakeTable, make_spec: MakeSpec) -> None:
    heard: list[object] = []

    class Listener:
        def hear(self, event: object) -> bool:
            heard.append(event)
            return isinstance(event, IterationDone) and event.iteration >= 9

    table = make_table()
    data = RankData(table.rows, (), table.borders, table.names)
    result = run_rounds(data, make_spec(listeners_may_stop=True), SingleRank(), [Listener()])
    assert heard[0] == RunStarted(20, 3_000, 6, 1)
    assert [event.iteration for event in heard[1:-1] if isinstance(event, IterationDone)] == [4, 9]
    assert heard[-1] == RunFinished(10, "callback")
    assert result.stopped == "callback"


def test_training_that_is_not_wanted_any_more_stops_between_trees(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    data = RankData(table.rows, (), table.borders, table.names)
    asked: list[int] = []

    def wanted() -> bool:
        asked.append(1)
        return len(asked) < 3

    run_rounds(data, make_spec(rounds=1, iterations=1_000), SingleRank(), (), wanted)
    assert len(asked) < 10


def test_catboost_says_no_in_its_own_words(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    with pytest.raises(ModelError, match=r"CatBoost did not train: .*depth"):
        table.train(make_spec(options={"depth": 20}))
