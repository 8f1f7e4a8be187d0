"""Gangs that end well, and gangs whose routine fails."""

import contextlib
import gc
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, Event, Future

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.plugin import LEASE_DEADLINE
from gbdist_cluster.ranks import RankOrder
from gbdist_cluster.shards import ShardHandle, keep

Occupy = Callable[[str], tuple[Future, Event]]


def members_of(workers: list[str]) -> list[Member]:
    return [Member(address) for address in workers]


def held_leases(client: Client) -> int:
    """How many leases are held or awaited."""
    return int(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.plugins["gbdist"]._table._beats)))


def running_ranks(client: Client) -> list[int]:
    """How many ranks each worker still runs."""

    def count() -> int:
        from gbdist_cluster import ranks

        return len(ranks._runs)

    return list(client.run(count).values())


def stored(client: Client) -> list[int]:
    """Bytes of shards that each worker stores."""

    def ask() -> int:
        from gbdist_cluster import shards

        return shards.stored_bytes()

    return list(client.run(ask).values())


def until(condition: Callable[[], bool]) -> bool:
    """Look again and again for 30 s; whether the condition came true."""
    end = time.monotonic() + 30
    while not (met := condition()) and time.monotonic() < end:
        pass
    return met


def assert_nothing_left(client: Client) -> None:
    """No rank runs and no lease is held; the ``client`` fixture sees to tasks and data."""
    assert running_ranks(client) == [0, 0]
    assert held_leases(client) == 0


