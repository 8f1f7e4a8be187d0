"""Ranks as threads: results in order, failures end everyone, the cause is what the caller sees."""

import threading

import numpy as np
import pytest

from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import ClusterError, PeerLost

ONES = np.ones(10, dtype=np.int64)


def test_results_come_in_rank_order() -> None:
    assert run_threads(7, lambda collective: collective.rank) == list(range(7))


def test_a_rank_that_raises_ends_the_others_and_is_the_cause() -> None:
    echoes: list[str] = []

    def routine(collective: ChannelCollective) -> None:
        if collective.rank == 2:
            raise ValueError("no such column")
        try:
            collective.all_reduce(ONES)
        except PeerLost as error:
            echoes.append(error.args[0])
            raise

    with pytest.raises(ValueError, match="no such column"):
        run_threads(4, routine)
    assert echoes == ["rank 2 at a thread failed: ValueError: no such column"] * 3


@pytest.mark.parametrize("nth", range(1, 13))
def test_a_rank_that_fails_at_its_nth_message_ends_all(nth: int) -> None:
    def fault(rank: int, to: int, number: int) -> bool:
        if (rank, number) == (1, nth):
            raise OSError("injected")
        return True

    def routine(collective: ChannelCollective) -> None:
        offsets = [0, 3, 6, 9, 10]
        while True:
            collective.all_reduce(ONES)
            collective.reduce_scatter(ONES, offsets)
            collective.all_gather(b"")
            collective.all_to_all([b""] * 4)

    with pytest.raises(OSError, match="injected"):
        run_threads(4, routine, fault=fault)


def test_a_lost_message_is_noticed_by_its_successor() -> None:
    def fault(rank: int, to: int, number: int) -> bool:
        return (rank, number) != (0, 2)

    def routine(collective: ChannelCollective) -> None:
        for _ in range(3):
            collective.all_reduce(ONES)

    with pytest.raises(ClusterError) as caught:
        run_threads(2, routine, fault=fault)
    assert caught.value.args[0] == (
        "ranks are out of step: rank 1 is at call 2 (all_reduce), step 0, rank 0 at call 3 (all_reduce), step 0"
    )


def test_silence_ends_with_the_deadline() -> None:
    def fault(rank: int, to: int, number: int) -> bool:
        return rank != 0 or number < 2

    def routine(collective: ChannelCollective) -> None:
        for _ in range(3):
            collective.all_reduce(ONES)

    with pytest.raises(PeerLost, match=r"rank [01] at a thread sent nothing for 0.2 s"):
        run_threads(2, routine, fault=fault, deadline=0.2)


def test_a_peer_that_returns_early_is_noticed_after_what_it_sent() -> None:
    def routine(collective: ChannelCollective) -> list[bytes]:
        items = collective.all_gather(b"last words")
        if collective.rank == 0:
            collective.all_gather(b"")
        return items

    with pytest.raises(PeerLost, match="rank 1 at a thread has returned while rank 0 waits for it"):
        run_threads(2, routine)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    run_threads(50, lambda collective: collective.all_gather(b""))
    assert threading.active_count() == before


def test_no_ranks_is_an_error() -> None:
    with pytest.raises(ClusterError) as caught:
        run_threads(0, lambda collective: None)
    assert str(caught.value) == "n_ranks=0 cannot be used. Ask for one rank or more"
