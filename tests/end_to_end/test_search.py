"""Searches whose client is killed in the middle, or that lose a worker: what comes out is what nothing has happened to."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import optuna
import pytest
from distributed import Client
from optuna.trial import TrialState

from gbdist import DaskCatBoostRegressor
from gbdist.selection import DaskSearchCV
from gbdist.selection.searching.events import TrialAdvanced, TrialEnded
from gbdist_cluster.launch.local import start_local

TRIALS = 12


def searched(client: Client, listener: Callable[[Any], object] | None = None, **more: Any) -> DaskSearchCV:
    rows = np.random.default_rng(6).normal(size=(1_200, 4)).astype(np.float32)
    X, y = da.from_array(rows, chunks=(300, 4)), da.from_array(rows[:, 0] * rows[:, 1], chunks=300)
    space = {"depth": {"low": 2, "high": 5}, "learning_rate": {"low": 0.05, "high": 0.5, "log": True}}
    search = DaskSearchCV(
        DaskCatBoostRegressor(iterations=12), space, n_trials=TRIALS, cv=3, random_state=3, client=client, **more
    )
    return search.fit(X, y, listener=listener)


def result(search: DaskSearchCV) -> list[Any]:
    table = search.cv_results_
    return [table["params"], table["mean_test_score"].tolist(), table["state"].tolist(), search.best_params_]


def run_and_say(pipe: Connection, scheduler: str, storage: str) -> None:
    """A process with a client of its own, which says each event and waits for the answer."""

    def say(event: Any) -> None:
        pipe.send(type(event).__name__)
        pipe.recv()

    with Client(scheduler, set_as_default=False) as client:
        pipe.send(result(searched(client, say, storage=storage)))


def killed_after(context: Any, scheduler: str, storage: str, last: int, of: type) -> None:
    """Let a client search until it has said ``last`` events of a type, and kill it."""
    ours, theirs = context.Pipe()
    process = context.Process(target=run_and_say, args=(theirs, scheduler, storage))
    process.start()
    seen = 0
    while seen < last:
        seen += ours.recv() == of.__name__
        if seen < last:
            ours.send(None)
    os.kill(process.pid, signal.SIGKILL)
    process.join(timeout=30)


@pytest.mark.soak
def test_client_killed_in_the_middle_of_a_study(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    with start_local(workers=2, threads=1, dashboard=False) as local:
        expected = result(searched(local.client))
        context = multiprocessing.get_context("forkserver")  # which has everything loaded
        for last, of in ((5, TrialAdvanced), (3, TrialEnded), (17, TrialAdvanced)):
            killed_after(context, local.client.scheduler.address, storage, last, of)
        found = searched(local.client, storage=storage)
    assert result(found) == expected
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    complete = [trial.user_attrs["gbdist:number"] for trial in trials if trial.state == TrialState.COMPLETE]
    assert sorted(complete) == list(range(TRIALS))
    assert len(trials) > TRIALS  # some were cut off
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.FAIL}


@pytest.mark.soak
def test_worker_killed_in_the_middle_of_a_study() -> None:
    with start_local(workers=2, threads=1, dashboard=False) as local:
        expected = result(searched(local.client))
        killed: list[int] = []

        def kill(event: Any) -> None:
            if isinstance(event, TrialAdvanced) and event.number >= 3 and not killed:
                address, pid = next(iter(local.client.run(os.getpid).items()))
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)
                assert address

        found = searched(local.client, kill)
    assert killed
    assert result(found) == expected