def test_ranks_talk_and_answer_in_their_order(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> tuple[int, int, int, int]:
        total = context.collective.all_reduce(np.array([10**context.rank]))
        return context.rank, context.size, int(total[0]), context.threads

    assert run_on_gang(client, routine, members=members_of(workers)) == [(0, 2, 11, 1), (1, 2, 11, 1)]
    assert run_on_gang(client, routine, members=members_of(workers[::-1])) == [(0, 2, 11, 1), (1, 2, 11, 1)]
    assert_nothing_left(client)


def test_a_gang_of_one_needs_no_connection(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> tuple[int, list[int], list[bytes]]:
        items = context.collective.all_gather(b"alone")
        return context.size, context.collective.all_reduce(np.array([5])).tolist(), items

    assert run_on_gang(client, routine, members=members_of(workers[1:])) == [(1, [5], [b"alone"])]


def test_a_rank_gets_its_shards_in_order_and_uncopied(client: Client, workers: list[str]) -> None:
    def make(value: int) -> ShardHandle:
        return keep(np.full(1000, value))

    def routine(context: RankContext) -> tuple[list[int], bool]:
        from gbdist_cluster import shards

        stored = {id(handle.shard) for handle in shards._live.values()}
        return [int(shard[0]) for shard in context.shards], all(id(shard) in stored for shard in context.shards)

    futures = [client.submit(make, value, workers=[workers[value % 2]], pure=False) for value in range(4)]
    members = [Member(workers[0], (futures[2], futures[0])), Member(workers[1], (futures[1], futures[3]))]
    assert run_on_gang(client, routine, members=members) == [([2, 0], True), ([1, 3], True)]


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["small", "large"])
def test_shared_reaches_every_rank(client: Client, workers: list[str], size: int) -> None:
    shared = np.arange(size)

    def routine(context: RankContext) -> int:
        return int(context.shared.sum())

    assert run_on_gang(client, routine, members=members_of(workers), shared=shared) == [int(shared.sum())] * 2


def test_messages_of_a_rank_arrive_in_order_and_before_the_end(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        for number in range(500):
            context.emit((context.rank, number))

    heard: list[tuple[int, int]] = []
    run_on_gang(client, routine, members=members_of(workers), listener=heard.append)
    for rank in range(2):
        assert [number for who, number in heard if who == rank] == list(range(500))


def test_the_listener_can_stop_a_run(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> int:
        for tree in range(100):
            asked = context.rank == 0 and context.ask({"tree": tree})
            if any(context.collective.all_gather(b"x" if asked else b"")):
                return tree
        return -1

    caller = threading.get_ident()

    def listener(message: dict[str, int]) -> bool:
        assert threading.get_ident() == caller
        return message["tree"] == 3

    assert run_on_gang(client, routine, members=members_of(workers), listener=listener) == [3, 3]
    assert run_on_gang(client, lambda context: context.ask("?"), members=members_of(workers)) == [False, False]


@pytest.mark.parametrize("guilty", [0, 1])
def test_the_error_is_the_cause_not_its_echo(client: Client, workers: list[str], guilty: int) -> None:
    def routine(context: RankContext) -> None:
        if context.rank == guilty:
            raise ValueError("label 7 is not in the schema")
        while True:
            context.collective.all_reduce(np.array([1]))

    with pytest.raises(ValueError, match="label 7 is not in the schema") as caught:
        run_on_gang(client, routine, members=members_of(workers))
    assert caught.value.__notes__ == [f"In rank {guilty} of 2, on worker {workers[guilty]}."]
    assert_nothing_left(client)


def test_an_error_of_gbdist_keeps_its_type_and_text(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        raise ClusterError("It is broken", "Mend it.")

    with pytest.raises(ClusterError) as caught:
        run_on_gang(client, routine, members=members_of(workers[:1]))
    assert str(caught.value) == "It is broken. Mend it."
    assert_nothing_left(client)


def test_an_error_that_cannot_be_pickled_is_told_in_words(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        class OddError(Exception):
            def __init__(self, one: int, two: int) -> None:
                super().__init__("odd")

        raise OddError(1, 2)

    with pytest.raises(ClusterError, match=r"The routine raised OddError: odd\. Its traceback on the worker"):
        run_on_gang(client, routine, members=members_of(workers))
    assert_nothing_left(client)


def test_the_traceback_of_the_worker_is_the_cause(client: Client, workers: list[str]) -> None:
    def inner_function() -> None:
        raise ValueError("cause")

    with pytest.raises(ValueError, match="cause") as caught:
        run_on_gang(client, lambda context: inner_function(), members=members_of(workers))
    assert "in inner_function" in str(caught.value.__cause__)


def test_an_error_stops_ranks_that_only_look_between_steps(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        if context.rank == 0:
            raise KeyError("cause")
        while True:
            context.check_cancelled()
            time.sleep(0.001)

    with pytest.raises(KeyError, match="cause"):
        run_on_gang(client, routine, members=members_of(workers))
    assert_nothing_left(client)


@pytest.mark.parametrize("error", [RuntimeError("the callback broke"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_nothing_runs_on_after_an_error_in_the_client(client: Client, workers: list[str], error: BaseException) -> None:
    def routine(context: RankContext) -> None:
        while True:
            context.emit("tick")
            context.collective.all_reduce(np.array([1]))

    def listener(message: str) -> None:
        raise error

    with pytest.raises(type(error)):
        run_on_gang(client, routine, members=members_of(workers), listener=listener)
    assert_nothing_left(client)


def test_ctrl_c_stops_the_ranks(client: Client, workers: list[str]) -> None:
    heard = threading.Event()

    def routine(context: RankContext) -> None:
        context.emit(None)
        while True:
            context.collective.all_reduce(np.array([1]))

    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        if heard.wait(timeout=30):  # from here on the main thread waits for letters
            signal.pthread_kill(main, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        run_on_gang(client, routine, members=members_of(workers), listener=lambda message: heard.set())
    interrupter.join(timeout=30)
    assert_nothing_left(client)


def test_when_only_echoes_are_known_the_error_says_so(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        if context.rank == 1:
            context.collective.all_reduce(np.array([1]))

    with pytest.raises(ClusterError) as caught:
        run_on_gang(client, routine, members=members_of(workers))
    assert type(caught.value) is ClusterError
    assert str(caught.value) == (
        f"Rank 1 on worker {workers[1]} lost the others: rank 0 at {workers[0]} has ended its routine while rank 1 "
        "still needs it. Check the network between the workers and start the run again."
    )


def test_an_interrupt_between_two_tasks_is_not_replaced(
    client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = client.submit

    def interrupted(function: object, order: RankOrder, *args: object, **kwargs: object) -> Future:
        if order.rank == 1:
            raise KeyboardInterrupt
        return submit(function, order, *args, **kwargs)

    monkeypatch.setattr(client, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_on_gang(client, lambda context: None, members=members_of(workers))
    # A task that is called off may still begin, and end at once, until its worker has heard of it; what comes later says that
    # it has.
    for worker in workers:
        submit(int, workers=[worker], pure=False).result()
    assert_nothing_left(client)


def test_a_run_whose_lease_went_to_another_ends(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        context.emit(None)
        while True:
            context.check_cancelled()
            time.sleep(0.001)

    async def be_silent(dask_scheduler: Any) -> None:
        plugin = dask_scheduler.plugins["gbdist"]
        for lease_id in plugin._table._beats:
            plugin._table._beats[lease_id] -= LEASE_DEADLINE + 1
        await plugin.lease("request", "another run")
        await plugin.lease("release", "another run")

    with pytest.raises(ClusterError) as caught:
        run_on_gang(
            client,
            routine,
            members=members_of(workers[:1]),
            listener=lambda message: client.run_on_scheduler(be_silent),
        )
    assert str(caught.value) == (
        "The run lost its workers to another one, because this process was silent for too long. Start it again; code "
        "that holds the GIL for half a minute, or a suspended machine, is a likely cause."
    )
    assert_nothing_left(client)


def test_a_rank_that_asks_hears_of_the_end(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        context.ask("?")

    def listener(message: str) -> bool:
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        run_on_gang(client, routine, members=members_of(workers), listener=listener)
    assert_nothing_left(client)


def test_an_erred_shard_is_the_cause(client: Client, workers: list[str]) -> None:
    def fail() -> ShardHandle:
        raise ValueError("column 'a' of partition 3 is text")

    future = client.submit(fail, workers=[workers[0]], pure=False)
    with pytest.raises(ValueError, match="column 'a' of partition 3 is text"):
        run_on_gang(client, lambda context: None, members=[Member(workers[0], (future,)), Member(workers[1])])
    # Rank 1 may have been on its way to the worker when it was called off.
    assert until(lambda: running_ranks(client) == [0, 0])
    assert_nothing_left(client)


def test_an_error_does_not_pin_the_shards(client: Client, workers: list[str]) -> None:
    # Dask's own frames of a remote error form cycles; ours, which hold the shards' futures, must stay out of them.
    def routine(context: RankContext) -> None:
        raise ValueError("cause")

    def fail_with_a_shard() -> None:
        future = client.submit(lambda: keep(np.zeros(10)), workers=[workers[0]], pure=False)
        with contextlib.suppress(ValueError):
            run_on_gang(client, routine, members=[Member(workers[0], (future,))])

    gc.collect()
    gc.disable()
    client.run(gc.disable)
    try:
        fail_with_a_shard()
        assert until(lambda: not client.futures)
        assert until(lambda: stored(client) == [0, 0])
    finally:
        gc.enable()
        client.run(gc.enable)


def test_two_gangs_at_once_both_finish(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> int:
        for _ in range(50):
            total = context.collective.all_reduce(np.array([context.rank]))
        return int(total[0])

    results: list[list[int]] = []
    threads = [
        # One gang in each order: without leases, each would take one worker and wait for the other.
        threading.Thread(target=lambda order=order: results.append(run_on_gang(client, routine, members=order)))
        for order in (members_of(workers), members_of(workers[::-1])) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert results == [[1, 1]] * 4


def test_a_busy_worker_is_waited_for(client: Client, workers: list[str], occupy: Occupy) -> None:
    busy, gate = occupy(workers[1])

    def routine(context: RankContext) -> int:
        return context.rank

    # The gate opens when rank 0 runs and rank 1 cannot.
    opener = threading.Thread(target=lambda: until(lambda: running_ranks(client) == [1, 0]) and gate.set())
    opener.start()
    assert run_on_gang(client, routine, members=members_of(workers)) == [0, 1]
    opener.join(timeout=30)
    busy.result()


def test_a_worker_that_stays_busy_is_named_with_its_task(client: Client, workers: list[str], occupy: Occupy) -> None:
    busy, gate = occupy(workers[1])
    with pytest.raises(ClusterError) as caught:
        run_on_gang(client, lambda context: context.rank, members=members_of(workers), wait_for_workers=0.5)
    assert str(caught.value) == (
        f"The run could not start within 0.5 s: rank 1's worker {workers[1]} is busy with somebody-else. "
        "Wait for these tasks to end, free memory on the workers, or use other workers."
    )
    gate.set()
    busy.result()
    # The worker may begin the rank that waited behind the task before the scheduler tells it that nobody wants it.
    assert until(lambda: running_ranks(client) == [0, 0])
    assert_nothing_left(client)


def test_a_gang_of_one_waits_no_longer_than_asked(client: Client, workers: list[str], occupy: Occupy) -> None:
    busy, gate = occupy(workers[0])
    with pytest.raises(ClusterError, match=r"could not start within 0\.2 s: rank 0's worker .* is busy with"):
        run_on_gang(client, lambda context: None, members=members_of(workers[:1]), wait_for_workers=0.2)
    with (
        dask.config.set({"gbdist.wait-for-workers": "100ms"}),
        pytest.raises(ClusterError, match=r"could not start within 0\.1 s"),
    ):
        run_on_gang(client, lambda context: None, members=members_of(workers[:1]))
    gate.set()
    busy.result()


def test_an_unknown_worker_is_refused_at_once(client: Client, workers: list[str]) -> None:
    with pytest.raises(ClusterError, match=r"worker tcp://127\.0\.0\.1:9 left the cluster"):
        run_on_gang(client, lambda context: None, members=[Member(workers[0]), Member("tcp://127.0.0.1:9")])
    assert_nothing_left(client)


def test_a_gang_needs_a_member(client: Client) -> None:
    with pytest.raises(ValueError, match="at least one member"):
        run_on_gang(client, lambda context: None, members=[])


def test_ranks_notice_that_their_client_left(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        context.emit(None)
        while True:
            context.check_cancelled()
            time.sleep(0.001)

    other = Client(client.scheduler.address, set_as_default=False)
    with pytest.raises(ClusterError):
        run_on_gang(other, routine, members=members_of(workers), listener=lambda message: other.close())
    assert until(lambda: running_ranks(client) == [0, 0])
    assert_nothing_left(client)


def test_a_client_that_loses_its_connection_says_so_and_frees_its_workers(
    client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(self: Client, timeout: float | None = None) -> None:
        raise ImportError  # Dask gives up at once; whatever comes while it connects again would be an AssertionError of its own

    def routine(context: RankContext) -> None:
        context.emit(None)
        while True:
            context.check_cancelled()
            time.sleep(0.001)

    with Client(client.scheduler.address, set_as_default=False) as other:
        monkeypatch.setattr(Client, "_ensure_connected", refused)
        with pytest.raises(ClusterError, match=r"disappeared, it is cancelled \(scheduler-connection-lost\)"):
            run_on_gang(
                other,
                routine,
                members=members_of(workers[:1]),
                listener=lambda message: other.loop.add_callback(other.scheduler_comm.comm.abort),
            )
    assert run_on_gang(client, lambda context: context.rank, members=members_of(workers)) == [0, 1]
    assert until(lambda: running_ranks(client) == [0, 0])
    assert_nothing_left(client)
