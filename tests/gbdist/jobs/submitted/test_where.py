"""Where jobs are: the way back to the cluster that a job was submitted to."""

from pathlib import Path

import pytest
from distributed import LocalCluster

from gbdist.errors import ClusterError
from gbdist.jobs.submitted import views
from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import Submission
from gbdist.jobs.submitted.where import Where
from gbdist_cluster import job_calls
from gbdist_cluster.job_calls import scheduler_of
from gbdist_cluster.launch.certificates import make_certificates, security_of


def test_certificates_are_used_for_an_address_as_it_was_typed(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    make_certificates(folder)
    with LocalCluster(
        n_workers=0, processes=False, protocol="tls", security=security_of(folder), host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:  # fmt: skip
        typed = cluster.scheduler_address.removeprefix("tls://")
        where = Where(str(tmp_path), typed, str(folder))
        with where.cluster() as client:
            recorded = scheduler_of(client)
        for looking in (where, Where(str(tmp_path), tls=str(folder))):
            with looking.cluster_of(recorded) as found:
                assert found is not None
                assert scheduler_of(found) == recorded


def test_a_job_is_not_lost_because_its_scheduler_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_busy(client: object) -> dict[str, str]:
        raise ClusterError("The scheduler did not answer within 10 s", "Check that it still runs.")

    monkeypatch.setattr(job_calls, "scheduler_of", is_busy)
    with LocalCluster(
        n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        where = Where(str(tmp_path))
        store = where.folder.job("a")
        store.write_submission(Submission(JobSpec("train", {}), 0.0, "0"))
        store.write_state(JobState("running", scheduler={"address": cluster.scheduler_address, "id": "S"}))
        with pytest.raises(ClusterError, match="did not answer"):
            views.show(where, "a")
        assert [view.state for view in views.list_jobs(where)] == ["running"]
