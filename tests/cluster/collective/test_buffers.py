"""Memory is used again when it is free, and never before."""

import numpy as np

from gbdist_cluster.collective.buffers import Buffers
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.threads import run_threads

MANY = 100_000


def address_of(array: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_that_nobody_holds_is_used_again() -> None:
    buffers = Buffers()
    first = buffers.words(MANY)
    place = address_of(first)
    del first
    assert address_of(buffers.words(MANY - 7)) == place


def test_memory_that_a_view_or_bytes_hold_is_not_used_again() -> None:
    buffers = Buffers()
    view = buffers.words(MANY).view(np.int64)[5:].reshape(-1, 5)
    assert not np.shares_memory(buffers.words(MANY), view)
    raw = buffers.words(MANY).view(np.uint8).data[100:]
    held = np.frombuffer(raw, dtype=np.uint8)
    assert not np.shares_memory(buffers.words(MANY), held)


def test_little_memory_is_kept() -> None:
    buffers = Buffers()
    held = [buffers.words(MANY) for _ in range(20)]
    assert len({address_of(array) for array in held}) == 20
    assert len(buffers._blocks) == 6
    place = address_of(buffers.words(1 << 23))
    assert place not in [address_of(block) for block in buffers._blocks]  # a huge one is never kept


def test_results_that_are_kept_stay_as_they_were() -> None:
    def routine(collective: ChannelCollective) -> bool:
        kept = []
        for number in range(12):
            array = np.full(MANY, number, dtype=np.int64)
            kept.append((collective.all_reduce(array), collective.reduce_scatter(array, [0, 50_000, MANY])))
        return all(
            (total == 2 * number).all() and (share == 2 * number).all() for number, (total, share) in enumerate(kept)
        )

    assert run_threads(2, routine, deadline=30) == [True, True]
