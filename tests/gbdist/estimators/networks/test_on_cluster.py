"""Networks on a cluster: what they are trained on, what is told of them, when they stop, and what they go on from."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskMLPClassifier, DaskMLPRegressor
from gbdist.errors import DataError, ParameterError, SnapshotError
from gbdist_cluster.monitor.reporting import read_board

FEATURES = list("abcd")
SETTINGS: dict[str, Any] = {
    "hidden_layer_sizes": (8, 8),
    "max_iter": 5,
    "batch_size": 100,
    "random_state": 1,
    "alpha": 1e-5,
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(4_000, 4)).astype(np.float32)
    return pd.DataFrame(values, columns=FEATURES).assign(y=(values[:, 0] + values[:, 1] > 0).astype(np.int64))


@pytest.fixture(scope="module")
def frame(table: pd.DataFrame) -> Any:
    return dd.from_pandas(table, npartitions=4, sort=False)


not_converged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(client: Client | None, **more: Any) -> DaskMLPClassifier:
    return DaskMLPClassifier(client=client, **{**SETTINGS, **more})


def same(one: DaskMLPClassifier, other: DaskMLPClassifier) -> None:
    np.testing.assert_allclose(one.model_.flat, other.model_.flat, rtol=0, atol=1e-5)


def on_board(client: Client, fit: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    """The run of a fit as the board has it in the end, with the last words of its ranks; and what the fit gives."""
    known = {run["run"] for run in read_board(client)}
    model = fit()
    end = time.monotonic() + 20.0
    while True:
        made = [run for run in read_board(client) if run["run"] not in known and run["ended"]]
        if made and (made[0]["state"] != "done" or all(rank["spans"] for rank in made[0]["ranks"])):
            return made[0], model
        assert time.monotonic() < end, made


class Hears:
    """A callback that notes epochs and values, and asks to stop, or raises, after one of them."""

    def __init__(self, last: int = 0, error: type[BaseException] | None = None) -> None:
        self.epochs: list[int] = []
        self.losses: list[float] = []
        self._last, self._error = last, error

    def after_iteration(self, info: Any) -> bool:
        self.epochs.append(info.iteration)
        self.losses = list(info.metrics["learn"]["loss"])
        if info.iteration == self._last and self._error is not None:
            raise self._error
        return info.iteration != self._last


def test_eval_sets_weights_and_classes_are_those_of_a_fit_here(client: Client, table: pd.DataFrame, frame: Any) -> None:
    evals = table.iloc[:900]
    weights = np.arange(4_000) % 3 + 1.0
    settings = {"class_weight": {0: 2.0, 1: 1.0}, "eval_metric": ["AUC", "Logloss"], "n_iter_no_change": 2}
    here = make(None, **settings).fit(table[FEATURES], table["y"], weights, eval_set=(evals[FEATURES], evals["y"]))
    lazy = dd.from_pandas(evals, npartitions=2, sort=False)
    there = make(client, **settings).fit(
        frame[FEATURES], frame["y"], dd.from_pandas(pd.Series(weights), npartitions=4, sort=False),
        eval_set=[(lazy[FEATURES], lazy["y"])],
    )  # fmt: skip
    same(there, here)
    assert there.evals_result_["validation"].keys() == {"AUC", "Logloss"}
    for name, values in here.evals_result_["validation"].items():
        np.testing.assert_allclose(there.evals_result_["validation"][name], values, rtol=1e-5)
    assert there.best_iteration_ == here.best_iteration_


def test_large_data_of_this_process_are_sent_to_the_cluster(client: Client, table: pd.DataFrame) -> None:
    large = pd.concat([table] * 3, ignore_index=True)
    run, there = on_board(client, lambda: make(client, max_iter=2).fit(large[FEATURES], large["y"]))
    assert run["rows"] == there.model_.record.rows_seen / there.n_iter_
    assert len(run["ranks"]) == 3
    assert there.score(table[FEATURES], table["y"]) > 0.9


@pytest.mark.parametrize("strategy", ["pipeline", "tensor"])
def test_ranks_that_share_a_network_train_the_same_one(
    client: Client, table: pd.DataFrame, frame: Any, strategy: str
) -> None:
    wide = {"hidden_layer_sizes": (48, 48), "max_iter": 3}
    here = make(None, **wide).fit(table[FEATURES], table["y"])
    same(make(client, strategy=strategy, **wide).fit(frame[FEATURES], frame["y"]), here)


def test_workers_that_cannot_share_a_network_are_refused_before_anything_is_made(client: Client, frame: Any) -> None:
    made: list[int] = []

    def note(part: pd.DataFrame) -> pd.DataFrame:
        made.append(len(part))
        return part

    noted = frame.map_partitions(note, meta=frame._meta)
    with pytest.raises(
        ParameterError, match="model_ranks=2 cannot be used: expected a divisor of the number of workers"
    ):
        make(client, strategy="pipeline", model_ranks=2).fit(noted[FEATURES], noted["y"])
    assert len(made) <= 4 + 1  # partitions were counted, and none was encoded


def test_the_board_speaks_of_epochs(client: Client, frame: Any) -> None:
    run, _ = on_board(client, lambda: make(client).fit(frame[FEATURES], frame["y"]))
    assert (run["label"], run["state"], run["counted"]) == ("DaskMLPClassifier", "done", "epochs")
    assert (run["trees"], run["iterations"], run["features"], len(run["ranks"])) == (5, 5, 4, 3)
    assert [len(points) for of_set in run["curves"].values() for points in of_set.values()] == [5, 5]
    spans = {name for rank in run["ranks"] for name in rank["spans"]}
    assert spans >= {"loading", "batches", "steps", "metrics"}


def test_what_ended_a_run_early_stands_on_the_board(client: Client, frame: Any) -> None:
    early = make(client, max_iter=60, tol=0.5, n_iter_no_change=2)
    run, model = on_board(client, lambda: early.fit(frame[FEATURES], frame["y"]))
    assert run["trees"] == model.n_iter_ < 60
    assert ("stopped", "the eval set's metric got no better") in [(one["kind"], one["text"]) for one in run["events"]]


def test_a_profile_of_a_network(client: Client, frame: Any, tmp_path: Path) -> None:
    make(client).fit(frame[FEATURES], frame["y"], profile=tmp_path)
    text = (tmp_path / "summary.txt").read_text()
    assert text.startswith("DaskMLPClassifier: 3,600 rows x 4 features, ranks: 3")
    assert "5 epochs, " in text
    assert "for each epoch." in text


def test_callbacks_hear_every_epoch_and_may_stop(client: Client, table: pd.DataFrame, frame: Any) -> None:
    hears = Hears(3)
    model = make(client).fit(frame[FEATURES], frame["y"], callbacks=[hears])
    assert (model.n_iter_, model.model_.record.stopped, hears.epochs) == (3, "callback", [1, 2, 3])
    assert hears.losses == model.loss_curve_


def test_nothing_is_left_after_an_error_of_a_callback(
    client: Client, frame: Any, tasks_left: Callable[[], list[str]]
) -> None:
    def failing() -> None:
        with pytest.raises(ZeroDivisionError):
            make(client).fit(frame[FEATURES], frame["y"], callbacks=[Hears(2, ZeroDivisionError)])

    run, _ = on_board(client, failing)
    assert run["state"] == "failed"
    assert tasks_left() == []


def test_ranks_stop_soon_after_they_are_called_off(
    client: Client, frame: Any, tasks_left: Callable[[], list[str]]
) -> None:
    class Interrupts:
        began = 0.0

        def after_iteration(self, info: Any) -> bool:
            self.began = time.monotonic()
            raise KeyboardInterrupt

    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        make(client, max_iter=10_000, n_iter_no_change=np.inf).fit(frame[FEATURES], frame["y"], callbacks=[interrupts])
    assert time.monotonic() - interrupts.began < 2.0
    assert tasks_left() == []


@not_converged
def test_a_model_is_gone_on_with_on_the_cluster(client: Client, table: pd.DataFrame, frame: Any) -> None:
    settings = {"preset": "sklearn", "warm_start": True, "tol": 0.0}
    here, there = make(None, **settings), make(client, **settings)
    for _ in range(2):
        here.fit(table[FEATURES], table["y"])
        there.fit(frame[FEATURES], frame["y"])
    np.testing.assert_allclose(there.model_.flat, here.model_.flat, rtol=0, atol=1e-10)
    assert len(there.loss_curve_) == 10


def test_partial_fit_goes_on_on_the_cluster(client: Client, table: pd.DataFrame, frame: Any) -> None:
    here, there = make(None), make(client)
    for _ in range(3):
        here.partial_fit(table[FEATURES], table["y"], classes=[0, 1])
        there.partial_fit(frame[FEATURES], frame["y"], classes=[0, 1])
    same(there, here)
    assert there.t_ == 12_000


def test_a_regressor_of_two_targets(client: Client, table: pd.DataFrame) -> None:
    both = table.assign(u=100.0 * table["a"], v=5_000.0 + table["b"])
    frame = dd.from_pandas(both, npartitions=4, sort=False)
    model = DaskMLPRegressor(client=client, **{**SETTINGS, "max_iter": 12}).fit(frame[FEATURES], frame[["u", "v"]])
    predicted = model.predict(both[FEATURES])
    assert np.abs(predicted - both[["u", "v"]].to_numpy()).mean(axis=0) == pytest.approx([0, 0], abs=40)


def test_data_that_cannot_be_used_are_named(client: Client, table: pd.DataFrame, tasks_left: Any) -> None:
    broken = dd.from_pandas(table.assign(b=table["b"].where(table.index != 3_000, np.inf)), npartitions=4, sort=False)
    with pytest.raises(DataError, match="column 'b'"):
        make(client).fit(broken[FEATURES], broken["y"])
    assert tasks_left() == []


# ---- snapshots


def snapshots(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"save_snapshot": True, "snapshot_file": f"{tmp_path}/run", "snapshot_interval": 0, **more}


@pytest.fixture(params=["here", "on the cluster"])
def place(request: pytest.FixtureRequest, client: Client, table: pd.DataFrame, frame: Any) -> tuple[Client, Any]:
    """Where a run is, and its data: the same place and ranks every time."""
    return client, table if request.param == "here" else frame


def test_a_run_that_was_interrupted_goes_on(place: tuple[Client, Any], tmp_path: Path) -> None:
    client, data = place
    X, y = data[FEATURES], data["y"]
    whole = make(client).fit(X, y)
    first, second, third = Hears(3, KeyboardInterrupt), Hears(), Hears()
    with pytest.raises(KeyboardInterrupt):
        make(client, **snapshots(tmp_path)).fit(X, y, callbacks=[first])
    made = make(client, **snapshots(tmp_path)).fit(X, y, callbacks=[second])
    same(made, whole)
    assert second.epochs[-1] == 5
    assert second.epochs[0] > 1  # not all of it was done again
    assert made.loss_curve_ == pytest.approx(whole.loss_curve_)
    assert second.losses == made.loss_curve_  # also those of the first part
    again = make(client, **snapshots(tmp_path)).fit(X, y, callbacks=[third])
    assert third.epochs == []  # all is done
    np.testing.assert_array_equal(again.model_.flat, made.model_.flat)


@not_converged
def test_a_run_that_was_over_goes_on_to_more_epochs(place: tuple[Client, Any], tmp_path: Path) -> None:
    client, data = place
    settings = snapshots(tmp_path, learning_rate="constant", n_iter_no_change=99)
    X, y = data[FEATURES], data["y"]
    whole = make(client, learning_rate="constant", n_iter_no_change=99, max_iter=8).fit(X, y)
    make(client, **settings).fit(X, y)
    hears = Hears()
    made = make(client, **settings).set_params(max_iter=8).fit(X, y, callbacks=[hears])
    assert hears.epochs == [6, 7, 8]
    same(made, whole)
    with pytest.raises(SnapshotError) as refused:
        make(client, **settings).fit(X, y)
    assert str(refused.value).endswith(
        "found 8 epochs, of which the last one is kept, expected at most max_iter=5. Raise max_iter to 8 or more, or give "
        "another snapshot_file to begin anew."
    )


def test_another_run_is_refused_with_what_differs(place: tuple[Client, Any], tmp_path: Path) -> None:
    client, data = place
    X, y = data[FEATURES], data["y"]
    make(client, **snapshots(tmp_path)).fit(X, y)
    moved = X.assign(c=X["c"].where(X["c"] < 1.5, 1.5))
    cases: list[tuple[dict[str, Any], Any, str]] = [
        ({"alpha": 0.5}, X, "alpha: 1e-05 in the snapshot, 0.5 here"),
        ({"hidden_layer_sizes": (8,)}, X, r"hidden_layer_sizes: \[8, 8\] in the snapshot, \[8\] here"),
        ({"max_iter": 6}, X, "max_iter: 5 in the snapshot, 6 here"),  # the rates of "cosine" depend on it
        ({}, moved, "column 'c' has other values"),
        ({}, X.rename(columns={"a": "z"}), "column 0: 'a' in the snapshot, 'z' here"),
    ]
    for more, data_here, words in cases:
        with pytest.raises(SnapshotError, match=words):
            make(client, **snapshots(tmp_path, **more)).fit(data_here, y)


def test_a_snapshot_of_trees_is_none_of_a_network(table: pd.DataFrame, tmp_path: Path) -> None:
    trees = DaskCatBoostClassifier(iterations=2, **snapshots(tmp_path))
    trees.fit(table[FEATURES], table["y"])
    file = max(name for name in os.listdir(tmp_path) if name.startswith("run."))  # the newest, which is looked at first
    with pytest.raises(SnapshotError) as refused:
        make(None, **snapshots(tmp_path)).fit(table[FEATURES], table["y"])
    assert str(refused.value) == (
        f"{tmp_path}/{file}: found what is not the state of a network's run, expected a whole snapshot of a network. Give "
        "another snapshot_file to begin anew."
    )
