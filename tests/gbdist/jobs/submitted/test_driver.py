"""A driver whose session says that there is nothing to run, or whose folder cannot be used; and jobs behind a URL."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from distributed.security import Security

from gbdist.errors import ClusterError, DataError
from gbdist.jobs.submitted import views
from gbdist.jobs.submitted.driver import fingerprint, run_job
from gbdist.jobs.submitted.fetch import result
from gbdist.jobs.submitted.follow import follow, logs
from gbdist.jobs.submitted.kinds import make_spec
from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import JobsFolder, Submission
from gbdist.jobs.submitted.submit import submit
from gbdist.jobs.submitted.where import Where
from gbdist_cluster.job_driver import Outcome


class Session:
    """A session without a cluster."""

    job_id, attempt, worker, error = "a", 4, "tcp://w:1", "its workers were lost"

    def __init__(self, word: str) -> None:
        self.word = word

    @property
    def cancelled(self) -> bool:
        return self.word == "cancel"

    @property
    def over(self) -> bool:
        return self.word == "over"

    @property
    def client(self) -> Any:
        raise ClusterError("there is none", "None.")

    def report(self, progress: Mapping[str, Any], saved: int = 0) -> None:
        """Nobody is told."""


def drive(word: str, folder: str) -> Outcome:
    return run_job(Session(word), folder)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> JobsFolder:
    made = JobsFolder(str(tmp_path))
    made.job("a").write_submission(Submission(JobSpec("train", {"data": ["nowhere"], "target": ["y"]}), 1.0, "0"))
    made.job("a").write_state(JobState("queued", attempt=3))
    return made


def test_cancelled_before_it_began(folder: JobsFolder) -> None:
    assert drive("cancel", folder.url) == Outcome("cancelled")
    assert folder.job("a").read_state().state == "cancelled"


def test_given_up(folder: JobsFolder) -> None:
    text = (
        "the job was given up: its workers were lost. Look for the cause in the logs of the 3 workers, often memory, then: "
        "gbdist job resume a"
    )
    assert drive("given up", folder.url) == Outcome("failed", text)
    state = folder.job("a").read_state()
    assert state.error is not None
    assert (state.state, state.attempt, state.error["text"]) == ("failed", 4, text)


def test_somebody_else_speaks_for_the_job(folder: JobsFolder) -> None:
    assert drive("over", folder.url) == Outcome("lost")
    assert folder.job("a").read_state() == JobState("queued", attempt=3)


def test_files_that_the_worker_does_not_see(folder: JobsFolder) -> None:
    outcome = drive("go", folder.url)
    assert outcome.state == "failed"
    assert str(outcome.error).startswith("nowhere: found no such file")


def test_a_worker_that_does_not_see_the_jobs_folder(tmp_path: Path) -> None:
    outcome = drive("go", f"{tmp_path}/elsewhere")
    assert outcome.state == "failed"
    assert outcome.error == (
        f"worker tcp://w:1 cannot use the jobs folder: {tmp_path}/elsewhere/a/job.json cannot be read: No such file or "
        "directory. Check the jobs folder. Choose a jobs folder with --jobs-dir that all workers see and can write to."
    )


def test_fingerprints_of_files(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("x\n1\n")
    (tmp_path / "model.cbm").write_bytes(b"model")
    found = fingerprint([str(tmp_path / "model.cbm"), f"{tmp_path}/*.csv"])
    assert [(Path(file["path"]).name, file["bytes"]) for file in found] == [
        ("model.cbm", 5),
        ("a.csv", 4),
        ("b.csv", 4),
    ]
    assert found[1]["modified"] == (tmp_path / "a.csv").stat().st_mtime
    with pytest.raises(DataError):
        fingerprint([f"{tmp_path}/*.parquet"])


# ---- behind a URL; workers are threads of this process, which see the same memory


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp://"
    ) as made:
        yield made


def ended(where: Where, job_id: str) -> views.JobView:
    *_, last = follow(where, job_id, poll=0.05)
    return last


def test_jobs_of_a_folder_behind_a_url(cluster: LocalCluster, tmp_path: Path) -> None:
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(500, 3)), columns=list("abc"))
    table.assign(y=table.a).to_parquet(tmp_path / "data.parquet")
    where = Where("memory://jobs-of-a-test", cluster.scheduler_address)
    options = {"data": [f"{tmp_path}/data.parquet"], "target": ["y"], "params": {"iterations": 3, "depth": 2}}
    submit(make_spec("train", options), where, "trained")
    assert ended(where, "trained").state == "done"
    model, record = result(where, "trained", tmp_path / "model.cbm")
    assert record["trees"] == 3
    assert logs(where, "trained")[-1]["text"] == "the job is done"
    submit(make_spec("predict", {"model": str(model), "data": options["data"]}), where, "scored")
    assert ended(where, "scored").state == "done"
    scores, _ = result(where, "scored", tmp_path / "scores.parquet")
    expected = catboost.CatBoost().load_model(str(model)).predict(table)
    np.testing.assert_allclose(pd.read_parquet(scores).prediction, expected, rtol=0, atol=1e-12)


def test_parts_of_an_attempt_that_was_lost_are_removed(cluster: LocalCluster, tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]})
    table.to_parquet(tmp_path / "data.parquet")
    model = catboost.CatBoostRegressor(iterations=2, verbose=False, allow_writing_files=False).fit(
        table[["a"]], table.y
    )
    model.save_model(str(tmp_path / "model.cbm"))
    where = Where(str(tmp_path / "jobs"), cluster.scheduler_address)
    left = tmp_path / "jobs" / "scored" / "result" / ".predictions.parquet.0badcafe"
    left.mkdir(parents=True)
    spec = make_spec("predict", {"model": str(tmp_path / "model.cbm"), "data": [f"{tmp_path}/data.parquet"]})
    submit(spec, where, "scored")
    assert ended(where, "scored").state == "done"
    assert sorted(path.name for path in left.parent.iterdir()) == ["predictions.parquet", "record.json"]


def test_a_job_that_only_the_cluster_knows_the_end_of(cluster: LocalCluster, tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "y": [1.0, 2.0]})
    table.to_parquet(tmp_path / "data.parquet")
    where = Where(str(tmp_path / "jobs"), cluster.scheduler_address)
    submit(make_spec("train", {"data": [f"{tmp_path}/data.parquet"], "target": ["z"]}), where, "a")
    assert ended(where, "a").state == "failed"
    store = where.folder.job("a")
    told = store.read_state()
    # As if the driver had not been able to write it down.
    store.write_json("state.json", JobState("running", told.attempt, scheduler=told.scheduler).as_json())
    view = views.show(where, "a")
    assert told.error is not None
    assert view.error is not None
    assert (view.state, view.error["text"]) == ("failed", told.error["text"])
    assert store.read_state().state == "failed"


def test_a_driver_on_an_encrypted_cluster(tmp_path: Path) -> None:
    from distributed import Client

    from gbdist_cluster.job_calls import claim_job, jobs_of, submit_driver
    from gbdist_cluster.job_table import Job

    security = Security.temporary()
    with (
        LocalCluster(
            n_workers=1,
            processes=False,
            protocol="tls",
            security=security,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster, security=security, set_as_default=False) as client,
    ):
        claim = claim_job(client, Job("a", "digest", "spec"))
        submit_driver(client, claim.job, ask_for_workers, None)
        while (job := jobs_of(client, "a")[0]).state != "done":
            assert job.state in ("queued", "running"), job.error
        assert job.progress == {}


def ask_for_workers(session: Any, _: None) -> Outcome:
    assert session.client.scheduler.address.startswith("tls://")
    assert len(session.client.scheduler_info(n_workers=-1)["workers"]) == 1
    return Outcome("done")
