"""The rules of jobs: who may submit one, which driver speaks for it, and when it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist_cluster.job_table import FRUITLESS, LEAVING_SECONDS, SILENCE_SECONDS, Job, JobTable

JOB = Job("a", "digest", "spec", "client-1")


def there(_: Job) -> bool:
    return True


def gone(_: Job) -> bool:
    return False


def state(table: JobTable, job_id: str = "a") -> str | None:
    job = table.get(job_id)
    return None if job is None else job.state


def running(attempt: int = 1, saved: int = 0) -> JobTable:
    """A table of a job that has had some attempts, the last of them at work."""
    table = JobTable()
    table.claim(JOB)
    table.placed("a", "client-1")
    for number in range(1, attempt + 1):
        assert begin(table, f"w{number}") == "go"
        table.beat("a", number, 0.0, {}, saved)
    return table


def begin(table: JobTable, worker: str = "w", now: float = 0.0) -> str:
    return table.begin(Job("a", "digest", "spec", worker=worker), now)[0]


def test_the_first_claim_has_the_id() -> None:
    table = JobTable()
    assert table.claim(JOB)[0] == "yours"
    standing, job = table.claim(Job("a", "digest", "spec", "client-2"))
    assert (standing, job.client) == ("there", "client-1")


def test_another_job_of_the_same_id_is_shown_the_one_that_has_it() -> None:
    table = JobTable()
    table.claim(JOB)
    standing, job = table.claim(Job("a", "other", "other spec", "client-1"))
    assert (standing, job.spec) == ("other", "spec")


def test_a_claim_is_free_again_when_its_client_leaves_before_the_task_is_there() -> None:
    table = JobTable()
    table.claim(JOB)
    table.remove_client("client-2", gone)
    assert state(table) == "claimed"
    table.remove_client("client-1", gone)
    assert table.claim(Job("a", "other", "other spec", "client-2"))[0] == "yours"


def test_a_job_outlives_its_client_once_the_task_is_there() -> None:
    table = JobTable()
    table.claim(JOB)
    table.remove_client("client-1", there)
    assert state(table) == "queued"


def test_a_claim_that_is_withdrawn_is_free() -> None:
    table = JobTable()
    table.claim(JOB)
    table.withdraw("a", "client-2")
    assert state(table) == "claimed"
    table.withdraw("a", "client-1")
    assert state(table) is None


def test_a_driver_that_nobody_knows_brings_its_job_along() -> None:
    table = JobTable()
    assert begin(table) == "go"
    assert table.claim(JOB)[0] == "there"


def test_only_the_last_attempt_speaks_for_a_job() -> None:
    table = running(attempt=2)
    assert table.beat("a", 1, 1.0, {}) == "over"
    table.end("a", 1, "failed", "late")
    assert state(table) == "running"
    table.end("a", 2, "done", None)
    assert state(table) == "done"
    assert table.beat("a", 2, 2.0, {}) == "over"


def test_a_worker_that_leaves_takes_the_drivers_on_it_along() -> None:
    table = running()
    table.remove_worker("elsewhere")
    assert state(table) == "running"
    table.remove_worker("w1")
    assert state(table) == "resuming"
    assert begin(table, "w2") == "go"
    assert state(table) == "running"


def test_attempts_that_save_nothing_are_bounded() -> None:
    table = running(attempt=FRUITLESS)
    assert begin(table) == "given up"
    job = table.get("a")
    assert job is not None
    assert (job.state, job.error) == (
        "failed",
        "the workers of its driver were lost 3 times in a row before more of it was saved",
    )
    assert begin(table) == "over"


def test_attempts_that_go_on_from_more_each_time_are_not_bounded() -> None:
    table = JobTable()
    table.claim(JOB)
    for number in range(1, 5 * FRUITLESS):
        assert begin(table) == "go"
        assert table.beat("a", number, 0.0, {}, saved=number) == "go"


def queue_of(*job_ids: str) -> JobTable:
    table = JobTable()
    for job_id in job_ids:
        table.claim(Job(job_id, "digest", "spec", "client-1"))
        table.placed(job_id, "client-1")
    return table


def word(table: JobTable, job_id: str, now: float = 0.0) -> str:
    return table.begin(Job(job_id, "digest", "spec"), now)[0]


def test_jobs_run_one_after_the_other_in_the_order_of_their_claims() -> None:
    table = queue_of("a", "b", "c")
    assert word(table, "b") == "go"  # the driver of the first one has not come to ask
    assert (word(table, "c"), word(table, "a")) == ("wait", "wait")
    waiting = table.get("c")
    assert waiting is not None
    assert (waiting.state, waiting.attempt, waiting.progress) == ("queued", 0, {"behind": "b"})
    table.end("b", 1, "done", None)
    assert (word(table, "c"), word(table, "a")) == ("wait", "go")
    assert word(table, "c") == "wait"
    table.end("a", 1, "failed", None)
    assert word(table, "c") == "go"


def test_a_driver_that_asks_no_more_keeps_nobody_waiting() -> None:
    table = queue_of("a", "b", "c")
    assert word(table, "c") == "go"
    assert (word(table, "a"), word(table, "b")) == ("wait", "wait")
    table.end("c", 1, "done", None)
    assert word(table, "b", SILENCE_SECONDS) == "wait"
    assert word(table, "b", SILENCE_SECONDS + 0.1) == "go"


def test_a_job_whose_driver_died_keeps_its_turn_until_it_is_lost() -> None:
    table = queue_of("a", "b")
    assert table.begin(Job("a", "digest", "spec", worker="w"), 0.0)[0] == "go"
    table.remove_worker("w")
    assert word(table, "b") == "wait"
    table.look(lambda job: job.job_id != "a", 0.0)
    assert word(table, "b") == "go"


def test_a_job_that_runs_is_told_of_its_cancelling() -> None:
    table = running()
    job = table.cancel("a")
    assert job is not None
    assert job.state == "running"
    assert table.beat("a", 1, 1.0, {}) == "cancel"
    table.end("a", 1, "cancelled", None)
    assert state(table) == "cancelled"


@pytest.mark.parametrize("waits", ["queued", "resuming"])
def test_a_job_that_waits_is_cancelled_at_once(waits: str) -> None:
    table = running()
    if waits == "queued":
        table = JobTable()
        table.claim(JOB)
        table.placed("a", "client-1")
    else:
        table.remove_worker("w1")
    assert state(table) == waits
    table.cancel("a")
    assert state(table) == "cancelled"
    assert begin(table) == "cancel"  # its task may have been on its way


def test_nobody_cancels_what_is_not_there_or_over() -> None:
    table = running()
    assert table.cancel("b") is None
    table.end("a", 1, "done", None)
    job = table.cancel("a")
    assert job is not None
    assert (job.state, job.cancel) == ("done", False)


def test_a_cancelled_job_whose_driver_is_stuck_keeps_nobody_waiting_for_ever() -> None:
    table = running()
    table.claim(Job("b", "digest", "spec", "client-1"))
    table.placed("b", "client-1")
    table.cancel("a")
    assert table.beat("a", 1, 1.0, {}) == "cancel"
    other = Job("b", "digest", "spec", worker="w2")
    table.look(there, 1.0 + LEAVING_SECONDS)
    assert table.begin(other, 1.0 + LEAVING_SECONDS)[0] == "wait"
    table.look(there, 1.1 + LEAVING_SECONDS)
    assert table.begin(other, 1.1 + LEAVING_SECONDS)[0] == "go"
    table.end("a", 1, "failed", "it was stuck")  # much later
    assert state(table) == "cancelled"


def test_a_driver_that_is_silent_without_having_been_cancelled_is_waited_for() -> None:
    table = running()
    table.look(there, 10 * LEAVING_SECONDS)
    assert state(table) == "running"


@pytest.mark.parametrize(("ended", "standing"), [("failed", "yours"), ("cancelled", "yours"), ("done", "there")])
def test_a_job_without_a_result_may_be_taken_up_again(ended: str, standing: str) -> None:
    table = running()
    table.end("a", 1, ended, None)
    assert table.claim(JOB)[0] == "there"
    assert table.claim(JOB, again=True)[0] == standing
    if standing == "yours":
        job = table.get("a")
        assert job is not None
        assert (job.turn, job.attempt, job.fruitless, job.cancel) == (1, 1, 0, False)
        assert begin(table) == "go"
        assert table.beat("a", 1, 0.0, {}) == "over"
        assert table.beat("a", 2, 0.0, {}) == "go"


def test_a_driver_from_before_a_job_was_resumed_is_over() -> None:
    table = running()
    table.look(gone, SILENCE_SECONDS + 1)
    assert table.claim(JOB, again=True)[0] == "yours"
    table.placed("a", "client-1")
    assert table.beat("a", 1, 0.0, {}) == "over"
    table.end("a", 1, "done", None)
    assert state(table) == "queued"


def test_a_job_that_runs_is_not_taken_up_again() -> None:
    assert running().claim(JOB, again=True)[0] == "there"
    assert running().claim(JOB, anew=True)[0] == "there"


def test_the_id_of_a_job_of_which_nothing_is_left_is_free() -> None:
    table = running()
    table.end("a", 1, "done", None)
    assert table.claim(Job("a", "other", "other spec"))[0] == "other"
    assert table.claim(Job("a", "other", "other spec"), anew=True)[0] == "yours"
    assert state(table) == "claimed"


def test_attempts_are_counted_on_from_another_cluster() -> None:
    table = JobTable()
    table.claim(Job("a", "digest", "spec", "client-1", attempt=4), again=True)
    job = table.begin(Job("a", "digest", "spec"), 0.0)[1]
    assert job.attempt == 5


def test_a_job_without_a_task_is_lost_once_its_driver_is_silent() -> None:
    table = running()
    assert [job.state for job in table.look(gone, SILENCE_SECONDS)] == ["running"]  # its last word may be on its way
    assert [job.state for job in table.look(there, SILENCE_SECONDS + 1)] == ["running"]
    (job,) = table.look(gone, SILENCE_SECONDS + 1)
    assert job.state == "lost"
    assert table.claim(JOB, again=True)[0] == "yours"


def test_a_job_that_waits_without_a_task_is_lost() -> None:
    table = running()
    table.remove_worker("w1")
    assert [job.state for job in table.look(gone, 0.0)] == ["lost"]


def test_the_oldest_of_a_thousand_jobs_that_ended_is_forgotten() -> None:
    table = JobTable()
    for number in range(1_001):
        name = str(number)
        table.claim(Job(name, "digest", "spec"))
        assert word(table, name) == "go"
        table.end(name, 1, "done", None)
    assert (state(table, "0"), state(table, "1"), state(table, "1000")) == (None, "done", "done")


OPERATIONS = st.tuples(
    st.sampled_from(["claim", "again", "anew", "begin", "beat", "end", "cancel", "lose", "worker", "client"]),
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 4),
)


@given(st.lists(OPERATIONS, max_size=60))
def test_at_most_one_job_runs_and_attempts_go_up_whatever_happens(operations: list[tuple[str, str, int]]) -> None:
    table, attempts = JobTable(), {"a": 0, "b": 0, "c": 0}
    for now, (operation, job_id, number) in enumerate(operations):
        job = Job(job_id, "digest", "spec", "client-1", worker=f"w{number}")
        match operation:
            case "claim" | "again" | "anew":
                table.claim(job, again=operation == "again", anew=operation == "anew")
            case "begin":
                begun, after = table.begin(job, float(now))
                if begun == "go":
                    assert after.attempt > attempts[job_id]
                    attempts[job_id] = after.attempt
            case "beat":
                answer = table.beat(job_id, number, float(now), {}, saved=number)
                assert answer == "over" or number == attempts[job_id]
            case "end":
                table.end(job_id, number, "done", None)
            case "cancel":
                table.cancel(job_id)
            case "lose":
                table.look(lambda known, lost=job_id: known.job_id != lost, now + SILENCE_SECONDS + 1)  # type: ignore[misc]
            case "worker":
                table.remove_worker(f"w{number}")
            case "client":
                table.remove_client("client-1", gone)
        known = [found for each in "abc" if (found := table.get(each)) is not None]
        assert sum(each.state in ("running", "resuming") for each in known) <= 1
        assert all(each.fruitless <= FRUITLESS + 1 for each in known)
