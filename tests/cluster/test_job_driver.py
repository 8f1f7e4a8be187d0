"""Drivers on workers: they outlive their client, hear of their cancelling, and do not speak for a job that others speak for."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster
from distributed.security import Security

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.gang import patience
from gbdist_cluster.job_calls import Claim, cancel_job, claim_job, jobs_of, scheduler_of, submit_driver, withdraw_job
from gbdist_cluster.job_driver import Outcome, Session, client_security
from gbdist_cluster.job_table import FRUITLESS, Job

BOUND_SECONDS = 30.0

# Workers are threads of this process, so that a test sees what its drivers see.
BEGUN: dict[str, threading.Event] = {}
GATES: dict[str, threading.Event] = {}
SESSIONS: dict[str, list[Session]] = {}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as made:
        yield made


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=False) as made:
        yield made
        until(lambda: tasks(made) == [])


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of the test's job; whatever waits for its gate goes on at the end."""
    job_id = request.node.name
    BEGUN[job_id], GATES[job_id], SESSIONS[job_id] = threading.Event(), threading.Event(), []
    yield job_id
    GATES[job_id].set()


def wait(session: Session, job_id: str) -> Outcome:
    """A body that waits for the gate, or for the end of its client."""
    SESSIONS[job_id].append(session)
    if session.word != "go":
        return Outcome(session.word)
    session.report({"far": len(SESSIONS[job_id])})
    BEGUN[job_id].set()
    while not GATES[job_id].wait(0.02):
        if session.client.status != "running":
            return Outcome("cancelled")
    return Outcome("done")


def block(job_id: str) -> None:
    """A task that fills a thread until the gate opens."""
    GATES[job_id].wait(BOUND_SECONDS)


def fail(session: Session, job_id: str) -> Outcome:
    raise ValueError(f"a defect of {job_id}")


def leave_python(session: Session, job_id: str) -> Outcome:
    raise SystemExit(f"a callback of {job_id} has had enough")


def wait_and_say_how_patient(session: Session, job_id: str) -> Outcome:
    """A body that says at its end how long its gangs would wait for workers."""
    wait(session, job_id)
    return Outcome("done", f"{patience():g} s")


def look_at_loop(session: Session, job_id: str) -> Outcome:
    """A body that says whether its client's event loop still runs when the client is closed under it."""
    BEGUN[job_id].set()
    loop = session.client.loop
    until(lambda: session.client.status == "closed")
    return Outcome("cancelled", f"the loop runs: {loop.asyncio_loop.is_running()}")


def until(condition: Any) -> None:
    """Look again and again until something holds."""
    for _ in range(int(BOUND_SECONDS / 0.02)):
        if condition():
            return
        threading.Event().wait(0.02)
    pytest.fail("it never came to that")


def tasks(client: Client) -> list[str]:
    return list(client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks]))


def job_of(client: Client, job_id: str) -> Job:
    (found,) = jobs_of(client, job_id)
    return found


def submitted(client: Client, job_id: str, body: Any = wait, *, again: bool = False) -> Claim:
    claim = claim_job(client, Job(job_id, "digest", "spec"), again=again)
    assert claim.standing == "yours"
    submit_driver(client, claim.job, body, job_id)
    return claim


def test_a_driver_runs_to_its_end_and_leaves_nothing(client: Client, name: str) -> None:
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)
    until(lambda: job_of(client, name).progress == {"far": 1})
    assert job_of(client, name).state == "running"
    GATES[name].set()
    until(lambda: job_of(client, name).state == "done")
    own = SESSIONS[name][0].client
    until(lambda: own.status == "closed")


def test_a_driver_leaves_the_threads_of_its_worker_to_others(client: Client, name: str) -> None:
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    futures = [client.submit(len, worker, workers=[worker], pure=False) for worker in workers]
    assert client.gather(futures) == [len(worker) for worker in workers]


def test_a_driver_waits_for_workers_for_days_and_nobody_else_on_its_worker_does(client: Client, name: str) -> None:
    submitted(client, name, wait_and_say_how_patient)
    assert BEGUN[name].wait(BOUND_SECONDS)
    assert patience() == 3600.0  # this process is its worker's
    GATES[name].set()
    until(lambda: job_of(client, name).error == "2.592e+06 s")


