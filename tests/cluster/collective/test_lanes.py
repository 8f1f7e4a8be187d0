"""Messages over a socket arrive whole and in order, whatever their size, and no wait is without an end."""

import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist_cluster.collective.lanes import Lanes, socket_of


def nothing() -> None:
    """A check that finds nothing wrong."""


@pytest.fixture
def pair() -> Iterator[tuple[Lanes, Lanes]]:
    """Two ranks, 0 and 1, with a lane between them that both sides are ready for."""
    one, other = socket.socketpair()
    first, second = Lanes(), Lanes()
    first.add(1, one, dialled=True)
    second.add(0, other, dialled=True)
    yield first, second
    for end in (first, second):
        end.close()
    one.close()
    other.close()


@pytest.mark.parametrize("size", [0, 1, 16, 65_519, 65_520, 65_536, 65_537, 200_000])
def test_message_of_any_size_arrives(pair: tuple[Lanes, Lanes], size: int) -> None:
    first, second = pair
    payload = random.Random(size).randbytes(size)
    with ThreadPoolExecutor(1) as thread:
        sent = thread.submit(first.send, 1, 7, payload, nothing)
        assert second.receive(0, nothing) == (7, payload)
        sent.result(timeout=10)


def test_two_ranks_that_send_much_to_each_other_both_go_on(pair: tuple[Lanes, Lanes]) -> None:
    much = random.Random(0).randbytes(20_000_000)  # more than any socket buffers

    def talk(mine: Lanes, peer: int) -> tuple[int, bytes]:
        mine.send(peer, 1, much, nothing)
        arrived = mine.receive(peer, nothing)
        assert arrived is not None
        return arrived[0], bytes(arrived[1])

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(talk, pair[0], 1), threads.submit(talk, pair[1], 0)]
        assert [one.result(timeout=60) for one in both] == [(1, much)] * 2


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 100_000), max_size=6), seed=st.integers(0, 1_000))
def test_messages_cut_anywhere_are_put_together(sizes: list[int], seed: int) -> None:
    rng = random.Random(seed)
    payloads = [rng.randbytes(size) for size in sizes]
    writer, reader = socket.socketpair()
    lanes, source = Lanes(), Lanes()
    lanes.add(0, reader, dialled=False)  # so that the byte that says "ready" is cut off too
    stream = b"\x01" + b"".join(len_and(tag, payload) for tag, payload in enumerate(payloads))

    def write() -> None:
        at = 0
        while at < len(stream):
            step = rng.choice([1, 7, 16, 1_000, 70_000])
            writer.sendall(stream[at : at + step])
            at += step
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    found = [lanes.receive(0, nothing) for _ in range(len(payloads) + 1)]
    thread.join()
    assert found == [*enumerate(payloads), None]
    lanes.close()
    source.close()
    reader.close()


def len_and(tag: int, payload: bytes) -> bytes:
    """A message as it stands on the wire."""
    return tag.to_bytes(8, "little") + len(payload).to_bytes(8, "little") + payload


def test_what_was_sent_before_the_end_still_arrives(pair: tuple[Lanes, Lanes]) -> None:
    first, second = pair
    first.send(1, 1, b"a", nothing)
    first.finish()
    assert second.receive(0, nothing) == (1, b"a")
    assert second.receive(0, nothing) is None
    assert second.receive(0, nothing) is None


def test_nobody_waits_who_looks_for_a_message(pair: tuple[Lanes, Lanes]) -> None:
    first, second = pair
    assert not second.has_message(0)
    first.send(1, 1, b"a", nothing)
    first.send(1, 2, b"b", nothing)
    first.finish()
    for expected in ((1, b"a"), (2, b"b")):
        assert second.has_message(0)
        assert second.receive(0, nothing) == expected
    assert not second.has_message(0)  # and none will come
    assert second.receive(0, nothing) is None


def test_wait_ends_when_another_thread_has_bad_news(pair: tuple[Lanes, Lanes]) -> None:
    first, _ = pair
    news: list[str] = []

    def check() -> None:
        if news:
            raise RuntimeError(news[0])

    def tell() -> None:
        news.append("rank 1 is gone")
        first.wake()

    threading.Timer(0.05, tell).start()
    with pytest.raises(RuntimeError, match="rank 1 is gone"):
        first.receive(1, check)


def test_nothing_is_sent_before_the_other_side_is_ready() -> None:
    one, other = socket.socketpair()
    lanes = Lanes()
    lanes.add(1, one, dialled=False)
    with ThreadPoolExecutor(1) as thread:
        sent = thread.submit(lanes.send, 1, 3, b"x", nothing)
        other.settimeout(0.05)
        with pytest.raises(TimeoutError):
            other.recv(1)
        other.settimeout(10)
        other.sendall(b"\x01")
        assert other.recv(100) == len_and(3, b"x")
        sent.result(timeout=10)
    lanes.close()
    one.close()
    other.close()


def test_sending_to_one_that_has_closed_does_not_raise(pair: tuple[Lanes, Lanes]) -> None:
    first, second = pair
    next(iter(second._lanes.values())).sock.close()
    for _ in range(3):
        first.send(1, 1, b"x" * 100_000, nothing)  # the link tells who is gone
    assert first.receive(1, nothing) is None


@pytest.mark.parametrize("comm", [object(), type("Comm", (), {"stream": object()})()])
def test_connection_without_a_socket_has_no_lane(comm: object) -> None:
    assert socket_of(comm) is None
