"""How jobs stand when there is nothing but their folder."""

import socket
from pathlib import Path

import pytest

from gbdist.errors import ParameterError
from gbdist.jobs.submitted import views
from gbdist.jobs.submitted.errors import JobError
from gbdist.jobs.submitted.fetch import result
from gbdist.jobs.submitted.follow import follow
from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import Submission
from gbdist.jobs.submitted.where import Where, answers, is_here


@pytest.fixture
def where(tmp_path: Path) -> Where:
    return Where(str(tmp_path))


def add(where: Where, job_id: str, state: JobState, submitted: float = 0.0) -> None:
    store = where.folder.job(job_id)
    store.write_submission(Submission(JobSpec("train", {}), submitted, "0"))
    store.write_state(state)


def test_an_id_may_be_cut_short(where: Where) -> None:
    for job_id in ("train-a", "train-b", "train-bb", "predict-c"):
        add(where, job_id, JobState("done"))
    assert views.find_job(where.folder, "p").job_id == "predict-c"
    assert views.find_job(where.folder, "train-b").job_id == "train-b"  # though another one begins so
    with pytest.raises(JobError) as caught:
        views.find_job(where.folder, "train")
    assert str(caught.value) == "'train' may be train-a, train-b, train-bb. Type more of the id."


def test_a_result_of_a_kind_that_only_later_versions_have(where: Where) -> None:
    store = where.folder.job("dream-a")
    store.write_submission(Submission(JobSpec("dream", {}), 0.0, "9"))
    store.write_state(JobState("done"))
    with pytest.raises(ParameterError, match="kind='dream' cannot be used: expected one of train, cv, tune, predict"):
        result(where, "dream-a")


@pytest.mark.parametrize("wanted", ["trian-a", "", "../jobs", "/"])
def test_an_id_that_there_is_not(where: Where, wanted: str) -> None:
    add(where, "train-a", JobState("done"))
    hint = "Did you mean 'train-a'?" if wanted == "trian-a" else "See which there are with: gbdist job list"
    with pytest.raises(JobError) as caught:
        views.find_job(where.folder, wanted)
    assert str(caught.value) == f"there is no job {wanted!r} in {where.jobs_dir}. {hint}"


def test_a_job_that_has_not_ended_and_whose_cluster_is_gone_is_lost(where: Where) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "tcp://{}:{}".format(*server.getsockname())
        assert answers(address)
    assert not answers(address)
    add(where, "a", JobState("running", 1, submitted=2.0, scheduler={"address": address, "id": "s"}))
    add(where, "b", JobState("done", 1, submitted=1.0))
    listed = views.list_jobs(where)
    assert [(view.job_id, view.state, view.is_over) for view in listed] == [("a", "lost", True), ("b", "done", True)]
    assert where.folder.job("a").read_state().state == "running"  # it may only be out of reach
    assert [view.state for view in follow(where, "a")] == ["lost"]


def test_no_jobs(where: Where) -> None:
    assert views.list_jobs(where) == []


@pytest.mark.parametrize("address", ["", "nonsense", "tcp://127.0.0.1", "tcp://[::1]:x"])
def test_what_is_no_address_does_not_answer(address: str) -> None:
    assert not answers(address)


def test_only_the_loopback_is_this_machine_for_sure() -> None:
    here = ["tcp://127.0.0.1:1", "tls://localhost:1", "tls://[::1]:1", "inproc://10.0.0.1/1/1"]
    assert [is_here(address) for address in here] == [True] * 4
    assert not is_here("tcp://10.127.0.0.1:1")


def test_where_jobs_are_unless_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GBDIST_JOBS", raising=False)
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "home"))
    assert Where().folder.url == f"{tmp_path}/home/jobs"
    monkeypatch.setenv("GBDIST_JOBS", "memory://jobs/")
    assert Where().folder.url == "memory://jobs"
    assert Where(str(tmp_path)).folder.url == str(tmp_path)
