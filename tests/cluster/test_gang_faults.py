"""Gangs whose workers die, freeze or never come. Each test breaks workers of its own."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, Event

from gbdist_cluster import attempt, watch
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

BOUND_SECONDS = 30.0
"""The collective's deadline is 15 s, the grace for the others 10 s; the rest is room for a slow machine."""


@pytest.fixture
def fragile() -> Iterator[Client]:
    """Two workers that a test may break."""
    with start_local(workers=2, dashboard=False) as local:
        prepare(local.client)
        yield local.client


def workers_of(client: Client) -> dict[str, int]:
    """Process number of each worker, by address."""
    return dict(sorted(client.run(os.getpid).items()))


def test_worker_killed_during_allreduce(fragile: Client) -> None:
    processes = workers_of(fragile)
    victim = list(processes)[1]

    def routine(context: RankContext) -> None:
        while True:
            context.collective.all_reduce(np.array([1]))
            context.emit(context.rank)

    def listener(rank: int) -> None:
        if victim in processes:
            os.kill(processes.pop(victim), signal.SIGKILL)

    begin = time.monotonic()
    with pytest.raises(ClusterError) as caught:
        run_on_gang(fragile, routine, members=[Member(address) for address in list(processes)], listener=listener)
    assert time.monotonic() - begin < BOUND_SECONDS
    assert str(caught.value) == (
        f"Worker {victim} (rank 1) left the cluster during the run. Look for the cause in its log (often memory); "
        "start the run again on the workers that are left."
    )


def test_worker_killed_while_its_rank_computes(fragile: Client) -> None:
    # Rank 0 waits for nobody and the dead worker's rank would have come late: nothing but Dask notices.
    processes = workers_of(fragile)
    victim = next(iter(processes))

    def routine(context: RankContext) -> None:
        context.emit(context.rank)
        while True:
            context.check_cancelled()
            time.sleep(0.001)

    def listener(rank: int) -> None:
        if rank == 0:
            os.kill(processes[victim], signal.SIGKILL)

    with pytest.raises(ClusterError, match=r"\(rank 0\) left the cluster during the run"):
        run_on_gang(fragile, routine, members=[Member(address) for address in processes], listener=listener)


def test_worker_of_a_gang_of_one_killed(fragile: Client) -> None:
    processes = workers_of(fragile)
    victim = next(iter(processes))

    def routine(context: RankContext) -> None:
        context.emit(context.rank)
        while True:
            context.check_cancelled()
            time.sleep(0.001)

    with pytest.raises(ClusterError, match=r"\(rank 0\) left the cluster during the run"):
        run_on_gang(
            fragile,
            routine,
            members=[Member(victim)],
            listener=lambda rank: os.kill(processes[victim], signal.SIGKILL),
        )


def test_worker_stopped_during_allreduce(fragile: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "GRACE_SECONDS", 2.0)
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)  # the scheduler is in this process
    processes = workers_of(fragile)
    victim = list(processes)[1]
    stopped: list[int] = []

    def routine(context: RankContext) -> None:
        while True:
            context.collective.all_reduce(np.array([1]))
            if context.rank == 0:
                context.emit(None)

    def listener(message: None) -> None:
        if not stopped:
            stopped.append(processes[victim])
            os.kill(processes[victim], signal.SIGSTOP)

    begin = time.monotonic()
    try:
        with pytest.raises(ClusterError) as caught:
            run_on_gang(fragile, routine, members=[Member(address) for address in processes], listener=listener)
    finally:
        os.kill(processes[victim], signal.SIGCONT)
    assert time.monotonic() - begin < BOUND_SECONDS
    assert str(caught.value).startswith(f"Worker {victim} (rank 1) stopped answering during the run.")
    assert victim not in fragile.scheduler_info(n_workers=-1)["workers"]  # the next run does without it


def test_worker_killed_while_another_is_still_busy(fragile: Client) -> None:
    # Rank 0 runs, rank 1 waits for its worker and is called off; what Dask says of its task is no cause.
    fragile.cluster.scale(3)
    fragile.wait_for_workers(3, timeout=30)
    processes = workers_of(fragile)
    first, second, victim = processes
    gate = Event("gate", client=fragile)
    busy = fragile.submit(lambda: Event("gate").wait(timeout=60), workers=[second], key="somebody-else")
    ran: list[str] = []

    def kill() -> None:
        def count() -> int:
            from gbdist_cluster import ranks

            return len(ranks._runs)

        end = time.monotonic() + 30
        while time.monotonic() < end and not fragile.run(count, workers=[first])[first]:
            pass
        ran.append(first)
        os.kill(processes[victim], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ClusterError, match=rf"Worker {victim} \(rank 2\) left the cluster during the run"):
        run_on_gang(fragile, lambda context: None, members=[Member(address) for address in processes])
    killer.join(timeout=30)
    assert ran
    gate.set()
    busy.result(timeout=30)


def test_worker_killed_before_its_result_is_fetched(fragile: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "GRACE_SECONDS", 1.0)
    processes = workers_of(fragile)

    class Deadly:
        """Kills the process that packs it."""

        def __reduce__(self) -> tuple[object, ...]:
            os.kill(os.getpid(), signal.SIGKILL)
            return (Deadly,)

    begin = time.monotonic()
    with pytest.raises(ClusterError, match=r"\(rank 1\) left the cluster during the run"):
        run_on_gang(
            fragile,
            lambda context: Deadly() if context.rank == 1 else None,
            members=[Member(address) for address in processes],
        )
    assert time.monotonic() - begin < BOUND_SECONDS


def test_worker_stopped_before_the_start(fragile: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "_SCATTER_SECONDS", 0.5)
    processes = workers_of(fragile)
    victim = next(iter(processes))
    os.kill(processes[victim], signal.SIGSTOP)
    try:
        with pytest.raises(ClusterError) as caught:
            run_on_gang(fragile, lambda context: None, members=[Member(victim)], shared=bytes(1_000_000))
    finally:
        os.kill(processes[victim], signal.SIGCONT)
    assert str(caught.value) == (
        f"Worker {victim} did not take what the ranks share within 0.5 s. See whether it is alive, and restart it."
    )


def test_worker_gone_before_the_start(fragile: Client) -> None:
    processes = workers_of(fragile)
    victim = list(processes)[1]
    fragile.retire_workers([victim])
    with pytest.raises(ClusterError, match=f"worker {victim} left the cluster"):
        run_on_gang(fragile, lambda context: None, members=[Member(address) for address in processes])
