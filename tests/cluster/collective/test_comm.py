"""The collective over Dask's transports, workers in this process: right answers, and every way for it to end."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist_cluster.collective import endpoint, link
from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.collective.comm_channel import CommChannel
from gbdist_cluster.collective.endpoint import Seat
from gbdist_cluster.collective.link import Link
from gbdist_cluster.errors import ClusterError, GangCancelled, PeerLost

Ranks = Callable[..., list[Any]]
ONES = np.ones(10, dtype=np.int64)


def tasks_of(worker: Any) -> set[str]:
    """What of ours runs on the worker's event loop."""

    async def names() -> set[str]:
        await asyncio.sleep(0)
        return {
            task.get_coro().__qualname__
            for task in asyncio.all_tasks()
            if task.get_coro().__qualname__.startswith(("CommChannel", "Link", "Endpoint"))
        }

    return asyncio.run_coroutine_threadsafe(names(), worker.loop.asyncio_loop).result(timeout=10)


def test_every_transport_carries_small_and_large_messages(any_workers: list[Any], run_ranks: Ranks) -> None:
    large = np.random.default_rng(0).integers(-(2**62), 2**62, 200_000)

    def routine(collective: CommCollective) -> str:
        rank = collective.rank
        assert (collective.all_reduce(ONES * rank) == 3).all()
        assert (collective.all_reduce(large * rank) == large * 3).all()
        share = collective.reduce_scatter(large, [0, 1, 100_000, 200_000])
        np.testing.assert_array_equal(share, 3 * [large[:1], large[1:100_000], large[100_000:]][rank])
        halves = large / 2
        np.testing.assert_array_equal(collective.sum_floats(halves * rank), (halves + halves * 2))
        assert collective.sum_floats(np.float32([[rank]])).tolist() == [[3.0]]
        assert collective.all_gather(b"%d" % rank) == [b"0", b"1", b"2"]
        assert collective.all_to_all([b"%d%d" % (rank, to) for to in range(3)]) == [
            b"%d%d" % (s, rank) for s in range(3)
        ]
        sent = large.tobytes()
        collective.send((rank + 1) % 3, sent)  # all at once: nobody waits for it to be taken
        assert collective.receive_now((rank + 1) % 3) is None
        assert collective.receive((rank - 1) % 3) == sent
        collective.send((rank + 1) % 3, b"last")
        while (last := collective.receive_now((rank - 1) % 3)) is None:
            pass
        assert last == b"last"
        assert collective.traffic.bytes_sent > 1_000_000
        return "done"

    assert run_ranks(any_workers, routine) == ["done"] * 3
    assert [tasks_of(worker) for worker in any_workers] == [set()] * 3


def test_a_message_in_many_pieces_arrives_whole(
    workers: list[Any], run_ranks: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "PIECE_BYTES", 30_000)
    item = np.random.default_rng(0).bytes(200_001)

    def routine(collective: CommCollective) -> bool:
        return collective.all_gather(item) == [item] * 3

    assert run_ranks(workers, routine) == [True] * 3


