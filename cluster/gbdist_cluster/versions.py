"""The workers that a run may use: there are some, and each has the gbdist of this process."""

import importlib.metadata
import time
import weakref
from dataclasses import dataclass
from typing import Any

from distributed import Client

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.rpc import call_scheduler

__all__ = ["WorkerFacts", "check_workers", "usable_workers"]

PROBE = importlib.metadata.version
"""The question to workers and scheduler: of the standard library, so that one without gbdist can answer it."""

_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 5.0

_checked: weakref.WeakKeyDictionary[Client, set[str]] = weakref.WeakKeyDictionary()
"""Addresses whose version was found right, by client: a worker that starts again usually gets another address."""


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What placement and memory budgets need to know of a worker; ``memory_limit`` is in bytes, 0 for none."""

    address: str
    threads: int
    memory_limit: int
    name: str


def check_workers(client: Client, timeout: float = 30.0) -> tuple[WorkerFacts, ...]:
    """Return the workers, by address, once there is at least one; wait ``timeout`` seconds for that and for answers.

    Raises
    ------
    ClusterError
        If the client is asynchronous or closed, no worker comes, or the scheduler or a worker lacks gbdist or has
        another version of it.
    """
    if client.asynchronous:
        raise ClusterError(
            "An asynchronous Dask client cannot be used", "Pass a Client that was made without asynchronous=True."
        )
    facts = _wait_for_workers(client, timeout)
    checked = _checked.setdefault(client, set())
    try:
        if unchecked := [worker for worker in facts if worker.address not in checked]:
            _check_versions(client, unchecked, timeout)
    except TimeoutError:
        raise ClusterError(
            f"The workers of the cluster at {client.scheduler.address} did not say within {timeout:g} s which gbdist "
            "they have",
            "See with client.scheduler_info() which of them are alive, and restart the others.",
        ) from None
    checked.update(worker.address for worker in facts)
    return facts


def usable_workers(client: Client, timeout: float) -> tuple[WorkerFacts, ...]:
    """Return the workers that a run may go on with; wait ``timeout`` seconds for the first of them.

    A worker that came since is left out where it has another gbdist, or does not say which: it is no reason to end a run.

    Raises
    ------
    ClusterError
        If there is none in time, or the client is closed.
    """
    end = time.monotonic() + timeout
    checked = _checked.setdefault(client, set())
    while True:
        facts = _wait_for_workers(client, round(max(end - time.monotonic(), 0.0), 1))
        checked.update(
            worker.address for worker in facts if worker.address not in checked and _is_right(client, worker)
        )
        usable = tuple(worker for worker in facts if worker.address in checked)
        if usable or time.monotonic() >= end:
            break
        time.sleep(_POLL_SECONDS)
    if not usable:
        raise ClusterError(
            f"The cluster at {client.scheduler.address} has no worker that can be used after {timeout:g} s: "
            f"{', '.join(worker.address for worker in facts)} did not say that they have this gbdist",
            "Install the same gbdist there, and restart them.",
        )
    return usable


def _is_right(client: Client, worker: WorkerFacts) -> bool:
    """Whether a worker says in time that it has our version."""
    how = {"workers": [worker.address], "on_error": "return", "callback_timeout": _ANSWER_SECONDS}
    try:
        answers = client.sync(client._run, PROBE, "gbdist", **how)
    except (OSError, TimeoutError):
        return False
    return bool(answers.get(worker.address) == importlib.metadata.version("gbdist"))


def _wait_for_workers(client: Client, timeout: float) -> tuple[WorkerFacts, ...]:
    """Ask the scheduler until it knows a running worker or the time is over."""
    end = time.monotonic() + timeout
    while True:
        identity = call_scheduler(client, "identity", seconds=max(timeout, 1.0), n_workers=-1)
        workers = {at: facts for at, facts in identity["workers"].items() if facts["status"] in ("running", "paused")}
        if workers:
            return tuple(_facts(at, workers[at]) for at in sorted(workers))
        if time.monotonic() >= end:
            address = client.scheduler.address
            raise ClusterError(
                f"The cluster at {address} has no workers after {timeout:g} s",
                f"Start workers with: dask worker {address}",
            )
        time.sleep(_POLL_SECONDS)


def _facts(address: str, identity: dict[str, Any]) -> WorkerFacts:
    return WorkerFacts(address, identity["nthreads"], identity["memory_limit"] or 0, str(identity["id"]))


def _check_versions(client: Client, workers: list[WorkerFacts], timeout: float) -> None:
    """Compare the versions of workers and scheduler with our own."""
    wanted = importlib.metadata.version("gbdist")
    answers = client.sync(
        client._run,
        PROBE,
        "gbdist",
        workers=[worker.address for worker in workers],
        on_error="return",
        callback_timeout=timeout,
    )
    for worker in workers:
        _compare(f"Worker {worker.name} at {worker.address}", answers.get(worker.address), wanted, worker.address)
    try:
        answer = client.sync(client._run_on_scheduler, PROBE, "gbdist", callback_timeout=timeout)
    except importlib.metadata.PackageNotFoundError as missing:
        answer = missing
    _compare(f"The scheduler at {client.scheduler.address}", answer, wanted, "the scheduler")


def _compare(who: str, answer: object, wanted: str, where: str) -> None:
    if answer == wanted:
        return
    if isinstance(answer, importlib.metadata.PackageNotFoundError):
        problem = f"{who} does not have gbdist installed"
    elif isinstance(answer, str):
        problem = f"{who} has gbdist {answer}, but this process has {wanted}"
    else:
        problem = f"{who} did not say which gbdist it has: {answer!r}"
    raise ClusterError(problem, f"Install gbdist=={wanted} in the environment of {where} and restart it.")
