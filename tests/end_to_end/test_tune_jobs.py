"""Searches that are jobs: whatever befalls their driver, all trials are there in the end, each of them once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from gbdist.jobs.submitted import views
from gbdist.jobs.submitted.fetch import result
from gbdist.jobs.submitted.kinds import make_spec
from gbdist.jobs.submitted.studies import JOURNAL
from gbdist.jobs.submitted.submit import cancel, resume, submit
from gbdist.jobs.submitted.where import Where
from gbdist.jobs.tune import storage_in
from gbdist_cluster.launch.local import LocalWorkers

from . import test_jobs as of_jobs

BOUND_SECONDS = 150.0
TRIALS = 8
pytestmark = pytest.mark.soak

local, where = of_jobs.local, of_jobs.where


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("data") / "rows.parquet"
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(size=(4_000, 5)), columns=list("abcde"))
    table.assign(y=table.a * table.b + table.c).to_parquet(path, index=False)
    space = {"depth": {"low": 3, "high": 6}, "learning_rate": {"low": 0.05, "high": 0.5, "log": True}}
    options = {"data": [str(path)], "target": ["y"], "folds": 3, "params": {"iterations": 60}}
    return make_spec("tune", {**options, "space": space, "trials": TRIALS})


@pytest.fixture(scope="module")
def expected(where: Where, job: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a search finds to which nothing happens."""
    submit(job, where, "undisturbed")
    assert until(where, "undisturbed", lambda view: view.is_over).state == "done"
    return found(where, "undisturbed", tmp_path_factory.mktemp("expected"))


def until(where: Where, job_id: str, condition: Callable[[views.JobView], bool]) -> views.JobView:
    return of_jobs.until(where, job_id, condition, BOUND_SECONDS)


def in_the_middle(view: views.JobView) -> bool:
    search = view.progress.get("search", {})
    return search.get("ended", 0) >= 2 and search["running"] > 0


def found(where: Where, job_id: str, folder: Path) -> dict[str, Any]:
    record = result(where, job_id, folder / "model.cbm")[1]
    assert record["trials"] == {"complete": TRIALS}, pd.read_parquet(record["trials_table"])["error"].tolist()
    return {name: record[name] for name in ("best_trial", "best_score", "best_params", "trees")}


def scored(where: Where, job_id: str) -> Counter[int]:
    """How often the study has each trial with a score, or with an error."""
    journal = Path(str(where.jobs_dir)) / job_id / JOURNAL
    storage = storage_in(journal)
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(storage=storage, study_name=name).trials
    told = [trial for trial in trials if trial.value is not None or "gbdist:error" in trial.user_attrs]
    return Counter(trial.user_attrs["gbdist:number"] for trial in told)


def test_worker_of_the_driver_killed_between_trials(
    local: LocalWorkers, where: Where, job: Any, expected: dict[str, Any], tmp_path: Path
) -> None:
    submit(job, where, "killed")
    view = until(where, "killed", in_the_middle)
    of_jobs.kill_driver(local, view)
    ended = until(where, "killed", lambda view: view.is_over)
    assert (ended.state, ended.attempt) == ("done", 2), ended.error
    assert scored(where, "killed") == Counter(range(TRIALS))
    assert found(where, "killed", tmp_path) == expected


def test_cancelled_between_trials_and_resumed(where: Where, job: Any, expected: dict[str, Any], tmp_path: Path) -> None:
    submit(job, where, "called-off")
    until(where, "called-off", in_the_middle)
    assert cancel(where, "called-off").state == "cancelled"
    before = scored(where, "called-off")
    assert 2 <= len(before) < TRIALS
    resume(where, "called-off")
    ended = until(where, "called-off", lambda view: view.is_over)
    assert ended.state == "done", ended.error
    assert scored(where, "called-off") == Counter(range(TRIALS))
    assert found(where, "called-off", tmp_path) == expected
