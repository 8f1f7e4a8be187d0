"""What ends a rank's task becomes an error that can be raised here, and that says whether its shards are to be made again."""

import copy
import operator
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest
from distributed import Client
from distributed.client import FutureCancelledError
from distributed.core import Status
from distributed.scheduler import KilledWorker, WorkerState

from gbdist_cluster.errors import ClusterError, ShardsGone
from gbdist_cluster.rank_errors import error_of_rank, error_of_task


def gone(status: str, exception: object) -> Any:
    """A future that has no result and no error of its own."""
    state = SimpleNamespace(exception=exception)
    return SimpleNamespace(key="gbdist-rank-0", status=status, _state=state, exception=lambda timeout: None)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("lost", None, ShardsGone),
        ("cancelled", "lost dependencies", ShardsGone),
        ("cancelled", "already forgotten", ShardsGone),
        ("cancelled", "scheduler-connection-lost", ClusterError),
        ("cancelled", "unknown", ClusterError),
    ],
)
def test_a_task_that_disappeared_is_to_be_made_again_unless_somebody_cancelled_it(
    status: str, reason: str | None, kind: type[ClusterError]
) -> None:
    error = error_of_task(gone(status, None if reason is None else FutureCancelledError("gbdist-rank-0", reason)))
    assert type(error) is kind
    assert str(error) == (
        f"The task gbdist-rank-0 disappeared, it is {status} ({reason or 'unknown'}). "
        "Check that the scheduler is still there and that nobody cancelled the task."
    )


@pytest.mark.parametrize("problem", [TimeoutError(), RuntimeError("the loop is closed")])
def test_a_task_that_cannot_be_asked_any_more_disappeared(problem: Exception) -> None:
    def ask(timeout: float) -> None:
        raise problem

    future = gone("cancelled", None)
    future.exception = ask
    assert type(error_of_task(future)) is ClusterError


def test_workers_that_died_of_a_task_are_told_in_our_words() -> None:
    last = WorkerState(
        address="tcp://10.0.0.1:1",
        status=Status.closed,
        pid=1,
        name="worker",
        nthreads=1,
        memory_limit=0,
        local_directory="",
        nanny="",
        server_id="",
        services={},
        versions={},
        extra={},
    )
    future = SimpleNamespace(status="error", exception=lambda timeout: KilledWorker("gbdist-quantize-1", last, 3))
    error = error_of_task(future)
    assert type(error) is ClusterError
    assert str(error) == (
        "Workers died again and again while they ran gbdist-quantize-1 (the last was tcp://10.0.0.1:1). Give workers more "
        "memory, or the data smaller partitions, and look at the workers' logs."
    )


def test_what_dask_really_says(client: Client, workers: list[str]) -> None:
    good = client.submit(operator.add, 1, 1, workers=workers[:1], pure=False)
    bad = client.submit(operator.truediv, good, 0, workers=workers[:1], pure=False)
    assert good.result() == 2
    assert error_of_task(good) is None
    assert bad.exception() is not None  # and so it has ended
    error = error_of_task(bad)
    assert type(error) is ZeroDivisionError
    assert error is not bad.exception()  # its frames are in cycles
    assert error.__traceback__ is None
    assert "ZeroDivisionError: division by zero" in str(error.__cause__)
    client.cancel([good])
    assert type(error_of_task(good)) is ClusterError


def letter_of(error: BaseException | bytes) -> dict[str, Any]:
    body = error if isinstance(error, bytes) else cloudpickle.dumps(error)
    return {"body": body, "words": "OddError: odd", "trace": "Traceback of the worker"}


def test_the_error_of_a_rank_is_raised_as_it_was_with_its_traceback_as_text() -> None:
    error = error_of_rank(letter_of(ClusterError("It is broken", "Mend it.")))
    assert type(error) is ClusterError
    assert str(error) == "It is broken. Mend it."
    assert str(error.__cause__) == "\nTraceback of the worker"
    assert str(copy.copy(error)) == str(error)


@pytest.mark.parametrize("body", [b"", b"no pickle"])
def test_an_error_that_cannot_be_read_is_told_in_words(body: bytes) -> None:
    error = error_of_rank(letter_of(body))
    assert str(error) == "The routine raised OddError: odd. Its traceback on the worker is printed above."
