"""Jobs that run on a cluster by themselves: one model, whatever befalls them, or an error that says why not."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from gbdist.errors import DataError
from gbdist.jobs.options import train_job
from gbdist.jobs.outputs import OutputError
from gbdist.jobs.submitted import views
from gbdist.jobs.submitted.errors import JobCancelled, JobError, JobFailed, JobLost, JobNotReady
from gbdist.jobs.submitted.fetch import result
from gbdist.jobs.submitted.follow import follow, logs
from gbdist.jobs.submitted.kinds import make_spec
from gbdist.jobs.submitted.submit import cancel, resume, submit
from gbdist.jobs.submitted.where import Where
from gbdist.jobs.train import train
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cluster.launch.local import LocalWorkers, start_local
from gbdist_cluster.monitor.reporting import read_board

BOUND_SECONDS = 90.0
TREES = 300


@pytest.fixture(scope="module")
def local() -> Iterator[LocalWorkers]:
    with start_local(workers=2, threads=1, dashboard=False) as made:
        yield made


@pytest.fixture(scope="module")
def where(local: LocalWorkers, tmp_path_factory: pytest.TempPathFactory) -> Where:
    return Where(str(tmp_path_factory.mktemp("jobs")), local.client.scheduler.address)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(5)
    for number in range(4):
        table = pd.DataFrame(rng.normal(size=(2_000, 5)), columns=list("abcde"))
        table.assign(y=table.a * table.b + table.c).to_parquet(folder / f"part-{number}.parquet", index=False)
    return str(folder)


@pytest.fixture(scope="module")
def expected(local: LocalWorkers, data: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model of ``gbdist train``, to which nothing happens."""
    output = tmp_path_factory.mktemp("expected") / "model.cbm"
    train(train_job({**options(data), "output": str(output)}), client=local.client)
    return model_at(output)


def options(data: str, trees: int = TREES, **more: Any) -> dict[str, Any]:
    params = {"iterations": trees, "depth": 4, "learning_rate": 0.1, "snapshot_interval": 0, **more}
    given = {name: value for name, value in params.items() if name != "snapshot_interval"}
    return {"data": [data], "target": ["y"], "params": given}


def job(data: str, trees: int = TREES) -> Any:
    """The same as a job, which saves each step at once."""
    made = options(data, trees)
    return make_spec("train", {**made, "params": {**made["params"], "snapshot_interval": 0}})


def model_at(path: Path) -> bytes:
    return fixed_cbm_bytes(catboost.CatBoost().load_model(str(path)))


def model_of(where: Where, job_id: str, folder: Path) -> bytes:
    return model_at(result(where, job_id, folder / f"{job_id}.cbm")[0])


def until(
    where: Where, job_id: str, condition: Callable[[views.JobView], bool], seconds: float = BOUND_SECONDS
) -> views.JobView:
    """Follow a job to where something holds."""
    end = time.monotonic() + seconds
    for view in follow(where, job_id, poll=0.05):
        if condition(view):
            return view
        assert time.monotonic() < end, view
    pytest.fail(f"it ended before: {view}")


def kill_driver(local: LocalWorkers, view: views.JobView) -> None:
    """Kill the worker that a job's driver runs on."""
    (nanny,) = [each for each in local.cluster.workers.values() if each.worker_address == view.worker]
    os.kill(nanny.pid, signal.SIGKILL)


def ended(where: Where, job_id: str) -> views.JobView:
    return until(where, job_id, lambda view: view.is_over)


def grown(trees: int) -> Callable[[views.JobView], bool]:
    return lambda view: view.progress.get("trees", 0) >= trees


def test_worker_of_the_driver_killed_while_it_trains(
    local: LocalWorkers, where: Where, data: str, expected: bytes, tmp_path: Path
) -> None:
    submit(job(data), where, "killed")
    view = until(where, "killed", grown(20))
    kill_driver(local, view)
    found = ended(where, "killed")
    assert (found.state, found.attempt) == ("done", 2)
    assert found.worker != view.worker
    assert found.progress["resumed"] > 0  # it went on from its snapshot
    assert model_of(where, "killed", tmp_path) == expected
    record = result(where, "killed", tmp_path / "again.cbm")[1]
    assert record["attempts"] == 2
    assert [Path(file["path"]).name for file in record["files"]] == [f"part-{number}.parquet" for number in range(4)]
    assert len(record["data_digest"][0]["columns"]) == 5
    assert record["versions"]["catboost"] == catboost.__version__
    assert record["trees"] == TREES


def test_cancelled_within_two_seconds_and_resumed(
    local: LocalWorkers, where: Where, data: str, expected: bytes, tmp_path: Path
) -> None:
    submit(job(data), where, "called-off")
    until(where, "called-off", grown(20))
    with pytest.raises(
        JobNotReady, match=rf"^job called-off has no result yet: it is running, \d+ of {TREES} trees\. "
    ):
        result(where, "called-off", tmp_path / "early.cbm")
    with pytest.raises(JobError, match=r"^job called-off is running. Watch it with: gbdist job watch called-off$"):
        resume(where, "called-off")
    begin = time.monotonic()
    view = cancel(where, "called-off")
    until_nothing_runs(local.client)
    assert time.monotonic() - begin < 2.0
    assert (view.state, view.attempt) == ("cancelled", 1)
    assert [run["state"] for run in read_board(local.client, job="called-off")] == ["cancelled"]
    with pytest.raises(JobCancelled, match=r"^job called-off was cancelled. Go on from what it has saved with: "):
        result(where, "called-off", tmp_path / "early.cbm")
    assert cancel(where, "called-off").state == "cancelled"
    assert resume(where, "called-off").state in ("queued", "running")
    assert ended(where, "called-off").state == "done"
    started = [line["resumed"] for line in logs(where, "called-off") if line["kind"] == "started"]
    assert started[-1] > 0
    assert model_of(where, "called-off", tmp_path) == expected
    with pytest.raises(JobError, match=r"^job called-off is done. Get its result with: gbdist job result called-off$"):
        resume(where, "called-off")


