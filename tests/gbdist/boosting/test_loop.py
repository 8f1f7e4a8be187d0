"""Whole runs: what they learn, when they stop, what they tell."""

from dataclasses import replace

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import Event, IterationDone, RunFinished, RunStarted
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap, Stopping
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

from .conftest import MakeTable

LOSSES = {"RMSE": 0, "Logloss": 2, "CrossEntropy": 2, "MultiClass": 3, "MultiClassOneVsAll": 3}


def params_of(loss: str, **more: object) -> BoostParams:
    classes = LOSSES[loss]
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        **{"iterations": 12, "depth": 4, "learning_rate": 0.2, **more},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_learnt_the_same_on_any_ranks(make_table: MakeTable, loss: str) -> None:
    table = make_table(classes=LOSSES[loss], weighted=True)
    params = params_of(loss, leaf_estimation_iterations=3, bootstrap=Bootstrap("MVS", 0.8))
    alone = table.boost(params)
    curve = alone.history["learn"][loss]
    assert len(curve) == 12
    assert curve[-1] < 0.75 * curve[0]
    for result in table.boost_on_ranks(params, 3):
        assert result.trees == alone.trees
        assert result.history == alone.history


@pytest.mark.parametrize("loss", LOSSES)
def test_predictions_are_bias_plus_leaves(make_table: MakeTable, loss: str) -> None:
    table = make_table(n_rows=500, classes=LOSSES[loss])
    result = table.boost(params_of(loss, boost_from_average=loss == "RMSE"))
    expected = np.repeat(result.bias[:, None], 500, axis=1)
    for tree in result.trees:
        leaves = np.zeros(500, np.int64)
        for level, split in enumerate(tree.splits):
            leaves += (table.rows.bins[split.feature] > split.border).astype(np.int64) << level
        expected += tree.leaf_values[leaves].T
    assert result.predictions.tobytes() == expected.tobytes()


def test_one_positive_in_ten_thousand_is_found_on_any_ranks(make_table: MakeTable) -> None:
    table = make_table(n_rows=20_000)
    table.rows.label[:] = 0.0
    table.rows.label[table.rows.bins[0].argsort()[-2:]] = 1.0  # the noise of the scores would drown two rows
    params = params_of("Logloss", leaf_estimation_iterations=10, random_strength=0.0)
    alone = table.boost(params)
    assert alone.trees[0].splits[0].feature == 0
    assert [result.trees for result in table.boost_on_ranks(params, 4)] == [alone.trees] * 4


def test_eval_sets_are_scored_without_touching_the_trees(make_table: MakeTable) -> None:
    table, other = make_table(), make_table(n_rows=700, seed=8)
    params = params_of("RMSE")
    alone, watched = table.boost(params), table.boost(params, (other,))
    assert watched.trees == alone.trees
    assert set(watched.history) == {"learn", "validation"}
    assert set(table.boost(params, (other, other)).history) == {"learn", "validation_0", "validation_1"}
    spread = table.boost_on_ranks(params, 3, (other,))
    assert all(result.history == watched.history for result in spread)


def test_training_stops_after_the_best_iteration_and_keeps_it(make_table: MakeTable) -> None:
    table, noise = make_table(n_rows=300), make_table(n_rows=300, seed=9)
    noise.rows.label[:] = np.random.default_rng(0).permutation(noise.rows.label)
    params = params_of("RMSE", iterations=100, stopping=Stopping("Iter", 5), use_best_model=True)
    result = table.boost(params, (noise,))
    curve = result.history["validation"]["RMSE"]
    assert result.stopped == "overfitting"
    assert result.best_iteration == int(np.argmin(curve))
    assert len(result.trees) == result.best_iteration + 1
    assert len(curve) == result.best_iteration + 6


def test_a_listener_hears_everything_and_may_stop_the_run(make_table: MakeTable) -> None:
    class Impatient:
        def __init__(self) -> None:
            self.heard: list[Event] = []

        def hear(self, event: Event) -> bool:
            self.heard.append(event)
            return isinstance(event, IterationDone) and event.iteration == 3

    listener, table = Impatient(), make_table(n_rows=300)
    params = params_of("RMSE", listeners_may_stop=True)
    result = boost(table.rows, [], table.n_bins, params, SingleRank(), [listener])
    assert result.stopped == "callback"
    assert len(result.trees) == 4
    assert isinstance(listener.heard[0], RunStarted)
    assert isinstance(listener.heard[-1], RunFinished)
    assert [e.iteration for e in listener.heard if isinstance(e, IterationDone)] == [0, 1, 2, 3]


def test_metrics_are_computed_each_period_and_at_the_end(make_table: MakeTable) -> None:
    table = make_table(n_rows=300)
    result = table.boost(params_of("RMSE", metric_period=5))
    assert len(result.history["learn"]["RMSE"]) == 4  # after trees 0, 5, 10 and the last one, 11


def test_a_baseline_is_where_a_row_starts(make_table: MakeTable) -> None:
    table = make_table(n_rows=400)
    params = params_of("RMSE", iterations=6, random_strength=0.0)
    first = table.boost(replace(params, iterations=3))
    rows = replace(table.rows, baseline=first.predictions)
    second = boost(rows, [], table.n_bins, replace(params, iterations=3), SingleRank())
    assert second.history["learn"]["RMSE"][-1] < 0.9 * first.history["learn"]["RMSE"][-1]
