"""Which algorithm is taken when, and the collective as routines see it."""

import inspect
import mmap
import threading

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist_cluster.collective import algorithms, float_sums
from gbdist_cluster.collective.channel import scope_of
from gbdist_cluster.collective.choice import (
    ChannelCollective,
    choose_all_reduce,
    choose_reduce_scatter,
    choose_sum_floats,
)
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import ClusterError, PeerLost


@pytest.mark.parametrize(
    ("cells", "ranks", "chosen"),
    [
        (100, 2, "direct_all_reduce"),
        (10_000_000, 2, "direct_all_reduce"),
        (100, 3, "direct_all_reduce"),
        (1_000_000, 3, "split_all_reduce"),
        (100, 8, "direct_all_reduce"),
        (100, 50, "direct_all_reduce"),
        (1_000_000, 50, "split_all_reduce"),
        (20_000, 64, "tree_all_reduce"),
        (50_000_000, 50, "ring_all_reduce"),
    ],
)
def test_the_algorithm_of_all_reduce(cells: int, ranks: int, chosen: str) -> None:
    assert choose_all_reduce(cells, ranks) is getattr(algorithms, chosen)


@pytest.mark.parametrize(
    ("cells", "ranks", "chosen"),
    [
        (1_000_000, 2, "direct_reduce_scatter"),
        (1_000_000, 7, "direct_reduce_scatter"),
        (100_000, 200, "tree_reduce_scatter"),
        (50_000_000, 50, "ring_reduce_scatter"),
    ],
)
def test_the_algorithm_of_reduce_scatter(cells: int, ranks: int, chosen: str) -> None:
    assert choose_reduce_scatter(cells, ranks) is getattr(algorithms, chosen)


@pytest.mark.parametrize(
    ("size", "ranks", "hosts", "chosen"),
    [
        (160_000, 2, 1, "direct_sum"),
        (40_000_000, 2, 2, "direct_sum"),
        (160_000, 4, 1, "central_sum"),
        (16_000_000, 4, 1, "split_sum"),
        (160_000, 4, 4, "direct_sum"),
        (4_000_000, 4, 4, "split_sum"),
        (4_000, 64, 64, "tree_sum"),
        (160_000, 50, 50, "split_sum"),
        (160_000_000, 50, 50, "ring_sum"),
    ],
)
def test_the_algorithm_of_sum_floats(size: int, ranks: int, hosts: int, chosen: str) -> None:
    assert choose_sum_floats(size, ranks, hosts) is getattr(float_sums, chosen)


@pytest.mark.parametrize(
    "method", [name for name, one in vars(Collective).items() if inspect.isfunction(one) and name[0] != "_"]
)
def test_the_methods_are_those_of_the_protocol(method: str) -> None:
    protocol, ours = (inspect.signature(getattr(cls, method)) for cls in (Collective, ChannelCollective))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in protocol.parameters.values()
    ]


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4, 7, 50])
def test_the_collective_adds_gathers_and_scatters(n_ranks: int) -> None:
    table = np.arange(n_ranks * 6 * 7, dtype=np.int64).reshape(n_ranks, 6, 7)
    offsets = algorithms.even_offsets(42, n_ranks)

    def routine(collective: Collective) -> tuple[list[list[list[int]]], list[int], list[bytes]]:
        mine = table[collective.rank]
        mine.flags.writeable = False
        total = collective.all_reduce(mine)
        share = collective.reduce_scatter(mine.reshape(-1), offsets, halves=True)
        return total.tolist(), share.tolist(), collective.all_gather(b"%d" % collective.rank)

    results = run_threads(n_ranks, routine, deadline=30)
    assert all(total == table.sum(axis=0).tolist() for total, _, _ in results)
    assert [cell for _, share, _ in results for cell in share] == table.sum(axis=0).reshape(-1).tolist()
    assert all(items == [b"%d" % rank for rank in range(n_ranks)] for _, _, items in results)


def test_megabytes_arrive_whole() -> None:
    array = np.random.default_rng(1).integers(-(2**62), 2**62, 300_000)

    def routine(collective: ChannelCollective) -> bool:
        return bool((collective.all_reduce(array) == 3 * array).all())

    assert run_threads(3, routine, deadline=30) == [True] * 3