def until_nothing_runs(client: Client) -> None:
    """Until no rank runs on any worker any more, and nobody has a lease."""

    def running() -> int:
        from gbdist_cluster import ranks

        return len(ranks._runs)

    def leases(dask_scheduler: Any) -> int:
        return len(dask_scheduler.plugins["gbdist"]._table.held())

    while any(client.run(running).values()) or client.run_on_scheduler(leases):
        pass


def test_the_same_job_submitted_by_two_at_once_is_one_job(where: Where, data: str) -> None:
    made: list[bool] = []
    threads = [
        threading.Thread(target=lambda: made.append(submit(job(data, 5), where, "twice").was_there)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_SECONDS)
    assert sorted(made) == [False, True]
    assert (ended(where, "twice").state, submit(job(data, 5), where, "twice").was_there) == ("done", True)
    assert [line["kind"] for line in logs(where, "twice")].count("attempt") == 1
    shutil.rmtree(Path(str(where.jobs_dir)) / "twice")  # to have it done once more
    assert not submit(job(data, 5), where, "twice").was_there
    assert ended(where, "twice").state == "done"
    message = (
        "^there is another job twice: parameter iterations is 5 there, 7 here. "
        "Give the job another --id, or leave --id out.$"
    )
    with pytest.raises(JobError, match=message):
        submit(job(data, 7), where, "twice")


def test_what_the_driver_finds_wrong_is_in_the_state_and_in_the_log(
    local: LocalWorkers, where: Where, data: str, tmp_path: Path
) -> None:
    wrong = {**options(data, 5), "target": ["z"]}
    with pytest.raises(DataError) as here:
        train(train_job({**wrong, "output": str(tmp_path / "model.cbm")}), client=local.client)
    submit(make_spec("train", wrong), where, "wrong")
    view = ended(where, "wrong")
    assert view.state == "failed"
    assert view.error == {
        "kinds": ["DataError", "GbdistError", "ValueError", "Exception", "BaseException"],
        "text": str(here.value),
    }
    (line,) = [line for line in logs(where, "wrong") if line["kind"] == "error"]
    assert line["text"] == str(here.value)
    assert "Traceback" in line["traceback"]
    with pytest.raises(JobFailed, match=r"^job wrong failed: .*'z'"):
        result(where, "wrong", tmp_path / "model.cbm")


def test_files_that_are_missing_are_told_before_anything_is_submitted(where: Where, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        submit(job(str(tmp_path / "nowhere.parquet")), where, "missing")
    assert "missing" not in where.folder.ids()


def test_a_jobs_folder_that_cannot_be_written_to_is_told_before_anything_is_submitted(
    where: Where, data: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    elsewhere = Where(str(tmp_path / "file" / "jobs"), where.scheduler)
    with pytest.raises(OutputError, match=r"cannot be written: .* Choose another jobs folder with --jobs-dir.$"):
        submit(job(data), elsewhere, "unwritable")


def test_predictions_are_a_job_too(where: Where, data: str, tmp_path: Path) -> None:
    submit(job(data, 5), where, "to-score")
    ended(where, "to-score")
    model, _ = result(where, "to-score", tmp_path / "model.cbm")
    made = submit(make_spec("predict", {"model": str(model), "data": [data]}), where)
    view = ended(where, made.view.job_id)
    assert (view.state, view.job_id.split("-")[0]) == ("done", "predict")
    path, record = result(where, view.job_id, tmp_path / "scores.parquet")
    table = pd.concat([pd.read_parquet(f"{data}/part-{number}.parquet") for number in range(4)])
    scores = catboost.CatBoost().load_model(str(model)).predict(table[list("abcde")])
    np.testing.assert_allclose(pd.read_parquet(path).prediction, scores, rtol=0, atol=1e-12)
    assert record["rows"] == 8_000


@pytest.mark.soak
def test_cluster_gone_and_resumed_on_another(where: Where, data: str, expected: bytes, tmp_path: Path) -> None:
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp://"
    ) as cluster:
        there = Where(where.jobs_dir, cluster.scheduler_address)
        submit(job(data), there, "left-alone")
        until(there, "left-alone", grown(10))
    view = views.show(Where(where.jobs_dir), "left-alone")
    assert view.state == "lost"
    with pytest.raises(JobLost, match=r"^job left-alone is lost: its cluster is gone, or does not know it any more. "):
        result(where, "left-alone", tmp_path / "model.cbm")
    listed = {each.job_id: each.state for each in views.list_jobs(Where(where.jobs_dir))}
    assert listed["left-alone"] == "lost"
    resume(where, "left-alone")
    found = ended(where, "left-alone")
    assert (found.state, found.attempt) == ("done", 2)
    assert model_of(where, "left-alone", tmp_path) == expected
