"""Every algorithm on every number of ranks gives the plain answer."""

from collections.abc import Callable

import numpy as np
import pytest

from gbdist_cluster.collective import algorithms
from gbdist_cluster.collective.algorithms import Steps, even_offsets
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.threads import run_threads

RANKS = [1, 2, 3, 4, 5, 7, 8]
ALL_REDUCE = ["direct_all_reduce", "tree_all_reduce", "split_all_reduce", "ring_all_reduce"]
REDUCE_SCATTER = ["direct_reduce_scatter", "tree_reduce_scatter", "ring_reduce_scatter"]
ALL_GATHER = ["direct_all_gather", "tree_all_gather", "ring_all_gather"]


def cells_of(rank: int, size: int = 101) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(rank).integers(-(2**40), 2**40, size)


def steps_of(collective: ChannelCollective, operation: str, *, halves: bool = False) -> Steps:
    return Steps(collective._channel, 1, operation, halves=halves)


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("n_ranks", RANKS)
@pytest.mark.parametrize("name", ALL_REDUCE)
def test_all_reduce_gives_every_rank_the_sum(name: str, n_ranks: int, halves: bool) -> None:
    algorithm = getattr(algorithms, name)
    inputs = [cells_of(rank) for rank in range(n_ranks)]
    before = [cells.copy() for cells in inputs]
    totals = run_threads(
        n_ranks,
        lambda collective: algorithm(steps_of(collective, "all_reduce", halves=halves), inputs[collective.rank]),
        deadline=20,
    )
    for total in totals:
        np.testing.assert_array_equal(total, sum(before))
    np.testing.assert_array_equal(inputs, before)  # IN only
    assert not any(np.shares_memory(total, cells) for total in totals for cells in inputs)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("n_ranks", RANKS)
@pytest.mark.parametrize("name", REDUCE_SCATTER)
def test_reduce_scatter_gives_each_rank_its_share(name: str, n_ranks: int, uneven: bool) -> None:
    algorithm = getattr(algorithms, name)
    # Uneven shares, some of them empty: a rank may have no feature to score.
    cuts = np.sort(np.random.default_rng(n_ranks).integers(0, 4, n_ranks - 1) * 33)
    offsets = [0, *cuts.tolist(), 101] if uneven else even_offsets(101, n_ranks)
    inputs = [cells_of(rank) for rank in range(n_ranks)]
    before = [cells.copy() for cells in inputs]
    shares = run_threads(
        n_ranks,
        lambda collective: algorithm(steps_of(collective, "reduce_scatter"), inputs[collective.rank], offsets),
        deadline=20,
    )
    np.testing.assert_array_equal(np.concatenate(shares), sum(before))
    assert [share.size for share in shares] == np.diff(offsets).tolist()
    np.testing.assert_array_equal(inputs, before)
    assert not any(np.shares_memory(share, cells) for share in shares for cells in inputs)


@pytest.mark.parametrize("n_ranks", RANKS)
@pytest.mark.parametrize("name", ALL_GATHER)
def test_all_gather_gives_every_rank_all_items_in_order(name: str, n_ranks: int) -> None:
    algorithm = getattr(algorithms, name)
    items = [bytes([rank]) * rank for rank in range(n_ranks)]  # rank 0's is empty
    gathered = run_threads(
        n_ranks, lambda collective: algorithm(steps_of(collective, "all_gather"), items[collective.rank]), deadline=20
    )
    assert [[bytes(item) for item in one] for one in gathered] == [items] * n_ranks


@pytest.mark.parametrize("n_ranks", RANKS)
def test_all_to_all_brings_each_item_to_its_rank(n_ranks: int) -> None:
    received = run_threads(
        n_ranks,
        lambda collective: collective.all_to_all([b"%d to %d" % (collective.rank, to) for to in range(n_ranks)]),
        deadline=20,
    )
    assert received == [[b"%d to %d" % (source, to) for source in range(n_ranks)] for to in range(n_ranks)]


def _rounds_of(function: Callable[[ChannelCollective], object], n_ranks: int) -> int:
    """Most messages that one rank sends."""

    def routine(collective: ChannelCollective) -> int:
        function(collective)
        return collective.traffic.messages

    return max(run_threads(n_ranks, routine, deadline=20))


def test_the_tree_takes_few_messages_where_direct_takes_many() -> None:
    cells = cells_of(0)

    def messages(name: str) -> int:
        algorithm = getattr(algorithms, name)
        return _rounds_of(lambda collective: algorithm(steps_of(collective, "all_reduce"), cells), 16)

    assert messages("tree_all_reduce") == 4
    assert messages("direct_all_reduce") == 15
    assert messages("split_all_reduce") == 30