def test_many_calls_in_a_row_keep_their_order(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> list[int]:
        return [int(collective.all_reduce(ONES * number)[0]) for number in range(200)]

    assert run_ranks(workers, routine) == [[3 * number for number in range(200)]] * 3


def test_subsets_talk_over_every_transport(any_workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> list[bytes]:
        group = collective.subset([0, 2] if collective.rank != 1 else [1])
        totals = [int(one.all_reduce(ONES)[0]) for one in (group, collective, group)]
        assert totals == [group.size, 3, group.size]
        return group.all_gather(b"%d" % collective.rank)

    assert run_ranks(any_workers, routine) == [[b"0", b"2"], [b"1"], [b"0", b"2"]]


def test_one_rank_needs_nobody(workers: list[Any], run_ranks: Ranks) -> None:
    assert run_ranks(workers[:1], lambda collective: collective.all_gather(b"x")) == [[b"x"]]


def test_seven_ranks_on_three_workers(workers: list[Any], run_ranks: Ranks) -> None:
    crowded = [*workers, *workers, workers[0]]
    expected = [b"%d" % rank for rank in range(7)]

    def routine(collective: CommCollective) -> bool:
        totals = [collective.all_reduce(np.full(size, collective.rank)) for size in (10, 100_000)]
        return collective.all_gather(b"%d" % collective.rank) == expected and all((t == 21).all() for t in totals)

    assert run_ranks(crowded, routine) == [True] * 7


def test_two_runs_at_once_do_not_hear_each_other(workers: list[Any]) -> None:
    addresses = [worker.address for worker in workers]
    met = threading.Barrier(6)

    def rank(run_id: str, number: int, found: dict[tuple[str, int], list[bytes]]) -> None:
        with CommCollective.join(
            workers[number], run_id=run_id, epoch=1, rank=number, addresses=addresses
        ) as collective:
            met.wait(timeout=20)
            found[run_id, number] = collective.all_gather(run_id.encode())

    found: dict[tuple[str, int], list[bytes]] = {}
    threads = [threading.Thread(target=rank, args=(run, number, found)) for run in ("a", "b") for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {(run, number): [run.encode()] * 3 for run in ("a", "b") for number in range(3)}


def test_a_rank_that_raises_tells_the_others_why_at_once(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        if collective.rank == 1:
            raise ValueError("no such column")
        return collective.all_reduce(ONES)

    first, second, third = run_ranks(workers, routine)
    assert isinstance(second, ValueError)
    expected = f"rank 1 at {workers[1].address} failed: ValueError: no such column"
    assert [(type(error), error.args[0]) for error in (first, third)] == [(PeerLost, expected)] * 2
    assert [tasks_of(worker) for worker in workers] == [set()] * 3


def test_abort_before_the_first_message(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        if collective.rank == 2:
            collective.abort("out of memory")
        return collective.all_reduce(ONES)

    first, second, third = run_ranks(workers, routine)
    assert str(first) == str(second)
    assert first.args[0] == f"rank 2 at {workers[2].address} failed: out of memory"
    assert (type(third), third.args[0]) == (GangCancelled, "rank 2 has failed: out of memory")


def test_a_rank_may_be_cancelled_from_its_event_loop(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        if collective.rank == 0:
            loop = collective._comm_channel.loop
            loop.call_soon_threadsafe(collective.cancel, "by a letter")
        while True:
            collective.all_reduce(ONES)

    first, second, third = run_ranks(workers, routine)
    assert (type(first), first.args[0]) == (GangCancelled, "rank 0 was cancelled: by a letter")
    assert str(second) == str(third)


def test_cancel_wakes_a_rank_that_waits(workers: list[Any], run_ranks: Ranks) -> None:
    joined: dict[int, CommCollective] = {}
    all_joined = threading.Barrier(3, action=lambda: joined[0].cancel("the client went away"))

    def routine(collective: CommCollective) -> object:
        joined[collective.rank] = collective
        all_joined.wait(timeout=20)
        if collective.rank == 1:  # leaves the others waiting
            return collective._channel.receive(0, 0)
        return collective.all_reduce(ONES)

    first, second, third = run_ranks(workers, routine)
    assert (type(first), first.args[0]) == (GangCancelled, "rank 0 was cancelled: the client went away")
    expected = f"rank 0 at {workers[0].address} was cancelled: the client went away"
    assert [(type(error), error.args[0]) for error in (second, third)] == [(PeerLost, expected)] * 2


def test_a_run_is_cancelled_through_its_endpoint_while_it_joins(workers: list[Any], run_ranks: Ranks) -> None:
    # Rank 2 is never there: its worker's address is given, but only two ranks join.
    run_id = "cancelled while it joins"
    addresses = [worker.address for worker in workers]
    loop = workers[0].loop.asyncio_loop
    here = endpoint.endpoint_of(workers[0])

    async def cancel_when_it_is_there() -> None:
        while Seat(run_id, 1, 0) not in here._doors:
            await asyncio.sleep(0)
        here.cancel(run_id, "on request")

    cancelled = asyncio.run_coroutine_threadsafe(cancel_when_it_is_there(), loop)
    with pytest.raises(GangCancelled, match="rank 0 was cancelled: on request"):
        CommCollective.join(workers[0], run_id=run_id, epoch=1, rank=0, addresses=addresses)
    cancelled.result(timeout=10)
    assert tasks_of(workers[0]) == set()


def test_heartbeats_lost_during_all_reduce(
    workers: list[Any], run_ranks: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Link.post_beat

    def swallow(self: Link) -> None:
        if self._owner.rank != 1:  # type: ignore[attr-defined]
            beat(self)

    def routine(collective: CommCollective) -> object:
        if collective.rank == 1:
            # Computes; it does not know yet that nobody hears it.
            monkeypatch.setattr(Link, "post_beat", swallow)
            collective._comm_channel._inboxes[1].get(timeout=20)  # no rank sends to itself: wakes with the failure
        return collective.all_reduce(ONES)

    first, second, third = run_ranks(workers, routine, deadline=0.5)
    expected = f"rank 1 at {workers[1].address} was silent for 0.5 s"
    assert [(type(error), error.args[0]) for error in (first, third)] == [(PeerLost, expected)] * 2
    assert isinstance(second, PeerLost)
    assert "has given up this rank, which was silent for 0.5 s" in str(second)


def test_a_rank_that_computes_for_longer_than_the_deadline_is_not_lost(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> int:
        if collective.rank == 0:
            threading.Event().wait(1.0)  # stands for a long kernel: the thread is busy, the event loop is not
        return int(collective.all_reduce(ONES)[0])

    assert run_ranks(workers, routine, deadline=0.4) == [3, 3, 3]


def test_connection_cut_between_two_calls(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        collective.all_reduce(ONES)
        if collective.rank == 2:
            channel = collective._comm_channel
            channel.call(channel._links[0]._comm.abort)
            channel._inboxes[2].get(timeout=20)  # wakes with the failure
        return collective.all_reduce(ONES)

    # Both ends are alive and blame each other, and rank 1 believes whom it hears first.
    for error in run_ranks(workers, routine):
        assert isinstance(error, PeerLost)
        assert "closed its connection" in str(error)


def test_a_peer_that_returns_early_is_named(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        items = collective.all_gather(b"last words")
        return items if collective.rank == 2 else collective.all_gather(b"more")

    first, second, third = run_ranks(workers, routine)
    assert third == [b"last words"] * 3
    assert {type(first), type(second)} == {PeerLost}
    assert f"rank 2 at {workers[2].address} has ended its routine while rank" in first.args[0] + second.args[0]


def test_rank_outside_that_fails_ends_a_subset(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        if collective.rank == 2:
            collective.all_gather(b"")
            raise OSError("injected")
        pair = collective.subset([0, 1])
        collective.all_gather(b"")
        while True:
            pair.all_reduce(ONES)

    first, second, third = run_ranks(workers, routine)
    assert isinstance(third, OSError)
    for error in (first, second):
        assert isinstance(error, PeerLost)
        assert error.args[0] == f"rank 2 at {workers[2].address} failed: OSError: injected"


def test_a_rank_that_does_not_join_is_named(workers: list[Any]) -> None:
    addresses = [worker.address for worker in workers]
    with pytest.raises(PeerLost) as caught:
        CommCollective.join(workers[0], run_id="lonely", epoch=1, rank=0, addresses=addresses, join_deadline=0.2)
    assert caught.value.args[0] == f"rank 1 at {workers[1].address} did not join within 0.2 s"
    # The others learn that rank 0 has left instead of waiting for it.
    with pytest.raises(PeerLost) as caught:
        CommCollective.join(workers[1], run_id="lonely", epoch=1, rank=1, addresses=addresses)
    assert caught.value.args[0] == (
        f"rank 0 at {workers[0].address} refuses the connection: rank 0 has already left epoch 1 of run lonely"
    )
    assert [tasks_of(worker) for worker in workers] == [set()] * 3


def test_a_worker_that_is_not_there_is_named(workers: list[Any]) -> None:
    addresses = ["tcp://127.0.0.1:1", workers[1].address]
    with pytest.raises(PeerLost, match=r"rank 0 at tcp://127.0.0.1:1 cannot be reached"):
        CommCollective.join(workers[1], run_id="nobody", epoch=1, rank=1, addresses=addresses, deadline=0.3)


def test_a_worker_that_never_answers_is_named(workers: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # as a stopped process: the kernel connects, nobody speaks
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PeerLost) as caught:
            CommCollective.join(
                workers[1], run_id="silence", epoch=1, rank=1, addresses=[address, workers[1].address], deadline=0.3
            )
    assert caught.value.args[0] == f"rank 0 at {address} cannot be reached: no answer within 0.3 s"


def test_an_old_epoch_is_refused(workers: list[Any], run_ranks: Ranks, request: pytest.FixtureRequest) -> None:
    assert run_ranks(workers, lambda collective: collective.rank, epoch=5) == [0, 1, 2]
    addresses = [worker.address for worker in workers]
    run_id = request.node.name
    with pytest.raises(GangCancelled, match=f"epoch 4 of run {run_id} is over, this worker is at epoch 5"):
        CommCollective.join(workers[0], run_id=run_id, epoch=4, rank=0, addresses=addresses)

    async def knock() -> Any:
        channel = CommChannel(workers[1], Seat(run_id, 4, 1), addresses, 5.0)
        await channel._dial(0)
        await channel.shut()
        return channel.failure

    failure = asyncio.run_coroutine_threadsafe(knock(), workers[1].loop.asyncio_loop).result(timeout=10)
    assert failure.args[0] == (
        f"rank 0 at {addresses[0]} refuses the connection: epoch 4 of run {run_id} is over, this worker is at epoch 5"
    )


def test_a_new_epoch_ends_the_old_one(workers: list[Any], run_ranks: Ranks) -> None:
    second_epoch: list[Any] = []

    def old(collective: CommCollective) -> object:
        if collective.rank == 0:
            second_epoch.extend(run_ranks(workers, lambda new: new.all_gather(b"new"), epoch=2))
        return collective.all_gather(b"old")

    ends = run_ranks(workers, old, epoch=1)
    assert second_epoch == [[b"new"] * 3] * 3
    assert all(isinstance(end, GangCancelled | PeerLost) for end in ends)
    assert "epoch 2 has begun" in str(ends[1])


def test_the_same_rank_twice_is_refused(workers: list[Any], run_ranks: Ranks, request: pytest.FixtureRequest) -> None:
    addresses = [worker.address for worker in workers]

    def routine(collective: CommCollective) -> list[bytes]:
        with pytest.raises(GangCancelled, match=rf"rank {collective.rank} has already joined epoch 1 of run"):
            CommCollective.join(
                workers[collective.rank], run_id=request.node.name, epoch=1, rank=collective.rank, addresses=addresses
            )
        return collective.all_gather(b"still here")

    assert run_ranks(workers, routine) == [[b"still here"] * 3] * 3


def test_close_twice_and_errors_after_it(workers: list[Any], run_ranks: Ranks) -> None:
    kept: list[CommCollective] = []

    def routine(collective: CommCollective) -> None:
        kept.append(collective)
        collective.all_gather(b"")
        collective.close()

    assert run_ranks(workers, routine) == [None] * 3
    with pytest.raises(ClusterError) as caught:
        kept[0].all_gather(b"after the end")
    assert str(caught.value) == f"rank {kept[0].rank} has left its gang. Use the collective before it is closed"


def test_a_rank_that_leaves_while_it_lets_a_peer_in_cuts_it_off(workers: list[Any]) -> None:
    # Otherwise the peer would take silence for life until its deadline.
    class SlowComm:
        """Its first write takes until the rank has left."""

        aborted = False

        async def write(self, message: object) -> None:
            await channel.shut()

        def abort(self) -> None:
            self.aborted = True

    addresses = [worker.address for worker in workers]
    comm = SlowComm()

    async def adopt() -> None:
        nonlocal channel
        channel = CommChannel(workers[0], Seat("leaving", 1, 0), addresses, 5.0)
        await channel.adopt(1, comm, lane=False)
        await channel.shut()

    channel: Any = None
    asyncio.run_coroutine_threadsafe(adopt(), workers[0].loop.asyncio_loop).result(timeout=10)
    assert comm.aborted
    assert channel._links == {}


@pytest.mark.parametrize("raises", [True, False])
def test_who_looks_for_an_item_without_waiting_hears_of_a_loss(
    any_workers: list[Any], run_ranks: Ranks, raises: bool
) -> None:
    def routine(collective: CommCollective) -> object:
        if collective.rank == 2 and raises:
            raise ValueError("no such column")
        while collective.rank < 2:
            collective.receive_now(2)
            if not raises and collective._comm_channel._links[2].left:
                return collective.receive(2)
        return None

    for error in run_ranks(any_workers, routine)[:2]:
        assert type(error) is PeerLost
        assert f"rank 2 at {any_workers[2].address} " in error.args[0]  # perhaps told by the other one


def test_worker_closed_during_all_reduce(run_ranks: Ranks, start_workers: Callable[[str], Any]) -> None:
    with start_workers("tcp://") as workers:

        def routine(collective: CommCollective) -> object:
            if collective.rank == 1:
                worker = workers[1]
                asyncio.run_coroutine_threadsafe(worker.close(nanny=False), worker.loop.asyncio_loop)
            while True:
                collective.all_reduce(ONES)

        first, second, third = run_ranks(workers, routine)
        # Which sign of the end rank 1 and its peers see first is open; whom they name is not.
        assert isinstance(second, GangCancelled | PeerLost)
        assert {type(first), type(third)} == {PeerLost}
        assert {error.args[0].split(" was ")[0].split(" closed ")[0] for error in (first, third)} == {
            f"rank 1 at {workers[1].address}"
        }


def test_a_worker_without_the_endpoint_says_so(workers: list[Any]) -> None:
    worker = workers[0]

    async def without() -> None:
        endpoint.uninstall(worker)

    asyncio.run_coroutine_threadsafe(without(), worker.loop.asyncio_loop).result(timeout=10)
    addresses = [one.address for one in workers]
    try:
        with pytest.raises(ClusterError, match=f"worker {worker.address} has no gbdist endpoint"):
            CommCollective.join(worker, run_id="none", epoch=1, rank=0, addresses=addresses)
        with pytest.raises(PeerLost) as caught:
            CommCollective.join(workers[1], run_id="none", epoch=1, rank=1, addresses=addresses)
    finally:
        endpoint.install(worker)
    assert caught.value.args[0] == (
        f"rank 0 at {worker.address} hung up: perhaps gbdist's plugin is not registered there"
    )


def test_installing_twice_keeps_the_endpoint(workers: list[Any]) -> None:
    assert endpoint.install(workers[0]) is endpoint.endpoint_of(workers[0])


@pytest.mark.parametrize(
    ("body", "happened"),
    [(threading.Lock(), "closed its connection"), (object(), "sent what cannot be read (TypeError")],
    ids=["cannot be packed", "cannot be read"],
)
def test_a_message_that_is_lost_ends_the_run(workers: list[Any], run_ranks: Ranks, body: object, happened: str) -> None:
    def routine(collective: CommCollective) -> object:
        if collective.rank == 1:
            channel = collective._comm_channel
            channel.call(channel._links[0]._post, 0, 1, body)
            channel._inboxes[1].get(timeout=20)  # wakes with the failure
        return collective.all_reduce(ONES)

    errors = run_ranks(workers, routine)
    assert [type(error) for error in errors] == [PeerLost] * 3
    assert any(happened in str(error) for error in errors)


def test_lane_broken_while_the_link_lives(workers: list[Any], run_ranks: Ranks) -> None:
    def routine(collective: CommCollective) -> object:
        collective.all_reduce(ONES)
        if collective.rank == 1:
            lane = collective._comm_channel._lanes._lanes[0]
            lane.sock.shutdown(socket.SHUT_RDWR)
        while True:
            collective.all_reduce(ONES)

    found = run_ranks(workers, routine, deadline=1.0)
    assert {type(error) for error in found} == {PeerLost}
    assert any("broke its second connection" in str(error) for error in found)