def test_a_driver_outlives_the_client_that_submitted_it(client: Client, cluster: LocalCluster, name: str) -> None:
    with Client(cluster, set_as_default=False) as other:
        submitted(other, name)
        assert BEGUN[name].wait(BOUND_SECONDS)
        gone = other.id
    until(lambda: gone not in client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients)))
    assert job_of(client, name).state == "running"
    GATES[name].set()
    until(lambda: job_of(client, name).state == "done")


def test_a_claim_is_free_when_its_client_has_gone_without_submitting(
    client: Client, cluster: LocalCluster, name: str
) -> None:
    with Client(cluster, set_as_default=False) as other:
        assert claim_job(other, Job(name, "digest", "spec")).standing == "yours"
        assert claim_job(client, Job(name, "digest", "spec")).standing == "there"
    until(lambda: jobs_of(client, name) == [])
    submitted(client, name)


def test_a_claim_that_is_given_back_is_free(client: Client, name: str) -> None:
    assert claim_job(client, Job(name, "digest", "spec")).standing == "yours"
    withdraw_job(client, name)
    assert jobs_of(client, name) == []


def test_the_same_job_is_submitted_once_and_another_one_is_refused(
    client: Client, cluster: LocalCluster, name: str
) -> None:
    submitted(client, name)
    with Client(cluster, set_as_default=False) as other:
        assert claim_job(other, Job(name, "digest", "spec")).standing == "there"
        claim = claim_job(other, Job(name, "another", "another spec"))
        assert (claim.standing, claim.job.spec) == ("other", "spec")


def test_a_job_that_runs_is_cancelled(client: Client, name: str) -> None:
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)
    found = cancel_job(client, name)
    assert found is not None
    assert found.state == "running"
    until(lambda: job_of(client, name).state == "cancelled")
    (session,) = SESSIONS[name]
    assert session.cancelled


def test_a_job_waits_for_the_one_that_runs(client: Client, name: str) -> None:
    GATES["next"], BEGUN["next"], SESSIONS["next"] = threading.Event(), threading.Event(), []
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)
    submitted(client, "next")
    until(lambda: job_of(client, "next").progress == {"behind": name})
    assert (job_of(client, "next").state, SESSIONS["next"]) == ("queued", [])
    GATES[name].set()
    assert BEGUN["next"].wait(BOUND_SECONDS)
    assert job_of(client, name).state == "done"
    GATES["next"].set()
    until(lambda: job_of(client, "next").state == "done")


def test_a_job_that_waits_for_another_one_is_cancelled_at_once(client: Client, name: str) -> None:
    SESSIONS["waits"] = []
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)
    submitted(client, "waits")
    until(lambda: job_of(client, "waits").progress == {"behind": name})
    cancel_job(client, "waits")
    assert job_of(client, "waits").state == "cancelled"
    until(lambda: [session.word for session in SESSIONS["waits"]] == ["cancel"])
    assert job_of(client, name).state == "running"


def test_a_job_that_waits_for_a_thread_is_cancelled_at_once(client: Client, name: str) -> None:
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    busy = [client.submit(block, name, workers=[worker], pure=False) for worker in workers]
    until(lambda: all(client.processing().values()))
    submitted(client, name)
    assert job_of(client, name).state == "queued"
    cancel_job(client, name)
    assert job_of(client, name).state == "cancelled"
    GATES[name].set()
    client.gather(busy)
    del busy
    until(lambda: tasks(client) == [])
    assert [session.word for session in SESSIONS[name]] in ([], ["cancel"])  # its worker may have been quicker


def test_who_is_in_the_midst_of_a_call_when_the_client_is_closed_gets_an_answer(client: Client, name: str) -> None:
    # A call that comes to a loop that has stopped is waited for until its time is over: ten seconds in a fit.
    submitted(client, name, look_at_loop)
    assert BEGUN[name].wait(BOUND_SECONDS)
    cancel_job(client, name)
    until(lambda: job_of(client, name).error == "the loop runs: True")


def test_nobody_knows_a_job_that_was_not_submitted(client: Client, name: str) -> None:
    assert cancel_job(client, name) is None
    assert jobs_of(client, name) == []


