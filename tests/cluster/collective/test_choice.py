"""Which algorithm is taken when, and the collective as routines see it."""

import inspect
import mmap

import numpy as np
import pytest

from gbdist.boosting.collective import Collective
from gbdist_cluster.collective import algorithms
from gbdist_cluster.collective.choice import ChannelCollective, choose_all_reduce, choose_reduce_scatter
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import ClusterError


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


@pytest.mark.parametrize("method", ["all_reduce", "reduce_scatter", "all_gather", "all_to_all"])
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
