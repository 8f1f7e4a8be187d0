"""Training in this process, on collections and on pools gives one model, and what fit is given is used."""

from collections.abc import Callable
from typing import Any

import catboost
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.metrics import log_loss

from gbdist import DaskCatBoostClassifier
from gbdist.boosting.events import Event, IterationDone, RunFinished, RunStarted
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.plan import plan
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation import pipeline, stages
from gbdist.estimators.preparation.surveying import SurveyRun
from gbdist.estimators.training import TrainResult, train
from gbdist.models.catboost_format import fixed_cbm_bytes

FEATURES = list("abcdef")
Fit = Callable[..., TrainResult]


@pytest.fixture
def fit(client: Client) -> Fit:
    def run(X: Any, y: Any = None, classifier: bool = True, given: dict[str, Any] | None = None, **more: Any) -> Any:
        parameters = canonical({"iterations": 8, "depth": 4, **(given or {})}, classifier=classifier)
        return train(X, y, parameters=parameters, classifier=classifier, client=client, **more)

    return run


@pytest.fixture
def frame(table: pd.DataFrame) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=5, sort=False)


def model_bytes(result: TrainResult) -> bytes:
    return fixed_cbm_bytes(result.model)


def both(fit: Fit, table: Any, frame: Any, *args: Any, **more: Any) -> tuple[TrainResult, TrainResult]:
    """The fit in this process and on the cluster, which must be the same model."""
    here, there = fit(table, *args, **more), fit(frame, *args, **more)
    assert model_bytes(here) == model_bytes(there)
    assert here.record.history == there.record.history
    return here, there


@pytest.mark.parametrize("loss", ["Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll"])
def test_classifier(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame, loss: str) -> None:
    here, _ = both(fit, table, frame, "y", given={"loss_function": loss})
    assert here.class_names == (0, 1)
    assert here.record.history["learn"][loss][-1] < here.record.history["learn"][loss][0]
    accuracy = np.mean(np.ravel(here.model.predict(table[[*FEATURES, "w"]])) == table["y"])
    assert accuracy > 0.8


