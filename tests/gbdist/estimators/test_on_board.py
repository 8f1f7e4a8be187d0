"""Fits on a cluster stand on its board: what they are, their curves and ranks, how they ended; fits in this process do not."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool
from gbdist.boosting.events import IterationDone, RunFinished, RunStarted
from gbdist.errors import ParameterError
from gbdist.estimators.on_board import BoardListener
from gbdist_cluster.monitor.reporting import RankPlace, labelled, read_board

FEATURES = list("abcdef")


@pytest.fixture
def big(table: pd.DataFrame) -> pd.DataFrame:
    """So many rows that a fit goes to the cluster."""
    return pd.concat([table] * 3, ignore_index=True)


def told_all(run: dict[str, Any]) -> bool:
    """Whether the last words of all ranks are there."""
    values = run["curves"].get("learn", {}).values()
    return all(rank["spans"] for rank in run["ranks"]) and [curve[-1][0] for curve in values][:1] == [run["trees"] - 1]


def fitted(client: Client, fit: Callable[[], Any]) -> dict[str, Any]:
    """The run that a fit leaves on the board, with the last words of its ranks."""
    with labelled("this test"):
        known = {run["run"] for run in read_board(client)}
        fit()
    end = time.monotonic() + 20.0
    while True:
        made = [run for run in read_board(client, job="this test") if run["run"] not in known]
        ends = [run for run in made if run["ended"] and (run["state"] != "done" or told_all(run))]
        if ends:
            (run,) = made
            return dict(run)
        assert time.monotonic() < end, made
        time.sleep(0.01)


def test_a_fit_with_an_eval_set(client: Client, big: pd.DataFrame) -> None:
    model = DaskCatBoostClassifier(iterations=12, depth=3, custom_metric=["AUC"], client=client)
    data = big[FEATURES], big["y"]
    run = fitted(client, lambda: model.fit(*data, eval_set=(big[FEATURES][:5_000], big["y"][:5_000])))
    told = {name: run[name] for name in ("job", "label", "state", "trees", "iterations", "rows", "features", "epoch")}
    assert told == {
        "job": "this test", "label": "DaskCatBoostClassifier Logloss", "state": "done", "trees": 12, "iterations": 12,
        "rows": 15_000, "features": 6, "epoch": 0,
    }  # fmt: skip
    history = model.evals_result_
    for data_set, of_set in history.items():
        for name, values in of_set.items():
            curve = run["curves"][data_set][name]
            assert [value for _, value in curve] == values
            assert curve[-1][0] == 11
    assert run["best"] == [model.best_iteration_, history["validation"]["Logloss"][model.best_iteration_]]
    workers = client.scheduler_info(n_workers=-1)["workers"]
    assert {rank["worker"] for rank in run["ranks"]} == set(workers)
    assert sum(rank["rows"] for rank in run["ranks"]) == 15_000
    for rank in run["ranks"]:
        assert set(rank["spans"]) >= {"waiting"}
        assert rank["bytes"] > 0
        assert 0.0 < sum(rank["spans"].values()) < run["ended"] - run["started"]
    assert [event["kind"] for event in run["events"]] == ["started", "done"]


def test_a_fit_of_models_on_a_pool_that_stops_early(client: Client, big: pd.DataFrame) -> None:
    model = DaskCatBoostRegressor(iterations=40, depth=2, aggregate="models", rounds=10, client=client)
    stop = SimpleNamespace(after_iteration=lambda info: info.iteration < 8)
    run = fitted(client, lambda: model.fit(big[FEATURES], big["y"].astype(float), callbacks=[stop]))
    assert run["label"] == "DaskCatBoostRegressor RMSE of models"
    assert (run["state"], run["iterations"]) == ("done", 40)
    assert [event["kind"] for event in run["events"]] == ["started", "stopped", "done"]
    assert run["trees"] == 8


def test_a_fit_on_a_pool(client: Client, big: pd.DataFrame) -> None:
    with DaskPool(big[FEATURES], big["y"].astype(float), client=client) as pool:
        run = fitted(client, lambda: DaskCatBoostRegressor(iterations=3, depth=2, client=client).fit(pool))
    assert (run["label"], run["state"], run["trees"]) == ("DaskCatBoostRegressor RMSE", "done", 3)


def test_a_fit_that_is_refused_once_the_data_were_looked_at(client: Client, big: pd.DataFrame) -> None:
    def fit() -> None:
        with pytest.raises(Exception, match="label"):
            DaskCatBoostRegressor(iterations=3, client=client).fit(big[FEATURES], big["y"] * 0.0)

    run = fitted(client, fit)
    assert run["state"] == "failed"
    assert run["error"].startswith("DataError: ")
    assert [event["kind"] for event in run["events"]] == ["failed"]


def test_a_fit_whose_callback_raises(client: Client, big: pd.DataFrame) -> None:
    def after_iteration(info: Any) -> bool:
        raise KeyboardInterrupt

    def fit() -> None:
        model = DaskCatBoostRegressor(iterations=3, depth=2, client=client)
        with pytest.raises(KeyboardInterrupt):
            model.fit(
                big[FEATURES], big["y"].astype(float), callbacks=[SimpleNamespace(after_iteration=after_iteration)]
            )

    run = fitted(client, fit)
    assert (run["state"], run["error"]) == ("cancelled", None)


def test_small_data_and_wrong_parameters_are_not_shown(client: Client, table: pd.DataFrame, big: pd.DataFrame) -> None:
    before = len(read_board(client))
    DaskCatBoostClassifier(iterations=2, depth=2, client=client).fit(table[FEATURES], table["y"])
    with pytest.raises(ParameterError):
        DaskCatBoostClassifier(iterations=-2, client=client).fit(big[FEATURES], big["y"])
    assert len(read_board(client)) == before


# ---- a rank by itself


def listened(events: list[tuple[float, Any]], **given: Any) -> list[dict[str, Any]]:
    """What a rank sends that hears events at these times of its clock, which begins at 10."""
    sent: list[dict[str, Any]] = []
    now = [10.0]
    traffic = SimpleNamespace(seconds_waited=0.5, bytes_sent=640)
    context: Any = SimpleNamespace(rank=0, collective=SimpleNamespace(traffic=traffic), tell_scheduler=sent.append)
    listener = BoardListener(RankPlace("r", 1), context, clock=lambda: now[0], **given)
    for at, happened in events:
        now[0] = at
        assert listener.hear(happened) is False
    return sent


def grown(number: int, best: int = -1) -> IterationDone:
    return IterationDone(number, {"learn": {"RMSE": 1.0 / (number + 1)}}, best, 0.25)


def test_trees_are_told_of_at_most_twice_a_second_and_at_the_end() -> None:
    events = [(10.0, RunStarted(9, 5, 2, 2)), (11.0, grown(0)), (11.2, grown(1)), (11.4, grown(2, best=1))]
    sent = listened([*events, (11.6, grown(3, best=1)), (11.7, grown(4)), (11.8, RunFinished(5, "iterations"))])
    assert [(told["trees"], told["grown"]) for told in sent] == [(1, 1), (4, 4), (5, 5)]
    assert [told["best"] for told in sent] == [None, (1, 0.25), None]
    assert [[point[2] for point in told["points"]] for told in sent] == [[0], [1, 2, 3], [4]]
    assert sent[0]["spans"] == {"computing": 0.5, "waiting": 0.5}
    assert sent[0]["bytes"] == 640


def test_trees_that_were_there_are_not_grown_and_rounds_grow_several() -> None:
    sent = listened([(10.0, RunStarted(30, 5, 2, 2, resumed=10)), (11.0, grown(10)), (12.0, grown(14))])
    assert [(told["trees"], told["grown"]) for told in sent] == [(11, 1), (15, 5)]


def test_where_the_time_went_may_be_known_better() -> None:
    sent = listened([(11.0, grown(0))], seconds=lambda: {"histograms": 0.25})
    assert sent[0]["spans"] == {"histograms": 0.25}