def test_traffic_counts_what_a_rank_sends_and_waits() -> None:
    def routine(collective: ChannelCollective) -> tuple[int, int, bool]:
        collective.all_gather(bytes(mmap.PAGESIZE))
        return collective.traffic.messages, collective.traffic.bytes_sent, collective.traffic.seconds_waited > 0

    assert run_threads(3, routine, deadline=20) == [(2, 2 * mmap.PAGESIZE, True)] * 3


def test_ranks_out_of_step_are_told_so() -> None:
    def routine(collective: ChannelCollective) -> object:
        if collective.rank:
            return collective.all_gather(b"")
        collective.all_gather(b"")
        return collective.all_reduce(np.zeros(3, dtype=np.int64))

    def crossed(collective: ChannelCollective) -> object:
        return collective.all_gather(b"") if collective.rank else collective.all_to_all([b"", b""])

    with pytest.raises(ClusterError) as caught:
        run_threads(2, crossed, deadline=20)
    assert str(caught.value) in {
        "ranks are out of step: "
        f"rank {rank} is at call 1 ({mine}), step 0, rank {1 - rank} at call 1 ({theirs}), step 0. "
        "All ranks must call the same methods of the collective in the same order"
        for rank, mine, theirs in [(0, "all_to_all", "all_gather"), (1, "all_gather", "all_to_all")]
    }
    with pytest.raises(ClusterError, match="rank 1 at a thread has returned while rank 0 waits for it"):
        run_threads(2, routine, deadline=20)


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 5, 7])
def test_a_subset_is_a_collective_of_its_ranks(n_ranks: int) -> None:
    table = np.arange(n_ranks * 12, dtype=np.int64).reshape(n_ranks, 12)

    def routine(collective: Collective) -> None:
        rank, parity = collective.rank, collective.rank % 2
        ranks = list(range(parity, n_ranks, 2))
        group = collective.subset(ranks)
        assert (group.rank, group.size) == (ranks.index(rank), len(ranks))
        offsets = algorithms.even_offsets(12, group.size)
        for _ in range(3):  # the whole and its subsets take turns
            assert (collective.all_reduce(table[rank]) == table.sum(axis=0)).all()
            total = table[ranks].sum(axis=0)
            assert (group.all_reduce(table[rank]) == total).all()
            assert (group.sum_floats(table[rank].astype(np.float32)) == total).all()
            share = group.reduce_scatter(table[rank], offsets)
            np.testing.assert_array_equal(share, total[offsets[group.rank] : offsets[group.rank + 1]])
            assert group.all_gather(b"%d" % rank) == [b"%d" % one for one in ranks]
            sent = [b"%d to %d" % (rank, to) for to in ranks]
            assert group.all_to_all(sent) == [b"%d to %d" % (source, rank) for source in ranks]

    run_threads(n_ranks, routine, deadline=30)


@pytest.mark.parametrize("n_ranks", [2, 3, 5])
def test_items_go_from_rank_to_rank_in_order(n_ranks: int) -> None:
    def routine(collective: Collective) -> None:
        rank, following, previous = collective.rank, (collective.rank + 1) % n_ranks, (collective.rank - 1) % n_ranks
        for turn in range(3):
            collective.send(following, b"%d of %d" % (turn, rank))
            if rank % 2 == 0:  # a pair may be ahead of the others
                collective.send(following, b"")
        for turn in range(3):
            assert collective.receive(previous) == b"%d of %d" % (turn, previous)
            if previous % 2 == 0:
                assert collective.receive(previous) == b""
        assert collective.all_gather(b"%d" % rank) == [b"%d" % one for one in range(n_ranks)]
        others = collective.subset([one for one in range(n_ranks) if one % 2 == rank % 2])
        if others.rank:
            others.send(0, bytes(mmap.PAGESIZE))
            assert others.receive(0) == b"back"
        else:
            for one in range(1, others.size):
                assert others.receive(one) == bytes(mmap.PAGESIZE)
                others.send(one, b"back")

    run_threads(n_ranks, routine, deadline=30)


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_items_are_taken_without_waiting_where_they_have_come(n_ranks: int) -> None:
    def routine(collective: ChannelCollective) -> list[object]:
        rank, following, previous = collective.rank, (collective.rank + 1) % n_ranks, (collective.rank - 1) % n_ranks
        found: list[object] = [collective.receive_now(previous)]
        looked.wait(20)
        collective.send(following, b"%d" % rank)
        collective.send(following, b"more")
        collective.send(following, b"and more")
        looked.wait(20)
        found += [collective.receive_now(previous), collective.receive(previous), collective.receive_now(previous)]
        found.append(collective.receive_now(previous))
        looked.wait(20)
        if rank < 2:
            pair = collective.subset([0, 1])
            pair.send(1 - rank, b"of a pair")
            while (item := pair.receive_now(1 - rank)) is None:
                pass
            assert item == b"of a pair"
        return found

    looked = threading.Barrier(n_ranks)
    for rank, found in enumerate(run_threads(n_ranks, routine, deadline=20)):
        assert found == [None, b"%d" % ((rank - 1) % n_ranks), b"more", b"and more", None]