def test_regressor(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    here, _ = both(fit, table, frame, "a", classifier=False)
    assert here.class_names is None
    assert here.record.history["learn"]["RMSE"][-1] < here.record.history["learn"]["RMSE"][0]


def test_labels_that_are_text(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    named = {0: "no", 1: "yes"}
    words = table.assign(y=table["y"].map(named))
    here, _ = both(fit, words, dd.from_pandas(words, npartitions=5, sort=False), "y")
    assert here.class_names == ("no", "yes")
    plain = fit(table, "y")
    for mine, theirs in zip(here.ensemble.trees, plain.ensemble.trees, strict=True):
        assert mine == theirs


def test_weights(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    here, _ = both(fit, table, frame, "y", sample_weight="w")
    assert model_bytes(here) != model_bytes(fit(table, "y"))


@pytest.mark.parametrize(
    "given", [{"class_weights": [1.0, 3.0]}, {"scale_pos_weight": 3.0}, {"auto_class_weights": "Balanced"}]
)
def test_class_weights_are_row_weights(
    fit: Fit, table: pd.DataFrame, frame: dd.DataFrame, given: dict[str, Any]
) -> None:
    here, _ = both(fit, table, frame, "y", given=given)
    of_class = here.ensemble.options["data_processing_options"]["class_weights"]
    by_row = fit(table, "y", sample_weight=np.take(of_class, table["y"]))
    assert here.ensemble.trees == by_row.ensemble.trees


def test_pool_is_the_data_it_was_made_of(client: Client, fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        first, again = fit(pool), fit(pool)
        assert model_bytes(first) == model_bytes(again) == model_bytes(fit(table, "y", sample_weight="w"))
        # The labels serve a regressor as well.
        assert model_bytes(fit(pool, classifier=False)) == model_bytes(
            fit(table, "y", sample_weight="w", classifier=False)
        )


def test_eval_sets(client: Client, fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    table, weight = table[[*FEATURES, "y"]], table["w"].iloc[:1_500]
    tail = table.iloc[:1_500]
    lazy = dd.from_pandas(tail, npartitions=2, sort=False)
    lazy_weight = dd.from_pandas(weight, npartitions=2, sort=False)
    given = {"iterations": 12, "learning_rate": 0.9, "custom_metric": "AUC"}
    here = fit(table, "y", given=given, eval_sets=[(tail, "y"), (tail, "y", weight)])
    assert set(here.record.history) == {"learn", "validation_0", "validation_1"}
    assert set(here.record.history["validation_0"]) == {"Logloss", "AUC"}
    assert len(here.ensemble.trees) == here.record.best_iteration + 1
    frame = frame[[*FEATURES, "y"]]
    with DaskPool(frame, "y", client=client) as pool, DaskPool(lazy, "y", borders_of=pool) as held:
        for X, evals in (
            (frame, [(lazy, "y"), (tail, "y", weight)]),
            (pool, [(lazy, "y"), (lazy, "y", lazy_weight)]),
            (pool, [held, (lazy, "y", lazy_weight)]),
        ):
            there = fit(X, None if X is pool else "y", given=given, eval_sets=evals)
            assert model_bytes(there) == model_bytes(here)
            assert there.record.history == here.record.history


def test_eval_set_smaller_than_the_gang(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    few = table.iloc[[0, -1]]
    both(fit, table, frame, "y", eval_sets=[(few, "y")])


def test_eval_fraction_holds_rows_out(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    from gbdist.estimators.preparation.split import split_for

    here, _ = both(fit, table, frame, "y", eval_fraction=0.2)
    kept = split_for(0.2).mask(0, len(table))
    by_hand = fit(table[kept], "y", eval_sets=[(table[~kept], "y")])
    assert model_bytes(here) == model_bytes(by_hand)
    assert here.record.history == by_hand.record.history


def test_baseline(fit: Fit, table: pd.DataFrame) -> None:
    X, start = table[FEATURES].to_numpy(), table["w"].to_numpy() * 3
    lazy = da.from_array(X, chunks=(1_100, 6))
    here, _ = both(fit, X, lazy, table["y"], baseline=start)
    assert model_bytes(here) != model_bytes(fit(X, table["y"]))


def test_init_model_goes_on_where_it_ended(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame, tmp_path: Any) -> None:
    first = fit(table, "y", given={"iterations": 3})
    path = str(tmp_path / "first.cbm")
    first.model.save_model(path)
    for start in (first.model, path):
        here, _ = both(fit, table, frame, "y", init_model=start, given={"iterations": 4}, eval_sets=[(table, "y")])
        assert here.model.tree_count_ == 7
        old, new = first.model.get_leaf_values(), here.model.get_leaf_values()
        assert np.array_equal(new[: len(old)], old)
    raw = first.model.predict(table[[*FEATURES, "w"]], prediction_type="RawFormulaVal")
    by_hand = fit(table, "y", baseline=raw, given={"iterations": 4})
    assert by_hand.ensemble.trees == here.ensemble.trees


@pytest.mark.parametrize(
    "given",
    [{"grow_policy": "Depthwise", "min_data_in_leaf": 30}, {"grow_policy": "Lossguide", "max_leaves": 7}],
    ids=str,
)
def test_trees_that_grow_leaf_by_leaf(
    fit: Fit, table: pd.DataFrame, frame: dd.DataFrame, given: dict[str, Any], tmp_path: Any
) -> None:
    """A best model is cut, saved, and gone on from."""
    columns, valid = [*FEATURES, "w"], table.iloc[:1_500]
    how = {**given, "iterations": 15, "learning_rate": 1.8}
    here, _ = both(fit, table.iloc[1_500:], frame.loc[1_500:], "y", given=how, eval_sets=[(valid, "y")])
    assert here.model.tree_count_ == here.record.best_iteration + 1 < 15
    here.model.save_model(str(tmp_path / "m.cbm"))
    loaded = catboost.CatBoostClassifier().load_model(str(tmp_path / "m.cbm"))
    stages = [log_loss(valid["y"], stage) for stage in loaded.staged_predict_proba(valid[columns])]
    curve = here.record.history["validation"]["Logloss"][: len(stages)]
    assert stages == pytest.approx(curve, rel=1e-9)
    more, _ = both(fit, table, frame, "y", init_model=str(tmp_path / "m.cbm"), given={**given, "iterations": 2})
    assert more.model.tree_count_ == loaded.tree_count_ + 2
    with pytest.raises(ModelError, match="Summation of symmetric and non-symmetric models is not supported"):
        fit(table.assign(a="refused before the data are looked at"), "y", init_model=loaded)


@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
def test_init_model_of_several_classes(fit: Fit, table: pd.DataFrame, loss: str) -> None:
    table = table.assign(y=np.where(table["a"] > 0.7, "c", np.where(table["b"] > 0, "a", "b")))
    frame = dd.from_pandas(table, npartitions=3, sort=False)
    first = fit(table, "y", given={"iterations": 3, "loss_function": loss})
    here, _ = both(fit, table, frame, "y", init_model=first.model, given={"iterations": 2, "loss_function": loss})
    assert here.model.tree_count_ == 5
    assert here.model.classes_.tolist() == ["a", "b", "c"]


def test_init_model_that_does_not_fit(fit: Fit, table: pd.DataFrame, client: Client) -> None:
    first = fit(table, "y")
    with pytest.raises(DataError, match="init_model: found a model of 7 features, expected one of the 6 features of X"):
        fit(table[[*FEATURES, "y"]], "y", init_model=first.model)
    with pytest.raises(ModelError, match="init_model is a classifier, and a regressor is trained"):
        fit(table, "y", classifier=False, init_model=first.model)
    with pytest.raises(DataError, match=r"init_model: found classes \[0, 1\], expected \[0, 2\], as in y"):
        fit(table.assign(y=table["y"] * 2), "y", init_model=first.model)
    with pytest.raises(ModelError, match=r"init_model: there is no file 'nowhere.cbm'"):
        fit(table, "y", init_model="nowhere.cbm")
    with pytest.raises(ModelError, match="init_model is a CatBoostClassifier that is not a fitted CatBoost model"):
        fit(table, "y", init_model=catboost.CatBoostClassifier())
    lossguide = catboost.CatBoostClassifier(iterations=2, grow_policy="Lossguide", verbose=0, allow_writing_files=False)
    lossguide.fit(table[[*FEATURES, "w"]], table["y"])
    with pytest.raises(ModelError, match="Summation of symmetric and non-symmetric models is not supported"):
        fit(table.assign(a="refused before the data are looked at"), "y", init_model=lossguide)
    with DaskPool(table, "y", client=client) as pool, pytest.raises(ParameterError, match="keeps no raw values"):
        fit(pool, init_model=first.model)


class Ear:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def hear(self, event: Event) -> bool:
        self.heard.append(event)
        return True  # a listener's answer does not count; only callbacks may stop a run


def test_listener_hears_everything_in_order(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    for X, ranks in ((table, 1), (frame, 3)):
        ear = Ear()
        fit(X, "y", listener=ear)
        assert ear.heard[0] == RunStarted(8, 5_000, 7, ranks)
        grown = [event for event in ear.heard if isinstance(event, IterationDone)]
        assert [event.iteration for event in grown] == list(range(8))
        assert all(event.step is None for event in grown) == (ranks > 1)  # steps do not travel with what is shown
        assert ear.heard[-1] == RunFinished(8, "iterations")


class StopsAfter:
    """A CatBoost-style callback."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.seen: list[dict[str, Any]] = []

    def after_iteration(self, info: Any) -> bool:
        self.seen.append({name: dict(values) for name, values in info.metrics.items()})
        return bool(info.iteration < self.iterations)


def test_callback_stops_the_run(fit: Fit, table: pd.DataFrame, frame: dd.DataFrame) -> None:
    calls = [StopsAfter(3), StopsAfter(3)]
    results = [fit(X, "y", callbacks=[call]) for X, call in zip((table, frame), calls, strict=True)]
    assert [len(result.ensemble.trees) for result in results] == [3, 3]
    assert [result.stopped for result in results] == ["callback"] * 2
    assert model_bytes(results[0]) == model_bytes(results[1])
    assert calls[0].seen == calls[1].seen


def test_error_in_a_callback_ends_the_run(fit: Fit, frame: dd.DataFrame) -> None:
    class Breaks:
        def after_iteration(self, info: Any) -> bool:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(frame, "y", callbacks=[Breaks()])
    assert len(fit(frame, "y").ensemble.trees) == 8  # the cluster is free again


@pytest.mark.parametrize(
    ("where", "step"),
    [(SurveyRun, "start"), (stages, "request_encodings"), (stages, "request_cells"), (pipeline, "wait_for")],
)
def test_interrupt_leaves_nothing(
    fit: Fit,
    frame: dd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    tasks_left: Callable[[], list[str]],
    where: Any,
    step: str,
) -> None:
    done = getattr(where, step)
    results = []

    def interrupted(*arguments: Any) -> Any:
        results.append(done(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(where, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(frame, "y")
    assert tasks_left() == []  # while ``results`` still refers to the futures
    assert len(results) == 1


def test_plan_says_what_training_would_hold(client: Client, frame: dd.DataFrame) -> None:
    made = plan(frame, "y", parameters={}, sample_weight="w", client=client)
    assert (made.rows, made.features, made.partitions) == (5_000, 6, 5)
    assert sum(worker.rows for worker in made.workers) == 5_000
    assert all(worker.shard_bytes == worker.rows * (6 + 4 + 4) for worker in made.workers)
    assert all(worker.fits for worker in made.workers)
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        assert sum(worker.shard_bytes for worker in made.workers) == pool.nbytes
    in_memory = plan(frame.compute(), "y", parameters={}, sample_weight="w", client=client)
    assert [worker.rows for worker in in_memory.workers] == [worker.rows for worker in made.workers]


def test_plan_leaves_persisted_rows_where_they_are(client: Client, table: pd.DataFrame) -> None:
    workers = sorted(client.nthreads())
    parts = [table.iloc[:2_500][FEATURES].to_numpy(), table.iloc[2_500:][FEATURES].to_numpy()]
    blocks = [client.scatter([part], workers=[at], hash=False)[0] for part, at in zip(parts, workers[1:], strict=True)]
    X = da.concatenate([da.from_delayed(block, (2_500, 6), np.float32) for block in blocks])
    held = client.persist(X)
    made = plan(held, parameters={}, client=client)
    rows = {worker.address: worker.rows for worker in made.workers}
    assert sum(rows.values()) == 5_000
    assert min(rows[workers[1]], rows[workers[2]]) > 1_600


def test_data_of_this_process_below_the_bound_need_no_cluster(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gbdist.estimators import training

    def no_cluster(client: Any) -> None:
        raise AssertionError("a cluster was asked for")

    monkeypatch.setattr(training, "resolve_client", no_cluster)
    parameters = canonical({"iterations": 2}, classifier=True)
    train(table, "y", parameters=parameters, classifier=True)
    with pytest.raises(AssertionError, match="a cluster was asked for"):
        train(pd.concat([table, table]), "y", parameters=parameters, classifier=True)


def test_combinations_that_do_not_compete_are_told_of_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gbdist.categories.combinations.MOST_COMBINATIONS", 1)
    rng = np.random.default_rng(2)
    columns = {name: rng.integers(0, 20, 800).astype(str) for name in "abc"}
    label = (rng.random(800) < 0.2 + 0.6 * (columns["a"] > columns["b"])).astype(int)
    estimator = DaskCatBoostClassifier(iterations=5, max_ctr_complexity=3, verbose=False)
    with pytest.warns(UserWarning, match="combinations of categorical columns did not compete") as told:
        estimator.fit(pd.DataFrame(columns), label)
    assert len(told) == 1


@pytest.mark.parametrize("level", [5.0, 150.0])
def test_uncertainty_goes_on_from_where_it_is(fit: Fit, table: pd.DataFrame, level: float) -> None:
    """The start is not added again, and only the deviation is an exponent, which has to be small."""
    table = table.assign(y=table["a"] + level)
    given = {"loss_function": "RMSEWithUncertainty", "iterations": 10}
    first = fit(table, "y", classifier=False, given=given)
    more = fit(table, "y", classifier=False, given=given, init_model=first.model)
    loss = [one.record.history["learn"]["RMSEWithUncertainty"] for one in (first, more)]
    assert loss[1][0] < loss[0][-1]
    assert loss[1][-1] < loss[1][0]
    given["learning_rate"] = 1e-4
    baseline = np.column_stack([np.full(len(table), level), np.zeros(len(table))])
    still = fit(table, "y", classifier=False, given={**given, "iterations": 1}, baseline=baseline)
    predicted = still.model.predict(table.drop(columns="y"), prediction_type="RawFormulaVal")
    assert np.abs(predicted).max() < 0.1