def test_a_body_that_raises_fails_its_job(client: Client, name: str) -> None:
    submitted(client, name, fail)
    until(lambda: job_of(client, name).state == "failed")
    assert job_of(client, name).error == f"ValueError: a defect of {name}"


def test_a_body_that_wants_to_end_the_process_fails_its_job(client: Client, name: str) -> None:
    submitted(client, name, leave_python)
    until(lambda: job_of(client, name).state == "failed")
    assert job_of(client, name).error == f"SystemExit: a callback of {name} has had enough"


def test_a_job_is_taken_up_again_though_its_last_task_may_still_be_there(client: Client, name: str) -> None:
    submitted(client, name, fail)
    until(lambda: job_of(client, name).state == "failed")
    submitted(client, name, again=True)
    assert BEGUN[name].wait(BOUND_SECONDS)
    assert (SESSIONS[name][0].attempt, job_of(client, name).turn) == (2, 1)


def test_a_job_whose_task_was_cancelled_by_others_is_lost(client: Client, name: str) -> None:
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)

    def forget(dask_scheduler: Any) -> None:
        dask_scheduler.client_releases_keys([f"gbdist-job-{name}"], "fire-and-forget")

    client.run_on_scheduler(forget)
    until(lambda: job_of(client, name).state == "lost")
    (session,) = SESSIONS[name]
    until(lambda: session.over and session.client.status == "closed")
    assert job_of(client, name).state == "lost"


def test_an_older_attempt_hears_that_it_is_over(client: Client, name: str) -> None:
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)
    (first,) = SESSIONS[name]

    # As if its worker had been cut off, and Dask had begun the task anew elsewhere.
    async def begin(dask_scheduler: Any) -> str:
        job = {"digest": "digest", "spec": "spec", "worker": "tcp://elsewhere:1"}
        return str(dask_scheduler.handlers["gbdist_job"](action="begin", job_id=name, job=job)["word"])

    assert client.run_on_scheduler(begin) == "go"
    until(lambda: first.over)
    until(lambda: first.client.status == "closed")
    job = job_of(client, name)
    assert (job.state, job.attempt, job.worker) == ("running", 2, "tcp://elsewhere:1")

    async def end(dask_scheduler: Any) -> None:
        dask_scheduler.handlers["gbdist_job"](action="end", job_id=name, attempt=2, state="failed", error=None)

    client.run_on_scheduler(end)


def test_dask_does_not_give_up_a_job_that_goes_on_from_more_each_time(client: Client, name: str) -> None:
    submitted(client, name)
    assert BEGUN[name].wait(BOUND_SECONDS)

    def suspect(dask_scheduler: Any) -> None:
        dask_scheduler.tasks[f"gbdist-job-{name}"].suspicious = FRUITLESS

    def suspicious(dask_scheduler: Any) -> int:
        return int(dask_scheduler.tasks[f"gbdist-job-{name}"].suspicious)

    client.run_on_scheduler(suspect)
    (session,) = SESSIONS[name]
    session.report({}, saved=10)
    until(lambda: client.run_on_scheduler(suspicious) == 0)


def test_a_scheduler_is_known_by_more_than_its_address(client: Client) -> None:
    async def identity(dask_scheduler: Any) -> str:
        await asyncio.sleep(0)
        return str(dask_scheduler.id)

    found = scheduler_of(client)
    assert found == {"address": client.scheduler.address, "id": client.run_on_scheduler(identity)}


def test_a_closed_client_cannot_ask(cluster: LocalCluster) -> None:
    closed = Client(cluster, set_as_default=False)
    closed.close()
    with pytest.raises(ClusterError, match="closed"):
        scheduler_of(closed)


def test_a_worker_with_one_certificate_shows_it_as_a_client_too() -> None:
    of_worker = Security(tls_ca_file="ca.pem", tls_worker_cert="worker.pem", tls_worker_key="key.pem")
    found = client_security(of_worker)
    assert (found.tls_client_cert, found.tls_client_key, found.tls_ca_file) == ("worker.pem", "key.pem", "ca.pem")
    assert found.require_encryption is True
    both = Security(tls_ca_file="ca.pem", tls_worker_cert="worker.pem", tls_client_cert="client.pem")
    assert client_security(both) is both