def test_who_looks_for_an_item_of_a_rank_that_has_returned_is_told_so() -> None:
    def routine(collective: ChannelCollective) -> None:
        while collective.rank == 0:
            collective.receive_now(1)

    with pytest.raises(PeerLost, match="rank 1 at a thread has returned"):
        run_threads(2, routine, deadline=20)


def test_a_rank_that_skips_an_item_is_told_so() -> None:
    def routine(collective: ChannelCollective) -> object:
        if collective.rank:
            collective.send(0, b"")
        return collective.all_gather(b"")

    with pytest.raises(ClusterError, match=r"rank 0 is at call 1 \(all_gather\), step 0, rank 1 at call 1 \(message\)"):
        run_threads(2, routine, deadline=20)


@pytest.mark.parametrize("to", [-1, 1, 3])
def test_an_item_needs_another_rank(to: int) -> None:
    def routine(collective: ChannelCollective) -> None:
        if collective.rank == 1:
            with pytest.raises(ValueError, match=f"rank 1 of 3 has no other rank {to}"):
                collective.send(to, b"")
            with pytest.raises(ValueError, match=f"rank 1 of 3 has no other rank {to}"):
                collective.receive(to)
            with pytest.raises(ValueError, match=f"rank 1 of 3 has no other rank {to}"):
                collective.receive_now(to)

    run_threads(3, routine, deadline=20)
    alone = SingleRank()
    for method in (lambda: alone.send(0, b""), lambda: alone.receive(0), lambda: alone.receive_now(0)):
        with pytest.raises(ValueError, match="rank 0 of 1 has no other rank 0"):
            method()


def test_subsets_need_nobody_else_and_may_be_cut_again() -> None:
    def routine(collective: ChannelCollective) -> list[bytes]:
        if collective.rank == 3:
            return []
        three = collective.subset([0, 1, 2])
        if collective.rank == 0:
            return three.subset([0]).all_gather(b"alone") + three.all_gather(b"0")
        return three.subset([1, 2]).all_gather(b"%d" % collective.rank) + three.all_gather(b"%d" % collective.rank)

    three = [b"0", b"1", b"2"]
    assert run_threads(4, routine, deadline=20) == [[b"alone", *three], [*three[1:], *three], [*three[1:], *three], []]


def test_whole_and_subset_are_not_confused() -> None:
    def routine(collective: ChannelCollective) -> object:
        pair = collective.subset([0, 1])
        return (pair if collective.rank else collective).all_gather(b"")

    with pytest.raises(ClusterError) as caught:
        run_threads(2, routine, deadline=20)
    words = {0: "call 1 (all_gather)", 1: f"call 1 (all_gather) of subset {scope_of([0, 0, 1]):03x}"}
    assert caught.value.args[0] in {
        f"ranks are out of step: rank {rank} is at {words[rank]}, step 0, rank {1 - rank} at {words[1 - rank]}, step 0"
        for rank in (0, 1)
    }


def test_loss_in_a_subset_is_named_by_the_rank_of_the_gang() -> None:
    def routine(collective: ChannelCollective) -> list[bytes]:
        return [] if collective.rank == 2 else collective.subset([1, 2] if collective.rank else [0]).all_gather(b"")

    with pytest.raises(ClusterError, match="rank 2 at a thread has returned while rank 1 waits for it"):
        run_threads(3, routine, deadline=20)


@pytest.mark.parametrize("ranks", [[], [0], [1, 0], [1, 1], [1, 3], [-1, 1]])
def test_ranks_that_are_no_subset_are_refused(ranks: list[int]) -> None:
    def routine(collective: ChannelCollective) -> object:
        return collective.subset(ranks) if collective.rank == 1 else None

    with pytest.raises(ValueError, match=r"rank 1 of 3 is in no subset \[.*\]: ascending ranks, each once"):
        run_threads(3, routine, deadline=20)
